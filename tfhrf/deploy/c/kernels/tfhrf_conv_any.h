/* What windows see, of 8-bit and 16-bit kernels. */

TFHRF_INLINE void TFHRF_OF(copy, )(const TFHRF_VALUE *from, int32_t count, TFHRF_VALUE *to)
{
    const int32_t word = 4 / (int32_t)sizeof *to;
#if TFHRF_MVE
    /* As bytes, which may lie anywhere. */
    for (; count >= 4 * word; count -= 4 * word) {
        vstrbq_u8((uint8_t *)(void *)to, vldrbq_u8((const uint8_t *)(const void *)from));
        to += 4 * word;
        from += 4 * word;
    }
    if (count > 0) {
        const mve_pred16_t lanes = vctp8q((uint32_t)(count * (int32_t)sizeof *to));
        vstrbq_p_u8((uint8_t *)(void *)to,
                    vldrbq_z_u8((const uint8_t *)(const void *)from, lanes), lanes);
    }
#else
    for (; count >= word; count -= word) {
        memcpy(to, from, 4);
        to += word;
        from += word;
    }
    /* Written out: compilers call memcpy for a loop. */
    if (count > 0) {
        to[0] = from[0];
        if (count > 1) {
            to[1] = from[1];
        }
        if (count > 2) {
            to[2] = from[2];
        }
    }
#endif
}

/* Writes `count` times what is around an image, whose bytes are equal; returns what is behind. */
TFHRF_INLINE TFHRF_VALUE *TFHRF_OF(pad, )(TFHRF_VALUE *to, int32_t count,
                                          const tfhrf_window *window)
{
    const int32_t padding = TFHRF_OF(padding, )(window);
#if TFHRF_MVE
    uint8_t *at = (uint8_t *)(void *)to;
    for (int32_t left = count * (int32_t)sizeof *to; left > 0; left -= 16) {
        vstrbq_p_u8(at, vdupq_n_u8((uint8_t)padding), vctp8q((uint32_t)left));
        at += 16;
    }
#else
    if (count > 0) {
        memset(to, padding, (size_t)count * sizeof *to);
    }
#endif
    return to + count;
}

/* Copies what the window at an output pixel sees. */
TFHRF_KERNEL void TFHRF_OF(patch, )(const TFHRF_VALUE *in, const tfhrf_window *window,
                                    int32_t out_y, int32_t out_x, TFHRF_VALUE *patch)
{
    const int32_t first_y = out_y * window->stride_height - window->top;
    const int32_t first_x = out_x * window->stride_width - window->left;
    const int32_t line = window->kernel_width * window->channels;
    const int32_t whole = tfhrf_is_whole(window, first_x);
    const int32_t reach = (window->kernel_height - 1) * window->dilation_height;
    if (whole != 0 && first_y >= 0 && first_y + reach < window->height) {
        /* Most windows. */
        const ptrdiff_t step = window->dilation_height * window->row;
        const TFHRF_VALUE *from = in + first_y * window->row + first_x * window->column;
        for (int32_t left = window->kernel_height; left > 0; --left) {
            TFHRF_OF(copy, )(from, line, patch);
            from += step;
            patch += line;
        }
        return;
    }
    const int32_t channels = window->channels;
    const tfhrf_taps inside =
        tfhrf_inside(first_x, window->kernel_width, window->dilation_width, window->width);
    for (int32_t i = 0; i < window->kernel_height; ++i) {
        const int32_t y = first_y + i * window->dilation_height;
        if (y < 0 || y >= window->height) {
            patch = TFHRF_OF(pad, )(patch, line, window);
            continue;
        }
        patch = TFHRF_OF(pad, )(patch, inside.first * channels, window);
        int32_t run = channels;
        int32_t runs = inside.last - inside.first;
        if (window->column == channels && window->dilation_width == 1) {
            /* Pixel after pixel in memory. */
            run *= runs;
            runs = 1;
        }
        const TFHRF_VALUE *from = in + y * window->row +
                                  (first_x + inside.first * window->dilation_width) * window->column;
        for (; runs > 0; --runs) {
            TFHRF_OF(copy, )(from, run, patch);
            from += window->dilation_width * window->column;
            patch += run;
        }
        patch = TFHRF_OF(pad, )(patch, (window->kernel_width - inside.last) * channels, window);
    }
}

/* Lines of the output from `out_y` on; `scratch` holds `room` rows of patches, then one patch. */
TFHRF_KERNEL void TFHRF_OF(conv, _rows)(const TFHRF_VALUE *in, TFHRF_VALUE *out, ptrdiff_t out_row,
                                        ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                        int32_t rows, const tfhrf_window *window,
                                        const TFHRF_OF(dense, ) *dense, tfhrf_pair *scratch,
                                        int32_t room)
{
    int32_t width = window->out_width;
    out_column = width == 1 ? out_row : out_column;
    if (out_row == width * out_column) {
        /* One line after the other is one long line. */
        width *= rows;
        rows = 1;
    }
    int32_t x = 0;
    TFHRF_OF(eight, ) eight = TFHRF_OF(eight, _of)(dense, out_column, out_step);
    for (; rows > 0; --rows) {
        TFHRF_VALUE *pixel = out;
        for (int32_t left = width; left > 0;) {
            const int32_t laid = TFHRF_FOUR && room == 4 && left >= 4 ? 4 : 2;
            const int32_t count = left < laid ? left : laid;
            for (int32_t i = 0; i < count; ++i) {
                TFHRF_OF(lay_patch, )(in, window, out_y, x, dense, scratch, i, laid);
                ++x;
                if (x == window->out_width) {
                    x = 0;
                    ++out_y;
                }
            }
            TFHRF_OF(conv_pixels, )(&eight, dense, scratch, count, pixel, out_column, out_step);
            pixel += count * out_column;
            left -= count;
        }
        out += out_row;
    }
}
