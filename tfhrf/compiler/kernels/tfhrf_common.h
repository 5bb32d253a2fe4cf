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

/*
 * q = value * multiplier * 2^(left - right - 31) + zero point, rounded twice, as TensorFlow Lite
 * does. `rounding` is half of 2^right and the zero point times 2^right.
 */
typedef struct {
    int32_t multiplier;
    int32_t rounding;
    int16_t right;
    int16_t left;
    int32_t zero_point;
} tfhrf_scale;

/* The words of a sum are unsigned so that it wraps. */
TFHRF_INLINE int32_t tfhrf_shift_left(int32_t value, int32_t bits)
{
    return (int32_t)((uint32_t)value << bits);
}

/* Any scale and any value. */
TFHRF_INLINE int32_t tfhrf_rescale_any(int32_t value, const tfhrf_scale *scale)
{
    const int32_t shifted = tfhrf_shift_left(value, scale->left);
    const int32_t product =
        (int32_t)(((int64_t)shifted * scale->multiplier + 0x40000000) >> 31);
    if (scale->right == 0) {
        return product + scale->zero_point;
    }
    const int64_t half = (int64_t)1 << (scale->right - 1);
    return (int32_t)((product + half - (product < 0 ? 1 : 0)) >> scale->right) + scale->zero_point;
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
#else
#if TFHRF_SIMD32
    int32_t product;
    __asm__("smmulr %0, %1, %2" : "=r"(product) : "r"(twice), "r"(scale->multiplier));
#else
    const int64_t whole = (int64_t)twice * scale->multiplier + 0x80000000;
    const int32_t product = (int32_t)(whole >> 32);
#endif
    return (product + (product >> 31) + scale->rounding) >> scale->right;
#endif
}

TFHRF_INLINE int32_t tfhrf_rescale(int32_t value, const tfhrf_scale *scale)
{
    return tfhrf_rescale_twice(tfhrf_shift_left(value, TFHRF_TWICE), scale);
}

TFHRF_INLINE int32_t tfhrf_saturate(int32_t value)
{
#if TFHRF_SIMD32
    return __ssat(value, 8);
#else
    const int32_t low = value < -128 ? -128 : value;
    return low > 127 ? 127 : low;
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
 * block filled up with zeros. Two rows take turns, pair by pair, so that the pairs of this one lie
 * at every other place. TFHRF_TWICE the values are written, and the sum of them is returned.
 */
TFHRF_INLINE int32_t tfhrf_widen(const int8_t *in, int32_t depth, int32_t offset, tfhrf_pair *out)
{
    int32_t sum = 0;
    int32_t left = depth;
#if TFHRF_SIMD32
    const uint32_t offsets = ((uint32_t)offset & 0xffffU) | ((uint32_t)offset << 16);
    for (; left >= 4; left -= 4) {
        const uint32_t bytes = tfhrf_load_word(in);
        uint32_t even = tfhrf_extend_even(bytes);
        uint32_t odd = tfhrf_extend_odd(bytes);
        if (offset != 0) {
            even = __sadd16(even, offsets);
            odd = __sadd16(odd, offsets);
        }
        if (TFHRF_TWICE != 0) {
            even = __sadd16(even, even);
            odd = __sadd16(odd, odd);
        }
        out[0].word = even;
        out[2].word = odd;
        sum = __smlad(even, 0x00010001U, sum);
        sum = __smlad(odd, 0x00010001U, sum);
        in += 4;
        out += 4;
    }
#else
    for (; left >= 4; left -= 4) {
        out[0].half[0] = (int16_t)((in[0] + offset) * (1 + TFHRF_TWICE));
        out[2].half[0] = (int16_t)((in[1] + offset) * (1 + TFHRF_TWICE));
        out[0].half[1] = (int16_t)((in[2] + offset) * (1 + TFHRF_TWICE));
        out[2].half[1] = (int16_t)((in[3] + offset) * (1 + TFHRF_TWICE));
        sum += out[0].half[0] + out[2].half[0] + out[0].half[1] + out[2].half[1];
        in += 4;
        out += 4;
    }
#endif
    if (left > 0) {
        out[0].word = 0U;
        out[2].word = 0U;
        for (int32_t i = 0; i < left; ++i) {
            const int32_t value = (in[i] + offset) * (1 + TFHRF_TWICE);
            out[2 * (i & 1)].half[i >> 1] = (int16_t)value;
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
#if TFHRF_SIMD32 && defined(__OPTIMIZE__) && !defined(__clang__)
    /* All thirteen registers are in use; compilers spill some. */
    const tfhrf_pair *const end = x + 4 * blocks;
    uint32_t a_bytes;
    uint32_t b_bytes;
    uint32_t w;
    uint32_t x0;
    uint32_t x1;
    __asm__ volatile(
        "1:\n\t"
        "ldr %[a_bytes], [%[a]], #4\n\t"
        "ldr %[b_bytes], [%[b]], #4\n\t"
        "ldrd %[x0], %[x1], [%[x]], #8\n\t"
        "sxtb16 %[w], %[a_bytes]\n\t"
        "smlad %[a0], %[w], %[x0], %[a0]\n\t"
        "smlad %[a1], %[w], %[x1], %[a1]\n\t"
        "sxtb16 %[w], %[b_bytes]\n\t"
        "smlad %[b0], %[w], %[x0], %[b0]\n\t"
        "smlad %[b1], %[w], %[x1], %[b1]\n\t"
        "ldrd %[x0], %[x1], [%[x]], #8\n\t"
        "sxtb16 %[w], %[a_bytes], ror #8\n\t"
        "smlad %[a0], %[w], %[x0], %[a0]\n\t"
        "smlad %[a1], %[w], %[x1], %[a1]\n\t"
        "sxtb16 %[w], %[b_bytes], ror #8\n\t"
        "smlad %[b0], %[w], %[x0], %[b0]\n\t"
        "smlad %[b1], %[w], %[x1], %[b1]\n\t"
        "cmp %[x], %[end]\n\t"
        "bne 1b"
        : [a] "+r"(a), [b] "+r"(b), [x] "+r"(x), [a0] "+r"(a0), [a1] "+r"(a1), [b0] "+r"(b0),
          [b1] "+r"(b1), [a_bytes] "=&r"(a_bytes), [b_bytes] "=&r"(b_bytes), [w] "=&r"(w),
          [x0] "=&r"(x0), [x1] "=&r"(x1)
        : [end] "r"(end)
        : "cc", "memory");
#elif TFHRF_SIMD32
    const tfhrf_pair *const end = x + 4 * blocks;
    while (x != end) {
        const uint32_t a_bytes = tfhrf_load_word(a);
        const uint32_t b_bytes = tfhrf_load_word(b);
        const uint32_t a_even = tfhrf_extend_even(a_bytes);
        const uint32_t b_even = tfhrf_extend_even(b_bytes);
        const uint32_t a_odd = tfhrf_extend_odd(a_bytes);
        const uint32_t b_odd = tfhrf_extend_odd(b_bytes);
        a0 = __smlad(a_odd, x[2].word, __smlad(a_even, x[0].word, a0));
        a1 = __smlad(a_odd, x[3].word, __smlad(a_even, x[1].word, a1));
        b0 = __smlad(b_odd, x[2].word, __smlad(b_even, x[0].word, b0));
        b1 = __smlad(b_odd, x[3].word, __smlad(b_even, x[1].word, b1));
        a += 4;
        b += 4;
        x += 4;
    }
#else
    for (int32_t block = 0; block < blocks; ++block) {
        for (int32_t i = 0; i < 4; ++i) {
            const int32_t x0 = x[2 * (i & 1)].half[i >> 1];
            const int32_t x1 = x[2 * (i & 1) + 1].half[i >> 1];
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
