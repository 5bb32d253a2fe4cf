/* AVERAGE_POOL_2D and MAX_POOL_2D, 16 bits. */
#ifndef TFHRF_POOL16_H_
#define TFHRF_POOL16_H_

#include "tfhrf_int16.h"
#include "tfhrf_window.h"

/* The least value of the output. */
typedef int32_t tfhrf_pool16_final;

TFHRF_INLINE int32_t tfhrf_pool16_pixel(const int16_t *in, const tfhrf_window *window,
                                        int32_t lines, int32_t columns, int32_t average);

/* The next channels, of which `left` are left; returns how many. */
TFHRF_INLINE int32_t tfhrf_pool16_some(const int16_t *in, const tfhrf_window *window,
                                       int32_t lines, int32_t columns, int32_t average,
                                       int32_t left, int16_t found[8])
{
    (void)left;
    found[0] = (int16_t)tfhrf_pool16_pixel(in, window, lines, columns, average);
    return 1;
}

TFHRF_INLINE int16_t tfhrf_pool16_end(int32_t q, int32_t low)
{
    return (int16_t)tfhrf_at_least(q, low);
}

#include "tfhrf_of16.h"
#include "tfhrf_pool_any.h"

#endif
