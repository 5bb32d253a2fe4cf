/*
 * DEPTHWISE_CONV_2D, int8, windows of three lines without gaps: where they are one line apart, two
 * lines of outputs at a time.
 */
#ifndef TFHRF_DEPTHWISE_LINES_H_
#define TFHRF_DEPTHWISE_LINES_H_

#include "tfhrf_depthwise.h"
#include "tfhrf_depthwise_patches.h"

/* Columns of a window at most. */
#define TFHRF_MOST_COLUMNS 9

/* Where the number of taps is known, all of a loop over them is written out. */
#if defined(__GNUC__)
#define TFHRF_DIRECTIVE(text) _Pragma(#text)
#define TFHRF_UNROLLED(count) TFHRF_DIRECTIVE(GCC unroll count)
#else
#define TFHRF_UNROLLED(count)
#endif

#if TFHRF_SIMD32 && !TFHRF_MVE
/* Where the columns of a line begin; lines outside the image are a word of padding. */
typedef struct {
    const int8_t *at;
    ptrdiff_t step;
    int32_t channels; /* all bits, or none: a word of padding has no others */
} tfhrf_line;

TFHRF_INLINE tfhrf_line tfhrf_line_of(const int8_t *in, const tfhrf_window *window, int32_t y,
                                      int32_t x, const int8_t *padding)
{
    tfhrf_line line = {padding, 0, 0};
    if (y >= 0 && y < window->height) {
        line.at = in + y * window->row + x * window->column;
        line.step = window->column;
        line.channels = -1;
    }
    return line;
}

/* The four channels of a line from the one `c` on. */
TFHRF_INLINE tfhrf_line tfhrf_line_from(tfhrf_line line, int32_t c)
{
    line.at += c & line.channels;
    return line;
}

/*
 * Values of two lines, one above the other in pairs, of `count` columns and four channels that
 * lie `channel` pairs apart; columns are two pairs apart.
 */
TFHRF_INLINE void tfhrf_pair_columns(tfhrf_line upper, tfhrf_line lower, int32_t count,
                                     ptrdiff_t channel, tfhrf_pair *out)
{
    for (int32_t i = 0; i < 2 * count; i += 2) {
        const uint32_t high = tfhrf_load_word(upper.at);
        const uint32_t low = tfhrf_load_word(lower.at);
        tfhrf_pair_channels(high, low, channel, out + i);
        upper.at += upper.step;
        lower.at += lower.step;
    }
}

/* The columns outside the image, of four channels that lie `channel` pairs apart. */
TFHRF_INLINE void tfhrf_pad_columns(int32_t zero_point, int32_t count, ptrdiff_t channel,
                                    tfhrf_pair *out)
{
    const uint32_t half = (uint32_t)zero_point & 0xffffU;
    for (int32_t i = 0; i < 2 * count; ++i) {
        for (int32_t k = 0; k < 4; ++k) {
            out[i + k * channel].word = half | (half << 16);
        }
    }
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

/* What a channel's outputs are made with; weights are TFHRF_TWICE, in pairs by column. */
typedef struct {
    uint32_t upper[TFHRF_MOST_COLUMNS]; /* the first line's and the second's */
    uint32_t lower[TFHRF_MOST_COLUMNS]; /* the second line's and the third's */
    int32_t bias; /* with the zero point folded in */
} tfhrf_filter;

TFHRF_INLINE tfhrf_filter tfhrf_filter_of(const tfhrf_dense *dense, int32_t channel,
                                          int32_t zero_point, int32_t taps)
{
    const int32_t outputs = dense->outputs;
    const int8_t *w = dense->weights + channel;
    tfhrf_filter filter;
    filter.bias = tfhrf_shift_left(dense->bias[channel], TFHRF_TWICE);
    TFHRF_UNROLLED(TFHRF_MOST_COLUMNS)
    for (int32_t i = 0; i < TFHRF_MOST_COLUMNS; ++i) {
        if (i < taps) {
            const int32_t first = w[0] * (1 + TFHRF_TWICE);
            const int32_t second = w[taps * outputs] * (1 + TFHRF_TWICE);
            const int32_t third = w[2 * taps * outputs] * (1 + TFHRF_TWICE);
            filter.upper[i] = tfhrf_low_halves((uint32_t)first, (uint32_t)second);
            filter.lower[i] = tfhrf_low_halves((uint32_t)second, (uint32_t)third);
            filter.bias -= zero_point * (first + second + third);
            w += outputs;
        }
    }
    return filter;
}

/* Two lines of `count` outputs, `next` apart, of one channel, from pairs of its lines. */
TFHRF_INLINE void tfhrf_two_lines_loop(const tfhrf_pair *x, const tfhrf_filter *filter_of,
                                       int32_t taps, const tfhrf_scale *scale_of,
                                       const int8_t *table, int8_t *out, ptrdiff_t next,
                                       int32_t stride, ptrdiff_t step, int32_t count)
{
    /* Copies: a byte that is written might change what pointers point to. */
    const tfhrf_filter filter = *filter_of;
    const tfhrf_scale scale = *scale_of;
    const int8_t *const end = out + count * step;
    /* There is one at least; the only one of a line may have no step. */
    do {
        int32_t sums[2] = {filter.bias, filter.bias};
        TFHRF_UNROLLED(TFHRF_MOST_COLUMNS)
        for (int32_t i = 0; i < TFHRF_MOST_COLUMNS; ++i) {
            if (i < taps) {
                tfhrf_add_column(x + 2 * i, filter.upper[i], filter.lower[i], sums);
            }
        }
        tfhrf_put(sums, &scale, table, out, next);
        x += 2 * stride;
        out += step;
    } while (out != end);
}

TFHRF_KERNEL void tfhrf_two_lines(const tfhrf_pair *x, const tfhrf_dense *dense, int32_t channel,
                                  int32_t taps, int32_t zero_point, int8_t *out, ptrdiff_t next,
                                  int32_t stride, ptrdiff_t step, int32_t count)
{
    const tfhrf_filter filter = tfhrf_filter_of(dense, channel, zero_point, taps);
    const tfhrf_scale *const scale = dense->scales + channel * dense->scale_step;
    if (dense->final != NULL) {
        tfhrf_two_lines_loop(x, &filter, taps, scale, dense->final, out, next, stride, step, count);
    } else if (stride == 1) {
        /* A register less. */
        tfhrf_two_lines_loop(x, &filter, taps, scale, NULL, out, next, 1, step, count);
    } else {
        tfhrf_two_lines_loop(x, &filter, taps, scale, NULL, out, next, stride, step, count);
    }
}

/* One line of outputs; windows are `stride` columns apart. */
TFHRF_INLINE void tfhrf_one_line_loop(const tfhrf_pair *x, const tfhrf_filter *filter_of,
                                      int32_t taps, const tfhrf_scale *scale_of,
                                      const int8_t *table, int8_t *out, int32_t stride,
                                      ptrdiff_t step, int32_t count)
{
    const tfhrf_filter filter = *filter_of;
    const tfhrf_scale scale = *scale_of;
    const int8_t *const end = out + count * step;
    do {
        int32_t sum = filter.bias;
        TFHRF_UNROLLED(TFHRF_MOST_COLUMNS)
        for (int32_t i = 0; i < TFHRF_MOST_COLUMNS; ++i) {
            if (i < taps) {
                sum = tfhrf_dual(x[2 * i].word, filter.upper[i], sum);
                sum = __smlabt((int32_t)x[2 * i + 1].word, (int32_t)filter.lower[i], sum);
            }
        }
        int32_t q = tfhrf_saturate(tfhrf_rescale_twice(sum, &scale));
        if (table != NULL) {
            q = table[q];
        }
        *out = (int8_t)q;
        x += 2 * stride;
        out += step;
    } while (out != end);
}

TFHRF_KERNEL void tfhrf_one_line(const tfhrf_pair *x, const tfhrf_dense *dense, int32_t channel,
                                 int32_t taps, int32_t zero_point, int8_t *out, int32_t stride,
                                 ptrdiff_t step, int32_t count)
{
    const tfhrf_filter filter = tfhrf_filter_of(dense, channel, zero_point, taps);
    const tfhrf_scale *const scale = dense->scales + channel * dense->scale_step;
    if (dense->final != NULL) {
        tfhrf_one_line_loop(x, &filter, taps, scale, dense->final, out, stride, step, count);
    } else {
        tfhrf_one_line_loop(x, &filter, taps, scale, NULL, out, stride, step, count);
    }
}
#endif

/* Lines of the output from `out_y` on; `weights` are [3][taps][outputs]. `columns` of the input are
 * laid out at a time. */
TFHRF_KERNEL void tfhrf_depthwise_lines_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                             ptrdiff_t out_column, ptrdiff_t out_step,
                                             int32_t out_y, int32_t rows,
                                             const tfhrf_window *window, const tfhrf_dense *dense,
                                             int32_t taps, tfhrf_pair *scratch, int32_t columns)
{
#if TFHRF_SIMD32 && !TFHRF_MVE
    const int32_t stride = window->stride_width;
    const int32_t most = (columns - taps) / stride + 1;
    const int32_t lines = window->stride_height == 1 ? 2 : 1;
    const uint32_t padding = ((uint32_t)window->zero_point & 0xffU) * 0x01010101U;
    const int8_t *const outside = (const int8_t *)(const void *)&padding;
    for (; rows > 0; rows -= lines) {
        const ptrdiff_t next = rows > 1 ? out_row : 0;
        const int32_t y = out_y * window->stride_height - window->top;
        for (int32_t out_x = 0; out_x < window->out_width; out_x += most) {
            const int32_t left = window->out_width - out_x;
            const int32_t count = left < most ? left : most;
            const int32_t width = (count - 1) * stride + taps;
            const int32_t x = out_x * stride - window->left;
            const int32_t before = x < 0 ? -x : 0;
            const int32_t end = x + width > window->width ? window->width - x : width;
            tfhrf_line seen[4];
            for (int32_t i = 0; i < 4; ++i) {
                seen[i] = tfhrf_line_of(in, window, y + i, x + before, outside);
            }
            /* All channels have the same padding: it is laid out once. */
            tfhrf_pad_columns(window->zero_point, before, 2 * width, scratch);
            tfhrf_pad_columns(window->zero_point, width - end, 2 * width, scratch + 2 * end);
            for (int32_t c = 0; c < dense->outputs; c += 4) {
                tfhrf_pair *const inside = scratch + 2 * before;
                tfhrf_pair_columns(tfhrf_line_from(seen[0], c), tfhrf_line_from(seen[1], c),
                                   end - before, 2 * width, inside);
                tfhrf_pair_columns(tfhrf_line_from(seen[2], c), tfhrf_line_from(seen[3], c),
                                   end - before, 2 * width, inside + 1);
                for (int32_t k = 0; k < 4; ++k) {
                    const tfhrf_pair *const pairs = scratch + 2 * width * k;
                    int8_t *const first = out + out_x * out_column + (c + k) * out_step;
                    if (lines == 2) {
                        tfhrf_two_lines(pairs, dense, c + k, taps, window->zero_point, first, next,
                                        stride, out_column, count);
                    } else {
                        tfhrf_one_line(pairs, dense, c + k, taps, window->zero_point, first, stride,
                                       out_column, count);
                    }
                }
            }
        }
        out_y += lines;
        out += lines * out_row;
    }
#else
    (void)scratch;
    (void)columns;
    (void)taps;
#if TFHRF_PATCHES
    const uintptr_t places = (uintptr_t)in | (uintptr_t)window->row | (uintptr_t)window->column;
    if (taps == 3 && window->stride_height == 1 && window->stride_width == 1 && places % 4U == 0U) {
        tfhrf_depthwise_patches(in, out, out_row, out_column, out_step, out_y, rows, window, dense);
        return;
    }
#endif
    tfhrf_depthwise_rows(in, out, out_row, out_column, out_step, out_y, rows, window, dense, 1);
#endif
}

#endif
