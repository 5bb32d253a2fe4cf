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
    for (int32_t i = 0; i < 16; i += 4) {
        const uint32_t a = (uint16_t)table[i];
        const uint32_t b = (uint16_t)table[i + 1];
        const uint32_t c = (uint16_t)table[i + 2];
        const uint32_t d = (uint16_t)table[i + 3];
        tfhrf_pair *to = both + i;
        for (int32_t high = 0; high < 16; ++high) {
            const uint32_t second = (uint32_t)table[high] << 16;
            to[0].word = a | second;
            to[1].word = b | second;
            to[2].word = c | second;
            to[3].word = d | second;
            to += 16;
        }
    }
}

/* As tfhrf_dot_two, or where there is one row x as tfhrf_dot_one. */
TFHRF_INLINE void tfhrf_clustered_two(const int8_t *w, const tfhrf_pair *x, int32_t blocks,
                                      const tfhrf_pair *both, int32_t sums[4])
{
    const uint8_t *numbers = (const uint8_t *)w;
    const tfhrf_pair *const end = x + 4 * blocks;
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
    for (; x != end; x += 2) {
        const uint32_t a = both[numbers[0]].word;
        const uint32_t b = both[numbers[1]].word;
        a0 = tfhrf_dual(a, x[0].word, a0);
        a1 = tfhrf_dual(a, x[1].word, a1);
        b0 = tfhrf_dual(b, x[0].word, b0);
        b1 = tfhrf_dual(b, x[1].word, b1);
        numbers += 2;
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}

/* Two rows that are laid out, times all weights; one row where `next` is 0. */
TFHRF_INLINE void tfhrf_clustered_pair(const tfhrf_pair *x, const tfhrf_dense *dense,
                                       const tfhrf_pair *both, int8_t *out, ptrdiff_t next,
                                       ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int8_t *w = dense->weights;
    const int32_t *bias = dense->bias;
    const tfhrf_scale *scale = dense->scales;
    const int32_t scale_step = dense->scale_step;
    const int8_t *const final = dense->final;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        tfhrf_clustered_two(w, x, blocks, both, sums);
        const tfhrf_scale first = scale[0];
        tfhrf_put(sums, &first, final, out, next);
        if (left > 1) {
            const tfhrf_scale second = scale[scale_step];
            tfhrf_put(sums + 2, &second, final, out + out_step, next);
        }
        scale += 2 * scale_step;
        out += 2 * out_step;
        w += 4 * blocks;
        bias += 2;
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
    const int32_t scale_step = dense->scale_step;
    const int8_t *const final = dense->final;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[8];
        sums[0] = bias[0];
        sums[1] = bias[1];
        tfhrf_clustered_dot(w, x, x + 8 * blocks, sums, both);
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
        w += 4 * blocks;
        bias += 2;
    }
}
#else

/* Writes a pair of rows of weights as tfhrf_weights.h has them. */
TFHRF_INLINE void tfhrf_clustered_unpack(const int8_t *w, const int8_t *table, int32_t blocks,
                                         int8_t *out)
{
#if TFHRF_MVE
    const uint8x16_t i = vidupq_n_u8(0U, 1);
    const uint8x16_t row = vshlq_n_u8(vandq_u8(i, vdupq_n_u8(1U)), 2);
    const uint8x16_t half = vandq_u8(vshrq_n_u8(i, 1), vdupq_n_u8(1U));
    const uint8x16_t block = vshlq_n_u8(vshrq_n_u8(i, 2), 3);
    const uint8x16_t places = vaddq_u8(block, vaddq_u8(row, half));
    for (int32_t left = 4 * blocks; left > 0; left -= 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        const uint8x16_t numbers = vldrbq_z_u8((const uint8_t *)w, lanes);
        const uint8x16_t low = vandq_u8(numbers, vdupq_n_u8(15U));
        const uint8x16_t high = vshrq_n_u8(numbers, 4);
        vstrbq_scatter_offset_p_s8(out, places, vldrbq_gather_offset_s8(table, low), lanes);
        vstrbq_scatter_offset_p_s8(out + 2, places, vldrbq_gather_offset_s8(table, high), lanes);
        w += 16;
        out += 32;
    }
#else
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
#endif
}

/* Two rows, or one where they are not apart, pair after pair of rows of weights. */
TFHRF_INLINE void tfhrf_clustered_slowly(const int8_t *x0, const int8_t *x1,
                                         const tfhrf_dense *dense, const int8_t *table, int8_t *out,
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
        tfhrf_clustered_unpack(w, table, blocks, weights);
#if TFHRF_MVE
        tfhrf_dense_bytes(x0, x1, &part, out, next, out_step);
#else
        tfhrf_dense_pair(x, &part, out, next, out_step);
#endif
        w += 4 * blocks;
        part.bias += 2;
        part.scales += 2 * dense->scale_step;
        out += 2 * out_step;
    }
}
#endif

/*
 * `dense` has the numbers for weights. `scratch` has room for 256 pairs and behind them for `room`
 * rows, or for two rows behind a pair of rows of weights.
 */
TFHRF_KERNEL void tfhrf_clustered_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                       ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                       const tfhrf_dense *dense, const int8_t *table,
                                       tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_FOUR
    tfhrf_pair *const x = scratch + 256;
    tfhrf_clustered_pairs(table, scratch);
    for (; room == 4 && rows >= 4; rows -= 4) {
        for (int32_t i = 0; i < 4; ++i) {
            tfhrf_lay(in, dense->depth, 4, x + i);
            in += in_stride;
        }
        tfhrf_clustered_four(x, dense, scratch, out, out_stride, out_step);
        out += 4 * out_stride;
    }
#endif
    (void)room;
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
#if TFHRF_FOUR
        tfhrf_lay(in, dense->depth, 2, x);
        tfhrf_lay(in + both * in_stride, dense->depth, 2, x + 1);
        tfhrf_clustered_pair(x, dense, scratch, out, both * out_stride, out_step);
#else
        tfhrf_clustered_slowly(in, in + both * in_stride, dense, table, out, both * out_stride,
                               out_step, scratch);
#endif
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
