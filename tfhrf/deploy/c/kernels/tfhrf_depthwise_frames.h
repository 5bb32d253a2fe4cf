/*
 * DEPTHWISE_CONV_2D, int8, of an image that is one pixel wide, such as frames of sound, without
 * gaps: four lines of outputs at a time, or two, for each of four channels.
 *
 * Four bytes of weights belong to two taps of a channel, [pairs of taps][outputs][4]: the taps
 * 2 i, 2 i - 1, 2 i + 1 and 2 i. The first and the third meet two lines of the input for the first
 * line of outputs, the others for the second. Taps that there are not are 0. Biases have the
 * input's zero point folded in.
 */
#ifndef TFHRF_DEPTHWISE_FRAMES_H_
#define TFHRF_DEPTHWISE_FRAMES_H_

#include "tfhrf_depthwise.h"

/* Lines of the input that meet outputs at a time at most. */
#define TFHRF_FRAMES 36

#if TFHRF_SIMD32 && !TFHRF_MVE
#define TFHRF_FRAMES_AT_ONCE 4

/* Pairs of lines of four channels, one channel after the other. */
TFHRF_INLINE void tfhrf_pair_frames(const int8_t *const *lines, int32_t pairs, int32_t c,
                                    tfhrf_pair *out)
{
    tfhrf_pair *const end = out + pairs;
    for (; out < end; ++out) {
        const uint32_t upper = tfhrf_load_word(*lines++ + c);
        const uint32_t lower = tfhrf_load_word(*lines++ + c);
        tfhrf_pair_channels(upper, lower, pairs, out);
    }
}

/* How far apart a channel's weights are, and what becomes of its sums. */
typedef struct {
    ptrdiff_t width; /* from pair of taps to pair of taps */
    const int8_t *table;
    ptrdiff_t second; /* lines of outputs; those that there are not are ones before them */
    ptrdiff_t third;
    ptrdiff_t fourth;
} tfhrf_frames;

/* Four lines of outputs of a channel from one more pair of lines than there are of taps. */
TFHRF_INLINE void tfhrf_four_frames(const tfhrf_pair *x, const tfhrf_pair *end,
                                    const tfhrf_frames *frames, const int8_t *w, int32_t bias,
                                    const tfhrf_scale *scale_of, int8_t *out)
{
    /* A copy: a byte that is written might change what pointers point to. */
    const tfhrf_scale scale = *scale_of;
    const ptrdiff_t width = frames->width;
    uint32_t both = x->word;
    uint32_t taps = tfhrf_load_word(w);
    uint32_t even = tfhrf_extend_even(taps);
    uint32_t odd = tfhrf_extend_odd(taps);
    int32_t first = tfhrf_dual(both, even, bias);
    int32_t second = tfhrf_dual(both, odd, bias);
    int32_t third = bias;
    int32_t fourth = bias;
    for (++x; x < end; ++x) {
        both = x->word;
        third = tfhrf_dual(both, even, third);
        fourth = tfhrf_dual(both, odd, fourth);
        w += width;
        taps = tfhrf_load_word(w);
        even = tfhrf_extend_even(taps);
        odd = tfhrf_extend_odd(taps);
        first = tfhrf_dual(both, even, first);
        second = tfhrf_dual(both, odd, second);
    }
    both = x->word;
    third = tfhrf_dual(both, even, third);
    fourth = tfhrf_dual(both, odd, fourth);
    const int32_t upper[2] = {tfhrf_shift_left(first, TFHRF_TWICE),
                              tfhrf_shift_left(second, TFHRF_TWICE)};
    const int32_t lower[2] = {tfhrf_shift_left(third, TFHRF_TWICE),
                              tfhrf_shift_left(fourth, TFHRF_TWICE)};
    /* The last first: of lines that are the same one the first is to keep. */
    tfhrf_put(lower, &scale, frames->table, out + frames->third, frames->fourth);
    tfhrf_put(upper, &scale, frames->table, out, frames->second);
}
#else
#define TFHRF_FRAMES_AT_ONCE 2

/* Adds the products of two lines of a channel to the sums of the first line of outputs and of the
 * second. */
TFHRF_INLINE void tfhrf_add_tap_pair(int32_t upper, int32_t lower, const int8_t *w,
                                     int32_t *first, int32_t *second)
{
    *first += upper * w[0] + lower * w[2];
    *second += upper * w[1] + lower * w[3];
}

/* Both lines of outputs of a channel and of the one after the next. */
TFHRF_INLINE void tfhrf_frames_pair(const int8_t *const *lines, int32_t pairs, int32_t channel,
                                    const tfhrf_dense *dense, int8_t *out, ptrdiff_t next,
                                    ptrdiff_t out_step)
{
    const int8_t *const *const end = lines + 2 * pairs;
    const int8_t *w = dense->weights + 4 * channel;
    const ptrdiff_t width = 4 * dense->outputs;
    const tfhrf_scale *const scale = dense->scales + channel * dense->scale_step;
    int32_t a[2] = {dense->bias[channel], dense->bias[channel]};
    int32_t b[2] = {dense->bias[channel + 2], dense->bias[channel + 2]};
    for (; lines < end; lines += 2) {
        const int8_t *const upper = lines[0] + channel;
        const int8_t *const lower = lines[1] + channel;
        tfhrf_add_tap_pair(upper[0], lower[0], w, &a[0], &a[1]);
        tfhrf_add_tap_pair(upper[2], lower[2], w + 8, &b[0], &b[1]);
        w += width;
    }
    for (int32_t i = 0; i < 2; ++i) {
        a[i] = tfhrf_shift_left(a[i], TFHRF_TWICE);
        b[i] = tfhrf_shift_left(b[i], TFHRF_TWICE);
    }
    out += channel * out_step;
    tfhrf_put(a, scale, dense->final, out, next);
    tfhrf_put(b, scale + 2 * dense->scale_step, dense->final, out + 2 * out_step, next);
}
#endif

#if TFHRF_VECTORS && TFHRF_TAP_PAIRS
/* Pairs of lines of eight channels of both lines of outputs: compilers run out of registers. */
TFHRF_INLINE tfhrf_two_sums8 tfhrf_add_line_pairs(tfhrf_two_sums8 sums, const int8_t *const *line,
                                                  int32_t pairs, int32_t channel, const int8_t *w,
                                                  int32_t width)
{
/* Products of two taps, 16 bits hold both, into sums. */
#define TFHRF_TWO_TAPS(first, between, second, even, odd)                                          \
    "vldrb.s16 %q[t0], [%[x0]]\n\t"                                                                \
    "vldrb.s16 %q[t1], [" first ", %q[fourth]]\n\t"                                                \
    "vmul.i16 %q[t0], %q[t0], %q[t1]\n\t"                                                          \
    "vldrb.s16 %q[t1], [%[x1]]\n\t" between                                                        \
    "vldrb.s16 %q[t2], [" second ", %q[fourth]]\n\t"                                               \
    "vmul.i16 %q[t1], %q[t1], %q[t2]\n\t"                                                          \
    "vadd.i16 %q[t0], %q[t0], %q[t1]\n\t"                                                          \
    "vmovlb.s16 %q[t1], %q[t0]\n\t"                                                                \
    "vadd.i32 %q[" even "], %q[" even "], %q[t1]\n\t"                                              \
    "vmovlt.s16 %q[t0], %q[t0]\n\t"                                                                \
    "vadd.i32 %q[" odd "], %q[" odd "], %q[t0]\n\t"
    const uint16x8_t fourth = vidupq_n_u16(0U, 4);
    const int8_t *x0;
    const int8_t *x1;
    const int8_t *tap;
    int16x8_t t0;
    int16x8_t t1;
    int16x8_t t2;
    __asm__ volatile("1:\n\t"
                     "ldr %[x0], [%[line]], #4\n\t"
                     "ldr %[x1], [%[line]], #4\n\t"
                     "add %[x0], %[x0], %[channel]\n\t"
                     "add %[x1], %[x1], %[channel]\n\t"
                     TFHRF_TWO_TAPS("%[w]", "add %[tap], %[w], #2\n\t", "%[tap]", "s0", "s1")
                     "subs %[tap], %[tap], #1\n\t"
                     TFHRF_TWO_TAPS("%[tap]", "", "%[w]", "s2", "s3")
                     "add %[w], %[w], %[width]\n\t"
                     "subs %[pairs], %[pairs], #1\n\t"
                     "bne 1b\n\t"
                     : [s0] "+w"(sums.first.even), [s1] "+w"(sums.first.odd),
                       [s2] "+w"(sums.second.even), [s3] "+w"(sums.second.odd), [t0] "=&w"(t0),
                       [t1] "=&w"(t1), [t2] "=&w"(t2), [x0] "=&l"(x0), [x1] "=&l"(x1),
                       [tap] "=&r"(tap), [line] "+r"(line), [w] "+r"(w), [pairs] "+r"(pairs)
                     : [fourth] "w"(fourth), [channel] "r"(channel), [width] "r"(width)
                     : "cc", "memory");
    return sums;
#undef TFHRF_TWO_TAPS
}

/* Eights of channels of two lines of outputs, or of one where `next` is 0; returns how many. */
TFHRF_INLINE int32_t tfhrf_frames_vectors(const int8_t *const *lines, int32_t pairs,
                                          const tfhrf_dense *dense, int8_t *out, ptrdiff_t next,
                                          ptrdiff_t out_step)
{
    const int32_t outputs = dense->outputs & ~7;
    for (int32_t c = 0; c < outputs; c += 8) {
        const tfhrf_end8 end =
            tfhrf_end_of(dense, vidupq_n_u32(0U, 2), vidupq_n_u32(1U, 2), c, out_step);
        const int32x4x2_t bias = vld2q_s32(dense->bias + c);
        const tfhrf_sums8 plain = {bias.val[0], bias.val[1]};
        tfhrf_two_sums8 sums = {plain, plain};
        sums = tfhrf_add_line_pairs(sums, lines, pairs, c, dense->weights + 4 * c,
                                    4 * dense->outputs);
        tfhrf_put_sums(sums, 1, &end, out + c * out_step, next, 8);
    }
    return outputs;
}
#endif

/* Lines of the output from `out_y` on; `scratch` has room for a line, and behind it for four
 * channels of the pairs of lines that are met. */
TFHRF_KERNEL void tfhrf_depthwise_frames_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                              ptrdiff_t out_column, ptrdiff_t out_step,
                                              int32_t out_y, int32_t rows,
                                              const tfhrf_window *window, const tfhrf_dense *dense,
                                              tfhrf_pair *scratch)
{
    const int32_t outputs = dense->outputs;
    const int32_t pairs = window->kernel_height / 2 + TFHRF_FRAMES_AT_ONCE / 2;
    int8_t *const padding = (int8_t *)scratch;
    (void)out_column;
    memset(padding, window->zero_point, (size_t)outputs);
    for (; rows > 0; rows -= TFHRF_FRAMES_AT_ONCE) {
        const int8_t *lines[TFHRF_FRAMES];
        for (int32_t i = 0; i < 2 * pairs; ++i) {
            const int32_t y = out_y - window->top + i;
            lines[i] = y < 0 || y >= window->height ? padding : in + y * window->row;
        }
#if TFHRF_SIMD32 && !TFHRF_MVE
        const tfhrf_frames frames = {
            4 * outputs,
            dense->final,
            rows > 1 ? out_row : 0,
            rows > 2 ? 2 * out_row : 0,
            rows > 3 ? out_row : 0,
        };
        tfhrf_pair *const channels = scratch + outputs / 4;
        const int32_t *bias = dense->bias;
        const tfhrf_scale *scale = dense->scales;
        int8_t *to = out;
        const int8_t *w = dense->weights;
        for (int32_t c = 0; c < outputs; c += 4) {
            tfhrf_pair_frames(lines, pairs, c, channels);
            const tfhrf_pair *x = channels;
            const tfhrf_pair *const end = channels + 4 * pairs;
            for (; x < end; x += pairs) {
                tfhrf_four_frames(x, x + pairs - 1, &frames, w, *bias++, scale, to);
                scale += dense->scale_step;
                to += out_step;
                w += 4;
            }
        }
#else
        const ptrdiff_t next = rows > 1 ? out_row : 0;
        int32_t c = 0;
#if TFHRF_VECTORS && TFHRF_TAP_PAIRS
        c = tfhrf_frames_vectors(lines, pairs, dense, out, next, out_step);
#endif
        for (; c < outputs; c += 4) {
            tfhrf_frames_pair(lines, pairs, c, dense, out, next, out_step);
            tfhrf_frames_pair(lines, pairs, c + 1, dense, out, next, out_step);
        }
#endif
        out_y += TFHRF_FRAMES_AT_ONCE;
        out += TFHRF_FRAMES_AT_ONCE * out_row;
    }
}

#endif
