/* AVERAGE_POOL_2D and MAX_POOL_2D, int8. */
#ifndef TFHRF_POOL_H_
#define TFHRF_POOL_H_

#include "tfhrf_window.h"

#include "tfhrf_of8.h"
#include "tfhrf_pool_any.h"

#if TFHRF_MVE
/* The same of eight channels, or `left`: 256 lines and columns together at most. */
TFHRF_INLINE void tfhrf_pool_eight(const int8_t *in, const tfhrf_window *window, int32_t lines,
                                   int32_t columns, int32_t average, int32_t left,
                                   int16_t found[8])
{
    const mve_pred16_t lanes = vctp16q((uint32_t)left);
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
    if (average != 0) {
        for (int32_t i = 0; i < 8; ++i) {
            found[i] = (int16_t)tfhrf_average(found[i], lines * columns);
        }
    }
}
#endif

/* Lines of the output from `out_y` on; padding counts as nothing. */
TFHRF_KERNEL void tfhrf_pool_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                  ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                  int32_t rows, const tfhrf_window *window, int32_t average,
                                  const int8_t *table)
{
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        const tfhrf_taps high = tfhrf_inside(first_y, window->kernel_height, 1, window->height);
        const int32_t lines = high.last - high.first;
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const tfhrf_taps wide = tfhrf_inside(first_x, window->kernel_width, 1, window->width);
            const int32_t columns = wide.last - wide.first;
            const int8_t *const seen = in + (first_y + high.first) * window->row +
                                       (first_x + wide.first) * window->column;
#if TFHRF_MVE
            const int32_t vectors = lines * columns <= 256 ? 1 : 0;
            int16_t found[8] = {0, 0, 0, 0, 0, 0, 0, 0};
#endif
            for (int32_t c = 0; c < window->channels; ++c) {
                int32_t q;
#if TFHRF_MVE
                if (vectors != 0) {
                    if (c % 8 == 0) {
                        tfhrf_pool_eight(seen + c, window, lines, columns, average,
                                         window->channels - c, found);
                    }
                    q = found[c % 8];
                } else
#endif
                {
                    q = tfhrf_pool_pixel(seen + c, window, lines, columns, average);
                }
                out[out_x * out_column + c * out_step] = (int8_t)(table != NULL ? table[q] : q);
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
