/* MEAN, 16 bits, over up to three axes. */
#ifndef TFHRF_REDUCE16_H_
#define TFHRF_REDUCE16_H_

#include "tfhrf_int16.h"

typedef struct {
    int32_t columns;
    int32_t counts[3];
    int32_t steps[3];
    tfhrf_scale scale;
} tfhrf_reduce16;

#include "tfhrf_of16.h"
#include "tfhrf_reduce_any.h"

TFHRF_KERNEL void tfhrf_mean16_rows(const int16_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                    int16_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                    int32_t rows, const tfhrf_reduce16 *p)
{
    for (; rows > 0; --rows) {
        for (int32_t c = 0; c < p->columns; ++c) {
            const int32_t sum = tfhrf_total16(in + c * in_step, p, 0);
            out[c * out_step] = (int16_t)tfhrf_saturate16(tfhrf_rescale_any(sum, &p->scale));
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
