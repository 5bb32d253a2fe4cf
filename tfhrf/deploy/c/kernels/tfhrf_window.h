/* What a window sees of an image: the geometry of convolutions and pools. */
#ifndef TFHRF_WINDOW_H_
#define TFHRF_WINDOW_H_

#include "tfhrf_common.h"

typedef struct {
    int32_t height;
    int32_t width;
    int32_t channels;
    ptrdiff_t row;    /* from one line of the input to the next */
    ptrdiff_t column; /* from one pixel to the next */
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t top;  /* lines of padding before the first */
    int32_t left; /* columns of padding before the first */
    int32_t out_width;
    int32_t zero_point; /* of the input; padding has this value */
} tfhrf_window;

/* The part of a kernel's taps [first, last) that lies inside the input. */
typedef struct {
    int32_t first;
    int32_t last;
} tfhrf_taps;

TFHRF_INLINE tfhrf_taps tfhrf_inside(int32_t start, int32_t taps, int32_t dilation, int32_t length)
{
    tfhrf_taps inside = {0, taps};
    while (inside.first < taps && start + inside.first * dilation < 0) {
        ++inside.first;
    }
    while (inside.last > inside.first && start + (inside.last - 1) * dilation >= length) {
        --inside.last;
    }
    return inside;
}

/* A sum by a count, rounded to the nearest, halves away from zero. */
TFHRF_INLINE int32_t tfhrf_average(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* Where windows lie whole in the columns of the input: outputs [first, last). */
TFHRF_INLINE tfhrf_taps tfhrf_whole_windows(const tfhrf_window *window)
{
    const int32_t stride = window->stride_width;
    const int32_t reach = (window->kernel_width - 1) * window->dilation_width;
    const int32_t places = window->width - reach + window->left;
    const int32_t after = places > 0 ? (places - 1) / stride + 1 : 0;
    const tfhrf_taps whole = {
        (window->left + stride - 1) / stride,
        after < window->out_width ? after : window->out_width,
    };
    return whole;
}

/* Whether nothing is to be padded in a line, and it is pixel after pixel in memory. */
TFHRF_INLINE int32_t tfhrf_is_whole(const tfhrf_window *window, int32_t first_x)
{
    return window->dilation_width == 1 && window->column == window->channels && first_x >= 0 &&
                   first_x + window->kernel_width <= window->width
               ? 1
               : 0;
}

#endif
