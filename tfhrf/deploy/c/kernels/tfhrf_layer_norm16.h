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

TFHRF_INLINE int32_t tfhrf_sum_of16(const int16_t *in, int32_t columns)
{
    int32_t sum = 0;
    int32_t i = 0;
#if TFHRF_MVE
    for (; i + 8 <= columns; i += 8) {
        sum = vaddvaq_s16(sum, vldrhq_s16(in + i));
    }
#elif TFHRF_SIMD32
    for (; i + 2 <= columns; i += 2) {
        sum = tfhrf_dual(tfhrf_load_pair(in + i), 0x00010001U, sum);
    }
#endif
    for (; i < columns; ++i) {
        sum += in[i];
    }
    return sum;
}

/* Differences of a row to its mean; returns the sum of their squares. */
TFHRF_INLINE int64_t tfhrf_differences16(const int16_t *in, int16_t *out, int32_t columns,
                                         const tfhrf_sum16 *subtract, int32_t center)
{
    const tfhrf_scale16 align = subtract->scale1;
    const tfhrf_scale16 scale = subtract->scale;
    const int32_t offset = -tfhrf_shift_left(center, 1);
    int64_t squares = 0;
    int32_t i = 0;
    if (tfhrf_is_half16(&align) != 0) {
        /* Written out for the most usual: the input's scale is the larger one. */
#if TFHRF_MVE
        for (; i + 4 <= columns; i += 4) {
            const int32x4_t x = vaddq_n_s32(vshlq_n_s32(vldrhq_s32(in + i), 15), offset);
            const int32x4_t q = tfhrf_saturate16_4(tfhrf_rescale16_4(x, scale));
            vstrhq_s32(out + i, q);
            squares = vmlaldavaq_s32(squares, q, q);
        }
#endif
        for (; i < columns; ++i) {
            const int32_t x = offset + tfhrf_shift_left(in[i], 15);
            const int32_t q = tfhrf_saturate16(tfhrf_rescale16(x, scale));
            out[i] = (int16_t)q;
            squares += (int16_t)q * (int16_t)q;
        }
    }
    for (; i < columns; ++i) {
        const int32_t x = tfhrf_shift_left(tfhrf_align16(in[i], align), 1) + offset;
        const int32_t q = tfhrf_saturate16(tfhrf_rescale16(x, scale));
        out[i] = (int16_t)q;
        squares += (int16_t)q * (int16_t)q;
    }
    return squares;
}

TFHRF_KERNEL void tfhrf_layer_norm16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                          ptrdiff_t out_stride, int32_t rows,
                                          const tfhrf_layer_norm16 *p)
{
    const int32_t columns = p->columns;
    const tfhrf_scale16 scale = p->scale;
    for (; rows > 0; --rows) {
        const int32_t sum = tfhrf_sum_of16(in, columns);
        const int32_t mean = tfhrf_saturate16(tfhrf_rescale_any(sum, &p->mean));
        const int32_t center = tfhrf_align16(mean, p->subtract.scale2);
        const int64_t squares = tfhrf_differences16(in, out, columns, &p->subtract, center);
        const int32_t variance = tfhrf_saturate16(tfhrf_rescale_wide(squares, p->variance));
        const int32_t shifted = tfhrf_binary16_value(variance, p->epsilon, &p->add, 0);
        /* It is not negative: its doubled product with 16 bits fits 32. */
        const int32_t twice = 2 * tfhrf_inverse_root16(shifted, &p->root);
        int32_t i = 0;
#if TFHRF_MVE
        for (; i + 4 <= columns; i += 4) {
            const int32x4_t product = vmulq_n_s32(vldrhq_s32(out + i), twice);
            vstrhq_s32(out + i, tfhrf_saturate16_4(tfhrf_rescale16_4(product, scale)));
        }
#endif
        for (; i < columns; ++i) {
            out[i] = (int16_t)tfhrf_saturate16(tfhrf_rescale16(out[i] * twice, scale));
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
