/* RESIZE_BILINEAR, int8. */
#ifndef TFHRF_BILINEAR_H_
#define TFHRF_BILINEAR_H_

#include "tfhrf_common.h"

/* The two lines or columns that one lies between, and 1024ths of the second one. */
typedef struct {
    int16_t lower;
    int16_t upper;
    int32_t share;
} tfhrf_between;

typedef struct {
    int32_t width; /* of the output */
    int32_t channels;
    ptrdiff_t row; /* of the input: from one line to the next */
    ptrdiff_t column;
    ptrdiff_t channel;
    const tfhrf_between *lines;
    const tfhrf_between *columns;
} tfhrf_bilinear;

/* Lines of the output from `out_y` on. */
TFHRF_KERNEL void tfhrf_bilinear_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                      ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                      int32_t rows, const tfhrf_bilinear *p)
{
    for (; rows > 0; --rows) {
        const tfhrf_between y = p->lines[out_y];
        const int8_t *const top = in + y.lower * p->row;
        const int8_t *const bottom = in + y.upper * p->row;
        for (int32_t out_x = 0; out_x < p->width; ++out_x) {
            const tfhrf_between x = p->columns[out_x];
            const int32_t left = 1024 - x.share;
            for (int32_t c = 0; c < p->channels; ++c) {
                const ptrdiff_t at0 = x.lower * p->column + c * p->channel;
                const ptrdiff_t at1 = x.upper * p->column + c * p->channel;
                const int32_t above = top[at0] * left + top[at1] * x.share;
                const int32_t below = bottom[at0] * left + bottom[at1] * x.share;
                const int32_t sum = above * (1024 - y.share) + below * y.share;
                const int32_t half = sum > 0 ? 1 << 19 : -(1 << 19);
                out[out_x * out_column + c * out_step] = (int8_t)((sum + half) / (1 << 20));
            }
        }
        ++out_y;
        out += out_row;
    }
}

#endif
