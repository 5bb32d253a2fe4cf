/* L2_NORMALIZATION, int8, row by row: to the scale 1/128. */
#ifndef TFHRF_L2_NORM_H_
#define TFHRF_L2_NORM_H_

#include "tfhrf_inverse_root.h"

TFHRF_KERNEL void tfhrf_l2_norm_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                     ptrdiff_t out_stride, int32_t rows, int32_t columns,
                                     int32_t zero_point)
{
    for (; rows > 0; --rows) {
        int32_t sum = 0;
        for (int32_t i = 0; i < columns; ++i) {
            const int32_t value = in[i] - zero_point;
            sum += value * value;
        }
        int32_t right;
        const int32_t multiplier = tfhrf_inverse_root(sum > 0 ? sum : 1, &right);
        const int32_t left = right < 7 ? 7 - right : 0;
        const int32_t rest = right < 7 ? 0 : right - 7;
        const tfhrf_scale scale = {multiplier, 0, (int16_t)rest, (int16_t)left, (int16_t)-rest, 0};
        for (int32_t i = 0; i < columns; ++i) {
            out[i] = (int8_t)tfhrf_saturate(tfhrf_rescale_any(in[i] - zero_point, &scale));
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
