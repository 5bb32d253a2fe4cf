/* Attention of one head, 16 bits: scores, softmax and weighted sum, two rows of scores at a time. */
#ifndef TFHRF_ATTENTION16_H_
#define TFHRF_ATTENTION16_H_

#include "tfhrf_elementwise16.h"
#include "tfhrf_matmul16.h"
#include "tfhrf_softmax16.h"

typedef struct {
    tfhrf_matmul16 scores;
    int32_t twice_factor; /* what scores are multiplied by, doubled, or 0 */
    tfhrf_scale16 factor_scale;
    const tfhrf_sum16 *add; /* what is added to the scores, or NULL */
    tfhrf_softmax16 softmax;
    int32_t width;
    tfhrf_narrow_scale scale; /* of the weighted sums: 32 bits hold them */
} tfhrf_attention16;

/* Softmax of a row, spread as the left operand of a product. */
TFHRF_INLINE void tfhrf_spread_softmax16(int16_t *row, const tfhrf_softmax16 *p, tfhrf_pair *out)
{
    const tfhrf_share16 share = tfhrf_exponentials16(row, row, p);
    const int32_t columns = p->columns;
    int32_t i = 0;
#if TFHRF_MVE
    const uint32x4_t most = vdupq_n_u32(32767U);
    for (; i + 4 <= columns; i += 4) {
        const uint32x4_t e = vreinterpretq_u32_s32(vldrhq_s32(row + i));
        const uint32x4_t scaled = vaddq_n_u32(vmulq_n_u32(e, share.factor), share.half);
        const uint32x4_t q = vminq_u32(vshlq_r_u32(scaled, -share.shift), most);
        vstrhq_s32(tfhrf_place16(out, i), vreinterpretq_s32_u32(q));
    }
#else
    for (; i + 2 <= columns; i += 2) {
        out[i].half[0] = (int16_t)tfhrf_probability16(row[i], share);
        out[i].half[1] = (int16_t)tfhrf_probability16(row[i + 1], share);
    }
#endif
    for (; i < columns; ++i) {
        *tfhrf_place16(out, i) = (int16_t)tfhrf_probability16(row[i], share);
    }
}

/* Multiplies scores by half of `twice`. */
TFHRF_INLINE void tfhrf_scale_scores16(int16_t *scores, int32_t count, int32_t twice,
                                       const tfhrf_scale16 *end)
{
    const tfhrf_scale16 scale = *end;
    int32_t i = 0;
#if TFHRF_MVE
    for (; i + 4 <= count; i += 4) {
        const int32x4_t product = vmulq_n_s32(vldrhq_s32(scores + i), twice);
        vstrhq_s32(scores + i, tfhrf_saturate16_4(tfhrf_rescale16_4(product, scale)));
    }
#endif
    for (; i < count; ++i) {
        scores[i] = (int16_t)tfhrf_saturate16(tfhrf_rescale16(scores[i] * twice, scale));
    }
}

TFHRF_INLINE void tfhrf_weighted_sums16(const tfhrf_pair *x, const int16_t *value,
                                        ptrdiff_t value_stride, const tfhrf_attention16 *p,
                                        int16_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t keys = p->scores.columns;
    const tfhrf_narrow_scale scale = p->scale;
    int32_t left = p->width;
    for (; left >= 2; left -= 2) {
        int32_t sums[4] = {0, 0, 0, 0};
        tfhrf_dot_narrow(value, value + value_stride, x, keys, sums);
        tfhrf_put16(sums, &scale, -32768, out, next);
        tfhrf_put16(sums + 2, &scale, -32768, out + out_step, next);
        out += 2 * out_step;
        value += 2 * value_stride;
    }
    if (left != 0) {
        int32_t sums[4] = {0, 0, 0, 0};
        tfhrf_dot_narrow(value, value, x, keys, sums);
        tfhrf_put16(sums, &scale, -32768, out, next);
    }
}

TFHRF_KERNEL void tfhrf_attention16_rows(const int16_t *query, ptrdiff_t query_stride,
                                         const int16_t *key, ptrdiff_t key_stride,
                                         const int16_t *value, ptrdiff_t value_stride,
                                         const int16_t *added, tfhrf_strides from_added,
                                         int16_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                         int32_t rows, const tfhrf_attention16 *p,
                                         tfhrf_pair *scratch)
{
    const int32_t keys = p->scores.columns;
    const int32_t depth = p->scores.depth > keys ? p->scores.depth : keys;
    int16_t *const scores0 = scratch[8 * ((depth + 7) / 8)].half;
    int16_t *const scores1 = scores0 + keys;
    const tfhrf_strides row = {keys, 1};
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        tfhrf_spread16(query, p->scores.depth, scratch);
        tfhrf_spread16(query + both * query_stride, p->scores.depth, scratch + TFHRF_SECOND_ROW);
        tfhrf_matmul16_pair(scratch, key, key_stride, &p->scores, scores0, keys, 1);
        if (p->twice_factor != 0) {
            tfhrf_scale_scores16(scores0, 2 * keys, p->twice_factor, &p->factor_scale);
        }
        if (p->add != NULL) {
            tfhrf_add16_rows(scores0, row, added, from_added, scores0, row, 1 + (int32_t)both,
                             p->add);
            added += 2 * from_added.row;
        }
        tfhrf_spread_softmax16(scores0, &p->softmax, scratch);
        /* Where there is one row only, both are the same. */
        tfhrf_spread_softmax16(scores1, &p->softmax, scratch + TFHRF_SECOND_ROW);
        tfhrf_weighted_sums16(scratch, value, value_stride, p, out, both * out_stride, out_step);
        query += 2 * query_stride;
        out += 2 * out_stride;
    }
}

#endif
