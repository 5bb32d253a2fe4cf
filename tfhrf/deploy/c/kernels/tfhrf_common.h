/* Fixed-point arithmetic and dot products that the kernels share. */
#ifndef TFHRF_COMMON_H_
#define TFHRF_COMMON_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* TFHRF_PORTABLE leaves out the instructions of any one processor; the results are the same. */
#if !defined(TFHRF_PORTABLE) && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#define TFHRF_SIMD32 1
#else
#define TFHRF_SIMD32 0
#endif
#if !defined(TFHRF_PORTABLE) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#include <arm_mve.h>
#define TFHRF_MVE 1
#else
#define TFHRF_MVE 0
#endif

#if defined(__GNUC__)
#define TFHRF_INLINE static inline __attribute__((always_inline))
#define TFHRF_KERNEL static __attribute__((noinline, unused))
#define TFHRF_ALIGNED __attribute__((aligned(16)))
#else
#define TFHRF_INLINE static inline
#define TFHRF_KERNEL static inline
#define TFHRF_ALIGNED
#endif

/* Two 16-bit factors of a dual multiply-accumulate. */
typedef union {
    uint32_t word;
    int16_t half[2];
} tfhrf_pair;

/* A matrix: from row to row, from element to element. */
typedef struct {
    ptrdiff_t row;
    ptrdiff_t step;
} tfhrf_strides;

/*
 * q = value * multiplier * 2^(left - right - 31) + zero point, rounded twice, as TensorFlow Lite
 * does. `rounding` is half of 2^right and the zero point times 2^right.
 */
typedef struct {
    int32_t multiplier;
    int32_t rounding;
    int16_t right;
    int16_t left;
    int16_t shift; /* minus `right`, as vectors are shifted */
    int16_t zero_point;
} tfhrf_scale;

/* The words of a sum are unsigned so that it wraps. */
TFHRF_INLINE int32_t tfhrf_shift_left(int32_t value, int32_t bits)
{
    return (int32_t)((uint32_t)value << bits);
}

/* The high word of a product, rounded. */
TFHRF_INLINE int32_t tfhrf_high_rounded(int32_t a, int32_t b)
{
#if TFHRF_SIMD32
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
    return high;
#else
    return (int32_t)(((int64_t)a * b + 0x80000000) >> 32);
#endif
}

/* The same, and something added. */
TFHRF_INLINE int32_t tfhrf_high_plus(int32_t a, int32_t b, int32_t more)
{
#if TFHRF_SIMD32
    int32_t high;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(a), "r"(b), "r"(more));
    return high;
#else
    return tfhrf_high_rounded(a, b) + more;
#endif
}

/* The high word of a doubled product, rounded. */
TFHRF_INLINE int32_t tfhrf_high_doubled(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + 0x40000000) >> 31);
}

TFHRF_INLINE int32_t tfhrf_leading_zeros(uint32_t value)
{
#if defined(__GNUC__)
    return (int32_t)__builtin_clz(value);
#else
    int32_t count = 0;
    for (; (value & 0x80000000U) == 0U; value <<= 1) {
        ++count;
    }
    return count;
#endif
}

/* Any scale and any value. */
TFHRF_INLINE int32_t tfhrf_rescale_any(int32_t value, const tfhrf_scale *scale)
{
    const int32_t shifted = tfhrf_shift_left(value, scale->left);
    const int32_t product = tfhrf_high_doubled(shifted, scale->multiplier);
    if (scale->right == 0) {
        return product + scale->zero_point;
    }
    const uint32_t mask = ((uint32_t)1 << scale->right) - 1U;
    const uint32_t most = (mask >> 1) + (product < 0 ? 1U : 0U);
    const int32_t up = ((uint32_t)product & mask) > most ? 1 : 0;
    return (product >> scale->right) + up + scale->zero_point;
}

/*
 * The same for inner loops, which hand in TFHRF_TWICE the value. Where a model has a scale that
 * shifts left there, or not at all, or sums of 30 bits, it defines TFHRF_ANY_SCALE.
 */
#if defined(TFHRF_ANY_SCALE)
#define TFHRF_TWICE 0
#else
#define TFHRF_TWICE 1
#endif

TFHRF_INLINE int32_t tfhrf_rescale_twice(int32_t twice, const tfhrf_scale *scale)
{
#if defined(TFHRF_ANY_SCALE)
    return tfhrf_rescale_any(twice, scale);
#elif TFHRF_SIMD32
    /* The sign of the value does for that of the product: where that is 0, it makes no difference. */
    const int32_t high = tfhrf_high_plus(twice, scale->multiplier, scale->rounding);
    return (high + (twice >> 31)) >> scale->right;
#else
    const int32_t product = tfhrf_high_rounded(twice, scale->multiplier);
    return (product + (product >> 31) + scale->rounding) >> scale->right;
#endif
}

/* Vectors of 32 bits do inner loops where their scales are the simple ones. */
#if TFHRF_MVE && !defined(TFHRF_ANY_SCALE) && defined(__GNUC__)
#define TFHRF_VECTORS 1
TFHRF_INLINE int32x4_t tfhrf_rescale4(int32x4_t twice, tfhrf_scale scale)
{
    const int32x4_t product = vrmulhq_s32(twice, vdupq_n_s32(scale.multiplier));
    const int32x4_t sum = vaddq_n_s32(vaddq_s32(product, vshrq_n_s32(product, 31)), scale.rounding);
    return vshlq_r_s32(sum, -scale.right);
}

/* The same of values that are taken once: what rounds is added where they are multiplied. */
TFHRF_INLINE int32x4_t tfhrf_rescale4_once(int32x4_t value, tfhrf_scale scale)
{
    /* Compilers copy the value. */
    int32x4_t sign;
    __asm__("vshr.s32 %q1, %q0, #31\n\t"
            "vqrdmlash.s32 %q0, %q2, %3\n\t"
            "vadd.i32 %q0, %q0, %q1"
            : "+w"(value), "=&w"(sign)
            : "w"(vdupq_n_s32(scale.multiplier)), "r"(scale.rounding));
    return vshlq_r_s32(value, -scale.right);
}

TFHRF_INLINE int32x4_t tfhrf_saturate4(int32x4_t values)
{
    return vmaxq_s32(vminq_s32(values, vdupq_n_s32(127)), vdupq_n_s32(-128));
}

/* Values from a table of 256 bytes, which points to that of 0: offsets wrap, as addresses do. */
TFHRF_INLINE int32x4_t tfhrf_look_up4(const int8_t *table, int32x4_t q)
{
    return vldrbq_gather_offset_s32(table, vreinterpretq_u32_s32(q));
}
#else
#define TFHRF_VECTORS 0
#endif

TFHRF_INLINE int32_t tfhrf_rescale(int32_t value, const tfhrf_scale *scale)
{
    return tfhrf_rescale_twice(tfhrf_shift_left(value, TFHRF_TWICE), scale);
}

/* Any scale and any value, the usual ones in fewer instructions. */
TFHRF_INLINE int32_t tfhrf_rescale_usual(int32_t value, const tfhrf_scale *scale)
{
    /* Without a rounding constant the zero point is too large for the short way. */
    const int32_t small = value > -(1 << 29) && value < (1 << 29) ? 1 : 0;
    if (small != 0 && scale->left == 0 && scale->right > 0 && scale->rounding != 0) {
        return tfhrf_rescale(value, scale);
    }
    return tfhrf_rescale_any(value, scale);
}

TFHRF_INLINE int32_t tfhrf_saturate(int32_t value)
{
#if TFHRF_SIMD32
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return result;
#else
    const int32_t low = value < -128 ? -128 : value;
    return low > 127 ? 127 : low;
#endif
}

#endif
