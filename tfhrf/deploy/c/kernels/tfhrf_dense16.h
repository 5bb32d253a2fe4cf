/* FULLY_CONNECTED, 16-bit rows times 8-bit weights, where 32 bits hold all sums. */
#ifndef TFHRF_DENSE16_H_
#define TFHRF_DENSE16_H_

#include "tfhrf_int16.h"
#include "tfhrf_outputs.h"

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

#if TFHRF_FOUR
/* The words that TFHRF_FOUR_ROWS and TFHRF_TWO_ROWS read; steps are in bytes. */
typedef struct {
    int16_t *out;
    ptrdiff_t next; /* from row to row of the output */
    int32_t low;
    ptrdiff_t out_step;
    const tfhrf_narrow_scale *scale;
    int32_t left; /* outputs */
    ptrdiff_t scale_step;
    const int32_t *bias;
} tfhrf_outputs16;

TFHRF_INLINE tfhrf_outputs16 tfhrf_outputs_of16(const tfhrf_dense16 *dense, int16_t *out,
                                                ptrdiff_t next, ptrdiff_t out_step)
{
    const tfhrf_outputs16 outputs = {
        out,
        next * (ptrdiff_t)sizeof *out,
        dense->final,
        out_step * (ptrdiff_t)sizeof *out,
        dense->scales,
        dense->outputs,
        dense->scale_step * (ptrdiff_t)sizeof *dense->scales,
        dense->bias,
    };
    return outputs;
}

/* A sum, scaled and saturated. */
#define TFHRF_FINISH16(sum, multiplier, rounding, shift, other)                                    \
    "smmla " other ", " sum ", " multiplier ", " rounding "\n\t"                                   \
    "asr " sum ", " other ", " shift "\n\t"                                                        \
    "ssat " sum ", #16, " sum "\n\t"
#define TFHRF_LEAST16(low, a)                                                                      \
    "cmp " a ", " low "\n\t"                                                                       \
    "it lt\n\t"                                                                                    \
    "movlt " a ", " low "\n\t"
/* Results not below the least, unless that is the least of all. */
#define TFHRF_FOUR_LEAST16(label, low, a, b, c, d)                                                 \
    "cmn " low ", #32768\n\t"                                                                      \
    "beq " label "f\n\t" TFHRF_LEAST16(low, a) TFHRF_LEAST16(low, b) TFHRF_LEAST16(low, c)         \
        TFHRF_LEAST16(low, d) label ":\n\t"

static __attribute__((naked, noinline, unused)) void
tfhrf_four_outputs16(const int8_t *w __attribute__((unused)),
                     const tfhrf_pair *x __attribute__((unused)),
                     const tfhrf_pair *end __attribute__((unused)),
                     tfhrf_outputs16 *p __attribute__((unused)))
{
    __asm__ volatile(TFHRF_FOUR_ROWS("", TFHRF_FOUR_PLAIN, "", TFHRF_FINISH16, TFHRF_FOUR_LEAST16,
                                     "strh"));
}

static __attribute__((naked, noinline, unused)) void
tfhrf_two_outputs16(const int8_t *w __attribute__((unused)),
                    const tfhrf_pair *x __attribute__((unused)),
                    const tfhrf_pair *end __attribute__((unused)),
                    const tfhrf_outputs16 *p __attribute__((unused)))
{
    __asm__ volatile(TFHRF_TWO_ROWS("", "", TFHRF_TWO_PLAIN, "", TFHRF_FINISH16,
                                    TFHRF_FOUR_LEAST16, "strh"));
}
#endif

#if TFHRF_FOUR
/* Four rows that are laid out. */
TFHRF_INLINE void tfhrf_dense16_four(const tfhrf_pair *x, const tfhrf_dense16 *dense,
                                     int16_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
    tfhrf_outputs16 outputs = tfhrf_outputs_of16(dense, out, next, out_step);
    tfhrf_four_outputs16(dense->weights, x, x + 8 * tfhrf_blocks(dense->depth), &outputs);
}
#endif

/* Two rows that are laid out, or one where `next` is 0. */
TFHRF_INLINE void tfhrf_dense16_pair(const tfhrf_pair *x, const tfhrf_dense16 *dense,
                                     int16_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
#if TFHRF_FOUR
    if (next != 0) {
        const tfhrf_outputs16 outputs = tfhrf_outputs_of16(dense, out, next, out_step);
        tfhrf_two_outputs16(dense->weights, x, x + 4 * tfhrf_blocks(dense->depth), &outputs);
        return;
    }
#endif
    tfhrf_dense16_loop(x, dense, &dense->final, out, next, out_step);
}

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
        tfhrf_dense16_four(scratch, dense, out, out_stride, out_step);
        out += 4 * out_stride;
    }
#endif
    (void)room;
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
        tfhrf_lay16(in, dense->depth, 2, scratch);
        tfhrf_lay16(in + both * in_stride, dense->depth, 2, scratch + TFHRF_NEXT_ROW16);
        tfhrf_dense16_pair(scratch, dense, out, both * out_stride, out_step);
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
