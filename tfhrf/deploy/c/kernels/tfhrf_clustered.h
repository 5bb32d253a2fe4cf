/*
 * FULLY_CONNECTED, int8, of weights that have sixteen values: numbers of four bits, and a table.
 *
 * Numbers come in pairs of rows, as tfhrf_unpack.h has them: of four elements of both there are
 * four bytes, elements 0 and 2 of one row, of the other, then elements 1 and 3.
 */
#ifndef TFHRF_CLUSTERED_H_
#define TFHRF_CLUSTERED_H_

#include "tfhrf_packed.h"
#include "tfhrf_unpack.h"

#if TFHRF_OUTPUTS
/* What two bytes at r0 stand for, in a table of pairs. */
#define TFHRF_CLUSTERED_LOAD(pairs)                                                                \
    "ldrb r2, [r0], #1\n\t"                                                                        \
    "ldrb r3, [r0], #1\n\t"                                                                        \
    "ldr r2, [" pairs ", r2, lsl #2]\n\t"                                                          \
    "ldr r3, [" pairs ", r3, lsl #2]\n\t"
/* Half of a block of four rows at r1; lr: the table. */
#define TFHRF_CLUSTERED_FOUR                                                                       \
    TFHRF_CLUSTERED_LOAD("lr")                                                                     \
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
/* Half of a block of two rows; r12: the table. */
#define TFHRF_CLUSTERED_TWO                                                                        \
    TFHRF_CLUSTERED_LOAD("r12")                                                                    \
    "ldrd r8, r9, [r1], #8\n\t"                                                                    \
    "smlad r4, r2, r8, r4\n\t"                                                                     \
    "smlad r5, r2, r9, r5\n\t"                                                                     \
    "smlad r6, r3, r8, r6\n\t"                                                                     \
    "smlad r7, r3, r9, r7\n\t"

TFHRF_OUTPUTS_FUNCTION(tfhrf_clustered_four)
{
    __asm__ volatile(TFHRF_FOUR_OUTPUTS(
        "ldr lr, [r3, #32]\n\t",
        TFHRF_FOUR_BEGIN TFHRF_FOUR_SUMS(TFHRF_CLUSTERED_FOUR TFHRF_CLUSTERED_FOUR), ""));
}

TFHRF_OUTPUTS_FUNCTION(tfhrf_clustered_two)
{
    __asm__ volatile(TFHRF_TWO_OUTPUTS("ldr r2, [r3, #32]\n\t"
                                       "str r2, [sp, #36]\n\t",
                                       "",
                                       TFHRF_TWO_SUMS("ldr r12, [sp, #36]\n\t",
                                                      TFHRF_CLUSTERED_TWO TFHRF_CLUSTERED_TWO),
                                       ""));
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
#else
TFHRF_INLINE void tfhrf_clustered_unpack(tfhrf_packed *from, int32_t blocks, int8_t *out)
{
    tfhrf_unpack(from->weights, from->more, blocks, out);
    from->weights += 4 * blocks;
}
#endif

/*
 * `dense` has the numbers for weights. `scratch` has room for `room` rows behind 256 pairs, and
 * behind a pair of rows of weights.
 */
TFHRF_KERNEL void tfhrf_clustered_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                       ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                       const tfhrf_dense *dense, const int8_t *table,
                                       tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_OUTPUTS
    tfhrf_outputs outputs = tfhrf_outputs_of(dense, out, out_stride, out_step);
    outputs.more = scratch;
    tfhrf_clustered_pairs(table, scratch);
    tfhrf_packed_rows(in, in_stride, out, out_stride, rows, dense, outputs, scratch + 256, room,
                      tfhrf_clustered_four, tfhrf_clustered_two);
#else
    const tfhrf_packed packed = {dense->weights, table, NULL};
    tfhrf_packed_rows(in, in_stride, out, out_stride, out_step, rows, dense, packed, scratch, room,
                      tfhrf_clustered_unpack);
#endif
}

#endif
