/* What windows see, of 8-bit and 16-bit kernels. */

/* Copies what the window at an output pixel sees. */
TFHRF_INLINE void TFHRF_OF(patch, )(const TFHRF_VALUE *in, const tfhrf_window *window,
                                    int32_t out_y, int32_t out_x, TFHRF_VALUE *patch)
{
    const int32_t first_y = out_y * window->stride_height - window->top;
    const int32_t first_x = out_x * window->stride_width - window->left;
    const int32_t line = window->kernel_width * window->channels;
    /* Nothing to pad, and pixel after pixel: lines are copied whole. */
    const int32_t whole = window->dilation_width == 1 && window->column == window->channels &&
                                  first_x >= 0 &&
                                  first_x + window->kernel_width <= window->width
                              ? 1
                              : 0;
    for (int32_t i = 0; i < window->kernel_height; ++i) {
        const int32_t y = first_y + i * window->dilation_height;
        if (whole != 0 && y >= 0 && y < window->height) {
            const TFHRF_VALUE *from = in + y * window->row + first_x * window->column;
            for (int32_t left = line; left > 0; --left) {
                *patch = *from;
                ++patch;
                ++from;
            }
            continue;
        }
        for (int32_t j = 0; j < window->kernel_width; ++j) {
            const int32_t x = first_x + j * window->dilation_width;
            if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                const TFHRF_VALUE *from = in + y * window->row + x * window->column;
                for (int32_t c = 0; c < window->channels; ++c) {
                    patch[c] = from[c];
                }
            } else {
                memset(patch, TFHRF_OF(padding, )(window), (size_t)window->channels * sizeof *patch);
            }
            patch += window->channels;
        }
    }
}
