/* CONV_2D, int8: the patches of some pixels at a time are rows of a Dense layer. */
#ifndef TFHRF_CONV_H_
#define TFHRF_CONV_H_

#include "tfhrf_dense_row.h"
#include "tfhrf_window.h"

/* The value that surrounds the image. */
TFHRF_INLINE int32_t tfhrf_padding(const tfhrf_window *window)
{
    return window->zero_point;
}

TFHRF_KERNEL void tfhrf_patch(const int8_t *in, const tfhrf_window *window, int32_t out_y,
                              int32_t out_x, int8_t *patch);

#if TFHRF_MVE
/* Bytes from one patch to the next. */
TFHRF_INLINE ptrdiff_t tfhrf_patch_size(const tfhrf_dense *dense)
{
    return 4 * tfhrf_blocks(dense->depth);
}

TFHRF_INLINE void tfhrf_lay_patch(const int8_t *in, const tfhrf_window *window, int32_t out_y,
                                  int32_t out_x, const tfhrf_dense *dense, tfhrf_pair *scratch,
                                  int32_t row, int32_t rows)
{
    (void)rows;
    tfhrf_patch(in, window, out_y, out_x, (int8_t *)scratch + row * tfhrf_patch_size(dense));
}

TFHRF_INLINE void tfhrf_conv_pixels(tfhrf_eight *eight, const tfhrf_dense *dense,
                                    tfhrf_pair *scratch, int32_t count, int8_t *out, ptrdiff_t next,
                                    ptrdiff_t out_step)
{
    const int8_t *const patch = (const int8_t *)scratch;
    if (count > 1) {
        tfhrf_dense_bytes(eight, patch, patch + tfhrf_patch_size(dense), dense, out, next, out_step);
    } else {
        tfhrf_dense_row(patch, out, out_step, dense);
    }
}
#else
/* Lays a window of pixels of whole blocks out as one of `rows` rows. */
TFHRF_KERNEL void tfhrf_lay_window(const int8_t *in, const tfhrf_window *window, int32_t out_y,
                                   int32_t out_x, int32_t rows, tfhrf_pair *out)
{
    const int32_t first_y = out_y * window->stride_height - window->top;
    const int32_t first_x = out_x * window->stride_width - window->left;
    const int32_t whole = tfhrf_is_whole(window, first_x);
    const int32_t channels = window->channels;
    const ptrdiff_t tap = channels / 2 * rows;
    for (int32_t i = 0; i < window->kernel_height; ++i) {
        const int32_t y = first_y + i * window->dilation_height;
        if (whole != 0 && y >= 0 && y < window->height) {
            tfhrf_lay(in + y * window->row + first_x * window->column,
                      window->kernel_width * channels, rows, out);
            out += window->kernel_width * tap;
            continue;
        }
        for (int32_t j = 0; j < window->kernel_width; ++j) {
            const int32_t x = first_x + j * window->dilation_width;
            if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                tfhrf_lay(in + y * window->row + x * window->column, channels, rows, out);
            } else {
                const int16_t value = (int16_t)(window->zero_point * (1 + TFHRF_TWICE));
                for (ptrdiff_t pair = 0; pair < tap; pair += rows) {
                    out[pair].half[0] = value;
                    out[pair].half[1] = value;
                }
            }
            out += tap;
        }
    }
}

TFHRF_INLINE void tfhrf_lay_patch(const int8_t *in, const tfhrf_window *window, int32_t out_y,
                                  int32_t out_x, const tfhrf_dense *dense, tfhrf_pair *scratch,
                                  int32_t row, int32_t rows)
{
    if (window->channels % 4 == 0) {
        tfhrf_lay_window(in, window, out_y, out_x, rows, scratch + row);
    } else {
        int8_t *const patch = (int8_t *)(scratch + 2 * rows * tfhrf_blocks(dense->depth));
        tfhrf_patch(in, window, out_y, out_x, patch);
        tfhrf_lay(patch, dense->depth, rows, scratch + row);
    }
}

TFHRF_INLINE void tfhrf_conv_pixels(tfhrf_eight *eight, const tfhrf_dense *dense,
                                    tfhrf_pair *scratch, int32_t count, int8_t *out, ptrdiff_t next,
                                    ptrdiff_t out_step)
{
    (void)eight;
#if TFHRF_FOUR
    if (count == 4) {
        tfhrf_dense_four(scratch, dense, out, next, out_step);
        return;
    }
#endif
    tfhrf_dense_pair(scratch, dense, out, count > 1 ? next : 0, out_step);
}
#endif

#include "tfhrf_of8.h"
#include "tfhrf_conv_any.h"

#endif
