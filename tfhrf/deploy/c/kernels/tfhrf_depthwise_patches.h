/*
 * DEPTHWISE_CONV_2D, int8, windows of 3 x 3 without gaps and one pixel apart, Helium: the sixteen
 * pixels that two outputs and the two below them see are laid out channel by channel, four channels
 * at a time. Sixteen products are one instruction then.
 */
#ifndef TFHRF_DEPTHWISE_PATCHES_H_
#define TFHRF_DEPTHWISE_PATCHES_H_

#include "tfhrf_depthwise.h"

#if TFHRF_VECTORS && defined(__GNUC__)
#define TFHRF_PATCHES 1

/* Zeros before the taps of a channel: the last output does not see the first pixels. */
#define TFHRF_SKIPPED 5

/* What a channel is computed with. */
typedef struct {
    int32_t bias; /* with the zero point folded in */
    int32_t multiplier;
    int32_t rounding;
    int32_t left; /* minus the shift to the right */
    int8_t taps[24];
} tfhrf_patch_filter;

/* The filters of four channels: three taps, a zero, three taps, a zero and so on. */
TFHRF_INLINE void tfhrf_set_filters(tfhrf_patch_filter filters[4], int32_t words[16],
                                    const tfhrf_dense *dense, int32_t c, int32_t zero_point)
{
    const int32_t outputs = dense->outputs;
    const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0U, 1), (uint32_t)outputs);
    const int8_t *const weights = dense->weights + c;
    __asm__ volatile("vctp.32 %[three]\n\t"
                     "vpsttt\n\t"
                     "vldrwt.u32 q0, [%[w0], %q[places]]\n\t"
                     "vldrwt.u32 q1, [%[w1], %q[places]]\n\t"
                     "vldrwt.u32 q2, [%[w2], %q[places]]\n\t"
                     "vmov.i32 q3, #0\n\t"
                     "vstrw.32 q0, [%[words]]\n\t"
                     "vstrw.32 q1, [%[words], #16]\n\t"
                     "vstrw.32 q2, [%[words], #32]\n\t"
                     "vstrw.32 q3, [%[words], #48]\n\t"
                     :
                     : [three] "r"(3), [w0] "r"(weights), [w1] "r"(weights + 3 * outputs),
                       [w2] "r"(weights + 6 * outputs), [places] "w"(places), [words] "r"(words)
                     : "q0", "q1", "q2", "q3", "p0", "memory");
    const int8x16x4_t channels = vld4q_s8((const int8_t *)(const void *)words);
    const int32_t taps[4] = {
        vaddvq_s8(channels.val[0]),
        vaddvq_s8(channels.val[1]),
        vaddvq_s8(channels.val[2]),
        vaddvq_s8(channels.val[3]),
    };
    vst1q_s8(filters[0].taps + TFHRF_SKIPPED, channels.val[0]);
    vst1q_s8(filters[1].taps + TFHRF_SKIPPED, channels.val[1]);
    vst1q_s8(filters[2].taps + TFHRF_SKIPPED, channels.val[2]);
    vst1q_s8(filters[3].taps + TFHRF_SKIPPED, channels.val[3]);
    const uint32x4_t numbers = vidupq_n_u32(0U, 1);
    const uint32x4_t to = vmulq_n_u32(numbers, (uint32_t)sizeof *filters);
    const uint32_t scale_size = (uint32_t)sizeof(tfhrf_scale) * (uint32_t)dense->scale_step;
    const uint32x4_t scales =
        vaddq_n_u32(vmulq_n_u32(numbers, scale_size),
                    (uint32_t)(uintptr_t)dense->scales + (uint32_t)c * scale_size);
    const int32x4_t bias = vld1q_s32(dense->bias + c);
    vstrwq_scatter_offset_s32(&filters->bias, to,
                              vmlaq_n_s32(bias, tfhrf_vector_of(taps), -zero_point));
    vstrwq_scatter_offset_s32(&filters->multiplier, to, vldrwq_gather_base_s32(scales, 0));
    vstrwq_scatter_offset_s32(&filters->rounding, to, vldrwq_gather_base_s32(scales, 4));
    /* The shift is the lowest byte of what is loaded. */
    vstrwq_scatter_offset_s32(&filters->left, to,
                              vnegq_s32(vldrwq_gather_base_s32(scales, 8)));
}

/* Two by two outputs of each of four channels, those of `kept`. */
TFHRF_INLINE void tfhrf_put_patch(const int32_t words[16], const tfhrf_patch_filter filters[4],
                                  uint32x4_t places, int8_t *out, ptrdiff_t step,
                                  mve_pred16_t kept)
{
#define TFHRF_SUM(sum, x, at)                                                                      \
    "vldrb.u8 q4, [%[filter], #" at "]\n\t"                                                        \
    "vmlav.s8 " sum ", " x ", q4\n\t"
/* A channel: where its filter begins, half of that, and the taps that each output begins with. */
#define TFHRF_CHANNEL(x, filter, half, first, second, third, fourth)                               \
    TFHRF_SUM("r4", x, first)                                                                      \
    TFHRF_SUM("r8", x, second)                                                                     \
    TFHRF_SUM("r10", x, third)                                                                     \
    TFHRF_SUM("r12", x, fourth)                                                                    \
    "vmov q4[2], q4[0], r4, r10\n\t"                                                               \
    "vmov q4[3], q4[1], r8, r12\n\t"                                                               \
    "ldrd r4, r8, [%[filter], #" filter "]\n\t"                                                    \
    "vadd.i32 q4, q4, r4\n\t"                                                                      \
    "vqrdmulh.s32 q4, q4, r8\n\t"                                                                  \
    "ldrd r4, r8, [%[filter], #" half "]\n\t"                                                      \
    "vshr.s32 q5, q4, #31\n\t"                                                                     \
    "vadd.i32 q4, q4, q5\n\t"                                                                      \
    "vadd.i32 q4, q4, r4\n\t"                                                                      \
    "vshl.s32 q4, r8\n\t"                                                                          \
    "vqmovnb.s32 q4, q4\n\t"                                                                       \
    "vqmovnb.s16 q4, q4\n\t"                                                                       \
    "vpst\n\t"                                                                                     \
    "vstrbt.32 q4, [%[out], %q[places]]\n\t"                                                       \
    "add %[out], %[out], %[step]\n\t"
    const int8_t *filter = filters[1].taps + 4;
    __asm__ volatile("vmsr p0, %[kept]\n\t"
                     "vld40.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     "vld41.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     "vld42.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     "vld43.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     TFHRF_CHANNEL("q0", "-60", "-52", "-39", "-40", "-43", "-44")
                     TFHRF_CHANNEL("q1", "-20", "-12", "1", "0", "-3", "-4")
                     TFHRF_CHANNEL("q2", "20", "28", "41", "40", "37", "36")
                     TFHRF_CHANNEL("q3", "60", "68", "81", "80", "77", "76")
                     : [out] "+r"(out)
                     : [filter] "r"(filter), [words] "r"(words), [places] "w"(places),
                       [step] "r"(step), [kept] "r"((uint32_t)kept)
                     : "r4", "r8", "r10", "r12", "q0", "q1", "q2", "q3", "q4", "q5", "p0",
                       "memory");
#undef TFHRF_CHANNEL
#undef TFHRF_SUM
}

/* The same, looked up in a table. */
TFHRF_INLINE void tfhrf_look_up_patch(const int8_t *table, uint32x4_t places, int8_t *out,
                                      ptrdiff_t step, mve_pred16_t kept)
{
#pragma GCC unroll 4
    for (int32_t k = 0; k < 4; ++k) {
        const int32x4_t q = vldrbq_gather_offset_z_s32(out, places, kept);
        vstrbq_scatter_offset_p_s32(out, places, tfhrf_look_up4(table, q), kept);
        out += step;
    }
}

/* Four lines of pixels, `row` apart; those that are not `inside` are padding. */
TFHRF_INLINE void tfhrf_patch_lines(const int8_t *from, ptrdiff_t row, uint32x4_t offsets,
                                    int32x4_t padding, mve_pred16_t inside, int32_t words[16])
{
    int32x4_t a;
    int32x4_t b;
    __asm__ volatile("vmsr p0, %[inside]\n\t"
                     "vldrw.u32 %q[a], [%[from], %q[offsets]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vldrw.u32 %q[b], [%[from], %q[offsets]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vpsel %q[a], %q[a], %q[padding]\n\t"
                     "vpsel %q[b], %q[b], %q[padding]\n\t"
                     "vstrw.32 %q[a], [%[words]]\n\t"
                     "vstrw.32 %q[b], [%[words], #16]\n\t"
                     "vldrw.u32 %q[a], [%[from], %q[offsets]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vldrw.u32 %q[b], [%[from], %q[offsets]]\n\t"
                     "vpsel %q[a], %q[a], %q[padding]\n\t"
                     "vpsel %q[b], %q[b], %q[padding]\n\t"
                     "vstrw.32 %q[a], [%[words], #32]\n\t"
                     "vstrw.32 %q[b], [%[words], #48]\n\t"
                     : [a] "=&w"(a), [b] "=&w"(b), [from] "+r"(from)
                     : [row] "r"(row), [offsets] "w"(offsets), [padding] "w"(padding),
                       [inside] "r"((uint32_t)inside), [words] "r"(words)
                     : "p0", "memory");
}

/* Lines of outputs of four channels. */
TFHRF_INLINE void tfhrf_patches_loop(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                     ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                     int32_t rows, const tfhrf_window *window,
                                     const tfhrf_patch_filter filters[4], int32_t words[16],
                                     const int8_t *table)
{
    const uint32_t byte = (uint32_t)window->zero_point & 0xffU;
    const int32x4_t padding = vdupq_n_s32((int32_t)(byte * 0x01010101U));
    const uint32x4_t counted = vidupq_n_u32(0U, 1);
    const int32x4_t numbers = vreinterpretq_s32_u32(counted);
    /* Of outputs, two by two. */
    const uint32x4_t places =
        vaddq_u32(vmulq_n_u32(vandq_u32(counted, vdupq_n_u32(1U)), (uint32_t)out_column),
                  vmulq_n_u32(vshrq_n_u32(counted, 1), (uint32_t)out_row));
    for (int32_t out_x = 0; out_x < window->out_width; out_x += 2) {
        /* Columns outside the image are those at its edge, and replaced. */
        const int32x4_t columns = vaddq_n_s32(numbers, out_x - window->left);
        const int32x4_t nearest = vminq_s32(vmaxq_s32(columns, vdupq_n_s32(0)),
                                            vdupq_n_s32(window->width - 1));
        const mve_pred16_t inside = vcmpeqq_s32(columns, nearest);
        const uint32x4_t offsets =
            vreinterpretq_u32_s32(vmulq_n_s32(nearest, (int32_t)window->column));
        const uint32_t wide = out_x + 1 < window->out_width ? 0xffffU : 0x0f0fU;
        int8_t *to = out + out_x * out_column;
        int32_t y = out_y - window->top;
        for (int32_t left = rows; left > 0; left -= 2) {
            const int8_t *from = in + y * window->row;
            mve_pred16_t kept = (mve_pred16_t)wide;
            if (left >= 2 && y >= 0 && y + 4 <= window->height) {
                tfhrf_patch_lines(from, window->row, offsets, padding, inside, words);
            } else {
                for (int32_t i = 0; i < 4; ++i) {
                    int32x4_t line = padding;
                    if (y + i >= 0 && y + i < window->height) {
                        const int32_t *const pixels = (const int32_t *)(const void *)from;
                        line = vpselq_s32(vldrwq_gather_offset_s32(pixels, offsets), padding,
                                          inside);
                    }
                    vst1q_s32(words + 4 * i, line);
                    from += window->row;
                }
                kept = left >= 2 ? kept : (mve_pred16_t)(wide & 0x00ffU);
            }
            tfhrf_put_patch(words, filters, places, to, out_step, kept);
            if (table != NULL) {
                tfhrf_look_up_patch(table, places, to, out_step, kept);
            }
            y += 2;
            to += 2 * out_row;
        }
    }
}

/* Lines of the output from `out_y` on; pixels begin at words. */
TFHRF_KERNEL void tfhrf_depthwise_patches(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                          ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                          int32_t rows, const tfhrf_window *window_of,
                                          const tfhrf_dense *dense)
{
    /* A copy: a byte that is written might change what pointers point to. */
    const tfhrf_window window = *window_of;
    int32_t words[16] TFHRF_ALIGNED;
    tfhrf_patch_filter filters[4];
    memset(filters, 0, sizeof filters);
    for (int32_t c = 0; c < dense->outputs; c += 4) {
        tfhrf_set_filters(filters, words, dense, c, window.zero_point);
        tfhrf_patches_loop(in + c, out + c * out_step, out_row, out_column, out_step, out_y, rows,
                           &window, filters, words, dense->final);
    }
}
#else
#define TFHRF_PATCHES 0
#endif

#endif
