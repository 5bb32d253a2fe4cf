/* Layer normalization, int8, row by row: mean, difference, variance, RSQRT, product. */
#ifndef TFHRF_LAYER_NORM_H_
#define TFHRF_LAYER_NORM_H_

#include "tfhrf_dot.h"
#include "tfhrf_elementwise.h"

typedef struct {
    int32_t columns;
    int32_t sum_offset;     /* minus the input's zero point times the columns */
    tfhrf_scale mean;       /* from the sum */
    tfhrf_binary subtract;  /* the mean from the input */
    int32_t difference_zero_point;
    const int8_t *squares;  /* table of squares that are rounded one by one, or NULL */
    int32_t squares_offset; /* minus their zero point times the columns */
    tfhrf_scale variance;   /* from the sum of squares */
    const int8_t *inverse;  /* table of 1 / sqrt(variance + eps) */
    int32_t inverse_zero_point;
    tfhrf_scale scale;      /* of the product */
    const int8_t *table;    /* of what follows, or NULL */
} tfhrf_layer_norm;

/* The sum of a row. */
TFHRF_INLINE int32_t tfhrf_sum_of(const int8_t *in, int32_t columns, int32_t sum)
{
    int32_t i = 0;
#if TFHRF_MVE
    for (; i + 16 <= columns; i += 16) {
        sum = vaddvaq_s8(sum, vldrbq_s8(in + i));
    }
#elif TFHRF_SIMD32
    for (; i + 4 <= columns; i += 4) {
        const uint32_t bytes = tfhrf_load_word(in + i);
        sum = tfhrf_dual(tfhrf_extend_even(bytes), 0x00010001U, sum);
        sum = tfhrf_dual(tfhrf_extend_odd(bytes), 0x00010001U, sum);
    }
#endif
    for (; i < columns; ++i) {
        sum += in[i];
    }
    return sum;
}

#if TFHRF_VECTORS
/* Even offsets, and factors, halve exactly. */
TFHRF_INLINE int32x4_t tfhrf_difference4(const int8_t *in, int32_t offset, tfhrf_scale scale)
{
    const int32x4_t x = vshlq_n_s32(vldrbq_s32(in), TFHRF_SUM_BITS - 1);
    return tfhrf_saturate4(tfhrf_rescale4_once(vaddq_n_s32(x, offset / 2), scale));
}
#endif

/* Differences of a row to its mean; returns the sum of their squares. */
TFHRF_INLINE int32_t tfhrf_differences(const int8_t *in, int8_t *out, int32_t columns,
                                       tfhrf_operand operand, int32_t center,
                                       const tfhrf_scale *end, int32_t zero_point,
                                       const int8_t *table)
{
    const tfhrf_scale scale = *end;
    int32_t squares = 0;
    int32_t i = 0;
    operand.offset -= operand.half != 0 ? center : 0;
    /* Written out for the most usual: the input's scale is the larger one. */
    const int32_t bits = TFHRF_SUM_BITS + TFHRF_TWICE - 1;
#if TFHRF_VECTORS
    for (; operand.half != 0 && table == NULL && i + 4 <= columns; i += 4) {
        const int32x4_t q = tfhrf_difference4(in + i, operand.offset, scale);
        const int32x4_t centered = vsubq_n_s32(q, zero_point);
        squares = vmladavaq_s32(squares, centered, centered);
        vstrbq_s32(out + i, q);
    }
    for (; operand.half != 0 && i + 4 <= columns; i += 4) {
        const int32x4_t q = tfhrf_difference4(in + i, operand.offset, scale);
        squares = vaddvaq_s32(squares, tfhrf_look_up4(table, q));
        vstrbq_s32(out + i, q);
    }
#endif
    for (; operand.half != 0 && table == NULL && i < columns; ++i) {
        const int32_t x = tfhrf_add_shifted(operand.offset, in[i], bits);
        const int32_t q = tfhrf_saturate(tfhrf_rescale_twice(x, &scale));
        out[i] = (int8_t)q;
        squares += (q - zero_point) * (q - zero_point);
    }
    for (; operand.half != 0 && i < columns; ++i) {
        const int32_t x = tfhrf_add_shifted(operand.offset, in[i], bits);
        const int32_t q = tfhrf_saturate(tfhrf_rescale_twice(x, &scale));
        out[i] = (int8_t)q;
        squares += table[q];
    }
    for (; i < columns; ++i) {
        const int32_t x = tfhrf_align(in[i], operand) - center;
        const int32_t q = tfhrf_saturate(tfhrf_rescale_twice(x, &scale));
        out[i] = (int8_t)q;
        squares += table != NULL ? table[q] : (q - zero_point) * (q - zero_point);
    }
    return squares;
}

/* Replaces values by multiples of them plus an offset, which are TFHRF_TWICE. */
TFHRF_INLINE void tfhrf_scale_row(int8_t *row, int32_t columns, int32_t factor, int32_t offset,
                                  const tfhrf_scale *end, const int8_t *table)
{
    const tfhrf_scale scale = *end;
    int32_t i = 0;
#if TFHRF_VECTORS
    for (; table == NULL && i + 4 <= columns; i += 4) {
        const int32x4_t product = vmulq_n_s32(vldrbq_s32(row + i), factor / 2);
        const int32x4_t q = tfhrf_rescale4_once(vaddq_n_s32(product, offset / 2), scale);
        vstrbq_s32(row + i, tfhrf_saturate4(q));
    }
    for (; i + 4 <= columns; i += 4) {
        const int32x4_t product = vmulq_n_s32(vldrbq_s32(row + i), factor / 2);
        const int32x4_t q = tfhrf_rescale4_once(vaddq_n_s32(product, offset / 2), scale);
        vstrbq_s32(row + i, tfhrf_look_up4(table, tfhrf_saturate4(q)));
    }
#endif
    for (; table == NULL && i < columns; ++i) {
        row[i] = (int8_t)tfhrf_saturate(tfhrf_rescale_twice(row[i] * factor + offset, &scale));
    }
    for (; i < columns; ++i) {
        row[i] = table[tfhrf_saturate(tfhrf_rescale_twice(row[i] * factor + offset, &scale))];
    }
}

TFHRF_KERNEL void tfhrf_layer_norm_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                        ptrdiff_t out_stride, int32_t rows,
                                        const tfhrf_layer_norm *p)
{
    const int32_t columns = p->columns;
    const int32_t zero_point = p->difference_zero_point;
    const tfhrf_operand operand = tfhrf_operand_of(p->subtract.zero_point1, TFHRF_SUM_BITS,
                                                   &p->subtract.scale1);
    for (; rows > 0; --rows) {
        const int32_t sum = tfhrf_sum_of(in, columns, p->sum_offset);
        const int32_t mean = tfhrf_saturate(tfhrf_rescale_usual(sum, &p->mean));
        const int32_t center = tfhrf_align(
            mean, tfhrf_operand_of(p->subtract.zero_point2, TFHRF_SUM_BITS, &p->subtract.scale2));
        const int32_t squares =
            p->squares_offset + tfhrf_differences(in, out, columns, operand, center,
                                                  &p->subtract.scale, zero_point, p->squares);
        const int32_t variance = tfhrf_saturate(tfhrf_rescale_usual(squares, &p->variance));
        const int32_t inverse =
            (p->inverse[variance] - p->inverse_zero_point) * (1 + TFHRF_TWICE);
        tfhrf_scale_row(out, columns, inverse, -zero_point * inverse, &p->scale, p->table);
        in += in_stride;
        out += out_stride;
    }
}

#endif
