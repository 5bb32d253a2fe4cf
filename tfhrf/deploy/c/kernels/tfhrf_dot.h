/* Rows widened to 16 bits, and products of rows: sums of 32 bits. */
#ifndef TFHRF_DOT_H_
#define TFHRF_DOT_H_

#include "tfhrf_common.h"

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

/* Bytes 0 and 2 of a word, added to halves. */
TFHRF_INLINE uint32_t tfhrf_add_even(uint32_t halves, uint32_t bytes)
{
    uint32_t sums;
    __asm__("sxtab16 %0, %1, %2" : "=r"(sums) : "r"(halves), "r"(bytes));
    return sums;
}

/* Bytes 1 and 3. */
TFHRF_INLINE uint32_t tfhrf_add_odd(uint32_t halves, uint32_t bytes)
{
    uint32_t sums;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(sums) : "r"(halves), "r"(bytes));
    return sums;
}

/* The low halves of two words, the second's above. */
TFHRF_INLINE uint32_t tfhrf_low_halves(uint32_t a, uint32_t b)
{
    uint32_t halves;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(a), "r"(b));
    return halves;
}

TFHRF_INLINE uint32_t tfhrf_high_halves(uint32_t a, uint32_t b)
{
    uint32_t halves;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(halves) : "r"(b), "r"(a));
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
        uint32_t even = tfhrf_add_even(offsets, bytes);
        uint32_t odd = tfhrf_add_odd(offsets, bytes);
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

#if TFHRF_MVE
TFHRF_INLINE int16x8_t tfhrf_load_lanes(const int8_t *from, mve_pred16_t lanes)
{
    return vldrbq_z_s16(from, lanes);
}

TFHRF_INLINE int16x8_t tfhrf_load_eight(const int8_t *from)
{
    return vldrbq_s16(from);
}

#include "tfhrf_of8.h"
#include "tfhrf_dot_any.h"
#endif

/* Adds to sums the products of two byte rows a, b with two widened rows x: a0, a1, b0, b1. */
TFHRF_INLINE void tfhrf_dot(const int8_t *a, const int8_t *b, const tfhrf_pair *x, int32_t blocks,
                            int32_t sums[4])
{
#if TFHRF_MVE
    tfhrf_dot_vectors(a, b, x, 4 * blocks, sums);
#else
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
#endif
}

#endif
