/* CONV_2D, int8: the patches of two pixels at a time are rows of a Dense layer. */
#ifndef TFHRF_CONV_H_
#define TFHRF_CONV_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

/* Copies what the window at an output pixel sees. */
TFHRF_INLINE void tfhrf_patch(const int8_t *in, const tfhrf_window *window, int32_t out_y,
                              int32_t out_x, int8_t *patch)
{
    const int32_t first_y = out_y * window->stride_height - window->top;
    const int32_t first_x = out_x * window->stride_width - window->left;
    const int32_t bytes = window->kernel_width * window->channels;
    /* Nothing to pad, and pixel after pixel: lines are copied whole. */
    const int32_t whole = window->dilation_width == 1 && window->column == window->channels &&
                                  first_x >= 0 &&
                                  first_x + window->kernel_width <= window->width
                              ? 1
                              : 0;
    for (int32_t i = 0; i < window->kernel_height; ++i) {
        const int32_t y = first_y + i * window->dilation_height;
        if (whole != 0 && y >= 0 && y < window->height) {
            const int8_t *from = in + y * window->row + first_x * window->column;
            for (int32_t b = bytes; b > 0; --b) {
                *patch = *from;
                ++patch;
                ++from;
            }
            continue;
        }
        for (int32_t j = 0; j < window->kernel_width; ++j) {
            const int32_t x = first_x + j * window->dilation_width;
            if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                const int8_t *from = in + y * window->row + x * window->column;
                for (int32_t c = 0; c < window->channels; ++c) {
                    patch[c] = from[c];
                }
            } else {
                memset(patch, window->zero_point, (size_t)window->channels);
            }
            patch += window->channels;
        }
    }
}

/* Lines of the output from `out_y` on; `scratch` holds two widened patches, then one of bytes. */
TFHRF_KERNEL void tfhrf_conv_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                  ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                  int32_t rows, const tfhrf_window *window,
                                  const tfhrf_dense *dense, tfhrf_pair *scratch)
{
    int8_t *const patch = (int8_t *)(scratch + 8 * ((dense->depth + 7) / 8));
    for (; rows > 0; --rows) {
        for (int32_t x = 0; x < window->out_width; x += 2) {
            const ptrdiff_t both = x + 1 < window->out_width ? 1 : 0;
            int8_t *const pixel = out + x * out_column;
#if TFHRF_MVE
            int8_t *const second = (int8_t *)scratch;
            tfhrf_patch(in, window, out_y, x, patch);
            tfhrf_patch(in, window, out_y, x + (int32_t)both, second);
            tfhrf_dense_bytes(patch, second, dense, pixel, both * out_column, out_step);
#else
            tfhrf_patch(in, window, out_y, x, patch);
            (void)tfhrf_widen(patch, dense->depth, 0, scratch);
            tfhrf_patch(in, window, out_y, x + (int32_t)both, patch);
            (void)tfhrf_widen(patch, dense->depth, 0, scratch + TFHRF_SECOND_ROW);
            tfhrf_dense_pair(scratch, dense, pixel, both * out_column, out_step);
#endif
        }
        ++out_y;
        out += out_row;
    }
}

#endif
