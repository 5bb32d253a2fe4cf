/* BATCH_MATMUL, 16 bits: rows times the rows of a transposed right operand. */
#ifndef TFHRF_MATMUL16_H_
#define TFHRF_MATMUL16_H_

#include "tfhrf_int16.h"

typedef struct {
    int32_t depth;
    int32_t columns;
    tfhrf_wide_scale scale;
} tfhrf_matmul16;

/* Two spread rows times all rows of the right operand. */
TFHRF_INLINE void tfhrf_matmul16_pair(const tfhrf_pair *x, const int16_t *right,
                                      ptrdiff_t right_stride, const tfhrf_matmul16 *p,
                                      int16_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t depth = p->depth;
    const tfhrf_wide_scale scale = p->scale;
    int32_t left = p->columns;
    if (scale.shift >= 16 && scale.shift <= 32) {
        const uint32_t factor = (uint32_t)scale.multiplier << (32 - scale.shift);
        for (; left > 0; --left) {
            int64_t sums[2] = {0, 0};
            tfhrf_dot_wide(right, x, depth, sums);
            out[next] = (int16_t)tfhrf_saturate16(tfhrf_rescale_high(sums[1], factor));
            *out = (int16_t)tfhrf_saturate16(tfhrf_rescale_high(sums[0], factor));
            out += out_step;
            right += right_stride;
        }
    }
    for (; left > 0; --left) {
        int64_t sums[2] = {0, 0};
        tfhrf_dot_wide(right, x, depth, sums);
        out[next] = (int16_t)tfhrf_saturate16(tfhrf_rescale_wide(sums[1], scale));
        *out = (int16_t)tfhrf_saturate16(tfhrf_rescale_wide(sums[0], scale));
        out += out_step;
        right += right_stride;
    }
}

TFHRF_KERNEL void tfhrf_matmul16_rows(const int16_t *in, ptrdiff_t in_stride,
                                      const int16_t *right, ptrdiff_t right_stride, int16_t *out,
                                      ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                      const tfhrf_matmul16 *p, tfhrf_pair *scratch)
{
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        tfhrf_spread16(in, p->depth, scratch);
        tfhrf_spread16(in + both * in_stride, p->depth, scratch + TFHRF_SECOND_ROW);
        tfhrf_matmul16_pair(scratch, right, right_stride, p, out, both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
