/* 16-bit FULLY_CONNECTED and convolutions, where sums of products may need 64 bits. */
#ifndef TFHRF_WIDE16_H_
#define TFHRF_WIDE16_H_

#include "tfhrf_int16.h"
#include "tfhrf_window.h"

typedef struct {
    const int8_t *weights; /* [outputs][depth] */
    const int64_t *bias;
    const tfhrf_wide_scale *scales;
    int32_t depth;
    int32_t outputs;
    int32_t scale_step; /* 1 where each output has its own scale, else 0 */
    int32_t low;        /* the least output */
} tfhrf_wide_dense;

/* 256 products of 16 and 8 bits fit in 32. */
TFHRF_INLINE int64_t tfhrf_wide_dot(const int16_t *x, const int8_t *w, int32_t depth)
{
    int64_t sum = 0;
    while (depth > 0) {
        const int32_t part = depth < 256 ? depth : 256;
        int32_t partial = 0;
        for (int32_t i = 0; i < part; ++i) {
            partial += x[i] * w[i];
        }
        sum += partial;
        x += part;
        w += part;
        depth -= part;
    }
    return sum;
}

TFHRF_KERNEL void tfhrf_wide_dense_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                     ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                     const tfhrf_wide_dense *dense)
{
    for (; rows > 0; --rows) {
        for (int32_t c = 0; c < dense->outputs; ++c) {
            const int64_t sum =
                dense->bias[c] + tfhrf_wide_dot(in, dense->weights + c * dense->depth, dense->depth);
            const int32_t q = tfhrf_saturate16(
                tfhrf_rescale_wide(sum, dense->scales[c * dense->scale_step]));
            out[c * out_step] = (int16_t)tfhrf_at_least(q, dense->low);
        }
        in += in_stride;
        out += out_stride;
    }
}

/* CONV_2D with weights [outputs][height][width][channels] where `multiplier` is 0, else
 * DEPTHWISE_CONV_2D with weights [outputs][height][width]. */
TFHRF_KERNEL void tfhrf_wide_conv_rows(const int16_t *in, int16_t *out, ptrdiff_t out_row,
                                    ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                    int32_t rows, const tfhrf_window *window,
                                    const tfhrf_wide_dense *dense, int32_t multiplier)
{
    const int32_t taps = multiplier == 0 ? window->channels : 1;
    /* Pixel after pixel: what a line of the kernel sees is one run of values. */
    const int32_t whole = multiplier == 0 && window->dilation_width == 1 &&
                                  window->column == window->channels
                              ? 1
                              : 0;
    for (; rows > 0; --rows) {
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const int32_t first = first_x < 0 ? -first_x : 0;
            const int32_t beyond = first_x + window->kernel_width - window->width;
            const int32_t last = window->kernel_width - (beyond > 0 ? beyond : 0);
            for (int32_t c = 0; c < dense->outputs; ++c) {
                const int16_t *const channel = multiplier == 0 ? in : in + c / multiplier;
                const int8_t *weights = dense->weights + c * dense->depth;
                int64_t sum = dense->bias[c];
                for (int32_t i = 0; i < window->kernel_height; ++i) {
                    const int32_t y =
                        out_y * window->stride_height - window->top + i * window->dilation_height;
                    if (whole != 0) {
                        if (y >= 0 && y < window->height && last > first) {
                            sum += tfhrf_wide_dot(
                                in + y * window->row + (first_x + first) * window->column,
                                weights + first * taps, (last - first) * taps);
                        }
                        weights += window->kernel_width * taps;
                        continue;
                    }
                    for (int32_t j = 0; j < window->kernel_width; ++j) {
                        const int32_t x = first_x + j * window->dilation_width;
                        if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                            sum += tfhrf_wide_dot(channel + y * window->row + x * window->column,
                                               weights, taps);
                        }
                        weights += taps;
                    }
                }
                const int32_t q = tfhrf_saturate16(
                    tfhrf_rescale_wide(sum, dense->scales[c * dense->scale_step]));
                out[out_x * out_column + c * out_step] =
                    (int16_t)tfhrf_at_least(q, dense->low);
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
