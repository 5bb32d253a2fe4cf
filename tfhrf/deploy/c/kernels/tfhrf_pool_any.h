/* AVERAGE_POOL_2D and MAX_POOL_2D, of 8-bit and 16-bit kernels. */

/* The average, or the highest, of what a window sees: `columns` pixels of each of `lines`. */
TFHRF_INLINE int32_t TFHRF_OF(pool, _pixel)(const TFHRF_VALUE *in, const tfhrf_window *window,
                                            int32_t lines, int32_t columns, int32_t average)
{
    int32_t sum = 0;
    int32_t highest = INT32_MIN;
    for (int32_t i = 0; i < lines; ++i) {
        const TFHRF_VALUE *x = in + i * window->row;
        for (int32_t left = columns; left > 0; --left) {
            sum += *x;
            highest = *x > highest ? *x : highest;
            x += window->column;
        }
    }
    return average != 0 ? tfhrf_average(sum, lines * columns) : highest;
}

/* Lines of the output from `out_y` on; padding counts as nothing. */
TFHRF_KERNEL void TFHRF_OF(pool, _rows)(const TFHRF_VALUE *in, TFHRF_VALUE *out, ptrdiff_t out_row,
                                        ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                        int32_t rows, const tfhrf_window *window, int32_t average,
                                        TFHRF_OF(pool, _final) final)
{
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        const tfhrf_taps high = tfhrf_inside(first_y, window->kernel_height, 1, window->height);
        const int32_t lines = high.last - high.first;
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const tfhrf_taps wide = tfhrf_inside(first_x, window->kernel_width, 1, window->width);
            const TFHRF_VALUE *seen = in + (first_y + high.first) * window->row +
                                      (first_x + wide.first) * window->column;
            TFHRF_VALUE *pixel = out + out_x * out_column;
            for (int32_t left = window->channels; left > 0;) {
                int16_t found[8];
                const int32_t count = TFHRF_OF(pool, _some)(
                    seen, window, lines, wide.last - wide.first, average, left, found);
                for (int32_t i = 0; i < count; ++i) {
                    *pixel = TFHRF_OF(pool, _end)(found[i], final);
                    pixel += out_step;
                }
                seen += count;
                left -= count;
            }
        }
        ++out_y;
        out += out_row;
    }
}
