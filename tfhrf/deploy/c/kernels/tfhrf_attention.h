/* Attention of one head, int8: scores, softmax and weighted sum, two rows of scores at a time. */
#ifndef TFHRF_ATTENTION_H_
#define TFHRF_ATTENTION_H_

#include "tfhrf_elementwise.h"
#include "tfhrf_matmul.h"
#include "tfhrf_softmax.h"

typedef struct {
    tfhrf_matmul scores;
    const tfhrf_binary *add; /* what is added to the scores, or NULL */
    const uint32_t *exponentials;
    tfhrf_matmul sum;
} tfhrf_attention;

#if TFHRF_MVE
/* Four probabilities, or zeros where there are none left. */
TFHRF_INLINE int32x4_t tfhrf_probability4(const int8_t *in, int32_t left, int32_t highest,
                                          const uint32_t *exponentials, tfhrf_share share)
{
    const uint32x4_t factor = vdupq_n_u32(share.factor);
    const uint32x4_t all = vdupq_n_u32((uint32_t)highest);
    uint32x4_t exponential;
    if (left >= 4) {
        const uint32x4_t x = vreinterpretq_u32_s32(vldrbq_s32(in));
        exponential = vldrwq_gather_shifted_offset_u32(exponentials, vsubq_u32(all, x));
    } else {
        const mve_pred16_t lanes = vctp32q(left > 0 ? (uint32_t)left : 0U);
        const uint32x4_t x = vreinterpretq_u32_s32(vldrbq_z_s32(in, lanes));
        exponential = vldrwq_gather_shifted_offset_z_u32(exponentials, vsubq_u32(all, x), lanes);
    }
    uint32x4_t rounded = vaddq_n_u32(vrmulhq_u32(exponential, factor), (uint32_t)share.half);
    rounded = vminq_u32(vshlq_r_u32(rounded, -share.shift), vdupq_n_u32(255U));
    return vreinterpretq_s32_u32(rounded);
}
#endif

#if TFHRF_SIMD32
/* Two probabilities as halves. */
TFHRF_INLINE uint32_t tfhrf_two_probabilities(uint32_t low, uint32_t high, tfhrf_share share)
{
    const uint32_t halves = tfhrf_low_halves(tfhrf_whole_probability(low, share),
                                             tfhrf_whole_probability(high, share));
    uint32_t result;
    __asm__("usat16 %0, #8, %1" : "=r"(result) : "r"(halves));
    return result;
}
#endif

/* Softmax of a row, widened as the left operand of a product; returns the sum of the row. */
TFHRF_INLINE int32_t tfhrf_widen_softmax(const int8_t *in, int32_t columns,
                                         const uint32_t *exponentials, tfhrf_pair *out)
{
    const int32_t highest = tfhrf_maximum(in, columns);
    const tfhrf_share share = tfhrf_row_share(in, columns, highest, exponentials);
    int32_t sum = 0;
    int32_t i = 0;
#if TFHRF_MVE
    for (; i + 8 <= columns; i += 8) {
        const int32x4_t low = tfhrf_probability4(in + i, 4, highest, exponentials, share);
        const int32x4_t high = tfhrf_probability4(in + i + 4, 4, highest, exponentials, share);
        sum = vaddvaq_s32(vaddvaq_s32(sum, low), high);
        vstrhq_s32(out[i].half, vshlq_n_s32(low, TFHRF_TWICE));
        vstrhq_s32(out[i].half + 4, vshlq_n_s32(high, TFHRF_TWICE));
    }
    if (i < columns) {
        /* Places behind the row's end are zero. */
        for (int32_t half = 0; half < 8; half += 4) {
            const int32x4_t p = tfhrf_probability4(in + i + half, columns - i - half, highest,
                                                   exponentials, share);
            sum = vaddvaq_s32(sum, p);
            vstrhq_s32(out[i].half + half, vshlq_n_s32(p, TFHRF_TWICE));
        }
    }
    return sum * (1 + TFHRF_TWICE);
#elif TFHRF_SIMD32
    const uint32_t all = ((uint32_t)highest & 0xffU) * 0x01010101U;
    for (; i + 4 <= columns; i += 4) {
        const uint32_t differences = tfhrf_differences8(all, tfhrf_load_word(in + i));
        const uint32_t even =
            tfhrf_two_probabilities(exponentials[differences & 0xffU],
                                    exponentials[(differences >> 16) & 0xffU], share);
        const uint32_t odd = tfhrf_two_probabilities(exponentials[(differences >> 8) & 0xffU],
                                                     exponentials[differences >> 24], share);
        sum = tfhrf_dual(even, 0x00010001U, sum);
        sum = tfhrf_dual(odd, 0x00010001U, sum);
        out[i].word = even << TFHRF_TWICE;
        out[i + 2].word = odd << TFHRF_TWICE;
    }
#else
    for (; i + 4 <= columns; i += 4) {
        /* Written out: compilers leave short loops as they are. */
        const int32_t p0 = tfhrf_probability(exponentials[highest - in[i]], share);
        out[i].half[0] = (int16_t)(p0 * (1 + TFHRF_TWICE));
        const int32_t p1 = tfhrf_probability(exponentials[highest - in[i + 1]], share);
        out[i + 2].half[0] = (int16_t)(p1 * (1 + TFHRF_TWICE));
        const int32_t p2 = tfhrf_probability(exponentials[highest - in[i + 2]], share);
        out[i].half[1] = (int16_t)(p2 * (1 + TFHRF_TWICE));
        const int32_t p3 = tfhrf_probability(exponentials[highest - in[i + 3]], share);
        out[i + 2].half[1] = (int16_t)(p3 * (1 + TFHRF_TWICE));
        sum += (p0 + p1) + (p2 + p3);
    }
#endif
    for (; i < columns; ++i) {
        const int32_t p = tfhrf_probability(exponentials[highest - in[i]], share);
        *tfhrf_place(out, i) = (int16_t)(p * (1 + TFHRF_TWICE));
        sum += p;
    }
    tfhrf_fill_up(out, columns);
    return sum * (1 + TFHRF_TWICE);
}

TFHRF_KERNEL void tfhrf_attention_rows(const int8_t *query, ptrdiff_t query_stride,
                                       const int8_t *key, ptrdiff_t key_stride,
                                       const int8_t *value, ptrdiff_t value_stride,
                                       const int8_t *added, tfhrf_strides from_added, int8_t *out,
                                       ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                       const tfhrf_attention *p, tfhrf_pair *scratch)
{
    const int32_t keys = p->scores.columns;
    tfhrf_pair *const widened = scratch;
    const int32_t depth = p->scores.depth > keys ? p->scores.depth : keys;
    int8_t *const scores0 = (int8_t *)(scratch + 8 * ((depth + 7) / 8));
    int8_t *const scores1 = scores0 + keys;
    const tfhrf_strides row = {keys, 1};
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        int32_t sum0 = tfhrf_widen(query, p->scores.depth, p->scores.offset, widened);
        int32_t sum1 = tfhrf_widen(query + both * query_stride, p->scores.depth, p->scores.offset,
                                   widened + TFHRF_SECOND_ROW);
        tfhrf_matmul_pair(widened, sum0, sum1, key, key_stride, &p->scores, scores0,
                          scores1 - scores0, 1);
        if (p->add != NULL) {
            tfhrf_add_rows(scores0, row, added, from_added, scores0, row, 1 + (int32_t)both,
                           p->add);
        }
        sum0 = tfhrf_widen_softmax(scores0, keys, p->exponentials, widened);
        sum1 = tfhrf_widen_softmax(both != 0 ? scores1 : scores0, keys, p->exponentials,
                                   widened + TFHRF_SECOND_ROW);
        tfhrf_matmul_pair(widened, sum0, sum1, value, value_stride, &p->sum, out,
                          both * out_stride, out_step);
        query += 2 * query_stride;
        if (p->add != NULL) {
            added += 2 * from_added.row;
        }
        out += 2 * out_stride;
    }
}

#endif
