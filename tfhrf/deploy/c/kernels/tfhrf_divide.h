/* DIV, int8. */
#ifndef TFHRF_DIVIDE_H_
#define TFHRF_DIVIDE_H_

#include "tfhrf_elementwise.h"

typedef struct {
    int32_t columns;
    int32_t zero_point1;
    int32_t zero_point2;
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
    const int32_t *reciprocals; /* of 0 ... 255, each shifted until it has 31 bits */
    const int8_t *table;        /* of an activation, at the index 0; or NULL */
} tfhrf_division;

/*
 * value / 2^exponent, rounded, halves away from zero. TensorFlow Lite Micro also shifts by more
 * than 31 bits, for quotients below half a level, which C does not define: what x86 makes of it is
 * what happens here.
 */
TFHRF_INLINE int32_t tfhrf_divide_by_power(int32_t value, int32_t exponent)
{
    const uint32_t places = (uint32_t)exponent & 63U;
    int32_t up = value >= 0 ? 1 : 0;
    if (places < 32U) {
        const uint32_t mask = ((uint32_t)1 << places) - 1U;
        up = ((uint32_t)value & mask) > (mask >> 1) + (value < 0 ? 1U : 0U) ? 1 : 0;
    }
    return (value >> (places & 31U)) + up;
}

TFHRF_INLINE int8_t tfhrf_divide_value(int32_t q1, int32_t q2, const void *division)
{
    const tfhrf_division *const p = division;
    const int32_t a = q1 - p->zero_point1;
    const int32_t b = q2 - p->zero_point2;
    const int32_t dividend = b < 0 ? -a : a;
    const int32_t divisor = b < 0 ? -b : b;
    /* Bits that are free above the dividend; integer bits of the divisor, less one. */
    const uint32_t magnitude = (uint32_t)(dividend < 0 ? -(dividend + 1) : dividend);
    const int32_t headroom = tfhrf_leading_zeros(2U * magnitude + 1U);
    const int32_t integer = 30 - tfhrf_leading_zeros(2U * (uint32_t)divisor + 1U);
    int32_t q = tfhrf_high_doubled(tfhrf_shift_left(dividend, headroom), p->reciprocals[divisor]);
    q = tfhrf_high_doubled(q, p->multiplier);
    q = tfhrf_divide_by_power(q, integer + headroom - p->shift);
    q = q < -512 ? -512 : q;
    q = tfhrf_saturate((q > 512 ? 512 : q) + p->zero_point);
    return (int8_t)(p->table != NULL ? p->table[q] : q);
}

TFHRF_KERNEL void tfhrf_divide_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                    tfhrf_strides from2, int8_t *out, tfhrf_strides to,
                                    int32_t rows, const tfhrf_division *p)
{
    const tfhrf_division division = *p;
    tfhrf_pairs(in1, from1, in2, from2, out, to, rows, &division.columns, tfhrf_divide_value,
                &division);
}

#endif
