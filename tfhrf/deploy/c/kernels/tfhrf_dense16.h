/* FULLY_CONNECTED, 16-bit rows times 8-bit weights, where 32 bits hold all sums. */
#ifndef TFHRF_DENSE16_H_
#define TFHRF_DENSE16_H_

#include "tfhrf_int16.h"

typedef tfhrf_narrow_scale tfhrf_dense16_scale;
/* The least output. */
typedef int32_t tfhrf_dense16_final;

#include "tfhrf_of16.h"
#include "tfhrf_dense_any.h"

TFHRF_KERNEL void tfhrf_dense16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                     ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                     const tfhrf_dense16 *dense, tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        tfhrf_spread(in, dense->depth, scratch);
        tfhrf_spread(in + both * in_stride, dense->depth, scratch + TFHRF_SECOND_ROW);
        tfhrf_dense16_loop(scratch, dense, &dense->final, out, both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
