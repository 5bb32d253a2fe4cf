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
#if TFHRF_SIMD32
    /* Both samples by their shares, which are 128 together. */
    const uint32_t part = (uint32_t)value & 0x7fU;
    return tfhrf_dual(tfhrf_load_pair(place), (part << 16) - part + 128U, 64) >> 7;
#else
    const int32_t base = place[0];
    const int32_t slope = place[1] - base;
    return (int16_t)(base + ((slope * (value & 0x7f) + 64) >> 7));
#endif
}

TFHRF_INLINE int32_t tfhrf_maximum16(const int16_t *in, int32_t columns)
{
    int32_t highest = in[0];
    int32_t i = 1;
#if TFHRF_MVE
    for (i = 0; i + 8 <= columns; i += 8) {
        highest = vmaxvq_s16((int16_t)highest, vldrhq_s16(in + i));
    }
#elif TFHRF_SIMD32
    if (columns >= 2) {
        tfhrf_pair pair;
        pair.word = tfhrf_load_pair(in);
        for (i = 2; i + 2 <= columns; i += 2) {
            const uint32_t next = tfhrf_load_pair(in + i);
            uint32_t difference;
            __asm__("ssub16 %1, %2, %0\n\t"
                    "sel %0, %2, %0"
                    : "+r"(pair.word), "=&r"(difference)
                    : "r"(next)
                    : "cc");
        }
        highest = pair.half[0] > pair.half[1] ? pair.half[0] : pair.half[1];
    }
#endif
    for (; i < columns; ++i) {
        highest = in[i] > highest ? in[i] : highest;
    }
    return highest;
}

#if TFHRF_MVE
TFHRF_INLINE int32x4_t tfhrf_interpolate4(int32x4_t value, const int16_t *table)
{
    const uint32x4_t place = vreinterpretq_u32_s32(vshrq_n_s32(value, 7));
    const int32x4_t base = vldrhq_gather_shifted_offset_s32(table + 256, place);
    const int32x4_t slope = vsubq_s32(vldrhq_gather_shifted_offset_s32(table + 257, place), base);
    const int32x4_t part = vmulq_s32(slope, vandq_s32(value, vdupq_n_s32(0x7f)));
    return vaddq_s32(base, vshrq_n_s32(vaddq_n_s32(part, 64), 7));
}
#endif

/* Replaces a row by its exponentials; returns the sum of them. */
TFHRF_INLINE uint32_t tfhrf_row_exponentials16(const int16_t *in, int16_t *out,
                                               const tfhrf_softmax16 *p)
{
    const int32_t columns = p->columns;
    const tfhrf_scale16 scale = p->scale;
    const int16_t *const table = p->exponentials;
    const int32_t bits = scale.left + 1;
    const int32_t highest = tfhrf_maximum16(in, columns);
    uint32_t sum = 0U;
    int32_t i = 0;
    if (scale.right <= 14) {
        /* No difference is above zero, so all are rounded alike; 32767 is added before the shift. */
        const int32_t rounding = scale.rounding + scale.mask + (32767 << scale.right);
#if TFHRF_MVE
        const int32_t factor = 1 << bits;
        const int32_t offset = -highest * factor;
        for (; i + 4 <= columns; i += 4) {
            const int32x4_t x = vaddq_n_s32(vmulq_n_s32(vldrhq_s32(in + i), factor), offset);
            const int32x4_t high = vrmulhq_s32(x, vdupq_n_s32(scale.multiplier));
            const int32x4_t scaled = vshlq_r_s32(vaddq_n_s32(high, rounding), -scale.right);
            const int32x4_t least = vmaxq_s32(scaled, vdupq_n_s32(-32768));
            const int32x4_t e = tfhrf_interpolate4(least, table);
            vstrhq_s32(out + i, e);
            sum = (uint32_t)vaddvaq_s32((int32_t)sum, e);
        }
#endif
        for (; i < columns; ++i) {
            const int32_t x = tfhrf_shift_left(in[i] - highest, bits);
            const int32_t high = tfhrf_high_plus(x, scale.multiplier, rounding);
            const int32_t e = tfhrf_interpolate(tfhrf_saturate16(high >> scale.right), table);
            out[i] = (int16_t)e;
            sum += (uint32_t)e;
        }
    }
    for (; i < columns; ++i) {
        const int32_t scaled =
            tfhrf_rescale16(tfhrf_shift_left(in[i] - highest, bits), scale) + 32767;
        const int32_t e = tfhrf_interpolate(tfhrf_saturate16(scaled), table);
        out[i] = (int16_t)e;
        sum += (uint32_t)e;
    }
    return sum;
}

/* Replaces a row by its exponentials; returns what makes probabilities of them. */
TFHRF_INLINE tfhrf_share16 tfhrf_exponentials16(const int16_t *in, int16_t *out,
                                                const tfhrf_softmax16 *p)
{
    const uint32_t sum = tfhrf_row_exponentials16(in, out, p);
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
