/*
 * FULLY_CONNECTED, int8, of weights with zeros: of a pair of rows, blocks of four elements of both
 * in which all are zero are left out.
 *
 * Blocks are as in tfhrf_weights.h. `skipped` has for each how many are left out before it in its
 * rows, `counts` how many there are of each pair of rows.
 */
#ifndef TFHRF_SPARSE_H_
#define TFHRF_SPARSE_H_

#include "tfhrf_dense.h"

#if TFHRF_FOUR
/* Half of a block of four rows at r1, times weights at r0. */
#define TFHRF_SPARSE_HALF(turn, next)                                                              \
    "ldrd r2, r3, [r0]" next "\n\t"                                                                \
    "ldr r12, [r1], #4\n\t"                                                                        \
    "sxtb16 r2, r2" turn "\n\t"                                                                    \
    "sxtb16 r3, r3" turn "\n\t"                                                                    \
    "smlad r4, r2, r12, r4\n\t"                                                                    \
    "smlad r8, r3, r12, r8\n\t"                                                                    \
    "ldr r12, [r1], #4\n\t"                                                                        \
    "smlad r5, r2, r12, r5\n\t"                                                                    \
    "smlad r9, r3, r12, r9\n\t"                                                                    \
    "ldr r12, [r1], #4\n\t"                                                                        \
    "smlad r6, r2, r12, r6\n\t"                                                                    \
    "smlad r10, r3, r12, r10\n\t"                                                                  \
    "ldr r12, [r1], #4\n\t"                                                                        \
    "smlad r7, r2, r12, r7\n\t"                                                                    \
    "smlad r11, r3, r12, r11\n\t"

/* As tfhrf_dot_four, of the blocks from w to `end`; lr: how many are left out. */
static __attribute__((naked, noinline, unused)) void tfhrf_sparse_dot(
    const int8_t *w __attribute__((unused)), const tfhrf_pair *x __attribute__((unused)),
    const int8_t *end __attribute__((unused)), int32_t *sums __attribute__((unused)),
    const uint8_t *skipped __attribute__((unused)))
{
    __asm__ volatile("push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldrd r4, r8, [r3]\n\t"
                     "ldr lr, [sp, #44]\n\t"
                     "mov r5, r4\n\t"
                     "mov r6, r4\n\t"
                     "mov r7, r4\n\t"
                     "mov r9, r8\n\t"
                     "mov r10, r8\n\t"
                     "mov r11, r8\n\t"
                     "cmp r0, r2\n\t"
                     "beq 2f\n\t"
                     "1:\n\t"
                     "ldrb r12, [lr], #1\n\t"
                     "add r1, r1, r12, lsl #5\n\t" TFHRF_SPARSE_HALF("", "")
                         TFHRF_SPARSE_HALF(", ror #8", ", #8")
                     "ldr r2, [sp]\n\t"
                     "cmp r0, r2\n\t"
                     "bne 1b\n\t"
                     "2:\n\t"
                     "ldr r3, [sp, #4]\n\t"
                     "stm r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "pop {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t");
}

/* Four rows that are laid out, times all weights. */
TFHRF_INLINE void tfhrf_sparse_four(const tfhrf_pair *x, const tfhrf_dense *dense,
                                    const uint8_t *skipped, const uint8_t *counts, int8_t *out,
                                    ptrdiff_t next, ptrdiff_t out_step)
{
    const int8_t *w = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    const int32_t scale_step = dense->scale_step;
    const int8_t *const final = dense->final;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[8];
        sums[0] = bias[0];
        sums[1] = bias[1];
        tfhrf_sparse_dot(w, x, w + 8 * *counts, sums, skipped);
        /* Copies: a value that is written might change what pointers point to. */
        const tfhrf_scale first = scale[0];
        tfhrf_put(sums, &first, final, out, next);
        tfhrf_put(sums + 2, &first, final, out + 2 * next, next);
        if (left > 1) {
            const tfhrf_scale second = scale[scale_step];
            tfhrf_put(sums + 4, &second, final, out + out_step, next);
            tfhrf_put(sums + 6, &second, final, out + out_step + 2 * next, next);
        }
        scale += 2 * scale_step;
        out += 2 * out_step;
        w += 8 * *counts;
        skipped += *counts;
        ++counts;
        bias += 2;
    }
}

/* As tfhrf_dot_two of `count` blocks; x is behind the last of them then. */
TFHRF_INLINE void tfhrf_sparse_two(const int8_t *w, const tfhrf_pair *x, const uint8_t *skipped,
                                   int32_t count, int32_t sums[4])
{
    const int8_t *const end = w + 8 * count;
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
    for (; w != end; w += 8) {
        x += 4 * *skipped++;
        const uint32_t a = tfhrf_load_word(w);
        const uint32_t b = tfhrf_load_word(w + 4);
        const uint32_t a_even = tfhrf_extend_even(a);
        const uint32_t b_even = tfhrf_extend_even(b);
        const uint32_t a_odd = tfhrf_extend_odd(a);
        const uint32_t b_odd = tfhrf_extend_odd(b);
        a0 = tfhrf_dual(a_odd, x[2].word, tfhrf_dual(a_even, x[0].word, a0));
        a1 = tfhrf_dual(a_odd, x[3].word, tfhrf_dual(a_even, x[1].word, a1));
        b0 = tfhrf_dual(b_odd, x[2].word, tfhrf_dual(b_even, x[0].word, b0));
        b1 = tfhrf_dual(b_odd, x[3].word, tfhrf_dual(b_even, x[1].word, b1));
        x += 4;
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}

/* Two rows that are laid out, times all weights; one row where `next` is 0. */
TFHRF_INLINE void tfhrf_sparse_pair(const tfhrf_pair *x, const tfhrf_dense *dense,
                                    const uint8_t *skipped, const uint8_t *counts, int8_t *out,
                                    ptrdiff_t next, ptrdiff_t out_step)
{
    const int8_t *w = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    const int32_t scale_step = dense->scale_step;
    const int8_t *const final = dense->final;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        tfhrf_sparse_two(w, x, skipped, *counts, sums);
        const tfhrf_scale first = scale[0];
        tfhrf_put(sums, &first, final, out, next);
        if (left > 1) {
            const tfhrf_scale second = scale[scale_step];
            tfhrf_put(sums + 2, &second, final, out + out_step, next);
        }
        scale += 2 * scale_step;
        out += 2 * out_step;
        w += 8 * *counts;
        skipped += *counts;
        ++counts;
        bias += 2;
    }
}
#else

/* Writes a pair of rows of weights with their zeros. */
TFHRF_INLINE void tfhrf_sparse_unpack(const int8_t *w, const uint8_t *skipped, int32_t count,
                                      int32_t blocks, int8_t *out)
{
    memset(out, 0, 8U * (size_t)blocks);
    for (int32_t i = 0; i < count; ++i) {
        out += 8 * skipped[i];
        memcpy(out, w, 8U);
        out += 8;
        w += 8;
    }
}

/* Two rows, or one where they are not apart, pair after pair of rows of weights. */
TFHRF_INLINE void tfhrf_sparse_slowly(const int8_t *x0, const int8_t *x1, const tfhrf_dense *dense,
                                      const uint8_t *skipped, const uint8_t *counts, int8_t *out,
                                      ptrdiff_t next, ptrdiff_t out_step, tfhrf_pair *scratch)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    int8_t *const weights = (int8_t *)(void *)scratch;
    const int8_t *w = dense->weights;
    tfhrf_dense part = *dense;
    part.weights = weights;
#if !TFHRF_MVE
    tfhrf_pair *const x = scratch + 2 * ((blocks + 3) / 4 * 4);
    tfhrf_lay(x0, dense->depth, 2, x);
    tfhrf_lay(x1, dense->depth, 2, x + 1);
#endif
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        part.outputs = left > 1 ? 2 : 1;
        tfhrf_sparse_unpack(w, skipped, *counts, blocks, weights);
#if TFHRF_MVE
        tfhrf_dense_bytes(x0, x1, &part, out, next, out_step);
#else
        tfhrf_dense_pair(x, &part, out, next, out_step);
#endif
        w += 8 * *counts;
        skipped += *counts;
        ++counts;
        part.bias += 2;
        part.scales += 2 * dense->scale_step;
        out += 2 * out_step;
    }
}
#endif

/* `scratch` has room for `room` rows, or for two behind a pair of rows of weights. */
TFHRF_KERNEL void tfhrf_sparse_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                    ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                    const tfhrf_dense *dense, const uint8_t *skipped,
                                    const uint8_t *counts, tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_FOUR
    for (; room == 4 && rows >= 4; rows -= 4) {
        for (int32_t i = 0; i < 4; ++i) {
            tfhrf_lay(in, dense->depth, 4, scratch + i);
            in += in_stride;
        }
        tfhrf_sparse_four(scratch, dense, skipped, counts, out, out_stride, out_step);
        out += 4 * out_stride;
    }
#endif
    (void)room;
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
#if TFHRF_FOUR
        tfhrf_lay(in, dense->depth, 2, scratch);
        tfhrf_lay(in + both * in_stride, dense->depth, 2, scratch + 1);
        tfhrf_sparse_pair(scratch, dense, skipped, counts, out, both * out_stride, out_step);
#else
        tfhrf_sparse_slowly(in, in + both * in_stride, dense, skipped, counts, out,
                            both * out_stride, out_step, scratch);
#endif
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
