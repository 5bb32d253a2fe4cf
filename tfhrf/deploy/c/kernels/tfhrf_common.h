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
    int32_t zero_point;
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
    const int32_t product = tfhrf_high_rounded(twice, scale->multiplier);
    return (product + (product >> 31) + scale->rounding) >> scale->right;
#endif
}

/* Vectors of 32 bits do inner loops where their scales are the simple ones. */
#if TFHRF_MVE && !defined(TFHRF_ANY_SCALE)
#define TFHRF_VECTORS 1
TFHRF_INLINE int32x4_t tfhrf_rescale4(int32x4_t twice, tfhrf_scale scale)
{
    const int32x4_t product = vrmulhq_s32(twice, vdupq_n_s32(scale.multiplier));
    const int32x4_t sum = vaddq_n_s32(vaddq_s32(product, vshrq_n_s32(product, 31)), scale.rounding);
    return vshlq_r_s32(sum, -scale.right);
}

TFHRF_INLINE int32x4_t tfhrf_saturate4(int32x4_t values)
{
    return vmaxq_s32(vminq_s32(values, vdupq_n_s32(127)), vdupq_n_s32(-128));
}

/* Values from a table of 256 bytes, which points to that of 0. */
TFHRF_INLINE int32x4_t tfhrf_look_up4(const int8_t *table, int32x4_t q)
{
    const uint32x4_t place = vreinterpretq_u32_s32(vaddq_n_s32(q, 128));
    return vldrbq_gather_offset_s32(table - 128, place);
}
#else
#define TFHRF_VECTORS 0
#endif

TFHRF_INLINE int32_t tfhrf_rescale(int32_t value, const tfhrf_scale *scale)
{
    return tfhrf_rescale_twice(tfhrf_shift_left(value, TFHRF_TWICE), scale);
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

#if TFHRF_SIMD32
TFHRF_INLINE uint32_t tfhrf_add_halves(uint32_t a, uint32_t b)
{
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
}

/* Adds both products of halves. */
TFHRF_INLINE int32_t tfhrf_dual(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}
#endif

TFHRF_INLINE uint32_t tfhrf_load_word(const int8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

#if TFHRF_SIMD32
/* Bytes 0 and 2 of a word, as halves. */
TFHRF_INLINE uint32_t tfhrf_extend_even(uint32_t bytes)
{
    uint32_t halves;
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* Bytes 1 and 3. */
TFHRF_INLINE uint32_t tfhrf_extend_odd(uint32_t bytes)
{
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}
#endif

/* Blocks of four bytes that a row of `depth` bytes takes. */
TFHRF_INLINE int32_t tfhrf_blocks(int32_t depth)
{
    return (depth + 3) / 4;
}

/*
 * Rows of bytes are widened to 16 bits before they are multiplied, two rows in turns, the last
 * block filled up with zeros. For dual multiply-accumulates the pairs of a block are its elements
 * (0, 2) and (1, 3), as byte extraction finds them; for vectors eight elements follow one another.
 * The second row begins TFHRF_SECOND_ROW pairs after the first.
 */
#if TFHRF_MVE
#define TFHRF_SECOND_ROW 4
#else
#define TFHRF_SECOND_ROW 1
#endif

/* The place of element i of a widened row. */
TFHRF_INLINE int16_t *tfhrf_place(tfhrf_pair *row, int32_t i)
{
    const uint32_t at = (uint32_t)i;
#if TFHRF_MVE
    return &row[(at & ~7U) + (at & 7U) / 2U].half[at & 1U];
#else
    return &row[(at & ~3U) + (at & 1U) * 2U].half[(at & 2U) / 2U];
#endif
}

/* Fills a widened row of `depth` elements up with zeros. */
TFHRF_INLINE void tfhrf_fill_up(tfhrf_pair *row, int32_t depth)
{
    const int32_t end = 4 * tfhrf_blocks(depth);
    for (int32_t i = depth; i < end; ++i) {
        *tfhrf_place(row, i) = 0;
    }
}

/*
 * Widens a row of bytes, an offset added. TFHRF_TWICE the values are written, and the sum of them
 * is returned.
 */
TFHRF_INLINE int32_t tfhrf_widen(const int8_t *in, int32_t depth, int32_t offset, tfhrf_pair *out)
{
    int32_t sum = 0;
    int32_t done = 0;
#if TFHRF_MVE
    for (; done + 8 <= depth; done += 8) {
        int16x8_t values = vaddq_n_s16(vldrbq_s16(in + done), (int16_t)offset);
        values = vshlq_n_s16(values, TFHRF_TWICE);
        sum = vaddvaq_s16(sum, values);
        vstrhq_s16(out[done].half, values);
    }
#elif TFHRF_SIMD32
    const uint32_t offsets = ((uint32_t)offset & 0xffffU) | ((uint32_t)offset << 16);
    for (; done + 4 <= depth; done += 4) {
        const uint32_t bytes = tfhrf_load_word(in + done);
        uint32_t even = tfhrf_extend_even(bytes);
        uint32_t odd = tfhrf_extend_odd(bytes);
        if (offset != 0) {
            even = tfhrf_add_halves(even, offsets);
            odd = tfhrf_add_halves(odd, offsets);
        }
        if (TFHRF_TWICE != 0) {
            even = tfhrf_add_halves(even, even);
            odd = tfhrf_add_halves(odd, odd);
        }
        out[done].word = even;
        out[done + 2].word = odd;
        sum = tfhrf_dual(even, 0x00010001U, sum);
        sum = tfhrf_dual(odd, 0x00010001U, sum);
    }
#else
    for (; done + 4 <= depth; done += 4) {
        for (int32_t i = 0; i < 4; ++i) {
            const int32_t value = (in[done + i] + offset) * (1 + TFHRF_TWICE);
            *tfhrf_place(out + done, i) = (int16_t)value;
            sum += value;
        }
    }
#endif
    for (; done < depth; ++done) {
        const int32_t value = (in[done] + offset) * (1 + TFHRF_TWICE);
        *tfhrf_place(out, done) = (int16_t)value;
        sum += value;
    }
    tfhrf_fill_up(out, depth);
    return sum;
}

TFHRF_INLINE void tfhrf_step(int32_t a, int32_t b, int32_t x0, int32_t x1, int32_t sums[4])
{
    sums[0] += a * x0;
    sums[1] += a * x1;
    sums[2] += b * x0;
    sums[3] += b * x1;
}

/* Adds to sums the products of two byte rows a, b with two widened rows x: a0, a1, b0, b1. */
TFHRF_INLINE void tfhrf_dot(const int8_t *a, const int8_t *b, const tfhrf_pair *x, int32_t blocks,
                            int32_t sums[4])
{
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
#if TFHRF_MVE
    const int16_t *x0 = x[0].half;
    int32_t left = 4 * blocks;
    for (; left > 0; left -= 8) {
        const mve_pred16_t lanes = vctp16q((uint32_t)left);
        const int16x8_t first = vldrhq_s16(x0);
        const int16x8_t second = vldrhq_s16(x0 + 8);
        const int16x8_t a_values = vldrbq_z_s16(a, lanes);
        const int16x8_t b_values = vldrbq_z_s16(b, lanes);
        a0 = vmladavaq_s16(a0, a_values, first);
        a1 = vmladavaq_s16(a1, a_values, second);
        b0 = vmladavaq_s16(b0, b_values, first);
        b1 = vmladavaq_s16(b1, b_values, second);
        a += 8;
        b += 8;
        x0 += 16;
    }
#elif TFHRF_SIMD32 && defined(__OPTIMIZE__) && !defined(__clang__)
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
        a0 = tfhrf_dual(a_odd, x[2].word, tfhrf_dual(a_even, x[0].word, a0));
        a1 = tfhrf_dual(a_odd, x[3].word, tfhrf_dual(a_even, x[1].word, a1));
        b0 = tfhrf_dual(b_odd, x[2].word, tfhrf_dual(b_even, x[0].word, b0));
        b1 = tfhrf_dual(b_odd, x[3].word, tfhrf_dual(b_even, x[1].word, b1));
        a += 4;
        b += 4;
        x += 4;
    }
#else
    const tfhrf_pair *const end = x + 4 * blocks;
    int32_t step[4] = {a0, a1, b0, b1};
    for (; x != end; x += 4) {
        tfhrf_step(a[0], b[0], x[0].half[0], x[1].half[0], step);
        tfhrf_step(a[1], b[1], x[2].half[0], x[3].half[0], step);
        tfhrf_step(a[2], b[2], x[0].half[1], x[1].half[1], step);
        tfhrf_step(a[3], b[3], x[2].half[1], x[3].half[1], step);
        a += 4;
        b += 4;
    }
    a0 = step[0];
    a1 = step[1];
    b0 = step[2];
    b1 = step[3];
#endif
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}

#endif
