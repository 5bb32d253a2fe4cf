/* RSQRT, 16 bits. */
#ifndef TFHRF_RSQRT16_H_
#define TFHRF_RSQRT16_H_

#include "tfhrf_int16.h"

/* 1 / sqrt(value) times 2^20 for value > 1: five Newton steps. */
TFHRF_INLINE int32_t tfhrf_inverse_root(int32_t value)
{
    /* Shifted left by an even number of bits to 2^27 ... 2^29. */
    const int32_t twos = (tfhrf_leading_zeros((uint32_t)value) - 3) / 2;
    const int32_t input = value << (2 * twos);
    int32_t shift = 11 - twos;
    const int32_t half = ((input >> 1) + 1) >> 1;
    int32_t x = 1 << 28;
    for (int32_t step = 0; step < 5; ++step) {
        /* x stays below 2^30: 32 bits hold what is doubled. */
        const int32_t cube = tfhrf_high_rounded(tfhrf_high_rounded(2 * x, x), 2 * x) * 64;
        x = (tfhrf_high_rounded(3 << 28, x) - tfhrf_high_rounded(2 * half, cube)) * 8;
    }
    x = tfhrf_high_rounded(2 * x, 1518500250);
    if (shift < 0) {
        x = tfhrf_shift_left(x, -shift);
        shift = 0;
    }
    const tfhrf_scale scale = {x, 0, 0, (int16_t)(20 - shift), 0};
    return tfhrf_rescale_any(1, &scale);
}

/* RSQRT of a value that is not negative. */
TFHRF_INLINE int32_t tfhrf_inverse_root16(int32_t q, const tfhrf_scale *scale)
{
    if (q <= 0) {
        return 32767;
    }
    /* The largest multiplier stands for one. */
    const tfhrf_scale one = {0x7fffffff, 0, 0, 20, 0};
    const int32_t root = q == 1 ? tfhrf_rescale_any(1, &one) : tfhrf_inverse_root(q);
    return tfhrf_saturate16(tfhrf_rescale_any(root, scale));
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
