/*
 * FULLY_CONNECTED, int8, of weights that have sixteen values: numbers of four bits, and a table.
 *
 * Numbers come in pairs of rows. Of four elements of both there are four bytes: elements 0 and 2 of
 * one row (0 in the low half), of the other, then elements 1 and 3.
 */
#ifndef TFHRF_CLUSTERED_H_
#define TFHRF_CLUSTERED_H_

#include "tfhrf_dense.h"

#if TFHRF_FOUR
/* Half of a block of four rows at r1, times numbers at r0; lr: what the numbers stand for. */
#define TFHRF_CLUSTERED_HALF                                                                       \
    "ldrb r2, [r0], #1\n\t"                                                                        \
    "ldrb r3, [r0], #1\n\t"                                                                        \
    "ldr r2, [lr, r2, lsl #2]\n\t"                                                                 \
    "ldr r3, [lr, r3, lsl #2]\n\t"                                                                 \
    "ldr r12, [r1], #4\n\t"                                                                        \
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

/* As tfhrf_dot_four; `both` has the two values of each byte. */
static __attribute__((naked, noinline, unused)) void tfhrf_clustered_dot(
    const int8_t *w __attribute__((unused)), const tfhrf_pair *x __attribute__((unused)),
    const tfhrf_pair *end __attribute__((unused)), int32_t *sums __attribute__((unused)),
    const tfhrf_pair *both __attribute__((unused)))
{
    __asm__ volatile("push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldrd r4, r8, [r3]\n\t"
                     "ldr lr, [sp, #44]\n\t"
                     "sub r2, r2, r1\n\t"
                     "mov r5, r4\n\t"
                     "mov r6, r4\n\t"
                     "mov r7, r4\n\t"
                     "mov r9, r8\n\t"
                     "mov r10, r8\n\t"
                     "mov r11, r8\n\t"
                     "tst r2, #32\n\t"
                     "bne 2f\n\t"
                     "1:\n\t" TFHRF_CLUSTERED_HALF TFHRF_CLUSTERED_HALF
                     "2:\n\t" TFHRF_CLUSTERED_HALF TFHRF_CLUSTERED_HALF
                     "ldr r2, [sp]\n\t"
                     "cmp r1, r2\n\t"
                     "bne 1b\n\t"
                     "ldr r3, [sp, #4]\n\t"
                     "stm r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "pop {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t");
}

/* The two values of each byte: 256 pairs. */
TFHRF_INLINE void tfhrf_clustered_pairs(const int8_t *table, tfhrf_pair *both)
{
    uint32_t low[16];
    for (int32_t i = 0; i < 16; ++i) {
        low[i] = (uint16_t)table[i];
    }
    for (int32_t high = 0; high < 16; ++high) {
        const uint32_t second = (uint32_t)(uint16_t)table[high] << 16;
        for (int32_t i = 0; i < 16; ++i) {
            both[i].word = low[i] | second;
        }
        both += 16;
    }
}

/* Four rows that are laid out, times all weights. */
TFHRF_INLINE void tfhrf_clustered_four(const tfhrf_pair *x, const tfhrf_dense *dense,
                                       const tfhrf_pair *both, int8_t *out, ptrdiff_t next,
                                       ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int8_t *w = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[8];
        sums[0] = bias[0];
        sums[1] = bias[1];
        tfhrf_clustered_dot(w, x, x + 8 * blocks, sums, both);
        tfhrf_put(sums, scale, dense->final, out, next);
        tfhrf_put(sums + 2, scale, dense->final, out + 2 * next, next);
        scale += dense->scale_step;
        if (left > 1) {
            tfhrf_put(sums + 4, scale, dense->final, out + out_step, next);
            tfhrf_put(sums + 6, scale, dense->final, out + out_step + 2 * next, next);
        }
        scale += dense->scale_step;
        out += 2 * out_step;
        w += 4 * blocks;
        bias += 2;
    }
}
#endif

/* Writes a pair of rows of weights as tfhrf_weights.h has them. */
TFHRF_INLINE void tfhrf_clustered_unpack(const int8_t *w, const int8_t *table, int32_t blocks,
                                         int8_t *out)
{
    for (int32_t i = 0; i < blocks; ++i) {
        for (int32_t half = 0; half < 2; ++half) {
            const uint32_t a = (uint8_t)w[2 * half];
            const uint32_t b = (uint8_t)w[2 * half + 1];
            out[half] = table[a & 15U];
            out[half + 2] = table[a >> 4];
            out[half + 4] = table[b & 15U];
            out[half + 6] = table[b >> 4];
        }
        w += 4;
        out += 8;
    }
}

/*
 * `dense` has the numbers for weights. `scratch` has room for `room` rows, and in front of them for
 * 256 pairs if these are four, else for a pair of rows of weights.
 */
TFHRF_KERNEL void tfhrf_clustered_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                       ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                       const tfhrf_dense *dense, const int8_t *table,
                                       tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_FOUR
    if (room == 4 && rows >= 4) {
        tfhrf_clustered_pairs(table, scratch);
        for (; rows >= 4; rows -= 4) {
            for (int32_t i = 0; i < 4; ++i) {
                tfhrf_lay(in, dense->depth, 4, scratch + 256 + i);
                in += in_stride;
            }
            tfhrf_clustered_four(scratch + 256, dense, scratch, out, out_stride, out_step);
            out += 4 * out_stride;
        }
    }
#endif
    (void)room;
    const int32_t blocks = tfhrf_blocks(dense->depth);
    int8_t *const weights = (int8_t *)(void *)scratch;
    tfhrf_dense part = *dense;
    part.weights = weights;
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        int8_t *to = out;
#if !TFHRF_MVE
        tfhrf_pair *const x = scratch + 2 * ((blocks + 3) / 4 * 4);
        tfhrf_lay(in, dense->depth, 2, x);
        if (both != 0) {
            tfhrf_lay(in + in_stride, dense->depth, 2, x + 1);
        }
#endif
        part.bias = dense->bias;
        part.scales = dense->scales;
        for (int32_t left = dense->outputs; left > 0; left -= 2) {
            const int32_t first = dense->outputs - left;
            part.outputs = left > 1 ? 2 : 1;
            tfhrf_clustered_unpack(dense->weights + 2 * first * blocks, table, blocks, weights);
#if TFHRF_MVE
            tfhrf_dense_bytes(in, in + both * in_stride, &part, to, both * out_stride, out_step);
#else
            tfhrf_dense_pair(x, &part, to, both * out_stride, out_step);
#endif
            part.bias += 2;
            part.scales += 2 * dense->scale_step;
            to += 2 * out_step;
        }
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
