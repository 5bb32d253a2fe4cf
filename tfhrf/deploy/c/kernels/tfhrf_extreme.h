/* ARG_MAX and ARG_MIN, int8: where along an axis the first of the extreme values is. */
#ifndef TFHRF_EXTREME_H_
#define TFHRF_EXTREME_H_

#include "tfhrf_common.h"

typedef struct {
    int32_t columns;
    int32_t count;
    ptrdiff_t step;
    int32_t sign; /* 1 for the largest value, -1 for the least one */
} tfhrf_extreme_place;

TFHRF_KERNEL void tfhrf_extreme_rows(const int8_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                     int32_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                     int32_t rows, const tfhrf_extreme_place *p)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            const int8_t *x = in + i * in_step;
            int32_t extreme = p->sign * *x;
            int32_t place = 0;
            for (int32_t k = 1; k < p->count; ++k) {
                x += p->step;
                if (p->sign * *x > extreme) {
                    extreme = p->sign * *x;
                    place = k;
                }
            }
            out[i * out_step] = place;
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
