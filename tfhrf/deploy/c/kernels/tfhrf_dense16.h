/* FULLY_CONNECTED, 16-bit rows times 8-bit weights, where 32 bits hold all sums. */
#ifndef TFHRF_DENSE16_H_
#define TFHRF_DENSE16_H_

#include "tfhrf_int16.h"
#include "tfhrf_weights.h"

typedef tfhrf_narrow_scale tfhrf_dense16_scale;
/* The least output. */
typedef int32_t tfhrf_dense16_final;

/* Lays a row out as one of `rows` rows, filled up with zeros. */
TFHRF_KERNEL void tfhrf_lay16(const int16_t *in, int32_t depth, int32_t rows, tfhrf_pair *out)
{
#if TFHRF_MVE
    (void)rows;
    const uint16x8_t even = vidupq_n_u16(0U, 2);
    for (; depth >= 16; depth -= 16) {
        /* Two loads that take turns would need whole words. */
        vstrhq_s16(out[0].half, vldrhq_gather_shifted_offset_s16(in, even));
        vstrhq_s16(out[8].half, vldrhq_gather_shifted_offset_s16(in + 1, even));
        in += 16;
        out += 16;
    }
    if (depth > 0) {
        vstrhq_s16(out[0].half, vdupq_n_s16(0));
        vstrhq_s16(out[8].half, vdupq_n_s16(0));
        for (int32_t i = 0; i < depth; ++i) {
            out[8 * (i % 2) + i / 4].half[i / 2 % 2] = in[i];
        }
    }
#else
    const int16_t *const end = in + depth / 4 * 4;
    for (; in != end; in += 4) {
        tfhrf_pair low;
        tfhrf_pair high;
        low.word = tfhrf_load_pair(in);
        high.word = tfhrf_load_pair(in + 2);
#if TFHRF_SIMD32
        out[0].word = tfhrf_low_halves(low.word, high.word);
        out[rows].word = tfhrf_high_halves(low.word, high.word);
#else
        out[0].half[0] = low.half[0];
        out[0].half[1] = high.half[0];
        out[rows].half[0] = low.half[1];
        out[rows].half[1] = high.half[1];
#endif
        out += 2 * rows;
    }
    if (depth % 4 != 0) {
        out[0].word = 0U;
        out[rows].word = 0U;
        for (int32_t i = 0; i < depth % 4; ++i) {
            out[i % 2 * rows].half[i / 2] = in[i];
        }
    }
#endif
}

#include "tfhrf_of16.h"
#include "tfhrf_dense_any.h"

/* `room` is the number of rows that are laid out in `scratch`: 2 or 4. */
TFHRF_KERNEL void tfhrf_dense16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                     ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                     const tfhrf_dense16 *dense, tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_FOUR
    for (; room == 4 && rows >= 4; rows -= 4) {
        for (int32_t i = 0; i < 4; ++i) {
            tfhrf_lay16(in, dense->depth, 4, scratch + i);
            in += in_stride;
        }
        tfhrf_dense16_four_loop(scratch, dense, &dense->final, out, out_stride, out_step);
        out += 4 * out_stride;
    }
#endif
    (void)room;
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        tfhrf_lay16(in, dense->depth, 2, scratch);
        tfhrf_lay16(in + both * in_stride, dense->depth, 2, scratch + TFHRF_NEXT_ROW16);
        tfhrf_dense16_loop(scratch, dense, &dense->final, out, both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
