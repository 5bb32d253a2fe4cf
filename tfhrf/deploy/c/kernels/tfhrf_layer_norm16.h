/* Layer normalization, 16 bits, row by row: mean, difference, variance, RSQRT, product. */
#ifndef TFHRF_LAYER_NORM16_H_
#define TFHRF_LAYER_NORM16_H_

#include "tfhrf_elementwise16.h"
#include "tfhrf_rsqrt16.h"

typedef struct {
    int32_t columns;
    tfhrf_scale mean;          /* from the sum */
    tfhrf_sum16 subtract;      /* the mean from the input */
    tfhrf_wide_scale variance; /* from the sum of squares */
    int32_t epsilon;           /* what is added to the variance */
    tfhrf_binary16 add;
    tfhrf_scale root;    /* of 1 / sqrt */
    tfhrf_scale16 scale; /* of the product */
} tfhrf_layer_norm16;

TFHRF_KERNEL void tfhrf_layer_norm16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                          ptrdiff_t out_stride, int32_t rows,
                                          const tfhrf_layer_norm16 *p)
{
    /* Copies: what is written might change what `p` points to. */
    const int32_t columns = p->columns;
    const tfhrf_scale16 align = p->subtract.scale1;
    const tfhrf_scale16 difference_scale = p->subtract.scale;
    const tfhrf_scale16 scale = p->scale;
    for (; rows > 0; --rows) {
        int32_t sum = 0;
        for (int32_t i = 0; i < columns; ++i) {
            sum += in[i];
        }
        const int32_t mean = tfhrf_saturate16(tfhrf_rescale_any(sum, &p->mean));
        const int32_t center = tfhrf_align16(mean, p->subtract.scale2);
        int64_t squares = 0;
        for (int32_t i = 0; i < columns; ++i) {
            const int32_t x = tfhrf_align16(in[i], align);
            const int32_t q = tfhrf_finish16(x - center, difference_scale);
            out[i] = (int16_t)q;
            squares += (int16_t)q * (int16_t)q;
        }
        const int32_t variance = tfhrf_saturate16(tfhrf_rescale_wide(squares, p->variance));
        const int32_t shifted = tfhrf_binary16_value(variance, p->epsilon, &p->add, 0);
        /* It is not negative: its doubled product with 16 bits fits 32. */
        const int32_t twice = 2 * tfhrf_inverse_root16(shifted, &p->root);
        for (int32_t i = 0; i < columns; ++i) {
            out[i] = (int16_t)tfhrf_saturate16(tfhrf_rescale16(out[i] * twice, scale));
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
