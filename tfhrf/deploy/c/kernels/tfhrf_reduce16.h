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

TFHRF_KERNEL void tfhrf_mean16_rows(const int16_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                    int16_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                    int32_t rows, const tfhrf_reduce16 *p)
{
    for (; rows > 0; --rows) {
        for (int32_t c = 0; c < p->columns; ++c) {
            const int16_t *const x = in + c * in_step;
            int32_t sum = 0;
            for (int32_t i = 0; i < p->counts[0]; ++i) {
                for (int32_t j = 0; j < p->counts[1]; ++j) {
                    const int16_t *value = x + i * p->steps[0] + j * p->steps[1];
                    for (int32_t left = p->counts[2]; left > 0; --left) {
                        sum += *value;
                        value += p->steps[2];
                    }
                }
            }
            out[c * out_step] = (int16_t)tfhrf_saturate16(tfhrf_rescale_any(sum, &p->scale));
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
