/* DEPTHWISE_CONV_2D, int8, windows of 3 x 3 one pixel apart: two lines of outputs at a time. */
#ifndef TFHRF_DEPTHWISE_LINES_H_
#define TFHRF_DEPTHWISE_LINES_H_

#include "tfhrf_depthwise.h"

/* Outputs of a line that are computed at a time. */
#define TFHRF_STRIP 16

#if TFHRF_SIMD32 && !TFHRF_MVE
/* Where the four channels of a line's columns begin, outside the image at words of padding. */
typedef struct {
    const int8_t *at;
    ptrdiff_t step;
} tfhrf_line;

TFHRF_INLINE tfhrf_line tfhrf_line_of(const int8_t *in, const tfhrf_window *window, int32_t y,
                                      int32_t x, const int8_t *padding)
{
    tfhrf_line line = {padding, 0};
    if (y >= 0 && y < window->height) {
        line.at = in + y * window->row + x * window->column;
        line.step = window->column;
    }
    return line;
}

/*
 * Values of two lines, one above the other in pairs, of `count` columns and four channels that
 * lie `channel` pairs apart; columns are two pairs apart.
 */
TFHRF_INLINE void tfhrf_pair_columns(tfhrf_line upper, tfhrf_line lower, int32_t count,
                                     ptrdiff_t channel, tfhrf_pair *out)
{
    tfhrf_pair *const second = out + channel;
    tfhrf_pair *const third = second + channel;
    tfhrf_pair *const fourth = third + channel;
    for (int32_t i = 0; i < 2 * count; i += 2) {
        const uint32_t high = tfhrf_load_word(upper.at);
        const uint32_t low = tfhrf_load_word(lower.at);
        const uint32_t high_even = tfhrf_extend_even(high);
        const uint32_t low_even = tfhrf_extend_even(low);
        const uint32_t high_odd = tfhrf_extend_odd(high);
        const uint32_t low_odd = tfhrf_extend_odd(low);
        out[i].word = tfhrf_low_halves(high_even, low_even);
        second[i].word = tfhrf_low_halves(high_odd, low_odd);
        third[i].word = tfhrf_high_halves(high_even, low_even);
        fourth[i].word = tfhrf_high_halves(high_odd, low_odd);
        upper.at += upper.step;
        lower.at += lower.step;
    }
}

/* The same of any columns from `x` on and of the lines y and y + 1. */
TFHRF_INLINE void tfhrf_pair_lines(const int8_t *in, const tfhrf_window *window, int32_t y,
                                   int32_t x, int32_t count, tfhrf_pair *out)
{
    const uint32_t byte = (uint32_t)window->zero_point & 0xffU;
    const uint32_t word = byte * 0x01010101U;
    int8_t padding[4];
    memcpy(padding, &word, sizeof padding);
    const tfhrf_line outside = {padding, 0};
    const int32_t before = x < 0 ? -x : 0;
    const int32_t end = x + count > window->width ? window->width - x : count;
    const ptrdiff_t channel = 2 * count;
    tfhrf_pair_columns(outside, outside, before, channel, out);
    tfhrf_pair_columns(tfhrf_line_of(in, window, y, x + before, padding),
                       tfhrf_line_of(in, window, y + 1, x + before, padding), end - before,
                       channel, out + 2 * before);
    tfhrf_pair_columns(outside, outside, count - end, channel, out + 2 * end);
}

/* Adds the products of a column with its three weights to one output and to that below it. */
TFHRF_INLINE void tfhrf_add_column(const tfhrf_pair *x, uint32_t upper, uint32_t lower,
                                   int32_t sums[2])
{
    const uint32_t high = x[0].word;
    const uint32_t low = x[1].word;
    sums[0] = tfhrf_dual(high, upper, sums[0]);
    sums[1] = __smlatb((int32_t)high, (int32_t)upper, sums[1]);
    sums[0] = __smlabt((int32_t)low, (int32_t)lower, sums[0]);
    sums[1] = tfhrf_dual(low, lower, sums[1]);
}

/* Two lines of `count` outputs, `next` apart, of one channel, from pairs of its lines. */
TFHRF_KERNEL void tfhrf_two_lines(const tfhrf_pair *x, const int8_t *w, const tfhrf_dense *dense,
                                  int32_t bias, int32_t zero_point, const tfhrf_scale *scale_of,
                                  int8_t *out, ptrdiff_t next, ptrdiff_t step, int32_t count)
{
    const ptrdiff_t line = 3 * dense->outputs;
    uint32_t upper[3];
    uint32_t lower[3];
    for (int32_t i = 0; i < 3; ++i) {
        const int32_t first = w[0] * (1 + TFHRF_TWICE);
        const int32_t second = w[line] * (1 + TFHRF_TWICE);
        const int32_t third = w[2 * line] * (1 + TFHRF_TWICE);
        upper[i] = tfhrf_low_halves((uint32_t)first, (uint32_t)second);
        lower[i] = tfhrf_low_halves((uint32_t)second, (uint32_t)third);
        bias -= zero_point * (first + second + third);
        w += dense->outputs;
    }
    /* Copies: a byte that is written might change what pointers point to. */
    const uint32_t upper0 = upper[0];
    const uint32_t upper1 = upper[1];
    const uint32_t upper2 = upper[2];
    const uint32_t lower0 = lower[0];
    const uint32_t lower1 = lower[1];
    const uint32_t lower2 = lower[2];
    const tfhrf_scale scale = *scale_of;
    const int8_t *const table = dense->final;
    for (; count > 0; --count) {
        int32_t sums[2] = {bias, bias};
        tfhrf_add_column(x, upper0, lower0, sums);
        tfhrf_add_column(x + 2, upper1, lower1, sums);
        tfhrf_add_column(x + 4, upper2, lower2, sums);
        tfhrf_put(sums, &scale, table, out, next);
        x += 2;
        out += step;
    }
}
#endif

/* Lines of the output from `out_y` on; `weights` are [3][3][outputs]. */
TFHRF_KERNEL void tfhrf_depthwise_lines_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                             ptrdiff_t out_column, ptrdiff_t out_step,
                                             int32_t out_y, int32_t rows,
                                             const tfhrf_window *window, const tfhrf_dense *dense,
                                             tfhrf_pair *scratch)
{
#if TFHRF_SIMD32 && !TFHRF_MVE
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t next = rows > 1 ? out_row : 0;
        const int32_t y = out_y - window->top;
        for (int32_t out_x = 0; out_x < window->out_width; out_x += TFHRF_STRIP) {
            const int32_t left = window->out_width - out_x;
            const int32_t count = left < TFHRF_STRIP ? left : TFHRF_STRIP;
            const int32_t columns = count + 2;
            for (int32_t c = 0; c < dense->outputs; c += 4) {
                tfhrf_pair_lines(in + c, window, y, out_x - window->left, columns, scratch);
                tfhrf_pair_lines(in + c, window, y + 2, out_x - window->left, columns,
                                 scratch + 1);
                for (int32_t k = c; k < c + 4; ++k) {
                    tfhrf_two_lines(scratch + 2 * columns * (k - c), dense->weights + k, dense,
                                    tfhrf_shift_left(dense->bias[k], TFHRF_TWICE),
                                    window->zero_point, dense->scales + k * dense->scale_step,
                                    out + out_x * out_column + k * out_step, next, out_column,
                                    count);
                }
            }
        }
        out_y += 2;
        out += 2 * out_row;
    }
#else
    (void)scratch;
    tfhrf_depthwise_rows(in, out, out_row, out_column, out_step, out_y, rows, window, dense, 1);
#endif
}

#endif
