/* SOFTMAX, 16 bits, row by row. */
#ifndef TFHRF_SOFTMAX16_H_
#define TFHRF_SOFTMAX16_H_

#include "tfhrf_int16.h"

typedef struct {
    int32_t columns;
    tfhrf_scale16 scale;         /* of differences to a row's maximum: -65535 is -10 */
    const int16_t *exponentials; /* exp on [-10, 0]: 512 intervals */
    const int16_t *reciprocals;  /* 1 / (1 + x) on [0, 1] */
} tfhrf_softmax16;

/* What exponentials are multiplied by: factor * 2^-shift. */
typedef struct {
    uint32_t factor;
    uint32_t half;
    int32_t shift;
} tfhrf_share16;

TFHRF_INLINE int32_t tfhrf_interpolate(int32_t value, const int16_t *table)
{
    const int16_t *const place = table + 256 + (value >> 7);
    const int32_t base = place[0];
    const int32_t slope = place[1] - base;
    return (int16_t)(base + ((slope * (value & 0x7f) + 64) >> 7));
}

/* Replaces a row by its exponentials; returns what makes probabilities of them. */
TFHRF_INLINE tfhrf_share16 tfhrf_exponentials16(const int16_t *in, int16_t *out,
                                                const tfhrf_softmax16 *p)
{
    const int32_t columns = p->columns;
    const tfhrf_scale16 scale = p->scale;
    const int16_t *const table = p->exponentials;
    const int32_t bits = scale.left + 1;
    int32_t highest = in[0];
    for (int32_t i = 1; i < columns; ++i) {
        highest = in[i] > highest ? in[i] : highest;
    }
    uint32_t sum = 0U;
    for (int32_t i = 0; i < columns; ++i) {
        const int32_t scaled =
            tfhrf_rescale16(tfhrf_shift_left(in[i] - highest, bits), scale) + 32767;
        const int32_t e = tfhrf_interpolate(tfhrf_saturate16(scaled), table);
        out[i] = (int16_t)e;
        sum += (uint32_t)e;
    }
    const int32_t headroom = tfhrf_leading_zeros(sum);
    const int64_t shifted = (((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14;
    const int32_t centered = (int32_t)shifted - 0x18000;
    tfhrf_share16 share;
    share.factor = (uint32_t)tfhrf_interpolate(tfhrf_saturate16(centered), p->reciprocals);
    share.shift = 31 - headroom;
    share.half = (uint32_t)1 << (share.shift - 1);
    return share;
}

TFHRF_INLINE int32_t tfhrf_probability16(int32_t exponential, tfhrf_share16 share)
{
    const uint32_t q = ((uint32_t)exponential * share.factor + share.half) >> share.shift;
    return tfhrf_saturate16((int32_t)q);
}

TFHRF_KERNEL void tfhrf_softmax16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                       ptrdiff_t out_stride, int32_t rows,
                                       const tfhrf_softmax16 *p)
{
    for (; rows > 0; --rows) {
        const tfhrf_share16 share = tfhrf_exponentials16(in, out, p);
        for (int32_t i = 0; i < p->columns; ++i) {
            out[i] = (int16_t)tfhrf_probability16(out[i], share);
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
