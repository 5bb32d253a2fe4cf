/* CONV_2D, 16 bits: the patches of two pixels at a time are rows of a Dense layer. */
#ifndef TFHRF_CONV16_H_
#define TFHRF_CONV16_H_

#include "tfhrf_dense16.h"
#include "tfhrf_window.h"

/* The value that surrounds the image. */
TFHRF_INLINE int32_t tfhrf_padding16(const tfhrf_window *window)
{
    (void)window;
    return 0;
}

#include "tfhrf_of16.h"
#include "tfhrf_conv_any.h"

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
            tfhrf_dense16_loop(scratch, dense, &dense->final, pixel, both * out_column, out_step);
        }
        ++out_y;
        out += out_row;
    }
}

#endif
