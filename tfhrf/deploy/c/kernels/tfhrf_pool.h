/* AVERAGE_POOL_2D and MAX_POOL_2D, int8. */
#ifndef TFHRF_POOL_H_
#define TFHRF_POOL_H_

#include "tfhrf_window.h"

/* Lines of the output from `out_y` on; padding counts as nothing. */
TFHRF_KERNEL void tfhrf_pool_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                  ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                  int32_t rows, const tfhrf_window *window, int32_t average,
                                  const int8_t *table)
{
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            for (int32_t c = 0; c < window->channels; ++c) {
                int32_t sum = 0;
                int32_t highest = -128;
                int32_t count = 0;
                for (int32_t i = 0; i < window->kernel_height; ++i) {
                    const int32_t y = first_y + i;
                    for (int32_t j = 0; j < window->kernel_width; ++j) {
                        const int32_t x = first_x + j;
                        if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                            const int32_t q = in[y * window->row + x * window->column + c];
                            sum += q;
                            highest = q > highest ? q : highest;
                            ++count;
                        }
                    }
                }
                if (average != 0) {
                    highest = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                }
                const int32_t q = tfhrf_saturate(highest);
                out[out_x * out_column + c * out_step] = (int8_t)(table != NULL ? table[q] : q);
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
