/* BATCH_MATMUL, int8: rows times the rows of a transposed right operand. */
#ifndef TFHRF_MATMUL_H_
#define TFHRF_MATMUL_H_

#include "tfhrf_dense.h"

typedef struct {
    int32_t depth;
    int32_t columns;
    int32_t offset;       /* minus the left operand's zero point */
    int32_t right_offset; /* minus the right operand's zero point */
    tfhrf_scale scale;
    const int8_t *table; /* of what follows, or NULL */
} tfhrf_matmul;

/* Two widened rows, whose sums are given, times all rows of the right operand. */
TFHRF_INLINE void tfhrf_matmul_pair(const tfhrf_pair *x, int32_t sum0, int32_t sum1,
                                    const int8_t *right, ptrdiff_t right_stride,
                                    const tfhrf_matmul *p, int8_t *out, ptrdiff_t next,
                                    ptrdiff_t out_step)
{
    /* Copies: a byte that is written might change what `p` points to. */
    const int32_t blocks = tfhrf_blocks(p->depth);
    const int32_t start0 = sum0 * p->right_offset;
    const int32_t start1 = sum1 * p->right_offset;
    const int8_t *const table = p->table;
    const tfhrf_scale scale = p->scale;
    int32_t left = p->columns;
#if TFHRF_OUTPUTS
    if (left >= 2) {
        const int32_t even = left & ~1;
        const tfhrf_products products = {
            {start0, start1}, scale.multiplier, scale.rounding, scale.right, next, table, out_step,
            x, even, right_stride - 4 * blocks,
        };
        tfhrf_two_products(right, right_stride, x + 4 * blocks, &products, out);
        out += even * out_step;
        right += even * right_stride;
        left -= even;
    }
#elif TFHRF_VECTORS
    const int32_t done = tfhrf_are_near(next, out_step) != 0 ? left & ~3 : 0;
    if (done != 0) {
        const int32_t multiplier = scale.multiplier;
        tfhrf_eight_products products = {
            right,
            right_stride,
            x,
            p->depth / 8,
            {start0, start1},
            (uint32_t)p->depth % 8U,
            -scale.right,
            out,
            done,
            4 * out_step,
            table,
            scale.zero_point,
            tfhrf_places_of(next, out_step),
            {multiplier, multiplier, multiplier, multiplier},
        };
        tfhrf_vector_products(&products);
        if (done != left) {
            /* The last four once more, some of them for the first time. */
            products.bytes = right + (left - 4) * right_stride;
            products.out = out + (left - 4) * out_step;
            products.left = 4;
            tfhrf_vector_products(&products);
        }
        return;
    }
#endif
    for (; left >= 2; left -= 2) {
        int32_t sums[4] = {start0, start1, start0, start1};
        tfhrf_dot(right, right + right_stride, x, blocks, sums);
        tfhrf_put(sums, &scale, table, out, next);
        tfhrf_put(sums + 2, &scale, table, out + out_step, next);
        out += 2 * out_step;
        right += 2 * right_stride;
    }
    if (left != 0) {
        int32_t sums[4] = {start0, start1, 0, 0};
        tfhrf_dot(right, right, x, blocks, sums);
        tfhrf_put(sums, &scale, table, out, next);
    }
}

TFHRF_KERNEL void tfhrf_matmul_rows(const int8_t *in, ptrdiff_t in_stride, const int8_t *right,
                                    ptrdiff_t right_stride, int8_t *out, ptrdiff_t out_stride,
                                    ptrdiff_t out_step, int32_t rows, const tfhrf_matmul *p,
                                    tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        const int32_t sum0 = tfhrf_widen(in, p->depth, p->offset, scratch);
        const int32_t sum1 =
            tfhrf_widen(in + both * in_stride, p->depth, p->offset, scratch + TFHRF_SECOND_ROW);
        tfhrf_matmul_pair(scratch, sum0, sum1, right, right_stride, p, out,
                          both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
