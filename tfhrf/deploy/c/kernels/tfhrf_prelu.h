/* PRELU, int8: values below zero times a slope. */
#ifndef TFHRF_PRELU_H_
#define TFHRF_PRELU_H_

#include "tfhrf_elementwise.h"

TFHRF_INLINE int8_t tfhrf_prelu_value(int32_t q, int32_t slope, const void *binary)
{
    const tfhrf_binary *const p = binary;
    const int32_t x = q - p->zero_point1;
    const int32_t y = x >= 0 ? tfhrf_rescale_any(x, &p->scale1)
                             : tfhrf_rescale_any(x * (slope - p->zero_point2), &p->scale2);
    const int32_t result = tfhrf_saturate(y);
    return (int8_t)(p->table != NULL ? p->table[result] : result);
}

TFHRF_KERNEL void tfhrf_prelu_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                   tfhrf_strides from2, int8_t *out, tfhrf_strides to,
                                   int32_t rows, const tfhrf_binary *p)
{
    const tfhrf_binary binary = *p;
    tfhrf_pairs(in1, from1, in2, from2, out, to, rows, &binary.columns, tfhrf_prelu_value, &binary);
}

#endif
