/* A function of one 16-bit value: a line for each of 256 parts of its range. */
#ifndef TFHRF_LINES16_H_
#define TFHRF_LINES16_H_

#include "tfhrf_elementwise16.h"

typedef struct {
    int16_t middle; /* of the part, as a value */
    int16_t base;   /* the result there */
    int16_t slope;
} tfhrf_line16;

typedef struct {
    int32_t columns;
    tfhrf_scale part; /* from a value to 8 bits, which tell the part */
    tfhrf_sum16 rest; /* value - middle */
    tfhrf_product16 product;
    tfhrf_sum16 sum;
    const tfhrf_line16 *lines;
} tfhrf_lines16;

TFHRF_KERNEL void tfhrf_lines16_rows(const int16_t *in, tfhrf_strides from, int16_t *out,
                                     tfhrf_strides to, int32_t rows, const tfhrf_lines16 *p)
{
    const tfhrf_scale part = p->part;
    const tfhrf_scale16 scale = p->product.scale;
    const tfhrf_line16 *const lines = p->lines + 128;
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t x = in[i * from.step];
            const int32_t place = tfhrf_saturate(tfhrf_rescale_any(x, &part));
            const tfhrf_line16 line = lines[place];
            const int32_t rest = tfhrf_subtract16_value(x, line.middle, &p->rest);
            const int32_t over =
                tfhrf_saturate16(tfhrf_rescale16_once(line.slope * rest, scale));
            out[i * to.step] = tfhrf_add16_value(line.base, over, &p->sum);
        }
        in += from.row;
        out += to.row;
    }
}

#endif
