/* AVERAGE_POOL_2D and MAX_POOL_2D, 16 bits. */
#ifndef TFHRF_POOL16_H_
#define TFHRF_POOL16_H_

#include "tfhrf_int16.h"
#include "tfhrf_window.h"

#include "tfhrf_of16.h"
#include "tfhrf_pool_any.h"

/* Lines of the output from `out_y` on; padding counts as nothing. */
TFHRF_KERNEL void tfhrf_pool16_rows(const int16_t *in, int16_t *out, ptrdiff_t out_row,
                                    ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                    int32_t rows, const tfhrf_window *window, int32_t average,
                                    int32_t low)
{
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        const tfhrf_taps high = tfhrf_inside(first_y, window->kernel_height, 1, window->height);
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const tfhrf_taps wide = tfhrf_inside(first_x, window->kernel_width, 1, window->width);
            const int16_t *const seen = in + (first_y + high.first) * window->row +
                                        (first_x + wide.first) * window->column;
            for (int32_t c = 0; c < window->channels; ++c) {
                const int32_t q = tfhrf_pool16_pixel(seen + c, window, high.last - high.first,
                                                     wide.last - wide.first, average);
                out[out_x * out_column + c * out_step] = (int16_t)tfhrf_at_least(q, low);
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
