/* AVERAGE_POOL_2D and MAX_POOL_2D of one channel, of 8-bit and 16-bit kernels. */

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
