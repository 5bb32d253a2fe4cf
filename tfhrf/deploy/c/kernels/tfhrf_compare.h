/* EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL, int8: zeros and ones. */
#ifndef TFHRF_COMPARE_H_
#define TFHRF_COMPARE_H_

#include "tfhrf_elementwise.h"

typedef struct {
    int32_t columns;
    int32_t zero_point1;
    int32_t zero_point2;
    tfhrf_scale scale1; /* to steps that both operands share */
    tfhrf_scale scale2;
    int32_t equal;   /* what is found where both values are equal */
    int32_t greater; /* where the first one is greater */
    int32_t less;    /* where it is less */
} tfhrf_comparison;

TFHRF_INLINE int8_t tfhrf_compare_value(int32_t q1, int32_t q2, const void *comparison)
{
    const tfhrf_comparison *const p = comparison;
    const int32_t a =
        tfhrf_rescale_any(tfhrf_shift_left(q1 - p->zero_point1, 8), &p->scale1);
    const int32_t b =
        tfhrf_rescale_any(tfhrf_shift_left(q2 - p->zero_point2, 8), &p->scale2);
    const int32_t unequal = a > b ? p->greater : p->less;
    return (int8_t)(a == b ? p->equal : unequal);
}

TFHRF_KERNEL void tfhrf_compare_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                     tfhrf_strides from2, int8_t *out, tfhrf_strides to,
                                     int32_t rows, const tfhrf_comparison *p)
{
    const tfhrf_comparison comparison = *p;
    tfhrf_pairs(in1, from1, in2, from2, out, to, rows, &comparison.columns, tfhrf_compare_value,
                &comparison);
}

#endif
