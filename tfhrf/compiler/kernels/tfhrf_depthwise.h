/* DEPTHWISE_CONV_2D, int8. */
#ifndef TFHRF_DEPTHWISE_H_
#define TFHRF_DEPTHWISE_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

/* Lines of the output from `out_y` on; `weights` are [outputs][kernel height][kernel width]. */
TFHRF_KERNEL void tfhrf_depthwise_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                       ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                       int32_t rows, const tfhrf_window *window,
                                       const tfhrf_dense *dense, int32_t multiplier)
{
    const int32_t taps = 4 * tfhrf_blocks(dense->depth);
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const tfhrf_scale *scale = dense->scales;
            int8_t *pixel = out + out_x * out_column;
            for (int32_t c = 0; c < dense->outputs; ++c) {
                const int8_t *const channel = in + c / multiplier;
                const int8_t *weights = dense->weights + c * taps;
                int32_t sum = dense->bias[c];
                for (int32_t i = 0; i < window->kernel_height; ++i) {
                    const int32_t y = first_y + i * window->dilation_height;
                    const int8_t *const line = channel + y * window->row;
                    if (y >= 0 && y < window->height) {
                        for (int32_t j = 0; j < window->kernel_width; ++j) {
                            const int32_t x = first_x + j * window->dilation_width;
                            if (x >= 0 && x < window->width) {
                                sum += weights[j] * (line[x * window->column] - window->zero_point);
                            }
                        }
                    }
                    weights += window->kernel_width;
                }
                const int32_t q = tfhrf_saturate(tfhrf_rescale(sum, scale));
                *pixel = (int8_t)(dense->table != NULL ? dense->table[q] : q);
                pixel += out_step;
                scale += dense->scale_step;
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
