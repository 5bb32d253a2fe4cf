/* FULLY_CONNECTED, 16-bit rows times 8-bit weights, where 32 bits hold all sums. */
#ifndef TFHRF_DENSE16_H_
#define TFHRF_DENSE16_H_

#include "tfhrf_int16.h"

typedef struct {
    const int8_t *weights; /* [outputs][depth rounded up to 4] */
    const int32_t *bias;
    const tfhrf_narrow_scale *scales; /* one for each output, or one for all */
    int32_t depth;
    int32_t outputs;
    int32_t scale_step; /* 1 where each output has its own scale, else 0 */
    int32_t low;        /* the least output */
} tfhrf_dense16;

/* Two spread rows, `next` apart in the output, times all weights. */
TFHRF_INLINE void tfhrf_dense16_pair(const tfhrf_pair *x, const tfhrf_dense16 *dense, int16_t *out,
                                     ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int32_t scale_step = dense->scale_step;
    const int32_t low = dense->low;
    const int8_t *weights = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_narrow_scale *scale = dense->scales;
    int32_t left = dense->outputs;
    for (; left >= 2; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        tfhrf_dot(weights, weights + 4 * blocks, x, blocks, sums);
        tfhrf_put16(sums, scale, low, out, next);
        tfhrf_put16(sums + 2, scale + scale_step, low, out + out_step, next);
        scale += 2 * scale_step;
        out += 2 * out_step;
        weights += 8 * blocks;
        bias += 2;
    }
    if (left != 0) {
        int32_t sums[4] = {bias[0], bias[0], 0, 0};
        tfhrf_dot(weights, weights, x, blocks, sums);
        tfhrf_put16(sums, scale, low, out, next);
    }
}

TFHRF_KERNEL void tfhrf_dense16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                     ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                     const tfhrf_dense16 *dense, tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        tfhrf_spread(in, dense->depth, scratch);
        tfhrf_spread(in + both * in_stride, dense->depth, scratch + TFHRF_SECOND_ROW);
        tfhrf_dense16_pair(scratch, dense, out, both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
