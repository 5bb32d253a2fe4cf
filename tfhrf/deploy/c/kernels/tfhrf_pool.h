/* AVERAGE_POOL_2D and MAX_POOL_2D, int8. */
#ifndef TFHRF_POOL_H_
#define TFHRF_POOL_H_

#include "tfhrf_window.h"

/* A table of an activation, at the index 0; or NULL. */
typedef const int8_t *tfhrf_pool_final;

TFHRF_INLINE int32_t tfhrf_pool_pixel(const int8_t *in, const tfhrf_window *window, int32_t lines,
                                      int32_t columns, int32_t average);

/* The next channels, of which `left` are left; returns how many. */
TFHRF_INLINE int32_t tfhrf_pool_some(const int8_t *in, const tfhrf_window *window, int32_t lines,
                                     int32_t columns, int32_t average, int32_t left,
                                     int16_t found[8])
{
    (void)left;
#if TFHRF_MVE
    /* Sums of so many fit 16 bits. */
    if (lines * columns <= 256) {
        const int32_t count = left < 8 ? left : 8;
        const mve_pred16_t lanes = vctp16q((uint32_t)count);
        int16x8_t sums = vdupq_n_s16(average != 0 ? 0 : INT8_MIN);
        for (int32_t i = 0; i < lines; ++i) {
            const int8_t *x = in + i * window->row;
            for (int32_t j = columns; j > 0; --j) {
                const int16x8_t q = vldrbq_z_s16(x, lanes);
                sums = average != 0 ? vaddq_s16(sums, q) : vmaxq_s16(sums, q);
                x += window->column;
            }
        }
        vst1q_s16(found, sums);
        for (int32_t i = 0; average != 0 && i < count; ++i) {
            found[i] = (int16_t)tfhrf_average(found[i], lines * columns);
        }
        return count;
    }
#endif
    found[0] = (int16_t)tfhrf_pool_pixel(in, window, lines, columns, average);
    return 1;
}

TFHRF_INLINE int8_t tfhrf_pool_end(int32_t q, const int8_t *table)
{
    return (int8_t)(table != NULL ? table[q] : q);
}

#include "tfhrf_of8.h"
#include "tfhrf_pool_any.h"

#endif
