/* CONV_2D, 16 bits: the patches of two pixels at a time are rows of a Dense layer. */
#ifndef TFHRF_CONV16_H_
#define TFHRF_CONV16_H_

#include "tfhrf_dense16.h"
#include "tfhrf_window.h"

/* Copies what the window at an output pixel sees. */
TFHRF_INLINE void tfhrf_patch16(const int16_t *in, const tfhrf_window *window, int32_t out_y,
                                int32_t out_x, int16_t *patch)
{
    const int32_t first_y = out_y * window->stride_height - window->top;
    const int32_t first_x = out_x * window->stride_width - window->left;
    const int32_t line = window->kernel_width * window->channels;
    /* Nothing to pad, and pixel after pixel: lines are copied whole. */
    const int32_t whole = window->dilation_width == 1 && window->column == window->channels &&
                                  first_x >= 0 &&
                                  first_x + window->kernel_width <= window->width
                              ? 1
                              : 0;
    for (int32_t i = 0; i < window->kernel_height; ++i) {
        const int32_t y = first_y + i * window->dilation_height;
        if (whole != 0 && y >= 0 && y < window->height) {
            const int16_t *from = in + y * window->row + first_x * window->column;
            for (int32_t left = line; left > 0; --left) {
                *patch = *from;
                ++patch;
                ++from;
            }
            continue;
        }
        for (int32_t j = 0; j < window->kernel_width; ++j) {
            const int32_t x = first_x + j * window->dilation_width;
            if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                const int16_t *from = in + y * window->row + x * window->column;
                for (int32_t c = 0; c < window->channels; ++c) {
                    patch[c] = from[c];
                }
            } else {
                memset(patch, 0, (size_t)window->channels * sizeof *patch);
            }
            patch += window->channels;
        }
    }
}

/* Lines of the output from `out_y` on; `scratch` holds two spread patches, then one as it is. */
TFHRF_KERNEL void tfhrf_conv16_rows(const int16_t *in, int16_t *out, ptrdiff_t out_row,
                                    ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                    int32_t rows, const tfhrf_window *window,
                                    const tfhrf_dense16 *dense, tfhrf_pair *scratch)
{
    int16_t *const patch = scratch[8 * ((dense->depth + 7) / 8)].half;
    for (; rows > 0; --rows) {
        for (int32_t x = 0; x < window->out_width; x += 2) {
            const ptrdiff_t both = x + 1 < window->out_width ? 1 : 0;
            tfhrf_patch16(in, window, out_y, x, patch);
            tfhrf_spread(patch, dense->depth, scratch);
            tfhrf_patch16(in, window, out_y, x + (int32_t)both, patch);
            tfhrf_spread(patch, dense->depth, scratch + TFHRF_SECOND_ROW);
            int16_t *const pixel = out + x * out_column;
            tfhrf_dense16_pair(scratch, dense, pixel, both * out_column, out_step);
        }
        ++out_y;
        out += out_row;
    }
}

#endif
