/* 1 / sqrt of integers, by five Newton steps. */
#ifndef TFHRF_INVERSE_ROOT_H_
#define TFHRF_INVERSE_ROOT_H_

#include "tfhrf_common.h"

/* The multiplier of 1 / sqrt(value) for value > 0, and by how much it is to be shifted right. */
TFHRF_INLINE int32_t tfhrf_inverse_root(int32_t value, int32_t *right)
{
    *right = 0;
    if (value == 1) {
        /* The largest multiplier stands for one. */
        return 0x7fffffff;
    }
    /* Shifted by an even number of bits to 2^27 ... 2^29. */
    const int32_t large = value >= 1 << 29 ? 1 : 0;
    const int32_t quarter = large != 0 ? value / 4 : value;
    const int32_t twos = (tfhrf_leading_zeros((uint32_t)quarter) - 3) / 2;
    const int32_t input = quarter << (2 * twos);
    const int32_t half = ((input >> 1) + 1) >> 1;
    const int32_t shift = 11 + large - twos;
    int32_t x = 1 << 28;
    for (int32_t step = 0; step < 5; ++step) {
        /* x stays below 2^30: 32 bits hold what is doubled. */
        const int32_t cube = tfhrf_high_rounded(tfhrf_high_rounded(2 * x, x), 2 * x) * 64;
        x = (tfhrf_high_rounded(3 << 28, x) - tfhrf_high_rounded(2 * half, cube)) * 8;
    }
    x = tfhrf_high_rounded(2 * x, 1518500250);
    if (shift < 0) {
        return tfhrf_shift_left(x, -shift);
    }
    *right = shift;
    return x;
}

#endif
