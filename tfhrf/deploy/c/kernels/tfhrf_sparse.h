/*
 * FULLY_CONNECTED, int8, of weights with zeros: of a pair of rows, blocks of four elements of both
 * in which all are zero are left out.
 *
 * Blocks are as in tfhrf_weights.h. `skipped` has for each how many are left out before it in its
 * rows, `counts` how many there are of each pair of rows.
 */
#ifndef TFHRF_SPARSE_H_
#define TFHRF_SPARSE_H_

#include "tfhrf_packed.h"

#if TFHRF_OUTPUTS
/* Blocks from w to where the stack says; `skip` moves x on. */
#define TFHRF_SPARSE_SUMS(skip, block, end, other)                                                 \
    "beq 2f\n\t"                                                                                   \
    "1:\n\t" skip block "ldr " other ", [sp, #" end "]\n\t"                                        \
    "cmp r0, " other "\n\t"                                                                        \
    "bne 1b\n\t"                                                                                   \
    "2:\n\t"

/* What is skipped lies where w does not have to. */
TFHRF_OUTPUTS_FUNCTION(tfhrf_sparse_four)
{
    __asm__ volatile(TFHRF_FOUR_OUTPUTS(
        TFHRF_FOUR_JOIN "ldrd r12, lr, [r3, #32]\n\t"
                        "ldrb r2, [lr], #1\n\t"
                        "str r12, [sp]\n\t"
                        "str lr, [r3, #36]\n\t"
                        "add r2, r0, r2, lsl #3\n\t"
                        "str r2, [sp, #8]\n\t",
        TFHRF_FOUR_BEGIN "cmp r0, r2\n\t" TFHRF_SPARSE_SUMS("ldr lr, [sp]\n\t"
                                                            "ldrb r12, [lr], #1\n\t"
                                                            "str lr, [sp]\n\t"
                                                            "add r1, r1, r12, lsl #5\n\t",
                                                            TFHRF_FOUR_BLOCK, "8", "r2")
        "ldr r3, [sp, #12]\n\t"
        "ldr r12, [sp]\n\t"
        "str r12, [r3, #32]\n\t",
        TFHRF_FOUR_PART));
}

/* r11 is where what is skipped comes from; where the counts do is on the stack. */
TFHRF_OUTPUTS_FUNCTION(tfhrf_sparse_two)
{
    __asm__ volatile(TFHRF_TWO_OUTPUTS(
        "ldrd r11, r2, [r3, #32]\n\t"
        "str r2, [sp, #28]\n\t",
        TFHRF_TWO_JOIN,
        "ldr r2, [sp, #28]\n\t"
        "ldr r1, [sp, #32]\n\t"
        "ldrb r3, [r2], #1\n\t"
        "str r2, [sp, #28]\n\t"
        "add r12, r0, r3, lsl #3\n\t"
        "str r12, [sp, #36]\n\t"
        "cmp r0, r12\n\t" TFHRF_SPARSE_SUMS("ldrb r12, [r11], #1\n\t"
                                            "add r1, r1, r12, lsl #4\n\t",
                                            TFHRF_TWO_JOINT, "36", "r12"),
        TFHRF_TWO_PART));
}
#else
TFHRF_INLINE void tfhrf_put_zeros(int8_t *out, int32_t blocks)
{
#if TFHRF_VECTORS
    for (; blocks >= 2; blocks -= 2) {
        vst1q_s8(out, vdupq_n_s8(0));
        out += 16;
    }
#endif
    memset(out, 0, 8U * (size_t)blocks);
}

TFHRF_INLINE void tfhrf_sparse_unpack(tfhrf_packed *from, int32_t blocks, int8_t *out)
{
    const uint8_t *skipped = from->more;
    tfhrf_put_zeros(out, blocks);
    for (int32_t left = *from->counts++; left > 0; --left) {
        out += 8 * *skipped++;
        memcpy(out, from->weights, 8U);
        out += 8;
        from->weights += 8;
    }
    from->more = skipped;
}
#endif

/* `scratch` has room for `room` rows behind a pair of rows of weights. */
TFHRF_KERNEL void tfhrf_sparse_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                    ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                    const tfhrf_dense *dense, const uint8_t *skipped,
                                    const uint8_t *counts, tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_OUTPUTS
    tfhrf_outputs outputs = tfhrf_outputs_of(dense, out, out_stride, out_step);
    outputs.more = skipped;
    outputs.counts = counts;
    tfhrf_packed_rows(in, in_stride, out, out_stride, rows, dense, outputs, scratch, room,
                      tfhrf_sparse_four, tfhrf_sparse_two);
#else
    const tfhrf_packed packed = {dense->weights, skipped, counts};
    tfhrf_packed_rows(in, in_stride, out, out_stride, out_step, rows, dense, packed, scratch, room,
                      tfhrf_sparse_unpack);
#endif
}

#endif
