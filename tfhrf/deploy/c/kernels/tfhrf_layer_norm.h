/* Layer normalization, int8, row by row: mean, difference, variance, RSQRT, product. */
#ifndef TFHRF_LAYER_NORM_H_
#define TFHRF_LAYER_NORM_H_

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

TFHRF_KERNEL void tfhrf_layer_norm_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                        ptrdiff_t out_stride, int32_t rows,
                                        const tfhrf_layer_norm *p)
{
    /* Copies: a byte that is written might change what `p` points to. */
    const int32_t columns = p->columns;
    const tfhrf_operand operand = tfhrf_operand_of(p->subtract.zero_point1, p->subtract.left,
                                                   &p->subtract.scale1);
    const tfhrf_scale difference_scale = p->subtract.scale;
    const tfhrf_scale scale = p->scale;
    const int32_t zero_point = p->difference_zero_point;
    const int8_t *const square_table = p->squares;
    const int8_t *const table = p->table;
    for (; rows > 0; --rows) {
        int32_t sum = p->sum_offset;
        int32_t i = 0;
#if TFHRF_VECTORS
        for (; i + 16 <= columns; i += 16) {
            sum = vaddvaq_s8(sum, vldrbq_s8(in + i));
        }
#endif
        for (; i < columns; ++i) {
            sum += in[i];
        }
        const int32_t mean = tfhrf_saturate(tfhrf_rescale_any(sum, &p->mean));
        const int32_t center = tfhrf_align(
            mean, tfhrf_operand_of(p->subtract.zero_point2, p->subtract.left, &p->subtract.scale2));
        int32_t squares = p->squares_offset;
        i = 0;
#if TFHRF_VECTORS
        for (; i + 4 <= columns; i += 4) {
            const int32x4_t x = vsubq_s32(tfhrf_align4(in + i, operand), vdupq_n_s32(center));
            const int32x4_t q = tfhrf_saturate4(tfhrf_rescale4(x, difference_scale));
            vstrbq_s32(out + i, q);
            if (square_table != NULL) {
                squares = vaddvaq_s32(squares, tfhrf_look_up4(square_table, q));
            } else {
                const int32x4_t centered = vsubq_s32(q, vdupq_n_s32(zero_point));
                squares = vmladavaq_s32(squares, centered, centered);
            }
        }
#endif
        for (; i < columns; ++i) {
            const int32_t x = tfhrf_align(in[i], operand);
            const int32_t q = tfhrf_saturate(tfhrf_rescale_twice(x - center, &difference_scale));
            out[i] = (int8_t)q;
            squares += square_table != NULL ? square_table[q] : (q - zero_point) * (q - zero_point);
        }
        const int32_t variance = tfhrf_saturate(tfhrf_rescale_any(squares, &p->variance));
        const int32_t inverse =
            (p->inverse[variance] - p->inverse_zero_point) * (1 + TFHRF_TWICE);
        const int32_t offset = -zero_point * inverse;
        i = 0;
#if TFHRF_VECTORS
        for (; i + 4 <= columns; i += 4) {
            const int32x4_t product = vmulq_n_s32(vldrbq_s32(out + i), inverse);
            int32x4_t q = tfhrf_saturate4(tfhrf_rescale4(vaddq_n_s32(product, offset), scale));
            if (table != NULL) {
                q = tfhrf_look_up4(table, q);
            }
            vstrbq_s32(out + i, q);
        }
#endif
        for (; i < columns; ++i) {
            const int32_t q =
                tfhrf_saturate(tfhrf_rescale_twice(out[i] * inverse + offset, &scale));
            out[i] = (int8_t)(table != NULL ? table[q] : q);
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
