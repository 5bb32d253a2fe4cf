/* FULLY_CONNECTED, int8: rows of inputs times constant weights. */
#ifndef TFHRF_DENSE_H_
#define TFHRF_DENSE_H_

#include "tfhrf_common.h"

typedef struct {
    const int8_t *weights;     /* [outputs][depth rounded up to 4] */
    const int32_t *bias;       /* with the input's zero point folded in, TFHRF_TWICE */
    const tfhrf_scale *scales; /* one for each output, or one for all */
    const int8_t *table;       /* of an activation, at the index 0; or NULL */
    int32_t depth;
    int32_t outputs;
    int32_t scale_step; /* 1 where each output has its own scale, else 0 */
} tfhrf_dense;

/* The end of two sums: scaled, saturated, looked up. */
TFHRF_INLINE void tfhrf_put(const int32_t *sums, const tfhrf_scale *scale, const int8_t *table,
                            int8_t *out, ptrdiff_t next)
{
    int32_t q0 = tfhrf_saturate(tfhrf_rescale_twice(sums[0], scale));
    int32_t q1 = tfhrf_saturate(tfhrf_rescale_twice(sums[1], scale));
    if (table != NULL) {
        q0 = table[q0];
        q1 = table[q1];
    }
    /* The first row last: it is the one to keep where both are one. */
    out[next] = (int8_t)q1;
    *out = (int8_t)q0;
}

/* Two widened rows, `next` apart in the output, times all weights. */
TFHRF_INLINE void tfhrf_dense_loop(const tfhrf_pair *x, const tfhrf_dense *dense,
                                   const int8_t *table, int8_t *out, ptrdiff_t next,
                                   ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int32_t scale_step = dense->scale_step;
    const int8_t *weights = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    int32_t left = dense->outputs;
    for (; left >= 2; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        tfhrf_dot(weights, weights + 4 * blocks, x, blocks, sums);
        tfhrf_put(sums, scale, table, out, next);
        tfhrf_put(sums + 2, scale + scale_step, table, out + out_step, next);
        scale += 2 * scale_step;
        out += 2 * out_step;
        weights += 8 * blocks;
        bias += 2;
    }
    if (left != 0) {
        int32_t sums[4] = {bias[0], bias[0], 0, 0};
        tfhrf_dot(weights, weights, x, blocks, sums);
        tfhrf_put(sums, scale, table, out, next);
    }
}

TFHRF_INLINE void tfhrf_dense_pair(const tfhrf_pair *x, const tfhrf_dense *dense, int8_t *out,
                                   ptrdiff_t next, ptrdiff_t out_step)
{
    if (dense->table != NULL) {
        tfhrf_dense_loop(x, dense, dense->table, out, next, out_step);
    } else {
        tfhrf_dense_loop(x, dense, NULL, out, next, out_step);
    }
}

TFHRF_KERNEL void tfhrf_dense_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                   ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                   const tfhrf_dense *dense, tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        (void)tfhrf_widen(in, dense->depth, 0, scratch);
        (void)tfhrf_widen(in + both * in_stride, dense->depth, 0, scratch + TFHRF_SECOND_ROW);
        tfhrf_dense_pair(scratch, dense, out, both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
