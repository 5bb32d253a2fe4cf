/* Products of rows with constant weights, which come in pairs of rows: four bytes of one, four of
 * the other in turns, filled up with zeros. */
#ifndef TFHRF_WEIGHTS_H_
#define TFHRF_WEIGHTS_H_

#include "tfhrf_dot.h"

/*
 * Where registers do for the sums of four rows, which are laid out in turns as two are: the pairs
 * (0, 2) of a block's four elements, of each row, and then the pairs (1, 3).
 */
#if TFHRF_SIMD32 && !TFHRF_MVE && defined(__thumb2__) && defined(__GNUC__)
#define TFHRF_FOUR 1
#else
#define TFHRF_FOUR 0
#endif

/*
 * There two 8-bit weights of a pair of rows, a and b, may be one of 16 bits, 256 a + b: products
 * with it and with b alone make both sums, if those of a have 24 bits. A model whose weights do not
 * fit or whose sums may be longer defines TFHRF_APART.
 */
#if TFHRF_FOUR && !defined(TFHRF_ANY_SCALE) && !defined(TFHRF_APART)
#define TFHRF_JOINT 1
#define TFHRF_JOIN(a, b) (b), (a) - ((b) < 0)
#define TFHRF_WEIGHTS(a0, a1, a2, a3, b0, b1, b2, b3)                                              \
    TFHRF_JOIN(a0, b0), TFHRF_JOIN(a2, b2), TFHRF_JOIN(a1, b1), TFHRF_JOIN(a3, b3)
#else
#define TFHRF_JOINT 0
#define TFHRF_WEIGHTS(a0, a1, a2, a3, b0, b1, b2, b3) a0, a1, a2, a3, b0, b1, b2, b3
#endif

/* Lays a row of bytes out as one of `rows` rows, filled up with zeros; TFHRF_TWICE the values. */
TFHRF_KERNEL void tfhrf_lay(const int8_t *in, int32_t depth, int32_t rows, tfhrf_pair *out)
{
    const int8_t *const end = in + depth / 4 * 4;
    const ptrdiff_t block = 2 * rows;
    for (; in != end; in += 4) {
#if TFHRF_SIMD32
        const uint32_t bytes = tfhrf_load_word(in);
        uint32_t even = tfhrf_extend_even(bytes);
        uint32_t odd = tfhrf_extend_odd(bytes);
        if (TFHRF_TWICE != 0) {
            even = tfhrf_add_halves(even, even);
            odd = tfhrf_add_halves(odd, odd);
        }
        out[0].word = even;
        out[rows].word = odd;
#else
        out[0].half[0] = (int16_t)(in[0] * (1 + TFHRF_TWICE));
        out[0].half[1] = (int16_t)(in[2] * (1 + TFHRF_TWICE));
        out[rows].half[0] = (int16_t)(in[1] * (1 + TFHRF_TWICE));
        out[rows].half[1] = (int16_t)(in[3] * (1 + TFHRF_TWICE));
#endif
        out += block;
    }
    if (depth % 4 != 0) {
        out[0].word = 0U;
        out[rows].word = 0U;
        for (int32_t i = 0; i < depth % 4; ++i) {
            out[i % 2 * rows].half[i / 2] = (int16_t)(in[i] * (1 + TFHRF_TWICE));
        }
    }
}

#if TFHRF_FOUR
/*
 * The products of half a block of four rows, whose first two are in r12 and lr and whose others are
 * at r1, with halves of two rows of weights in r2 and r3.
 */
#define TFHRF_FOUR_PRODUCTS                                                                        \
    "smlad r4, r2, r12, r4\n\t"                                                                    \
    "smlad r5, r2, lr, r5\n\t"                                                                     \
    "smlad r8, r3, r12, r8\n\t"                                                                    \
    "smlad r9, r3, lr, r9\n\t"                                                                     \
    "ldrd r12, lr, [r1], #8\n\t"                                                                   \
    "smlad r6, r2, r12, r6\n\t"                                                                    \
    "smlad r7, r2, lr, r7\n\t"                                                                     \
    "smlad r10, r3, r12, r10\n\t"                                                                  \
    "smlad r11, r3, lr, r11\n\t"

/*
 * Half of a block of four rows at r1, times weights at r0; r2, r3, r12 and lr are overwritten.
 */
#define TFHRF_FOUR_HALF(turn, next)                                                                \
    "ldrd r2, r3, [r0]" next "\n\t"                                                                \
    "ldrd r12, lr, [r1], #8\n\t"                                                                   \
    "sxtb16 r2, r2" turn "\n\t"                                                                    \
    "sxtb16 r3, r3" turn "\n\t" TFHRF_FOUR_PRODUCTS

/* A block. */
#define TFHRF_FOUR_BYTES TFHRF_FOUR_HALF("", "") TFHRF_FOUR_HALF(", ror #8", ", #8")

/*
 * Adds the products of four rows, from x to `end`, with two rows of weights: the sums of the
 * first are in r4 to r7 and begin with sums[0], those of the second in r8 to r11 with sums[1].
 */
static __attribute__((naked, noinline, unused)) void
tfhrf_dot_four(const int8_t *w __attribute__((unused)), const tfhrf_pair *x __attribute__((unused)),
               const tfhrf_pair *end __attribute__((unused)), int32_t *sums __attribute__((unused)))
{
    __asm__ volatile("push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldrd r4, r8, [r3]\n\t"
                     "sub r2, r2, r1\n\t"
                     "mov r5, r4\n\t"
                     "mov r6, r4\n\t"
                     "mov r7, r4\n\t"
                     "mov r9, r8\n\t"
                     "mov r10, r8\n\t"
                     "mov r11, r8\n\t"
                     "tst r2, #32\n\t"
                     "bne 2f\n\t"
                     "1:\n\t" TFHRF_FOUR_BYTES
                     "2:\n\t" TFHRF_FOUR_BYTES
                     "ldr r2, [sp]\n\t"
                     "cmp r1, r2\n\t"
                     "bne 1b\n\t"
                     "ldr r3, [sp, #4]\n\t"
                     "stm r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "pop {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t");
}
#endif

#if TFHRF_MVE
/*
 * Rows of 16 bits: vectors take sixteen elements at a time, eight even ones of each row, then the
 * odd ones. Adds to a0, a1, b0, b1 the products of two rows of weights with two rows x.
 */
#define TFHRF_NEXT_ROW16 4
TFHRF_INLINE void tfhrf_dot_two(const int8_t *w, const tfhrf_pair *x, int32_t blocks,
                                int32_t sums[4])
{
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
    const int16_t *values = x[0].half;
    for (; blocks > 0; blocks -= 4) {
        const int32x4x2_t both = vld2q_s32((const int32_t *)(const void *)w);
        const int8x16_t a = vreinterpretq_s8_s32(both.val[0]);
        const int8x16_t b = vreinterpretq_s8_s32(both.val[1]);
        const int16x8_t even0 = vldrhq_s16(values);
        const int16x8_t even1 = vldrhq_s16(values + 8);
        a0 = vmladavaq_s16(a0, vmovlbq_s8(a), even0);
        a1 = vmladavaq_s16(a1, vmovlbq_s8(a), even1);
        b0 = vmladavaq_s16(b0, vmovlbq_s8(b), even0);
        b1 = vmladavaq_s16(b1, vmovlbq_s8(b), even1);
        const int16x8_t odd0 = vldrhq_s16(values + 16);
        const int16x8_t odd1 = vldrhq_s16(values + 24);
        a0 = vmladavaq_s16(a0, vmovltq_s8(a), odd0);
        a1 = vmladavaq_s16(a1, vmovltq_s8(a), odd1);
        b0 = vmladavaq_s16(b0, vmovltq_s8(b), odd0);
        b1 = vmladavaq_s16(b1, vmovltq_s8(b), odd1);
        w += 32;
        values += 32;
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}

TFHRF_INLINE void tfhrf_dot_one(const int8_t *w, const tfhrf_pair *x, int32_t blocks,
                                int32_t sums[4])
{
    tfhrf_dot_two(w, x, blocks, sums);
}
#else
#define TFHRF_NEXT_ROW16 1
/* Adds to a0, a1, b0, b1 the products of two rows of weights with two rows x. */
TFHRF_INLINE void tfhrf_dot_two(const int8_t *w, const tfhrf_pair *x, int32_t blocks,
                                int32_t sums[4])
{
    const tfhrf_pair *const end = x + 4 * blocks;
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
#if TFHRF_FOUR && defined(__OPTIMIZE__) && !defined(__clang__)
    uint32_t a_bytes;
    uint32_t b_bytes;
    uint32_t a;
    uint32_t x0;
    uint32_t x1;
#define TFHRF_TWO_BLOCK                                                                            \
    "ldrd %[a_bytes], %[b_bytes], [%[w]], #8\n\t"                                                  \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                            \
    "sxtb16 %[a], %[a_bytes]\n\t"                                                                  \
    "smlad %[a0], %[a], %[x0], %[a0]\n\t"                                                          \
    "smlad %[a1], %[a], %[x1], %[a1]\n\t"                                                          \
    "sxtb16 %[a], %[b_bytes]\n\t"                                                                  \
    "smlad %[b0], %[a], %[x0], %[b0]\n\t"                                                          \
    "smlad %[b1], %[a], %[x1], %[b1]\n\t"                                                          \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                            \
    "sxtb16 %[a], %[a_bytes], ror #8\n\t"                                                          \
    "smlad %[a0], %[a], %[x0], %[a0]\n\t"                                                          \
    "smlad %[a1], %[a], %[x1], %[a1]\n\t"                                                          \
    "sxtb16 %[a], %[b_bytes], ror #8\n\t"                                                          \
    "smlad %[b0], %[a], %[x0], %[b0]\n\t"                                                          \
    "smlad %[b1], %[a], %[x1], %[b1]\n\t"
    /* Compilers spill some of the twelve registers. */
    __asm__ volatile("sub %[a], %[end], %[x]\n\t"
                     "tst %[a], #16\n\t"
                     "bne 2f\n\t"
                     "1:\n\t" TFHRF_TWO_BLOCK "2:\n\t" TFHRF_TWO_BLOCK
                     "cmp %[x], %[end]\n\t"
                     "bne 1b"
                     : [w] "+r"(w), [x] "+r"(x), [a0] "+r"(a0), [a1] "+r"(a1), [b0] "+r"(b0),
                       [b1] "+r"(b1), [a_bytes] "=&r"(a_bytes), [b_bytes] "=&r"(b_bytes),
                       [a] "=&r"(a), [x0] "=&r"(x0), [x1] "=&r"(x1)
                     : [end] "r"(end)
                     : "cc", "memory");
#undef TFHRF_TWO_BLOCK
#elif TFHRF_SIMD32
    while (x != end) {
        const uint32_t a_bytes = tfhrf_load_word(w);
        const uint32_t b_bytes = tfhrf_load_word(w + 4);
        const uint32_t a_even = tfhrf_extend_even(a_bytes);
        const uint32_t b_even = tfhrf_extend_even(b_bytes);
        const uint32_t a_odd = tfhrf_extend_odd(a_bytes);
        const uint32_t b_odd = tfhrf_extend_odd(b_bytes);
        a0 = tfhrf_dual(a_odd, x[2].word, tfhrf_dual(a_even, x[0].word, a0));
        a1 = tfhrf_dual(a_odd, x[3].word, tfhrf_dual(a_even, x[1].word, a1));
        b0 = tfhrf_dual(b_odd, x[2].word, tfhrf_dual(b_even, x[0].word, b0));
        b1 = tfhrf_dual(b_odd, x[3].word, tfhrf_dual(b_even, x[1].word, b1));
        w += 8;
        x += 4;
    }
#else
    int32_t step[4] = {a0, a1, b0, b1};
    for (; x != end; x += 4) {
        tfhrf_step(w[0], w[4], x[0].half[0], x[1].half[0], step);
        tfhrf_step(w[1], w[5], x[2].half[0], x[3].half[0], step);
        tfhrf_step(w[2], w[6], x[0].half[1], x[1].half[1], step);
        tfhrf_step(w[3], w[7], x[2].half[1], x[3].half[1], step);
        w += 8;
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

/* The same where there is only the first of the rows x, to a0 and b0. */
TFHRF_INLINE void tfhrf_dot_one(const int8_t *w, const tfhrf_pair *x, int32_t blocks,
                                int32_t sums[4])
{
    const tfhrf_pair *const end = x + 4 * blocks;
    int32_t a0 = sums[0];
    int32_t b0 = sums[2];
#if TFHRF_FOUR
    uint32_t a_bytes;
    uint32_t b_bytes;
    uint32_t a;
    uint32_t even;
    uint32_t odd;
#define TFHRF_ONE_BLOCK                                                                            \
    "ldr %[even], [%[x]], #8\n\t"                                                                  \
    "ldr %[odd], [%[x]], #8\n\t"                                                                   \
    "ldrd %[a_bytes], %[b_bytes], [%[w]], #8\n\t"                                                  \
    "sxtb16 %[a], %[a_bytes]\n\t"                                                                  \
    "smlad %[a0], %[a], %[even], %[a0]\n\t"                                                        \
    "sxtb16 %[a], %[b_bytes]\n\t"                                                                  \
    "smlad %[b0], %[a], %[even], %[b0]\n\t"                                                        \
    "sxtb16 %[a], %[a_bytes], ror #8\n\t"                                                          \
    "smlad %[a0], %[a], %[odd], %[a0]\n\t"                                                         \
    "sxtb16 %[a], %[b_bytes], ror #8\n\t"                                                          \
    "smlad %[b0], %[a], %[odd], %[b0]\n\t"
    __asm__ volatile("sub %[a], %[end], %[x]\n\t"
                     "tst %[a], #16\n\t"
                     "bne 2f\n\t"
                     "1:\n\t" TFHRF_ONE_BLOCK "2:\n\t" TFHRF_ONE_BLOCK
                     "cmp %[x], %[end]\n\t"
                     "bne 1b"
                     : [w] "+r"(w), [x] "+r"(x), [a0] "+r"(a0), [b0] "+r"(b0),
                       [a_bytes] "=&r"(a_bytes), [b_bytes] "=&r"(b_bytes), [a] "=&r"(a),
                       [even] "=&r"(even), [odd] "=&r"(odd)
                     : [end] "r"(end)
                     : "cc", "memory");
#undef TFHRF_ONE_BLOCK
#else
    for (; x != end; x += 4) {
        a0 += w[0] * x[0].half[0] + w[1] * x[2].half[0] + w[2] * x[0].half[1] +
              w[3] * x[2].half[1];
        b0 += w[4] * x[0].half[0] + w[5] * x[2].half[0] + w[6] * x[0].half[1] +
              w[7] * x[2].half[1];
        w += 8;
    }
#endif
    sums[0] = a0;
    sums[2] = b0;
}
#endif

#endif
