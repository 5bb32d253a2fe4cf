/* CONV_2D, 16 bits: the patches of some pixels at a time are rows of a Dense layer. */
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

TFHRF_KERNEL void tfhrf_patch16(const int16_t *in, const tfhrf_window *window, int32_t out_y,
                                int32_t out_x, int16_t *patch);

TFHRF_INLINE void tfhrf_lay_patch16(const int16_t *in, const tfhrf_window *window, int32_t out_y,
                                    int32_t out_x, const tfhrf_dense16 *dense, tfhrf_pair *scratch,
                                    int32_t row, int32_t rows)
{
    int16_t *const patch = scratch[rows * ((dense->depth + 15) / 16 * 8)].half;
    tfhrf_patch16(in, window, out_y, out_x, patch);
    tfhrf_lay16(patch, dense->depth, rows, scratch + row * TFHRF_NEXT_ROW16);
}

TFHRF_INLINE void tfhrf_conv_pixels16(tfhrf_eight16 *eight, const tfhrf_dense16 *dense,
                                      tfhrf_pair *scratch, int32_t count, int16_t *out,
                                      ptrdiff_t next, ptrdiff_t out_step)
{
    (void)eight;
#if TFHRF_FOUR
    if (count == 4) {
        tfhrf_dense16_four(scratch, dense, out, next, out_step);
        return;
    }
#endif
    tfhrf_dense16_pair(scratch, dense, out, count > 1 ? next : 0, out_step);
}

#include "tfhrf_of16.h"
#include "tfhrf_conv_any.h"

#endif
