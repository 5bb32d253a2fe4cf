/* The loops of DEPTHWISE_CONV_2D, of 8-bit and 16-bit kernels. */

#if !TFHRF_SIMD32
TFHRF_INLINE void TFHRF_OF(add_products, )(const TFHRF_VALUE *x, const tfhrf_window *window,
                                           const int8_t *w, int32_t sums[4])
{
    sums[0] += TFHRF_OF(tap, )(x[0], window, w[0]);
    sums[1] += TFHRF_OF(tap, )(x[1], window, w[1]);
    sums[2] += TFHRF_OF(tap, )(x[2], window, w[2]);
    sums[3] += TFHRF_OF(tap, )(x[3], window, w[3]);
}
#endif

/* The same of some taps. */
TFHRF_INLINE void TFHRF_OF(add_taps4, )(const TFHRF_VALUE *x, ptrdiff_t column_step,
                                        const tfhrf_window *window, const int8_t *w,
                                        int32_t outputs, int32_t taps, int32_t sums[4])
{
    /* In registers: `sums` is in memory where it is indexed. */
    int32_t own[4] = {sums[0], sums[1], sums[2], sums[3]};
    for (; taps > 0; --taps) {
        TFHRF_OF(add_products, )(x, window, w, own);
        x += column_step;
        w += outputs;
    }
    sums[0] = own[0];
    sums[1] = own[1];
    sums[2] = own[2];
    sums[3] = own[3];
}

/* Lines of the output from `out_y` on; `weights` are [kernel height][kernel width][outputs]. */
TFHRF_KERNEL void TFHRF_OF(depthwise, _rows)(const TFHRF_VALUE *in, TFHRF_VALUE *out,
                                             ptrdiff_t out_row, ptrdiff_t out_column,
                                             ptrdiff_t out_step, int32_t out_y, int32_t rows,
                                             const tfhrf_window *window,
                                             const TFHRF_OF(dense, ) *dense, int32_t multiplier)
{
#if TFHRF_VECTORS
    if (multiplier == 1 && TFHRF_OF(depthwise, _vectors)(in, out, out_row, out_column, out_step,
                                                         out_y, rows, window, dense) != 0) {
        return;
    }
#endif
    const int32_t outputs = dense->outputs;
    const int32_t together = multiplier == 1 && outputs % 4 == 0 ? 4 : 1;
    const ptrdiff_t row_step = window->dilation_height * window->row;
    const ptrdiff_t column_step = window->dilation_width * window->column;
    for (; rows > 0; --rows) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        const tfhrf_taps high =
            tfhrf_inside(first_y, window->kernel_height, window->dilation_height, window->height);
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const tfhrf_taps wide =
                tfhrf_inside(first_x, window->kernel_width, window->dilation_width, window->width);
            const ptrdiff_t origin = first_y * window->row + first_x * window->column;
            const TFHRF_OF(dense, _scale) *scale = dense->scales;
            TFHRF_VALUE *pixel = out + out_x * out_column;
            for (int32_t c = 0; c < outputs; c += together) {
                int32_t sums[4] = {dense->bias[c], 0, 0, 0};
                for (int32_t k = 1; k < together; ++k) {
                    sums[k] = dense->bias[c + k];
                }
                for (int32_t i = high.first; i < high.last; ++i) {
                    const TFHRF_VALUE *x =
                        in + (origin + i * row_step + wide.first * column_step + c / multiplier);
                    const int8_t *w =
                        dense->weights + (i * window->kernel_width + wide.first) * outputs + c;
                    if (together == 4) {
                        TFHRF_OF(add_taps4, )(x, column_step, window, w, outputs,
                                              wide.last - wide.first, sums);
                        continue;
                    }
                    for (int32_t left = wide.last - wide.first; left > 0; --left) {
                        sums[0] += TFHRF_OF(tap, )(*x, window, *w);
                        x += column_step;
                        w += outputs;
                    }
                }
                for (int32_t k = 0; k < together; ++k) {
                    *pixel = TFHRF_OF(channel, )(sums[k], scale, dense);
                    pixel += out_step;
                    scale += dense->scale_step;
                }
            }
        }
        ++out_y;
        out += out_row;
    }
}
