/* FULLY_CONNECTED, int8: rows of inputs times constant weights. */
#ifndef TFHRF_DENSE_H_
#define TFHRF_DENSE_H_

#include "tfhrf_dot.h"

/* Biases have the input's zero point folded in, and are TFHRF_TWICE. */
typedef tfhrf_scale tfhrf_dense_scale;
/* A table of an activation, at the index 0; or NULL. */
typedef const int8_t *tfhrf_dense_final;

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

#include "tfhrf_of8.h"
#include "tfhrf_dense_any.h"

TFHRF_INLINE void tfhrf_dense_pair(const tfhrf_pair *x, const tfhrf_dense *dense, int8_t *out,
                                   ptrdiff_t next, ptrdiff_t out_step)
{
    const tfhrf_dense_final none = NULL;
    if (dense->final != NULL) {
        tfhrf_dense_loop(x, dense, &dense->final, out, next, out_step);
    } else {
        tfhrf_dense_loop(x, dense, &none, out, next, out_step);
    }
}

#if TFHRF_MVE
/* Sixteen products of bytes at a time: nothing is widened. Adds TFHRF_TWICE the products. */
TFHRF_INLINE void tfhrf_dot_bytes(const int8_t *a, const int8_t *b, const int8_t *x0,
                                  const int8_t *x1, int32_t depth, int32_t sums[4])
{
    int32_t a0 = 0;
    int32_t a1 = 0;
    int32_t b0 = 0;
    int32_t b1 = 0;
    int32_t left = depth;
    for (; left >= 16; left -= 16) {
        const int8x16_t first = vldrbq_s8(x0);
        const int8x16_t second = vldrbq_s8(x1);
        const int8x16_t a_values = vldrbq_s8(a);
        const int8x16_t b_values = vldrbq_s8(b);
        a0 = vmladavaq_s8(a0, a_values, first);
        a1 = vmladavaq_s8(a1, a_values, second);
        b0 = vmladavaq_s8(b0, b_values, first);
        b1 = vmladavaq_s8(b1, b_values, second);
        a += 16;
        b += 16;
        x0 += 16;
        x1 += 16;
    }
    if (left > 0) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        const int8x16_t first = vldrbq_z_s8(x0, lanes);
        const int8x16_t second = vldrbq_z_s8(x1, lanes);
        const int8x16_t a_values = vldrbq_z_s8(a, lanes);
        const int8x16_t b_values = vldrbq_z_s8(b, lanes);
        a0 = vmladavaq_s8(a0, a_values, first);
        a1 = vmladavaq_s8(a1, a_values, second);
        b0 = vmladavaq_s8(b0, b_values, first);
        b1 = vmladavaq_s8(b1, b_values, second);
    }
    sums[0] += tfhrf_shift_left(a0, TFHRF_TWICE);
    sums[1] += tfhrf_shift_left(a1, TFHRF_TWICE);
    sums[2] += tfhrf_shift_left(b0, TFHRF_TWICE);
    sums[3] += tfhrf_shift_left(b1, TFHRF_TWICE);
}

/* Two rows of bytes, `next` apart in the output, times all weights. */
TFHRF_INLINE void tfhrf_dense_bytes_loop(const int8_t *x0, const int8_t *x1,
                                         const tfhrf_dense *dense, const int8_t *table,
                                         int8_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t depth = dense->depth;
    const int32_t width = 4 * tfhrf_blocks(depth);
    const int32_t scale_step = dense->scale_step;
    const int8_t *weights = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    int32_t left = dense->outputs;
    for (; left >= 2; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        tfhrf_dot_bytes(weights, weights + width, x0, x1, depth, sums);
        tfhrf_put(sums, scale, table, out, next);
        tfhrf_put(sums + 2, scale + scale_step, table, out + out_step, next);
        scale += 2 * scale_step;
        out += 2 * out_step;
        weights += 2 * width;
        bias += 2;
    }
    if (left != 0) {
        int32_t sums[4] = {bias[0], bias[0], 0, 0};
        tfhrf_dot_bytes(weights, weights, x0, x1, depth, sums);
        tfhrf_put(sums, scale, table, out, next);
    }
}

TFHRF_INLINE void tfhrf_dense_bytes(const int8_t *x0, const int8_t *x1, const tfhrf_dense *dense,
                                    int8_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
    if (dense->final != NULL) {
        tfhrf_dense_bytes_loop(x0, x1, dense, dense->final, out, next, out_step);
    } else {
        tfhrf_dense_bytes_loop(x0, x1, dense, NULL, out, next, out_step);
    }
}
#endif

TFHRF_KERNEL void tfhrf_dense_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                   ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                   const tfhrf_dense *dense, tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
#if TFHRF_MVE
        (void)scratch;
        tfhrf_dense_bytes(in, in + both * in_stride, dense, out, both * out_stride, out_step);
#else
        (void)tfhrf_widen(in, dense->depth, 0, scratch);
        (void)tfhrf_widen(in + both * in_stride, dense->depth, 0, scratch + TFHRF_SECOND_ROW);
        tfhrf_dense_pair(scratch, dense, out, both * out_stride, out_step);
#endif
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
