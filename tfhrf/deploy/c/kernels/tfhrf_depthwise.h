/* DEPTHWISE_CONV_2D, int8. */
#ifndef TFHRF_DEPTHWISE_H_
#define TFHRF_DEPTHWISE_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

#if TFHRF_SIMD32
/* Adds four products of bytes, one for each of four neighboring channels. */
TFHRF_INLINE void tfhrf_add_products(const int8_t *x, const tfhrf_window *window,
                                     const int8_t *w, int32_t sums[4])
{
    const int32_t zero_point = window->zero_point;
    const uint32_t offsets = ((uint32_t)-zero_point & 0xffffU) | ((uint32_t)-zero_point << 16);
    const uint32_t x_bytes = tfhrf_load_word(x);
    const uint32_t w_bytes = tfhrf_load_word(w);
    const int32_t x_even = (int32_t)tfhrf_add_halves(tfhrf_extend_even(x_bytes), offsets);
    const int32_t x_odd = (int32_t)tfhrf_add_halves(tfhrf_extend_odd(x_bytes), offsets);
    const int32_t w_even = (int32_t)tfhrf_extend_even(w_bytes);
    const int32_t w_odd = (int32_t)tfhrf_extend_odd(w_bytes);
    sums[0] = __smlabb(x_even, w_even, sums[0]);
    sums[1] = __smlabb(x_odd, w_odd, sums[1]);
    sums[2] = __smlatt(x_even, w_even, sums[2]);
    sums[3] = __smlatt(x_odd, w_odd, sums[3]);
}
#endif

/* The product of one value and one weight. */
TFHRF_INLINE int32_t tfhrf_tap(int32_t x, const tfhrf_window *window, int32_t w)
{
    return (x - window->zero_point) * w;
}

TFHRF_INLINE int8_t tfhrf_channel(int32_t sum, const tfhrf_scale *scale, const tfhrf_dense *dense)
{
    const int32_t q = tfhrf_saturate(tfhrf_rescale(sum, scale));
    return (int8_t)(dense->final != NULL ? dense->final[q] : q);
}

#include "tfhrf_of8.h"
#include "tfhrf_depthwise_any.h"

#endif
