/* Operators on 16-bit values with zero point 0; weights have 8 bits, sums of products 64. */
#ifndef TFHRF_INT16_H_
#define TFHRF_INT16_H_

#include "tfhrf_common.h"

typedef struct {
    ptrdiff_t row;
    ptrdiff_t step;
} tfhrf_strides16;

/* q = sum * multiplier * 2^-shift, rounded once; the multiplier has 15 bits. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} tfhrf_wide_scale;

TFHRF_INLINE int16_t tfhrf_saturate16(int32_t value, int32_t low)
{
    const int32_t above = value < low ? low : value;
    return (int16_t)(above > 32767 ? 32767 : above);
}

TFHRF_INLINE int32_t tfhrf_rescale_wide(int64_t sum, tfhrf_wide_scale scale)
{
    return (int32_t)((sum * scale.multiplier + ((int64_t)1 << (scale.shift - 1))) >> scale.shift);
}

typedef struct {
    const int8_t *weights; /* [outputs][depth] */
    const int64_t *bias;
    const tfhrf_wide_scale *scales;
    int32_t depth;
    int32_t outputs;
    int32_t scale_step; /* 1 where each output has its own scale, else 0 */
    int32_t low;        /* the least output */
} tfhrf_dense16;

/* 256 products of 16 and 8 bits fit in 32. */
TFHRF_INLINE int64_t tfhrf_dot16(const int16_t *x, const int8_t *w, int32_t depth)
{
    int64_t sum = 0;
    while (depth > 0) {
        const int32_t part = depth < 256 ? depth : 256;
        int32_t partial = 0;
        for (int32_t i = 0; i < part; ++i) {
            partial += x[i] * w[i];
        }
        sum += partial;
        x += part;
        w += part;
        depth -= part;
    }
    return sum;
}

TFHRF_KERNEL void tfhrf_dense16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                     ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                     const tfhrf_dense16 *dense)
{
    for (; rows > 0; --rows) {
        for (int32_t c = 0; c < dense->outputs; ++c) {
            const int64_t sum =
                dense->bias[c] + tfhrf_dot16(in, dense->weights + c * dense->depth, dense->depth);
            out[c * out_step] = tfhrf_saturate16(
                tfhrf_rescale_wide(sum, dense->scales[c * dense->scale_step]), dense->low);
        }
        in += in_stride;
        out += out_stride;
    }
}

typedef struct {
    int32_t height;
    int32_t width;
    int32_t channels;
    ptrdiff_t row;
    ptrdiff_t column;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t top;
    int32_t left;
    int32_t out_width;
    int32_t zero_point;
} tfhrf_window16;

/* CONV_2D with weights [outputs][height][width][channels] where `multiplier` is 0, else
 * DEPTHWISE_CONV_2D with weights [outputs][height][width]. */
TFHRF_KERNEL void tfhrf_conv16_rows(const int16_t *in, int16_t *out, ptrdiff_t out_row,
                                    ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                    int32_t rows, const tfhrf_window16 *window,
                                    const tfhrf_dense16 *dense, int32_t multiplier)
{
    const int32_t taps = multiplier == 0 ? window->channels : 1;
    /* Pixel after pixel: what a line of the kernel sees is one run of values. */
    const int32_t whole = multiplier == 0 && window->dilation_width == 1 &&
                                  window->column == window->channels
                              ? 1
                              : 0;
    for (; rows > 0; --rows) {
        for (int32_t out_x = 0; out_x < window->out_width; ++out_x) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const int32_t first = first_x < 0 ? -first_x : 0;
            const int32_t beyond = first_x + window->kernel_width - window->width;
            const int32_t last = window->kernel_width - (beyond > 0 ? beyond : 0);
            for (int32_t c = 0; c < dense->outputs; ++c) {
                const int16_t *const channel = multiplier == 0 ? in : in + c / multiplier;
                const int8_t *weights = dense->weights + c * dense->depth;
                int64_t sum = dense->bias[c];
                for (int32_t i = 0; i < window->kernel_height; ++i) {
                    const int32_t y =
                        out_y * window->stride_height - window->top + i * window->dilation_height;
                    if (whole != 0) {
                        if (y >= 0 && y < window->height && last > first) {
                            sum += tfhrf_dot16(
                                in + y * window->row + (first_x + first) * window->column,
                                weights + first * taps, (last - first) * taps);
                        }
                        weights += window->kernel_width * taps;
                        continue;
                    }
                    for (int32_t j = 0; j < window->kernel_width; ++j) {
                        const int32_t x = first_x + j * window->dilation_width;
                        if (y >= 0 && y < window->height && x >= 0 && x < window->width) {
                            sum += tfhrf_dot16(channel + y * window->row + x * window->column,
                                               weights, taps);
                        }
                        weights += taps;
                    }
                }
                out[out_x * out_column + c * out_step] = tfhrf_saturate16(
                    tfhrf_rescale_wide(sum, dense->scales[c * dense->scale_step]), dense->low);
            }
        }
        ++out_y;
        out += out_row;
    }
}

typedef struct {
    int32_t depth;
    int32_t columns;
    tfhrf_wide_scale scale;
} tfhrf_matmul16;

TFHRF_KERNEL void tfhrf_matmul16_rows(const int16_t *in, ptrdiff_t in_stride,
                                      const int16_t *right, ptrdiff_t right_stride, int16_t *out,
                                      ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                      const tfhrf_matmul16 *p)
{
    for (; rows > 0; --rows) {
        for (int32_t c = 0; c < p->columns; ++c) {
            const int16_t *const other = right + c * right_stride;
            int64_t sum = 0;
            for (int32_t i = 0; i < p->depth; ++i) {
                sum += in[i] * other[i];
            }
            out[c * out_step] = tfhrf_saturate16(tfhrf_rescale_wide(sum, p->scale), -32768);
        }
        in += in_stride;
        out += out_stride;
    }
}

typedef struct {
    int32_t columns;
    int32_t left; /* bits by which the inputs are shifted first */
    tfhrf_scale scale1;
    tfhrf_scale scale2;
    tfhrf_scale scale;
    int32_t low; /* the least output */
} tfhrf_binary16;

/* ADD (0), SUB (1), MUL (2), SQUARED_DIFFERENCE (3) */
TFHRF_KERNEL void tfhrf_binary16_rows(const int16_t *in1, tfhrf_strides16 from1,
                                      const int16_t *in2, tfhrf_strides16 from2, int16_t *out,
                                      tfhrf_strides16 to, int32_t rows, const tfhrf_binary16 *p,
                                      int32_t kind)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            int32_t a = in1[i * from1.step];
            int32_t b = in2[i * from2.step];
            if (kind == 2) {
                a *= b;
            } else {
                a = tfhrf_rescale_any(tfhrf_shift_left(a, p->left), &p->scale1);
                b = tfhrf_rescale_any(tfhrf_shift_left(b, p->left), &p->scale2);
                a = kind == 0 ? a + b : a - b;
                a = kind == 3 ? (int32_t)((uint32_t)a * (uint32_t)a) : a;
            }
            out[i * to.step] = tfhrf_saturate16(tfhrf_rescale_any(a, &p->scale), p->low);
        }
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}

typedef struct {
    int32_t columns;
    int32_t multiplier;
    int32_t shift;
    const uint16_t *table; /* sigmoid(i / 24), 16 fractional bits */
} tfhrf_sigmoid16;

/* Interpolates sigmoid or, at twice the argument, tanh. */
TFHRF_INLINE int16_t tfhrf_sigmoid_value(int32_t q, const tfhrf_sigmoid16 *p, int32_t bits)
{
    const int32_t round = p->shift > 0 ? 1 << (p->shift - 1) : 0;
    const int32_t x = (q * p->multiplier + round) >> p->shift;
    const uint32_t magnitude = (uint32_t)(x < 0 ? -x : x);
    const uint32_t index = magnitude >> bits;
    const uint32_t mask = ((uint32_t)1 << bits) - 1U;
    uint32_t y;
    if (index >= 255U) {
        y = bits == 9 ? (uint32_t)0x7fff << 10 : (uint32_t)0xffff << 8;
    } else {
        const uint32_t low = p->table[index];
        const uint32_t high = p->table[index + 1U];
        y = (low << bits) + (magnitude & mask) * (high - low);
    }
    const int32_t value = (int32_t)y;
    if (bits == 9) {
        const int32_t sum = x >= 0 ? value + 512 : (1 << 25) - value + 511;
        return (int16_t)(sum >> 10);
    }
    const int32_t sum = x >= 0 ? value - (1 << 23) + 128 : (1 << 23) - value + 127;
    return (int16_t)(sum >> 8);
}

TFHRF_KERNEL void tfhrf_sigmoid16_rows(const int16_t *in, tfhrf_strides16 from, int16_t *out,
                                       tfhrf_strides16 to, int32_t rows, const tfhrf_sigmoid16 *p,
                                       int32_t bits)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            out[i * to.step] = tfhrf_sigmoid_value(in[i * from.step], p, bits);
        }
        in += from.row;
        out += to.row;
    }
}

TFHRF_INLINE int32_t tfhrf_product16(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + 0x40000000) >> 31);
}

/* 1 / sqrt(value) times 2^20 for value > 1: five Newton steps. */
TFHRF_INLINE int32_t tfhrf_inverse_root(int32_t value)
{
    int32_t shift = 11;
    int32_t input = value;
    while (input < (1 << 27)) {
        input *= 4;
        --shift;
    }
    const int32_t half = ((input >> 1) + 1) >> 1;
    int32_t x = 1 << 28;
    for (int32_t step = 0; step < 5; ++step) {
        const int32_t cube = tfhrf_product16(tfhrf_product16(x, x), x) * 64;
        x = (tfhrf_product16((1 << 28) + (1 << 27), x) - tfhrf_product16(half, cube)) * 8;
    }
    x = tfhrf_product16(x, 1518500250);
    if (shift < 0) {
        x = tfhrf_shift_left(x, -shift);
        shift = 0;
    }
    const tfhrf_scale scale = {x, 0, 0, (int16_t)(20 - shift), 0};
    return tfhrf_rescale_any(1, &scale);
}

/* Returns 1 where an input is negative, as TensorFlow Lite Micro stops there. */
TFHRF_KERNEL int tfhrf_inverse_root16_rows(const int16_t *in, tfhrf_strides16 from, int16_t *out,
                                           tfhrf_strides16 to, int32_t rows, int32_t columns,
                                           const tfhrf_scale *scale)
{
    int status = 0;
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < columns; ++i) {
            const int32_t q = in[i * from.step];
            if (q <= 0) {
                status = q < 0 ? 1 : status;
                out[i * to.step] = 32767;
            } else {
                /* The largest multiplier stands for one. */
                const tfhrf_scale one = {0x7fffffff, 0, 0, 20, 0};
                const int32_t root = q == 1 ? tfhrf_rescale_any(1, &one) : tfhrf_inverse_root(q);
                out[i * to.step] = tfhrf_saturate16(tfhrf_rescale_any(root, scale), -32768);
            }
        }
        in += from.row;
        out += to.row;
    }
    return status;
}

typedef struct {
    int32_t columns;
    int32_t counts[3];
    int32_t steps[3];
    tfhrf_scale scale;
} tfhrf_reduce16;

TFHRF_KERNEL void tfhrf_mean16_rows(const int16_t *in, ptrdiff_t in_stride, ptrdiff_t in_step,
                                    int16_t *out, ptrdiff_t out_stride, ptrdiff_t out_step,
                                    int32_t rows, const tfhrf_reduce16 *p)
{
    for (; rows > 0; --rows) {
        for (int32_t c = 0; c < p->columns; ++c) {
            const int16_t *const x = in + c * in_step;
            int32_t sum = 0;
            for (int32_t i = 0; i < p->counts[0]; ++i) {
                for (int32_t j = 0; j < p->counts[1]; ++j) {
                    for (int32_t k = 0; k < p->counts[2]; ++k) {
                        sum += x[i * p->steps[0] + j * p->steps[1] + k * p->steps[2]];
                    }
                }
            }
            out[c * out_step] = tfhrf_saturate16(tfhrf_rescale_any(sum, &p->scale), -32768);
        }
        in += in_stride;
        out += out_stride;
    }
}

typedef struct {
    int32_t columns;
    tfhrf_scale scale;           /* of differences to a row's maximum: -65535 is -10 */
    const int16_t *exponentials; /* exp on [-10, 0]: 512 intervals */
    const int16_t *reciprocals;  /* 1 / (1 + x) on [0, 1] */
} tfhrf_softmax16;

TFHRF_INLINE int32_t tfhrf_interpolate(int32_t value, const int16_t *table)
{
    const int32_t index = 256 + (value >> 7);
    const int32_t slope = table[index + 1] - table[index];
    return (int16_t)(table[index] + ((slope * (value & 0x7f) + 64) >> 7));
}

TFHRF_KERNEL void tfhrf_softmax16_rows(const int16_t *in, ptrdiff_t in_stride, int16_t *out,
                                       ptrdiff_t out_stride, int32_t rows,
                                       const tfhrf_softmax16 *p)
{
    for (; rows > 0; --rows) {
        int32_t highest = in[0];
        for (int32_t i = 1; i < p->columns; ++i) {
            highest = in[i] > highest ? in[i] : highest;
        }
        int32_t sum = 0;
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t scaled = tfhrf_rescale_any(in[i] - highest, &p->scale) + 32767;
            out[i] = (int16_t)tfhrf_interpolate(tfhrf_saturate16(scaled, -32768), p->exponentials);
            sum += out[i];
        }
        int32_t headroom = 0;
        while (((uint32_t)sum << headroom & 0x80000000U) == 0U) {
            ++headroom;
        }
        const int64_t shifted = (((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14;
        const int32_t centered = (int32_t)shifted - 0x18000;
        const int32_t factor =
            tfhrf_interpolate(tfhrf_saturate16(centered, -32768), p->reciprocals);
        const int32_t shift = 31 - headroom;
        for (int32_t i = 0; i < p->columns; ++i) {
            const int64_t product = (int64_t)out[i] * factor + ((int64_t)1 << (shift - 1));
            out[i] = tfhrf_saturate16((int32_t)(product >> shift), 0);
        }
        in += in_stride;
        out += out_stride;
    }
}

#endif
