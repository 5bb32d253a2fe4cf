/* FULLY_CONNECTED, int8, of one row. */
#ifndef TFHRF_DENSE_ROW_H_
#define TFHRF_DENSE_ROW_H_

#include "tfhrf_dense.h"

#if TFHRF_JOINT
/* What a block of a row of bytes, at x, needs of a pair of rows of weights: sums of both, of b. */
#define TFHRF_ROW_JOINT(w, both, sum)                                                              \
    "ldrd %[first], %[second], [%[" w "]], #8\n\t"                                                 \
    "smlad %[" both "], %[first], %[even], %[" both "]\n\t"                                        \
    "sxtb16 %[first], %[first]\n\t"                                                                \
    "smlad %[" sum "], %[first], %[even], %[" sum "]\n\t"                                          \
    "smlad %[" both "], %[second], %[odd], %[" both "]\n\t"                                        \
    "sxtb16 %[second], %[second]\n\t"                                                              \
    "smlad %[" sum "], %[second], %[odd], %[" sum "]\n\t"
#define TFHRF_ROW_BLOCK                                                                            \
    "ldr %[odd], [%[x]], #4\n\t"                                                                   \
    "sxtb16 %[even], %[odd]\n\t"                                                                   \
    "sxtb16 %[odd], %[odd], ror #8\n\t" TFHRF_ROW_JOINT("w", "ab", "b")                            \
        TFHRF_ROW_JOINT("v", "cd", "d")

/* Adds the products of a row of bytes with two pairs of rows of weights, from w and from v on. */
TFHRF_INLINE void tfhrf_dot_row(const int8_t *w, const int8_t *v, const int8_t *x, int32_t blocks,
                                int32_t sums[4])
{
    if (blocks != 0) {
        const int8_t *const end = x + 4 * blocks;
        uint32_t first;
        uint32_t second;
        uint32_t even;
        uint32_t odd;
        __asm__ volatile("sub %[odd], %[end], %[x]\n\t"
                         "tst %[odd], #4\n\t"
                         "bne 2f\n\t"
                         "1:\n\t" TFHRF_ROW_BLOCK "2:\n\t" TFHRF_ROW_BLOCK
                         "cmp %[x], %[end]\n\t"
                         "bne 1b"
                         : [w] "+r"(w), [v] "+r"(v), [x] "+r"(x), [ab] "+r"(sums[0]),
                           [b] "+r"(sums[1]), [cd] "+r"(sums[2]), [d] "+r"(sums[3]),
                           [first] "=&r"(first), [second] "=&r"(second), [even] "=&r"(even),
                           [odd] "=&r"(odd)
                         : [end] "r"(end)
                         : "cc", "memory");
    }
}

/* Adds the products of a row of bytes with two pairs of rows of weights, `width` apart. */
TFHRF_INLINE void tfhrf_row_sums(const int8_t *w, ptrdiff_t width, const int8_t *x, int32_t depth,
                                 int32_t sums[4])
{
    const int32_t blocks = depth / 4;
    sums[0] = (int32_t)(((uint32_t)sums[0] << 8) + (uint32_t)sums[1]);
    sums[2] = (int32_t)(((uint32_t)sums[2] << 8) + (uint32_t)sums[3]);
    tfhrf_dot_row(w, w + width, x, blocks, sums);
    if (depth % 4 != 0) {
        int8_t rest[4] = {0, 0, 0, 0};
        for (int32_t i = 0; i < depth % 4; ++i) {
            rest[i] = x[4 * blocks + i];
        }
        tfhrf_dot_row(w + 8 * blocks, w + width + 8 * blocks, rest, 1, sums);
    }
    sums[0] = (int32_t)((uint32_t)sums[0] - (uint32_t)sums[1]) >> 8;
    sums[2] = (int32_t)((uint32_t)sums[2] - (uint32_t)sums[3]) >> 8;
}
#elif !TFHRF_MVE
/* Adds to a and b the products of two rows of weights with a row of bytes; whole blocks of four. */
TFHRF_INLINE void tfhrf_dot_row(const int8_t *w, const int8_t *x, int32_t blocks, int32_t sums[2])
{
    const int8_t *const end = x + 4 * blocks;
    int32_t a = sums[0];
    int32_t b = sums[1];
#if TFHRF_SIMD32
    while (x != end) {
        const uint32_t bytes = tfhrf_load_word(x);
        const uint32_t even = tfhrf_extend_even(bytes);
        const uint32_t odd = tfhrf_extend_odd(bytes);
        const uint32_t a_bytes = tfhrf_load_word(w);
        const uint32_t b_bytes = tfhrf_load_word(w + 4);
        a = tfhrf_dual(tfhrf_extend_even(a_bytes), even, a);
        b = tfhrf_dual(tfhrf_extend_even(b_bytes), even, b);
        a = tfhrf_dual(tfhrf_extend_odd(a_bytes), odd, a);
        b = tfhrf_dual(tfhrf_extend_odd(b_bytes), odd, b);
        w += 8;
        x += 4;
    }
#else
    for (; x != end; x += 4) {
        a += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
        b += w[4] * x[0] + w[5] * x[1] + w[6] * x[2] + w[7] * x[3];
        w += 8;
    }
#endif
    sums[0] = a;
    sums[1] = b;
}
#endif

/* The end of a sum that is taken once. */
TFHRF_INLINE void tfhrf_put_once(int32_t sum, const tfhrf_scale *scale, const int8_t *table,
                                 int8_t *out)
{
    const int32_t q = tfhrf_saturate(tfhrf_rescale(sum, scale));
    *out = (int8_t)(table != NULL ? table[q] : q);
}

/* One row alone needs no scratch. */
TFHRF_KERNEL void tfhrf_dense_row(const int8_t *in, int8_t *out, ptrdiff_t out_step,
                                  const tfhrf_dense *dense)
{
#if TFHRF_MVE
    tfhrf_eight eight = tfhrf_eight_of(dense, 0, out_step);
    tfhrf_dense_bytes(&eight, in, in, dense, out, 0, out_step);
#elif TFHRF_JOINT
    const ptrdiff_t width = 8 * tfhrf_blocks(dense->depth);
    const int8_t *w = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    for (int32_t left = dense->outputs; left > 0; left -= 4) {
        /* Where there is one pair only, it is multiplied twice. */
        const ptrdiff_t second = left > 2 ? 1 : 0;
        int32_t sums[4] = {bias[0] >> 1, bias[1] >> 1, bias[2 * second] >> 1,
                           bias[2 * second + 1] >> 1};
        tfhrf_row_sums(w, second * width, in, dense->depth, sums);
        for (int32_t i = 0; i < 4 && i < left; ++i) {
            tfhrf_put_once(sums[i], scale, dense->final, out);
            scale += dense->scale_step;
            out += out_step;
        }
        w += 2 * width;
        bias += 4;
    }
#else
    const int32_t blocks = dense->depth / 4;
    const int32_t rest = dense->depth % 4;
    const int8_t *w = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[2] = {bias[0] >> TFHRF_TWICE, bias[1] >> TFHRF_TWICE};
        tfhrf_dot_row(w, in, blocks, sums);
        w += 8 * blocks;
        if (rest != 0) {
            for (int32_t i = 0; i < rest; ++i) {
                sums[0] += w[i] * in[4 * blocks + i];
                sums[1] += w[4 + i] * in[4 * blocks + i];
            }
            w += 8;
        }
        tfhrf_put_once(sums[0], scale, dense->final, out);
        if (left > 1) {
            tfhrf_put_once(sums[1], scale + dense->scale_step, dense->final, out + out_step);
        }
        scale += 2 * dense->scale_step;
        bias += 2;
        out += 2 * out_step;
    }
#endif
}

#endif
