/* RSQRT, 16 bits. */
#ifndef TFHRF_RSQRT16_H_
#define TFHRF_RSQRT16_H_

#include "tfhrf_int16.h"
#include "tfhrf_inverse_root.h"

/* RSQRT of a value that is not negative. */
TFHRF_INLINE int32_t tfhrf_inverse_root16(int32_t q, const tfhrf_scale *scale)
{
    if (q <= 0) {
        return 32767;
    }
    int32_t right;
    const int32_t multiplier = tfhrf_inverse_root(q, &right);
    const tfhrf_scale root = {multiplier, 0, 0, (int16_t)(20 - right), 0, 0};
    return tfhrf_saturate16(tfhrf_rescale_any(tfhrf_rescale_any(1, &root), scale));
}

/* Returns 1 where an input is negative, as TensorFlow Lite Micro stops there. */
TFHRF_KERNEL int tfhrf_inverse_root16_rows(const int16_t *in, tfhrf_strides from, int16_t *out,
                                           tfhrf_strides to, int32_t rows, int32_t columns,
                                           const tfhrf_scale *scale)
{
    int status = 0;
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < columns; ++i) {
            const int32_t q = in[i * from.step];
            status = q < 0 ? 1 : status;
            out[i * to.step] = (int16_t)tfhrf_inverse_root16(q, scale);
        }
        in += from.row;
        out += to.row;
    }
    return status;
}

#endif
