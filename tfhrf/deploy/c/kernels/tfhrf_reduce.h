/* MEAN, SUM, REDUCE_MAX and REDUCE_MIN, int8, over up to three axes. */
#ifndef TFHRF_REDUCE_H_
#define TFHRF_REDUCE_H_

#include "tfhrf_common.h"

typedef struct {
    int32_t columns;
    int32_t counts[3];
    int32_t steps[3];
    int32_t offset; /* minus the input's zero point times the number of values */
    tfhrf_scale scale;
    const int8_t *table; /* of what follows, or NULL */
} tfhrf_reduce;

#include "tfhrf_of8.h"
#include "tfhrf_reduce_any.h"

/* The highest value, or the lowest for the sign -1. */
TFHRF_INLINE int32_t tfhrf_extreme(const int8_t *in, const tfhrf_reduce *p, int32_t sign)
{
    int32_t extreme = *in;
    for (int32_t i = 0; i < p->counts[0]; ++i) {
        for (int32_t j = 0; j < p->counts[1]; ++j) {
            const int8_t *x = in + i * p->steps[0] + j * p->steps[1];
            for (int32_t k = p->counts[2]; k > 0; --k) {
                extreme = sign * *x > sign * extreme ? *x : extreme;
                x += p->steps[2];
            }
        }
    }
    return extreme;
}

TFHRF_KERNEL void tfhrf_mean_rows(const int8_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                  int8_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                  int32_t rows, const tfhrf_reduce *p)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t sum = tfhrf_total(in + i * in_step, p, p->offset);
            const int32_t q = tfhrf_saturate(tfhrf_rescale_any(sum, &p->scale));
            out[i * out_step] = (int8_t)(p->table != NULL ? p->table[q] : q);
        }
        in += in_stride;
        out += out_stride;
    }
}

TFHRF_KERNEL void tfhrf_maximum_rows(const int8_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                     int8_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                     int32_t rows, const tfhrf_reduce *p)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            out[i * out_step] = (int8_t)tfhrf_extreme(in + i * in_step, p, 1);
        }
        in += in_stride;
        out += out_stride;
    }
}

TFHRF_KERNEL void tfhrf_minimum_rows(const int8_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                     int8_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                     int32_t rows, const tfhrf_reduce *p)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            out[i * out_step] = (int8_t)tfhrf_extreme(in + i * in_step, p, -1);
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
