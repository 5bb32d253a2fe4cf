/* CONV_2D, int8: the patches of two pixels at a time are rows of a Dense layer. */
#ifndef TFHRF_CONV_H_
#define TFHRF_CONV_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

/* The value that surrounds the image. */
TFHRF_INLINE int32_t tfhrf_padding(const tfhrf_window *window)
{
    return window->zero_point;
}

#include "tfhrf_of8.h"
#include "tfhrf_conv_any.h"

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
