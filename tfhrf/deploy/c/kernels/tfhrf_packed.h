/*
 * FULLY_CONNECTED, int8, of weights in another form.
 *
 * Where registers do, there is a function that multiplies weights in that form; elsewhere pairs of
 * rows of weights are unpacked to what tfhrf_weights.h has, and multiplied as such.
 */
#ifndef TFHRF_PACKED_H_
#define TFHRF_PACKED_H_

#include "tfhrf_dense.h"

#if TFHRF_OUTPUTS
/* As tfhrf_four_outputs and tfhrf_two_outputs. */
typedef void tfhrf_outputs_function(const int8_t *w, const tfhrf_pair *x, const tfhrf_pair *end,
                                    tfhrf_outputs *p);

/* Four rows at a time where there is `room` in `x`, then two; the last one twice where it is one. */
TFHRF_INLINE void tfhrf_packed_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                    ptrdiff_t out_stride, int32_t rows, const tfhrf_dense *dense,
                                    tfhrf_outputs outputs, tfhrf_pair *x, int32_t room,
                                    tfhrf_outputs_function *four, tfhrf_outputs_function *two)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    while (rows > 0) {
        const int32_t count = room == 4 && rows >= 4 ? 4 : 2;
        const ptrdiff_t apart = rows > 1 ? 1 : 0;
        tfhrf_outputs part = outputs;
        part.out = out;
        part.next = apart * out_stride;
        for (int32_t i = 0; i < count; ++i) {
            tfhrf_lay(in + i * apart * in_stride, dense->depth, count, x + i);
        }
        if (count == 4) {
            four(dense->weights, x, x + 8 * blocks, &part);
        } else {
            two(dense->weights, x, x + 4 * blocks, &part);
        }
        in += count * in_stride;
        out += count * out_stride;
        rows -= count;
    }
}
#else
/* What is left of weights, and what belongs to them. */
typedef struct {
    const int8_t *weights;
    const void *more;
    const uint8_t *counts;
} tfhrf_packed;
/* Writes a pair of rows of weights, of so many blocks, and moves on behind it. */
typedef void tfhrf_unpack_function(tfhrf_packed *from, int32_t blocks, int8_t *out);

/*
 * `room` rows at a time, times one pair of rows of weights after the other; where vectors multiply
 * bytes all rows, times two pairs. `scratch` has room for a pair and for `room` rows, two or more.
 */
#if TFHRF_MVE
#define TFHRF_UNPACKED 4
#else
#define TFHRF_UNPACKED 2
#endif

TFHRF_INLINE void tfhrf_packed_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                    ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                    const tfhrf_dense *dense, tfhrf_packed packed,
                                    tfhrf_pair *scratch, int32_t room,
                                    tfhrf_unpack_function *unpack)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    int8_t *const weights = (int8_t *)(void *)scratch;
#if TFHRF_MVE
    /* No rows are laid out. */
    room = rows;
#else
    tfhrf_pair *const x = scratch + 2 * ((blocks + 3) / 4 * 4);
#endif
    for (; rows > 0; rows -= room) {
        const int32_t count = rows < room ? rows : room;
        tfhrf_packed from = packed;
        tfhrf_dense part = *dense;
        int8_t *to = out;
        part.weights = weights;
#if !TFHRF_MVE
        for (int32_t i = 0; i < count; ++i) {
            tfhrf_lay(in + i * in_stride, dense->depth, 2, x + i / 2 * 4 * blocks + i % 2);
        }
#endif
        for (int32_t left = dense->outputs; left > 0; left -= TFHRF_UNPACKED) {
            part.outputs = left < TFHRF_UNPACKED ? left : TFHRF_UNPACKED;
            for (int32_t pair = 0; 2 * pair < part.outputs; ++pair) {
                unpack(&from, blocks, weights + 8 * blocks * pair);
            }
#if TFHRF_MVE
            tfhrf_eight eight = tfhrf_eight_of(&part, out_stride, out_step);
#endif
            for (int32_t i = 0; i < count; i += 2) {
                const ptrdiff_t apart = i + 1 < count ? 1 : 0;
#if TFHRF_MVE
                if (apart == 0) {
                    eight = tfhrf_eight_of(&part, 0, out_step);
                }
                const int8_t *const first = in + i * in_stride;
                tfhrf_dense_bytes(&eight, first, first + apart * in_stride, &part,
                                  to + i * out_stride, apart * out_stride, out_step);
#else
                tfhrf_dense_pair(x + i * 2 * blocks, &part, to + i * out_stride,
                                 apart * out_stride, out_step);
#endif
            }
            part.bias += TFHRF_UNPACKED;
            part.scales += TFHRF_UNPACKED * dense->scale_step;
            to += TFHRF_UNPACKED * out_step;
        }
        in += room * in_stride;
        out += room * out_stride;
    }
}
#endif

#endif
