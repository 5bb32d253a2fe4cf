/* SOFTMAX, int8, row by row, the exponentials taken from a table. */
#ifndef TFHRF_SOFTMAX_H_
#define TFHRF_SOFTMAX_H_

#include "tfhrf_dot.h"

/* What exponentials, 31-bit fractions in a table by difference, are multiplied by. */
typedef struct {
    uint32_t factor;
    int32_t half;
    int32_t shift;
} tfhrf_share;

TFHRF_INLINE int32_t tfhrf_product(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + 0x40000000) >> 31);
}

/* The reciprocal of a sum with 12 integer bits: three Newton steps from a linear guess. */
TFHRF_INLINE tfhrf_share tfhrf_reciprocal(uint32_t sum)
{
    const int32_t headroom = tfhrf_leading_zeros(sum) + 1;
    const int32_t above_one = headroom < 32 ? (int32_t)((sum << headroom) >> 1) : 0;
    const int32_t half = (int32_t)(((int64_t)above_one + 0x80000000) >> 1);
    int32_t x = 1515870810 + tfhrf_product(half, -1010580540);
    for (int32_t step = 0; step < 3; ++step) {
        const int32_t rest = (1 << 29) - tfhrf_product(half, x);
        x += tfhrf_product(x, rest) * 4;
    }
    const int32_t shift = 12 - (headroom - 1) + 31 - 8;
    tfhrf_share share;
    /* Doubled, so that the high word of a product is the rounded one. */
    share.factor = x > 0x3fffffff ? 0xfffffffeU : (uint32_t)x * 4U;
    share.half = shift > 0 ? (int32_t)(1U << (shift - 1)) : 0;
    share.shift = shift;
    return share;
}

/* Adds an exponential, rounded to 12 integer bits. */
TFHRF_INLINE uint32_t tfhrf_add_share(uint32_t sum, uint32_t exponential)
{
#if TFHRF_SIMD32
    return (uint32_t)tfhrf_high_plus((int32_t)exponential, 0x100000, (int32_t)sum);
#else
    return sum + ((exponential + 2048U) >> 12);
#endif
}

#if TFHRF_SIMD32
/* The differences of four bytes. */
TFHRF_INLINE uint32_t tfhrf_differences8(uint32_t a, uint32_t b)
{
    uint32_t differences;
    __asm__("usub8 %0, %1, %2" : "=r"(differences) : "r"(a), "r"(b) : "cc");
    return differences;
}
#endif

TFHRF_INLINE int32_t tfhrf_maximum(const int8_t *in, int32_t columns)
{
    int32_t highest = in[0];
    int32_t i = 0;
#if TFHRF_MVE
    for (; i + 16 <= columns; i += 16) {
        highest = vmaxvq_s8((int8_t)highest, vldrbq_s8(in + i));
    }
#elif TFHRF_SIMD32
    if (columns >= 4) {
        uint32_t four = tfhrf_load_word(in);
        for (i = 4; i + 4 <= columns; i += 4) {
            const uint32_t next = tfhrf_load_word(in + i);
            uint32_t difference;
            __asm__("ssub8 %1, %2, %0\n\t"
                    "sel %0, %2, %0"
                    : "+r"(four), "=&r"(difference)
                    : "r"(next)
                    : "cc");
        }
        int8_t bytes[4];
        memcpy(bytes, &four, sizeof bytes);
        const int32_t low = bytes[0] > bytes[1] ? bytes[0] : bytes[1];
        const int32_t high = bytes[2] > bytes[3] ? bytes[2] : bytes[3];
        highest = low > high ? low : high;
    }
#endif
    for (; i < columns; ++i) {
        highest = in[i] > highest ? in[i] : highest;
    }
    return highest;
}

TFHRF_INLINE tfhrf_share tfhrf_row_share(const int8_t *in, int32_t columns, int32_t highest,
                                         const uint32_t *exponentials)
{
    uint32_t sum = 0U;
    int32_t i = 0;
#if TFHRF_MVE
    for (; i + 4 <= columns; i += 4) {
        const uint32x4_t difference =
            vreinterpretq_u32_s32(vsubq_s32(vdupq_n_s32(highest), vldrbq_s32(in + i)));
        const uint32x4_t exponential = vldrwq_gather_shifted_offset_u32(exponentials, difference);
        sum = vaddvaq_u32(sum, vrmulhq_u32(exponential, vdupq_n_u32(0x100000U)));
    }
    if (i < columns) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(columns - i));
        const uint32x4_t difference =
            vreinterpretq_u32_s32(vsubq_s32(vdupq_n_s32(highest), vldrbq_z_s32(in + i, lanes)));
        const uint32x4_t exponential =
            vldrwq_gather_shifted_offset_z_u32(exponentials, difference, lanes);
        return tfhrf_reciprocal(
            vaddvaq_u32(sum, vrmulhq_u32(exponential, vdupq_n_u32(0x100000U))));
    }
#elif TFHRF_SIMD32
    const uint32_t all = ((uint32_t)highest & 0xffU) * 0x01010101U;
    for (; i + 4 <= columns; i += 4) {
        const uint32_t differences = tfhrf_differences8(all, tfhrf_load_word(in + i));
        sum = tfhrf_add_share(sum, exponentials[differences & 0xffU]);
        sum = tfhrf_add_share(sum, exponentials[(differences >> 8) & 0xffU]);
        sum = tfhrf_add_share(sum, exponentials[(differences >> 16) & 0xffU]);
        sum = tfhrf_add_share(sum, exponentials[differences >> 24]);
    }
#endif
    for (; i < columns; ++i) {
        sum = tfhrf_add_share(sum, exponentials[highest - in[i]]);
    }
    return tfhrf_reciprocal(sum);
}

#if TFHRF_SIMD32
/* 0 ... 256 */
TFHRF_INLINE uint32_t tfhrf_whole_probability(uint32_t exponential, tfhrf_share share)
{
    /* The factor, taken as signed, is too small by 2^32. */
    const int32_t high = tfhrf_high_plus((int32_t)exponential, (int32_t)share.factor, share.half);
    return ((uint32_t)high + exponential) >> share.shift;
}
#endif

/* 0 ... 255 */
TFHRF_INLINE int32_t tfhrf_probability(uint32_t exponential, tfhrf_share share)
{
#if TFHRF_SIMD32
    const int32_t q = (int32_t)tfhrf_whole_probability(exponential, share);
#else
    const uint64_t product = (uint64_t)exponential * share.factor;
    const int32_t rounded = (int32_t)(uint32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
    const int32_t q = (int32_t)(((uint32_t)rounded + (uint32_t)share.half) >> share.shift);
#endif
    return q > 255 ? 255 : q;
}

TFHRF_KERNEL void tfhrf_softmax_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                     ptrdiff_t out_stride, int32_t rows, int32_t columns,
                                     const uint32_t *exponentials)
{
    for (; rows > 0; --rows) {
        const int32_t highest = tfhrf_maximum(in, columns);
        const tfhrf_share share = tfhrf_row_share(in, columns, highest, exponentials);
        for (int32_t i = 0; i < columns; ++i) {
            out[i] = (int8_t)(tfhrf_probability(exponentials[highest - in[i]], share) - 128);
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
