/* DEPTHWISE_CONV_2D, 16 bits, where 32 bits hold all sums. */
#ifndef TFHRF_DEPTHWISE16_H_
#define TFHRF_DEPTHWISE16_H_

#include "tfhrf_dense16.h"
#include "tfhrf_window.h"

#if TFHRF_SIMD32
/* Adds four products, one for each of four neighboring channels. */
TFHRF_INLINE void tfhrf_add_products16(const int16_t *x, const tfhrf_window *window,
                                       const int8_t *w, int32_t sums[4])
{
    (void)window;
    const int32_t x_low = (int32_t)tfhrf_load_pair(x);
    const int32_t x_high = (int32_t)tfhrf_load_pair(x + 2);
    const uint32_t w_bytes = tfhrf_load_word(w);
    const int32_t w_even = (int32_t)tfhrf_extend_even(w_bytes);
    const int32_t w_odd = (int32_t)tfhrf_extend_odd(w_bytes);
    sums[0] = __smlabb(x_low, w_even, sums[0]);
    sums[1] = __smlatb(x_low, w_odd, sums[1]);
    sums[2] = __smlabt(x_high, w_even, sums[2]);
    sums[3] = __smlatt(x_high, w_odd, sums[3]);
}
#endif

/* The product of one value and one weight. */
TFHRF_INLINE int32_t tfhrf_tap16(int32_t x, const tfhrf_window *window, int32_t w)
{
    (void)window;
    return x * w;
}

TFHRF_INLINE int16_t tfhrf_channel16(int32_t sum, const tfhrf_narrow_scale *scale,
                                     const tfhrf_dense16 *dense)
{
    const int32_t q = tfhrf_saturate16(tfhrf_rescale_narrow(sum, scale));
    return (int16_t)tfhrf_at_least(q, dense->final);
}

#if TFHRF_VECTORS
TFHRF_INLINE int32_t tfhrf_depthwise16_vectors(const int16_t *in, int16_t *out, ptrdiff_t out_row,
                                               ptrdiff_t out_column, ptrdiff_t out_step,
                                               int32_t out_y, int32_t rows,
                                               const tfhrf_window *window,
                                               const tfhrf_dense16 *dense)
{
    (void)in;
    (void)out;
    (void)out_row;
    (void)out_column;
    (void)out_step;
    (void)out_y;
    (void)rows;
    (void)window;
    (void)dense;
    return 0;
}
#endif

#include "tfhrf_of16.h"
#include "tfhrf_depthwise_any.h"

#endif
