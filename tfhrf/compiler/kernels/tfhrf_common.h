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

/* q = value * multiplier * 2^(left - right - 31), rounded twice, and a zero point added. */
typedef struct {
    int32_t multiplier;
    int32_t half; /* half of 2^right */
    int32_t sign; /* -1 where halves are rounded away from zero, 0 where right is 0 */
    int16_t left;
    int16_t right;
    int32_t zero_point;
} tfhrf_scale;

/* The words of a sum are unsigned so that it wraps. */
TFHRF_INLINE int32_t tfhrf_shift_left(int32_t value, int32_t bits)
{
    return (int32_t)((uint32_t)value << bits);
}

/* Arithmetic shift right; what C leaves to the compiler. */
TFHRF_INLINE int32_t tfhrf_shift_right(int32_t value, int32_t bits)
{
    return value >> bits;
}

/* Rounded high half of a doubled product. */
TFHRF_INLINE int32_t tfhrf_high_multiply(int32_t a, int32_t b)
{
#if TFHRF_SIMD32 && !defined(TFHRF_LARGE_SUMS)
    /* Doubling a first is safe: generated models keep it below 2^30. */
    int32_t result;
    const int32_t twice = tfhrf_shift_left(a, 1);
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(twice), "r"(b));
    return result;
#else
    return (int32_t)(((int64_t)a * b + 0x40000000) >> 31);
#endif
}

TFHRF_INLINE int32_t tfhrf_rescale(int32_t value, const tfhrf_scale *scale)
{
    const int32_t product =
        tfhrf_high_multiply(tfhrf_shift_left(value, scale->left), scale->multiplier);
    const int32_t rounded = product + (scale->sign & (product >> 31)) + scale->half;
    return (rounded >> scale->right) + scale->zero_point;
}

TFHRF_INLINE int8_t tfhrf_saturate(int32_t value)
{
#if TFHRF_SIMD32
    return (int8_t)__ssat(value, 8);
#else
    const int32_t low = value < -128 ? -128 : value;
    return (int8_t)(low > 127 ? 127 : low);
#endif
}

TFHRF_INLINE uint32_t tfhrf_load_word(const int8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

TFHRF_INLINE uint32_t tfhrf_extend_even(uint32_t bytes)
{
#if TFHRF_SIMD32
    uint32_t halves;
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
#else
    return bytes;
#endif
}

TFHRF_INLINE uint32_t tfhrf_extend_odd(uint32_t bytes)
{
#if TFHRF_SIMD32
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
#else
    return bytes;
#endif
}

/* Blocks of four bytes that a row of `depth` bytes takes. */
TFHRF_INLINE int32_t tfhrf_blocks(int32_t depth)
{
    return (depth + 3) / 4;
}

/*
 * Widens a row of bytes to pairs (0, 2), (1, 3) of each block of four, offset added, the last
 * block filled up with zeros. Two rows take turns: a block of this row lies every four pairs.
 * Returns the sum of what was written.
 */
TFHRF_INLINE int32_t tfhrf_widen(const int8_t *in, int32_t depth, int32_t offset, tfhrf_pair *out)
{
    int32_t sum = 0;
    int32_t left = depth;
#if TFHRF_SIMD32
    const uint32_t offsets = ((uint32_t)offset & 0xffffU) | ((uint32_t)offset << 16);
    for (; left >= 4; left -= 4) {
        const uint32_t bytes = tfhrf_load_word(in);
        const uint32_t even = __sadd16(tfhrf_extend_even(bytes), offsets);
        const uint32_t odd = __sadd16(tfhrf_extend_odd(bytes), offsets);
        out[0].word = even;
        out[1].word = odd;
        sum = __smlad(even, 0x00010001U, sum);
        sum = __smlad(odd, 0x00010001U, sum);
        in += 4;
        out += 4;
    }
#else
    for (; left >= 4; left -= 4) {
        out[0].half[0] = (int16_t)(in[0] + offset);
        out[1].half[0] = (int16_t)(in[1] + offset);
        out[0].half[1] = (int16_t)(in[2] + offset);
        out[1].half[1] = (int16_t)(in[3] + offset);
        sum += out[0].half[0] + out[1].half[0] + out[0].half[1] + out[1].half[1];
        in += 4;
        out += 4;
    }
#endif
    if (left > 0) {
        out[0].word = 0U;
        out[1].word = 0U;
        for (int32_t i = 0; i < left; ++i) {
            const int32_t value = in[i] + offset;
            out[i & 1].half[i >> 1] = (int16_t)value;
            sum += value;
        }
    }
    return sum;
}

/* Adds to sums the products of two byte rows a, b with two widened rows x: a0, a1, b0, b1. */
TFHRF_INLINE void tfhrf_dot(const int8_t *a, const int8_t *b, const tfhrf_pair *x, int32_t blocks,
                            int32_t sums[4])
{
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
#if TFHRF_SIMD32
    const tfhrf_pair *const end = x + 4 * blocks;
    while (x != end) {
        const uint32_t a_bytes = tfhrf_load_word(a);
        const uint32_t b_bytes = tfhrf_load_word(b);
        const uint32_t a_even = tfhrf_extend_even(a_bytes);
        const uint32_t b_even = tfhrf_extend_even(b_bytes);
        a0 = __smlad(a_even, x[0].word, a0);
        b0 = __smlad(b_even, x[0].word, b0);
        a1 = __smlad(a_even, x[2].word, a1);
        b1 = __smlad(b_even, x[2].word, b1);
        const uint32_t a_odd = tfhrf_extend_odd(a_bytes);
        const uint32_t b_odd = tfhrf_extend_odd(b_bytes);
        a0 = __smlad(a_odd, x[1].word, a0);
        b0 = __smlad(b_odd, x[1].word, b0);
        a1 = __smlad(a_odd, x[3].word, a1);
        b1 = __smlad(b_odd, x[3].word, b1);
        a += 4;
        b += 4;
        x += 4;
    }
#else
    for (int32_t block = 0; block < blocks; ++block) {
        for (int32_t i = 0; i < 4; ++i) {
            const int32_t x0 = x[i & 1].half[i >> 1];
            const int32_t x1 = x[2 + (i & 1)].half[i >> 1];
            a0 += a[i] * x0;
            a1 += a[i] * x1;
            b0 += b[i] * x0;
            b1 += b[i] * x1;
        }
        a += 4;
        b += 4;
        x += 4;
    }
#endif
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}

#endif
