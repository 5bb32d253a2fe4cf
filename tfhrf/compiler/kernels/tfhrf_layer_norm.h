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
    const tfhrf_binary *const subtract = &p->subtract;
    for (; rows > 0; --rows) {
        int32_t sum = p->sum_offset;
        for (int32_t i = 0; i < p->columns; ++i) {
            sum += in[i];
        }
        const int8_t mean = tfhrf_saturate(tfhrf_rescale(sum, &p->mean));
        const int32_t center =
            tfhrf_align(mean, subtract->zero_point2, subtract->left, &subtract->scale2);
        int32_t squares = p->squares != NULL ? p->squares_offset : 0;
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t x =
                tfhrf_align(in[i], subtract->zero_point1, subtract->left, &subtract->scale1);
            const int8_t q = tfhrf_finish(x - center, &subtract->scale, subtract->table);
            out[i] = q;
            if (p->squares != NULL) {
                squares += p->squares[q];
            } else {
                const int32_t difference = q - p->difference_zero_point;
                squares += difference * difference;
            }
        }
        const int8_t variance = tfhrf_saturate(tfhrf_rescale(squares, &p->variance));
        const int32_t inverse = p->inverse[variance] - p->inverse_zero_point;
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t product = (out[i] - p->difference_zero_point) * inverse;
            out[i] = tfhrf_finish(product, &p->scale, p->table);
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
