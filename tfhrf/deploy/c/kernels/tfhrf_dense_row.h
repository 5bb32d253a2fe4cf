/* FULLY_CONNECTED, int8, of one row. */
#ifndef TFHRF_DENSE_ROW_H_
#define TFHRF_DENSE_ROW_H_

#include "tfhrf_dense.h"

#if !TFHRF_MVE
/* Adds to a and b the products of two rows of weights with a row of bytes; whole blocks of four. */
TFHRF_INLINE void tfhrf_dot_row(const int8_t *w, const int8_t *x, int32_t blocks, int32_t sums[2])
{
    const int8_t *const end = x + 4 * blocks;
    int32_t a = sums[0];
    int32_t b = sums[1];
#if TFHRF_FOUR
    uint32_t a_bytes;
    uint32_t b_bytes;
    uint32_t even;
    uint32_t odd;
    uint32_t halves;
#define TFHRF_ROW_BLOCK                                                                            \
    "ldr %[odd], [%[x]], #4\n\t"                                                                   \
    "ldrd %[a_bytes], %[b_bytes], [%[w]], #8\n\t"                                                  \
    "sxtb16 %[even], %[odd]\n\t"                                                                   \
    "sxtb16 %[halves], %[a_bytes]\n\t"                                                             \
    "smlad %[a], %[halves], %[even], %[a]\n\t"                                                     \
    "sxtb16 %[halves], %[b_bytes]\n\t"                                                             \
    "smlad %[b], %[halves], %[even], %[b]\n\t"                                                     \
    "sxtb16 %[odd], %[odd], ror #8\n\t"                                                            \
    "sxtb16 %[halves], %[a_bytes], ror #8\n\t"                                                     \
    "smlad %[a], %[halves], %[odd], %[a]\n\t"                                                      \
    "sxtb16 %[halves], %[b_bytes], ror #8\n\t"                                                     \
    "smlad %[b], %[halves], %[odd], %[b]\n\t"
    if (blocks != 0) {
        __asm__ volatile("tst %[blocks], #1\n\t"
                         "bne 2f\n\t"
                         "1:\n\t" TFHRF_ROW_BLOCK "2:\n\t" TFHRF_ROW_BLOCK
                         "cmp %[x], %[end]\n\t"
                         "bne 1b"
                         : [w] "+r"(w), [x] "+r"(x), [a] "+r"(a), [b] "+r"(b),
                           [a_bytes] "=&r"(a_bytes), [b_bytes] "=&r"(b_bytes), [even] "=&r"(even),
                           [odd] "=&r"(odd), [halves] "=&r"(halves)
                         : [end] "r"(end), [blocks] "r"(blocks)
                         : "cc", "memory");
    }
#undef TFHRF_ROW_BLOCK
#elif TFHRF_SIMD32
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
    tfhrf_dense_bytes(in, in, dense, out, 0, out_step);
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
