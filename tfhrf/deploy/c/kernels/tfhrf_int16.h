/* What operators on 16-bit values with zero point 0 share: scales, sums of products. */
#ifndef TFHRF_INT16_H_
#define TFHRF_INT16_H_

#include "tfhrf_dot.h"

/* q = sum * multiplier * 2^-shift, rounded once; the multiplier has 15 bits, the sum up to 48. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} tfhrf_wide_scale;

/* The same for sums of 32 bits: the multiplier is shifted left by 16, `right` is shift - 16. */
typedef struct {
    int32_t multiplier;
    int32_t rounding; /* half of 2^right */
    int32_t right;
} tfhrf_narrow_scale;

/* q = value * multiplier * 2^(left - right - 31), rounded twice; see tfhrf_rescale16. */
typedef struct {
    int32_t multiplier;
    int32_t rounding; /* half of 2^right */
    int16_t right;
    int16_t left;
    int32_t mask; /* -1, or 0 where nothing is shifted right */
} tfhrf_scale16;

TFHRF_INLINE int32_t tfhrf_saturate16(int32_t value)
{
#if TFHRF_SIMD32
    int32_t result;
    __asm__("ssat %0, #16, %1" : "=r"(result) : "r"(value));
    return result;
#else
    const int32_t above = value < -32768 ? -32768 : value;
    return above > 32767 ? 32767 : above;
#endif
}

TFHRF_INLINE int32_t tfhrf_at_least(int32_t value, int32_t low)
{
    return value < low ? low : value;
}

TFHRF_INLINE int32_t tfhrf_rescale_wide(int64_t sum, tfhrf_wide_scale scale)
{
    return (int32_t)((sum * scale.multiplier + ((int64_t)1 << (scale.shift - 1))) >> scale.shift);
}

/* The same where the scale's shift is 16 ... 32: the factor is its multiplier * 2^(32 - shift). */
TFHRF_INLINE int32_t tfhrf_rescale_high(int64_t sum, uint32_t factor)
{
    const uint64_t low = (uint64_t)(uint32_t)sum * factor + 0x80000000U;
    return (int32_t)((uint32_t)(low >> 32) + (uint32_t)(sum >> 32) * factor);
}

TFHRF_INLINE int32_t tfhrf_rescale_narrow(int32_t sum, const tfhrf_narrow_scale *scale)
{
#if TFHRF_SIMD32
    int32_t high;
    __asm__("smmla %0, %1, %2, %3"
            : "=r"(high)
            : "r"(sum), "r"(scale->multiplier), "r"(scale->rounding));
    return high >> scale->right;
#else
    const int32_t high = (int32_t)(((int64_t)sum * scale->multiplier) >> 32);
    return (high + scale->rounding) >> scale->right;
#endif
}

/* The second rounding: halves away from zero. */
TFHRF_INLINE int32_t tfhrf_round16(int32_t product, tfhrf_scale16 scale)
{
    return (product + ((product >> 31) & scale.mask) + scale.rounding) >> scale.right;
}

/* Takes the doubled value, shifted left as the scale says, which must fit 32 bits. */
TFHRF_INLINE int32_t tfhrf_rescale16(int32_t twice, tfhrf_scale16 scale)
{
#if TFHRF_SIMD32
    /* The sign of the value does for that of the product: where that is 0, it makes no difference. */
    const int32_t high = tfhrf_high_plus(twice, scale.multiplier, scale.rounding);
    return (high + ((twice >> 31) & scale.mask)) >> scale.right;
#else
    return tfhrf_round16(tfhrf_high_rounded(twice, scale.multiplier), scale);
#endif
}

/* Takes a value whose double may not fit 32 bits. */
TFHRF_INLINE int32_t tfhrf_rescale16_once(int32_t value, tfhrf_scale16 scale)
{
#if TFHRF_SIMD32
    /* The doubled multiplier, taken as signed, is too small by 2^32. */
    const int32_t doubled = (int32_t)(2U * (uint32_t)scale.multiplier);
    const int32_t high = tfhrf_high_plus(value, doubled, scale.rounding);
    return (high + value + ((value >> 31) & scale.mask)) >> scale.right;
#else
    return tfhrf_round16(tfhrf_high_doubled(value, scale.multiplier), scale);
#endif
}

#if TFHRF_MVE
/* The second rounding of four products. */
TFHRF_INLINE int32x4_t tfhrf_round16_4(int32x4_t products, tfhrf_scale16 scale)
{
    const int32x4_t signs = vandq_s32(vshrq_n_s32(products, 31), vdupq_n_s32(scale.mask));
    return vshlq_r_s32(vaddq_n_s32(vaddq_s32(products, signs), scale.rounding), -scale.right);
}

TFHRF_INLINE int32x4_t tfhrf_rescale16_4(int32x4_t twice, tfhrf_scale16 scale)
{
    return tfhrf_round16_4(vrmulhq_s32(twice, vdupq_n_s32(scale.multiplier)), scale);
}

TFHRF_INLINE int32x4_t tfhrf_saturate16_4(int32x4_t values)
{
    return vmaxq_s32(vminq_s32(values, vdupq_n_s32(32767)), vdupq_n_s32(-32768));
}
#endif

TFHRF_INLINE uint32_t tfhrf_load_pair(const int16_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Products of two 16-bit values: two rows in turns, pairs in their order, or eight for vectors. */
TFHRF_INLINE int16_t *tfhrf_place16(tfhrf_pair *row, int32_t i)
{
#if TFHRF_MVE
    return tfhrf_place(row, i);
#else
    const uint32_t at = (uint32_t)i;
    return &row[at & ~1U].half[at & 1U];
#endif
}

TFHRF_INLINE void tfhrf_spread16(const int16_t *in, int32_t depth, tfhrf_pair *out)
{
#if TFHRF_MVE
    const int32_t whole = depth - depth % 8;
    for (int32_t done = 0; done < whole; done += 8) {
        vstrhq_s16(out[done].half, vldrhq_s16(in + done));
    }
#else
    const int32_t whole = depth - depth % 2;
    for (int32_t done = 0; done < whole; done += 2) {
        out[done].word = tfhrf_load_pair(in + done);
    }
#endif
    for (int32_t done = whole; done < depth; ++done) {
        *tfhrf_place16(out, done) = in[done];
    }
}

#if TFHRF_SIMD32
TFHRF_INLINE int64_t tfhrf_dual_wide(uint32_t a, uint32_t b, int64_t sum)
{
    return __smlald((int16x2_t)a, (int16x2_t)b, sum);
}
#endif

/* Adds to 64-bit sums the products of a row with two rows x. */
TFHRF_INLINE void tfhrf_dot_wide(const int16_t *a, const tfhrf_pair *x, int32_t depth,
                                 int64_t sums[2])
{
    int64_t sum0 = sums[0];
    int64_t sum1 = sums[1];
#if TFHRF_MVE
    const int16_t *x0 = x[0].half;
    int32_t left = depth;
    for (; left >= 8; left -= 8) {
        const int16x8_t values = vldrhq_s16(a);
        sum0 = vmlaldavaq_s16(sum0, values, vldrhq_s16(x0));
        sum1 = vmlaldavaq_s16(sum1, values, vldrhq_s16(x0 + 8));
        a += 8;
        x0 += 16;
    }
    if (left > 0) {
        const int16x8_t values = vldrhq_z_s16(a, vctp16q((uint32_t)left));
        sum0 = vmlaldavaq_s16(sum0, values, vldrhq_s16(x0));
        sum1 = vmlaldavaq_s16(sum1, values, vldrhq_s16(x0 + 8));
    }
#else
    int32_t left = depth;
#if TFHRF_SIMD32 && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__clang__)
    if (left >= 4) {
        const tfhrf_pair *const end = x + left / 4 * 4;
        uint32_t low;
        uint32_t high;
        uint32_t x0;
        uint32_t x1;
        left %= 4;
#define TFHRF_WIDE_BLOCK                                                                           \
    "ldr %[high], [%[a], #4]\n\t"                                                                  \
    "ldr %[low], [%[a]], #8\n\t"                                                                   \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                            \
    "smlald %Q[sum0], %R[sum0], %[low], %[x0]\n\t"                                                 \
    "smlald %Q[sum1], %R[sum1], %[low], %[x1]\n\t"                                                 \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                            \
    "smlald %Q[sum0], %R[sum0], %[high], %[x0]\n\t"                                                \
    "smlald %Q[sum1], %R[sum1], %[high], %[x1]\n\t"
        __asm__ volatile("sub %[low], %[end], %[x]\n\t"
                         "tst %[low], #16\n\t"
                         "bne 2f\n\t"
                         "1:\n\t" TFHRF_WIDE_BLOCK "2:\n\t" TFHRF_WIDE_BLOCK
                         "cmp %[x], %[end]\n\t"
                         "bne 1b"
                         : [a] "+r"(a), [x] "+r"(x), [sum0] "+r"(sum0), [sum1] "+r"(sum1),
                           [low] "=&r"(low), [high] "=&r"(high), [x0] "=&r"(x0), [x1] "=&r"(x1)
                         : [end] "r"(end)
                         : "cc", "memory");
#undef TFHRF_WIDE_BLOCK
    }
#endif
    for (; left >= 4; left -= 4) {
#if TFHRF_SIMD32
        const uint32_t low = tfhrf_load_pair(a);
        const uint32_t high = tfhrf_load_pair(a + 2);
        sum0 = tfhrf_dual_wide(low, x[0].word, sum0);
        sum1 = tfhrf_dual_wide(low, x[1].word, sum1);
        sum0 = tfhrf_dual_wide(high, x[2].word, sum0);
        sum1 = tfhrf_dual_wide(high, x[3].word, sum1);
#else
        sum0 += a[0] * x[0].half[0];
        sum0 += a[1] * x[0].half[1];
        sum0 += a[2] * x[2].half[0];
        sum0 += a[3] * x[2].half[1];
        sum1 += a[0] * x[1].half[0];
        sum1 += a[1] * x[1].half[1];
        sum1 += a[2] * x[3].half[0];
        sum1 += a[3] * x[3].half[1];
#endif
        a += 4;
        x += 4;
    }
    for (int32_t i = 0; i < left; ++i) {
        const tfhrf_pair *const place = x + (i & ~1);
        sum0 += a[i] * place[0].half[i & 1];
        sum1 += a[i] * place[1].half[i & 1];
    }
#endif
    sums[0] = sum0;
    sums[1] = sum1;
}

#if TFHRF_MVE
TFHRF_INLINE int16x8_t tfhrf_load_lanes16(const int16_t *from, mve_pred16_t lanes)
{
    return vldrhq_z_s16(from, lanes);
}

TFHRF_INLINE int16x8_t tfhrf_load_eight16(const int16_t *from)
{
    return vldrhq_s16(from);
}

#include "tfhrf_of16.h"
#include "tfhrf_dot_any.h"
#endif

/* Adds to 32-bit sums the products of rows a, b with two rows x: a0, a1, b0, b1. */
TFHRF_INLINE void tfhrf_dot_narrow(const int16_t *a, const int16_t *b, const tfhrf_pair *x,
                                   int32_t depth, int32_t sums[4])
{
#if TFHRF_MVE
    tfhrf_dot_vectors16(a, b, x, depth, sums);
#else
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
    int32_t left = depth;
#if TFHRF_SIMD32 && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__clang__)
    if (left >= 4) {
        const tfhrf_pair *const end = x + left / 4 * 4;
        uint32_t value;
        uint32_t x0;
        uint32_t x1;
        left %= 4;
#define TFHRF_NARROW_HALF                                                                          \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                            \
    "ldr %[value], [%[a]], #4\n\t"                                                                 \
    "smlad %[a0], %[value], %[x0], %[a0]\n\t"                                                      \
    "smlad %[a1], %[value], %[x1], %[a1]\n\t"                                                      \
    "ldr %[value], [%[b]], #4\n\t"                                                                 \
    "smlad %[b0], %[value], %[x0], %[b0]\n\t"                                                      \
    "smlad %[b1], %[value], %[x1], %[b1]\n\t"
        /* Compilers load words one by one. */
        __asm__ volatile("sub %[value], %[end], %[x]\n\t"
                         "tst %[value], #16\n\t"
                         "bne 2f\n\t"
                         "1:\n\t" TFHRF_NARROW_HALF TFHRF_NARROW_HALF
                         "2:\n\t" TFHRF_NARROW_HALF TFHRF_NARROW_HALF
                         "cmp %[x], %[end]\n\t"
                         "bne 1b"
                         : [a] "+r"(a), [b] "+r"(b), [x] "+r"(x), [a0] "+r"(a0), [a1] "+r"(a1),
                           [b0] "+r"(b0), [b1] "+r"(b1), [value] "=&r"(value), [x0] "=&r"(x0),
                           [x1] "=&r"(x1)
                         : [end] "r"(end)
                         : "cc", "memory");
#undef TFHRF_NARROW_HALF
    }
#elif TFHRF_SIMD32
    for (; left >= 4; left -= 4) {
        const uint32_t a_low = tfhrf_load_pair(a);
        const uint32_t b_low = tfhrf_load_pair(b);
        a0 = tfhrf_dual(a_low, x[0].word, a0);
        b0 = tfhrf_dual(b_low, x[0].word, b0);
        a1 = tfhrf_dual(a_low, x[1].word, a1);
        b1 = tfhrf_dual(b_low, x[1].word, b1);
        const uint32_t a_high = tfhrf_load_pair(a + 2);
        const uint32_t b_high = tfhrf_load_pair(b + 2);
        a0 = tfhrf_dual(a_high, x[2].word, a0);
        b0 = tfhrf_dual(b_high, x[2].word, b0);
        a1 = tfhrf_dual(a_high, x[3].word, a1);
        b1 = tfhrf_dual(b_high, x[3].word, b1);
        a += 4;
        b += 4;
        x += 4;
    }
#endif
    int32_t step[4] = {a0, a1, b0, b1};
    for (; left >= 2; left -= 2) {
        tfhrf_step(a[0], b[0], x[0].half[0], x[1].half[0], step);
        tfhrf_step(a[1], b[1], x[0].half[1], x[1].half[1], step);
        a += 2;
        b += 2;
        x += 2;
    }
    if (left != 0) {
        tfhrf_step(a[0], b[0], x[0].half[0], x[1].half[0], step);
    }
    a0 = step[0];
    a1 = step[1];
    b0 = step[2];
    b1 = step[3];
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
#endif
}

/* The end of two sums: scaled and saturated. */
TFHRF_INLINE void tfhrf_put16(const int32_t *sums, const tfhrf_narrow_scale *scale, int32_t low,
                              int16_t *out, ptrdiff_t next)
{
    const int32_t q0 = tfhrf_saturate16(tfhrf_rescale_narrow(sums[0], scale));
    const int32_t q1 = tfhrf_saturate16(tfhrf_rescale_narrow(sums[1], scale));
    /* The first row last: it is the one to keep where both are one. */
    out[next] = (int16_t)tfhrf_at_least(q1, low);
    *out = (int16_t)tfhrf_at_least(q0, low);
}

#endif
