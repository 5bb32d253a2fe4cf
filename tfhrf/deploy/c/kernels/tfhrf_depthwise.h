/* DEPTHWISE_CONV_2D, int8. */
#ifndef TFHRF_DEPTHWISE_H_
#define TFHRF_DEPTHWISE_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

/* Adds four products of bytes, one for each of four neighboring channels. */
TFHRF_INLINE void tfhrf_add_products(const int8_t *x, int32_t zero_point, const int8_t *w,
                                     int32_t sums[4])
{
#if TFHRF_SIMD32
    const uint32_t offsets = ((uint32_t)-zero_point & 0xffffU) | ((uint32_t)-zero_point << 16);
    const uint32_t x_bytes = tfhrf_load_word(x);
    const uint32_t w_bytes = tfhrf_load_word(w);
    const int32_t x_even = (int32_t)tfhrf_add_halves(tfhrf_extend_even(x_bytes), offsets);
    const int32_t x_odd = (int32_t)tfhrf_add_halves(tfhrf_extend_odd(x_bytes), offsets);
    const int32_t w_even = (int32_t)tfhrf_extend_even(w_bytes);
    const int32_t w_odd = (int32_t)tfhrf_extend_odd(w_bytes);
    sums[0] = __smlabb(x_even, w_even, sums[0]);
    sums[1] = __smlabb(x_odd, w_odd, sums[1]);
    sums[2] = __smlatt(x_even, w_even, sums[2]);
    sums[3] = __smlatt(x_odd, w_odd, sums[3]);
#else
    sums[0] += (x[0] - zero_point) * w[0];
    sums[1] += (x[1] - zero_point) * w[1];
    sums[2] += (x[2] - zero_point) * w[2];
    sums[3] += (x[3] - zero_point) * w[3];
#endif
}

/* Lines of the output from `out_y` on; `weights` are [kernel height][kernel width][outputs]. */
TFHRF_KERNEL void tfhrf_depthwise_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                       ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                       int32_t rows, const tfhrf_window *window,
                                       const tfhrf_dense *dense, int32_t multiplier)
{
    const int32_t outputs = dense->outputs;
    const int32_t together = multiplier == 1 && outputs % 4 == 0 ? 4 : 1;
    const ptrdiff_t row_step = window->dilation_height * window->row;
    const ptrdiff_t column_step = window->dilation_width * window->column;
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        const tfhrf_taps high =
            tfhrf_inside(first_y, window->kernel_height, window->dilation_height, window->height);
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const tfhrf_taps wide =
                tfhrf_inside(first_x, window->kernel_width, window->dilation_width, window->width);
            const ptrdiff_t origin = first_y * window->row + first_x * window->column;
            const tfhrf_scale *scale = dense->scales;
            int8_t *pixel = out + out_x * out_column;
            for (int32_t c = 0; c < outputs; c += together) {
                int32_t sums[4] = {dense->bias[c], 0, 0, 0};
                for (int32_t k = 1; k < together; ++k) {
                    sums[k] = dense->bias[c + k];
                }
                for (int32_t i = high.first; i < high.last; ++i) {
                    const int8_t *x = in + (origin + i * row_step + wide.first * column_step +
                                            c / multiplier);
                    const int8_t *w =
                        dense->weights + (i * window->kernel_width + wide.first) * outputs + c;
                    for (int32_t left = wide.last - wide.first; left > 0; --left) {
                        if (together == 4) {
                            tfhrf_add_products(x, window->zero_point, w, sums);
                        } else {
                            sums[0] += (*x - window->zero_point) * *w;
                        }
                        x += column_step;
                        w += outputs;
                    }
                }
                for (int32_t k = 0; k < together; ++k) {
                    const int32_t q = tfhrf_saturate(tfhrf_rescale(sums[k], scale));
                    *pixel = (int8_t)(dense->table != NULL ? dense->table[q] : q);
                    pixel += out_step;
                    scale += dense->scale_step;
                }
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
