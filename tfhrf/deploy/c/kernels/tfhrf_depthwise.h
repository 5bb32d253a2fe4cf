/* DEPTHWISE_CONV_2D, int8. */
#ifndef TFHRF_DEPTHWISE_H_
#define TFHRF_DEPTHWISE_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

#if TFHRF_SIMD32
/* Adds four products of bytes, one for each of four neighboring channels. */
TFHRF_INLINE void tfhrf_add_products(const int8_t *x, const tfhrf_window *window,
                                     const int8_t *w, int32_t sums[4])
{
    const int32_t zero_point = window->zero_point;
    const uint32_t offsets = ((uint32_t)-zero_point & 0xffffU) | ((uint32_t)-zero_point << 16);
    const uint32_t x_bytes = tfhrf_load_word(x);
    const uint32_t w_bytes = tfhrf_load_word(w);
    const int32_t x_even = (int32_t)tfhrf_add_even(offsets, x_bytes);
    const int32_t x_odd = (int32_t)tfhrf_add_odd(offsets, x_bytes);
    const int32_t w_even = (int32_t)tfhrf_extend_even(w_bytes);
    const int32_t w_odd = (int32_t)tfhrf_extend_odd(w_bytes);
    sums[0] = __smlabb(x_even, w_even, sums[0]);
    sums[1] = __smlabb(x_odd, w_odd, sums[1]);
    sums[2] = __smlatt(x_even, w_even, sums[2]);
    sums[3] = __smlatt(x_odd, w_odd, sums[3]);
}
#endif

/* The product of one value and one weight. */
TFHRF_INLINE int32_t tfhrf_tap(int32_t x, const tfhrf_window *window, int32_t w)
{
    return (x - window->zero_point) * w;
}

TFHRF_INLINE int8_t tfhrf_channel(int32_t sum, const tfhrf_scale *scale, const tfhrf_dense *dense)
{
    const int32_t q = tfhrf_saturate(tfhrf_rescale(sum, scale));
    return (int8_t)(dense->final != NULL ? dense->final[q] : q);
}

#if TFHRF_VECTORS
/* Sums of sixteen neighboring channels: 0, 4, 8, 12; then 1, 5, 9, 13; and so on. No array, which
 * would be in memory. */
typedef struct {
    int32x4_t of0;
    int32x4_t of1;
    int32x4_t of2;
    int32x4_t of3;
} tfhrf_sixteen;

TFHRF_INLINE tfhrf_sixteen tfhrf_add_sixteen(tfhrf_sixteen sums, int16x8_t even, int16x8_t odd)
{
    sums.of0 = vaddq_s32(sums.of0, vmovlbq_s16(even));
    sums.of1 = vaddq_s32(sums.of1, vmovlbq_s16(odd));
    sums.of2 = vaddq_s32(sums.of2, vmovltq_s16(even));
    sums.of3 = vaddq_s32(sums.of3, vmovltq_s16(odd));
    return sums;
}

/* Sixteen bytes, or zeros where there are fewer. */
TFHRF_INLINE int8x16_t tfhrf_load_sixteen(const int8_t *from, int32_t left)
{
    return left >= 16 ? vldrbq_s8(from) : vldrbq_z_s8(from, vctp8q((uint32_t)left));
}

TFHRF_INLINE tfhrf_sixteen tfhrf_add_tap(tfhrf_sixteen sums, const int8_t *x, const int8_t *w,
                                         int32_t left)
{
    const int8x16_t x0 = tfhrf_load_sixteen(x, left);
    const int8x16_t w0 = tfhrf_load_sixteen(w, left);
    return tfhrf_add_sixteen(sums, vmullbq_int_s8(x0, w0), vmulltq_int_s8(x0, w0));
}

TFHRF_INLINE tfhrf_sixteen tfhrf_add_two_taps(tfhrf_sixteen sums, const int8_t *x,
                                              ptrdiff_t column_step, const int8_t *w,
                                              int32_t outputs, int32_t left)
{
#if defined(TFHRF_LEAST_WEIGHTS)
    sums = tfhrf_add_tap(sums, x, w, left);
    return tfhrf_add_tap(sums, x + column_step, w + outputs, left);
#else
    /* Without weights of -128, 16 bits hold two products. */
    const int8x16_t x0 = tfhrf_load_sixteen(x, left);
    const int8x16_t w0 = tfhrf_load_sixteen(w, left);
    const int8x16_t x1 = tfhrf_load_sixteen(x + column_step, left);
    const int8x16_t w1 = tfhrf_load_sixteen(w + outputs, left);
    return tfhrf_add_sixteen(sums, vaddq_s16(vmullbq_int_s8(x0, w0), vmullbq_int_s8(x1, w1)),
                             vaddq_s16(vmulltq_int_s8(x0, w0), vmulltq_int_s8(x1, w1)));
#endif
}

/* Adds the products of the taps of a line. */
TFHRF_INLINE tfhrf_sixteen tfhrf_add_taps(tfhrf_sixteen sums, const int8_t *x,
                                          ptrdiff_t column_step, const int8_t *w,
                                          int32_t outputs, int32_t taps, int32_t left)
{
    if (taps == 3) {
        /* Written out: the most usual, and too short for a loop. */
        sums = tfhrf_add_two_taps(sums, x, column_step, w, outputs, left);
        return tfhrf_add_tap(sums, x + 2 * column_step, w + 2 * outputs, left);
    }
    for (; taps >= 2; taps -= 2) {
        sums = tfhrf_add_two_taps(sums, x, column_step, w, outputs, left);
        x += 2 * column_step;
        w += 2 * outputs;
    }
    return taps == 0 ? sums : tfhrf_add_tap(sums, x, w, left);
}

/* Minus the zero point times the weights of some taps. */
TFHRF_INLINE tfhrf_sixteen tfhrf_take_zero_point(tfhrf_sixteen sums, const tfhrf_window *window,
                                                 const int8_t *w, int32_t outputs, tfhrf_taps high,
                                                 tfhrf_taps wide, int32_t left)
{
    int16x8_t even = vdupq_n_s16(0);
    int16x8_t odd = vdupq_n_s16(0);
    for (int32_t i = high.first; i < high.last; ++i) {
        for (int32_t j = wide.first; j < wide.last; ++j) {
            const int8x16_t weights =
                tfhrf_load_sixteen(w + (i * window->kernel_width + j) * outputs, left);
            even = vaddq_s16(even, vmovlbq_s8(weights));
            odd = vaddq_s16(odd, vmovltq_s8(weights));
        }
    }
    const int32_t factor = -window->zero_point;
    sums.of0 = vmlaq_n_s32(sums.of0, vmovlbq_s16(even), factor);
    sums.of1 = vmlaq_n_s32(sums.of1, vmovlbq_s16(odd), factor);
    sums.of2 = vmlaq_n_s32(sums.of2, vmovltq_s16(even), factor);
    sums.of3 = vmlaq_n_s32(sums.of3, vmovltq_s16(odd), factor);
    return sums;
}

/* Which of every fourth channel there are. */
TFHRF_INLINE mve_pred16_t tfhrf_fourths(uint32x4_t fourth, int32_t left)
{
    return vcmpgtq_n_s32(vsubq_s32(vdupq_n_s32(left), vreinterpretq_s32_u32(fourth)), 0);
}

TFHRF_INLINE int32x4_t tfhrf_bias_of(const int32_t *bias, uint32x4_t fourth, int32_t left)
{
    return vldrwq_gather_shifted_offset_z_s32(bias, fourth, tfhrf_fourths(fourth, left));
}

/* The end of the sums of every fourth channel. */
TFHRF_INLINE void tfhrf_put_fourths(int32x4_t sums, uint32x4_t scales, const int8_t *table,
                                    int8_t *out, uint32x4_t places, uint32x4_t fourth,
                                    int32_t left)
{
    const int32x4_t q = tfhrf_finish_outputs(sums, scales, table);
    if (left >= 13) {
        vstrbq_scatter_offset_s32(out, places, q);
    } else {
        vstrbq_scatter_offset_p_s32(out, places, q, tfhrf_fourths(fourth, left));
    }
}

/* A line of outputs of the sixteen channels, or fewer, from `c` on; there are `left`. */
TFHRF_INLINE void tfhrf_depthwise_line(const int8_t *in, int8_t *out, ptrdiff_t out_column,
                                       ptrdiff_t out_step, int32_t first_y,
                                       const tfhrf_window *window, const tfhrf_dense *dense,
                                       int32_t c, int32_t left)
{
    const int32_t outputs = dense->outputs;
    const int32_t kernel_width = window->kernel_width;
    const int8_t *const table = dense->final;
    const int8_t *const weights = dense->weights + c;
    const ptrdiff_t row_step = window->dilation_height * window->row;
    const ptrdiff_t column_step = window->dilation_width * window->column;
    const uint32x4_t fourth = viwdupq_n_u32(0U, 16U, 4);
    const uint32x4_t places = vmulq_n_u32(fourth, (uint32_t)out_step);
    const uint32_t scale_size = (uint32_t)sizeof(tfhrf_scale) * (uint32_t)dense->scale_step;
    const uint32x4_t scales =
        vaddq_n_u32(vmulq_n_u32(fourth, scale_size),
                    (uint32_t)(uintptr_t)(dense->scales + c * dense->scale_step));
    const tfhrf_taps high =
        tfhrf_inside(first_y, window->kernel_height, window->dilation_height, window->height);
    const tfhrf_taps all = {0, kernel_width};
    const int32_t *const bias = dense->bias + c;
    const tfhrf_sixteen plain = {
        tfhrf_bias_of(bias, fourth, left),
        tfhrf_bias_of(bias + 1, fourth, left - 1),
        tfhrf_bias_of(bias + 2, fourth, left - 2),
        tfhrf_bias_of(bias + 3, fourth, left - 3),
    };
    const tfhrf_sixteen whole =
        tfhrf_take_zero_point(plain, window, weights, outputs, high, all, left);
    for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
        const int32_t first_x = out_x * window->stride_width - window->left;
        const tfhrf_taps wide =
            tfhrf_inside(first_x, kernel_width, window->dilation_width, window->width);
        const int32_t taps = wide.last - wide.first;
        tfhrf_sixteen sums = whole;
        if (taps != kernel_width) {
            sums = tfhrf_take_zero_point(plain, window, weights, outputs, high, wide, left);
        }
        for (int32_t i = high.first; i < high.last; ++i) {
            const int8_t *const x = in + c + first_y * window->row + first_x * window->column +
                                    i * row_step + wide.first * column_step;
            const int8_t *const w = weights + (i * kernel_width + wide.first) * outputs;
            sums = tfhrf_add_taps(sums, x, column_step, w, outputs, taps, left);
        }
        int8_t *const to = out + out_x * out_column + c * out_step;
        tfhrf_put_fourths(sums.of0, scales, table, to, places, fourth, left);
        tfhrf_put_fourths(sums.of1, vaddq_n_u32(scales, scale_size), table, to + out_step, places,
                          fourth, left - 1);
        tfhrf_put_fourths(sums.of2, vaddq_n_u32(scales, 2U * scale_size), table, to + 2 * out_step,
                          places, fourth, left - 2);
        tfhrf_put_fourths(sums.of3, vaddq_n_u32(scales, 3U * scale_size), table, to + 3 * out_step,
                          places, fourth, left - 3);
    }
}

/* Lines of the output where each channel of the input makes one; returns 1. */
TFHRF_KERNEL int32_t tfhrf_depthwise_vectors(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                          ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                          int32_t rows, const tfhrf_window *window,
                                          const tfhrf_dense *dense)
{
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        int32_t c = 0;
        for (; c + 16 <= dense->outputs; c += 16) {
            tfhrf_depthwise_line(in, out, out_column, out_step, first_y, window, dense, c, 16);
        }
        if (c < dense->outputs) {
            tfhrf_depthwise_line(in, out, out_column, out_step, first_y, window, dense, c,
                                 dense->outputs - c);
        }
        ++out_y;
        out += out_row;
    }
    return 1;
}
#endif

#include "tfhrf_of8.h"
#include "tfhrf_depthwise_any.h"

#endif
