/* FULLY_CONNECTED, int8: rows of inputs times constant weights. */
#ifndef TFHRF_DENSE_H_
#define TFHRF_DENSE_H_

#include "tfhrf_common.h"

typedef struct {
    const int8_t *weights;     /* [outputs][depth rounded up to 4] */
    const int32_t *bias;       /* with the input's zero point folded in */
    const tfhrf_scale *scales; /* one for each output, or one for all */
    const int8_t *table;       /* of an activation, at the index 0; or NULL */
    int32_t depth;
    int32_t outputs;
    int32_t scale_step; /* 1 where each output has its own scale, else 0 */
} tfhrf_dense;

/* Two widened rows times all weights. */
TFHRF_INLINE void tfhrf_dense_pair(const tfhrf_pair *x, const tfhrf_dense *dense, int8_t *out0,
                                   int8_t *out1, ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int8_t *weights = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    const int8_t *const table = dense->table;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        const int8_t *const next = left > 1 ? weights + 4 * blocks : weights;
        const int32_t bias1 = left > 1 ? bias[1] : bias[0];
        int32_t sums[4] = {bias[0], bias[0], bias1, bias1};
        tfhrf_dot(weights, next, x, blocks, sums);
        int8_t q0 = tfhrf_saturate(tfhrf_rescale(sums[0], scale));
        int8_t q1 = tfhrf_saturate(tfhrf_rescale(sums[1], scale));
        if (table != NULL) {
            q0 = table[q0];
            q1 = table[q1];
        }
        /* The first row last: it is the one to keep where both are one. */
        *out1 = q1;
        *out0 = q0;
        out0 += out_step;
        out1 += out_step;
        scale += dense->scale_step;
        if (left > 1) {
            q0 = tfhrf_saturate(tfhrf_rescale(sums[2], scale));
            q1 = tfhrf_saturate(tfhrf_rescale(sums[3], scale));
            if (table != NULL) {
                q0 = table[q0];
                q1 = table[q1];
            }
            *out1 = q1;
            *out0 = q0;
            out0 += out_step;
            out1 += out_step;
            scale += dense->scale_step;
        }
        weights += 8 * blocks;
        bias += 2;
    }
}

TFHRF_KERNEL void tfhrf_dense_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                   ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                   const tfhrf_dense *dense, tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        (void)tfhrf_widen(in, dense->depth, 0, scratch);
        (void)tfhrf_widen(in + both * in_stride, dense->depth, 0, scratch + 1);
        tfhrf_dense_pair(scratch, dense, out, out + both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
