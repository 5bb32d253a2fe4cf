/* LOG_SOFTMAX, int8, row by row, the exponentials taken from a table. */
#ifndef TFHRF_LOG_SOFTMAX_H_
#define TFHRF_LOG_SOFTMAX_H_

#include "tfhrf_softmax.h"

typedef struct {
    int32_t columns;
    const uint32_t *exponentials; /* by difference to the largest value, 31-bit fractions */
    tfhrf_scale input;            /* of a difference, to five integer bits */
    tfhrf_scale back;             /* from those to a difference */
    int32_t least;                /* of the differences that count, minus one */
} tfhrf_log_softmax;

TFHRF_INLINE int32_t tfhrf_divide_rounded(int32_t value, int32_t bits)
{
    return (int32_t)(((int64_t)value + ((int64_t)1 << (bits - 1)) - (value < 0 ? 1 : 0)) >> bits);
}

TFHRF_INLINE int32_t tfhrf_shift_saturated(int32_t value, int32_t bits)
{
    const int64_t shifted = (int64_t)value * ((int64_t)1 << bits);
    const int64_t low = shifted < INT32_MIN ? INT32_MIN : shifted;
    return (int32_t)(low > INT32_MAX ? INT32_MAX : low);
}

/* 1 / (1 + a) for 0 <= a < 1, 31-bit fractions: three Newton steps. */
TFHRF_INLINE int32_t tfhrf_inverse_of_one_and(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + 0x80000000) >> 1);
    int32_t x = 1515870810 + tfhrf_product(half, -1010580540);
    for (int32_t step = 0; step < 3; ++step) {
        x += tfhrf_product(x, (1 << 29) - tfhrf_product(half, x)) * 4;
    }
    return tfhrf_shift_saturated(x, 1);
}

/*
 * Logarithm, five integer bits, of a value >= 1 with twelve: a power of two, and a rational
 * function of what is left, which lies around the fourth root of one half.
 */
TFHRF_INLINE int32_t tfhrf_logarithm(int32_t value)
{
    const int32_t root = 1805811301; /* of the root of one half */
    const int32_t zeros = tfhrf_leading_zeros((uint32_t)value);
    const int32_t scaled = tfhrf_shift_left(value, zeros - 1);
    const int32_t rest1 = tfhrf_shift_saturated(tfhrf_product(scaled, 1518500250), 1);
    const int32_t power1 = (12 - zeros) * (1 << 25) + (1 << 23);
    const int32_t smaller = tfhrf_product(value, 1518500250);
    const int32_t headroom = tfhrf_leading_zeros((uint32_t)smaller) - 1;
    const int32_t rest2 = tfhrf_shift_saturated(value, headroom);
    const int32_t power2 = (12 - headroom) * (1 << 25) - (1 << 23);
    const int32_t rest = rest1 < rest2 ? rest1 : rest2;
    const int32_t power = power1 > power2 ? power1 : power2;
    const int32_t middle = (int32_t)(((int64_t)rest + root + 1) / 2);
    const int32_t q = 2 * (rest - root);
    const int32_t square = tfhrf_product(q, q);
    const int32_t above =
        tfhrf_product(q, rest) + tfhrf_product(tfhrf_product(q, square), 117049297);
    const int32_t below =
        tfhrf_product(middle, 1057819769 + q + tfhrf_product(127690142, square)) +
        tfhrf_product(638450708, q);
    const int32_t quotient =
        tfhrf_product(tfhrf_divide_rounded(above, 6), tfhrf_inverse_of_one_and(below));
    return tfhrf_shift_saturated(tfhrf_product(power, 1488522236) + quotient, 1);
}

TFHRF_KERNEL void tfhrf_log_softmax_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                         ptrdiff_t out_stride, int32_t rows,
                                         const tfhrf_log_softmax *p)
{
    for (; rows > 0; --rows) {
        const int32_t highest = tfhrf_maximum(in, p->columns);
        uint32_t sum = 0U;
        for (int32_t i = 0; i < p->columns; ++i) {
            sum = tfhrf_add_share(sum, p->exponentials[highest - in[i]]);
        }
        const int32_t logarithm = tfhrf_logarithm((int32_t)sum);
        const int32_t reach = tfhrf_rescale_any(logarithm + INT32_MIN, &p->back);
        const int32_t least = reach > p->least ? reach : p->least;
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t difference = in[i] - highest;
            int32_t q = -128;
            if (difference > least) {
                const int32_t exponent = tfhrf_rescale_any(difference, &p->input);
                q = tfhrf_saturate(tfhrf_divide_rounded(exponent - logarithm, 22) + 127);
            }
            out[i] = (int8_t)q;
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
