/*
 * DEPTHWISE_CONV_2D, int8, of an image that is one pixel wide, such as frames of sound, without
 * gaps: two lines of outputs at a time, for each of four channels.
 *
 * Four bytes of weights belong to two taps of a channel, [pairs of taps][outputs][4]: the taps
 * 2 i, 2 i - 1, 2 i + 1 and 2 i. The first and the third meet two lines of the input for the first
 * line of outputs, the others for the second. Taps that there are not are 0. Biases have the
 * input's zero point folded in.
 */
#ifndef TFHRF_DEPTHWISE_FRAMES_H_
#define TFHRF_DEPTHWISE_FRAMES_H_

#include "tfhrf_depthwise.h"

/* Lines of the input that one call meets at most. */
#define TFHRF_FRAMES 34

/* Adds the products of two lines of a channel to the sums of the first line of outputs and of the
 * second. */
#if TFHRF_SIMD32
TFHRF_INLINE void tfhrf_add_tap_pair(uint32_t lines, const int8_t *w, int32_t *first,
                                     int32_t *second)
{
    const uint32_t taps = tfhrf_load_word(w);
    *first = tfhrf_dual(lines, tfhrf_extend_even(taps), *first);
    *second = tfhrf_dual(lines, tfhrf_extend_odd(taps), *second);
}
#else
TFHRF_INLINE void tfhrf_add_tap_pair(int32_t upper, int32_t lower, const int8_t *w,
                                     int32_t *first, int32_t *second)
{
    *first += upper * w[0] + lower * w[2];
    *second += upper * w[1] + lower * w[3];
}
#endif

/*
 * Both lines of outputs of a channel and of the one after the next: four sums and what they take
 * are in registers. `odd`: whether the channel is, which pairs of `lines` begin with.
 */
TFHRF_INLINE void tfhrf_frames_pair(const int8_t *const *lines, int32_t pairs, int32_t c,
                                    int32_t odd, const tfhrf_dense *dense, int8_t *out,
                                    ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t channel = c + odd;
    const int8_t *const *const end = lines + 2 * pairs;
    const int8_t *w = dense->weights + 4 * channel;
    const ptrdiff_t width = 4 * dense->outputs;
    const tfhrf_scale *const scale = dense->scales + channel * dense->scale_step;
    int32_t a0 = dense->bias[channel];
    int32_t a1 = a0;
    int32_t b0 = dense->bias[channel + 2];
    int32_t b1 = b0;
    for (; lines < end; lines += 2) {
#if TFHRF_SIMD32
        uint32_t upper = tfhrf_load_word(lines[0] + c);
        uint32_t lower = tfhrf_load_word(lines[1] + c);
        upper = odd != 0 ? tfhrf_extend_odd(upper) : tfhrf_extend_even(upper);
        lower = odd != 0 ? tfhrf_extend_odd(lower) : tfhrf_extend_even(lower);
        tfhrf_add_tap_pair(tfhrf_low_halves(upper, lower), w, &a0, &a1);
        tfhrf_add_tap_pair(tfhrf_high_halves(upper, lower), w + 8, &b0, &b1);
#else
        const int8_t *const upper = lines[0] + channel;
        const int8_t *const lower = lines[1] + channel;
        tfhrf_add_tap_pair(upper[0], lower[0], w, &a0, &a1);
        tfhrf_add_tap_pair(upper[2], lower[2], w + 8, &b0, &b1);
#endif
        w += width;
    }
    const int32_t a[2] = {tfhrf_shift_left(a0, TFHRF_TWICE), tfhrf_shift_left(a1, TFHRF_TWICE)};
    const int32_t b[2] = {tfhrf_shift_left(b0, TFHRF_TWICE), tfhrf_shift_left(b1, TFHRF_TWICE)};
    out += channel * out_step;
    tfhrf_put(a, scale, dense->final, out, next);
    tfhrf_put(b, scale + 2 * dense->scale_step, dense->final, out + 2 * out_step, next);
}

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

/* Lines of the output from `out_y` on; `padding` is scratch for a line. */
TFHRF_KERNEL void tfhrf_depthwise_frames_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                              ptrdiff_t out_column, ptrdiff_t out_step,
                                              int32_t out_y, int32_t rows,
                                              const tfhrf_window *window, const tfhrf_dense *dense,
                                              int8_t *padding)
{
    const int32_t outputs = dense->outputs;
    const int32_t pairs = window->kernel_height / 2 + 1;
    (void)out_column;
    memset(padding, window->zero_point, (size_t)outputs);
    for (; rows > 0; rows -= 2) {
        const int8_t *lines[TFHRF_FRAMES];
        for (int32_t i = 0; i < 2 * pairs; ++i) {
            const int32_t y = out_y - window->top + i;
            lines[i] = y < 0 || y >= window->height ? padding : in + y * window->row;
        }
        const ptrdiff_t next = rows > 1 ? out_row : 0;
        int32_t c = 0;
#if TFHRF_VECTORS && TFHRF_TAP_PAIRS
        c = tfhrf_frames_vectors(lines, pairs, dense, out, next, out_step);
#endif
        for (; c < outputs; c += 4) {
            tfhrf_frames_pair(lines, pairs, c, 0, dense, out, next, out_step);
            tfhrf_frames_pair(lines, pairs, c, 1, dense, out, next, out_step);
        }
        out_y += 2;
        out += 2 * out_row;
    }
}

#endif
