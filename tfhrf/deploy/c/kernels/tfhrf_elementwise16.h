/* Element by element, 16 bits: binary operators, sigmoids, and what has two slopes. */
#ifndef TFHRF_ELEMENTWISE16_H_
#define TFHRF_ELEMENTWISE16_H_

#include "tfhrf_int16.h"

#include "tfhrf_of16.h"
#include "tfhrf_pairs_any.h"

typedef struct {
    int32_t columns;
    int32_t left; /* bits by which the inputs are shifted first */
    tfhrf_scale scale1;
    tfhrf_scale scale2;
    tfhrf_scale scale;
    int32_t low; /* the least output */
} tfhrf_binary16;

/* ADD (0), SUB (1), MUL (2), SQUARED_DIFFERENCE (3), of any scales. */
TFHRF_INLINE int32_t tfhrf_binary16_value(int32_t a, int32_t b, const tfhrf_binary16 *p,
                                          int32_t kind)
{
    if (kind == 2) {
        a *= b;
    } else {
        a = tfhrf_rescale_any(tfhrf_shift_left(a, p->left), &p->scale1);
        b = tfhrf_rescale_any(tfhrf_shift_left(b, p->left), &p->scale2);
        a = kind == 0 ? a + b : a - b;
        a = kind == 3 ? (int32_t)((uint32_t)a * (uint32_t)a) : a;
    }
    return tfhrf_at_least(tfhrf_saturate16(tfhrf_rescale_any(a, &p->scale)), p->low);
}

TFHRF_KERNEL void tfhrf_binary16_rows(const int16_t *in1, tfhrf_strides from1,
                                      const int16_t *in2, tfhrf_strides from2, int16_t *out,
                                      tfhrf_strides to, int32_t rows, const tfhrf_binary16 *p,
                                      int32_t kind)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t a = in1[i * from1.step];
            const int32_t b = in2[i * from2.step];
            out[i * to.step] = (int16_t)tfhrf_binary16_value(a, b, p, kind);
        }
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}


/* ADD and SUB whose result is not shifted left. */
typedef struct {
    int32_t columns;
    tfhrf_scale16 scale1; /* to the scale that both share */
    tfhrf_scale16 scale2;
    tfhrf_scale16 scale;
    int32_t low; /* the least output */
} tfhrf_sum16;

/* A value on the scale that both operands share; it is shifted left by 15 bits, and doubled. */
TFHRF_INLINE int32_t tfhrf_align16(int32_t q, tfhrf_scale16 scale)
{
    return tfhrf_rescale16(tfhrf_shift_left(q, 16), scale);
}

/* 16 bits of a doubled difference or sum of two aligned values. */
TFHRF_INLINE int32_t tfhrf_finish16(int32_t sum, tfhrf_scale16 scale)
{
    return tfhrf_saturate16(tfhrf_rescale16(tfhrf_shift_left(sum, 1), scale));
}

TFHRF_INLINE int16_t tfhrf_add16_value(int32_t a, int32_t b, const void *sum)
{
    const tfhrf_sum16 *const p = sum;
    const int32_t total = tfhrf_align16(a, p->scale1) + tfhrf_align16(b, p->scale2);
    return (int16_t)tfhrf_at_least(tfhrf_finish16(total, p->scale), p->low);
}

TFHRF_INLINE int16_t tfhrf_subtract16_value(int32_t a, int32_t b, const void *sum)
{
    const tfhrf_sum16 *const p = sum;
    const int32_t total = tfhrf_align16(a, p->scale1) - tfhrf_align16(b, p->scale2);
    return (int16_t)tfhrf_at_least(tfhrf_finish16(total, p->scale), p->low);
}

/* Whether an aligned value is the value shifted left by 14 bits: its scale is the larger one. */
TFHRF_INLINE int32_t tfhrf_is_half16(const tfhrf_scale16 *scale)
{
    return scale->multiplier == 0x40000000 && scale->right == 0 && scale->left == 0 ? 1 : 0;
}

/* A row of sums where that is so of the first input. */
TFHRF_INLINE void tfhrf_add16_dense(const int16_t *x1, const int16_t *x2, tfhrf_scale16 scale2,
                                    int16_t *y, const tfhrf_sum16 *p)
{
    const tfhrf_scale16 scale = p->scale;
    const int32_t low = p->low;
    const int16_t *const last = x1 + p->columns;
#if TFHRF_MVE
    for (int32_t fours = p->columns / 4; fours > 0; --fours) {
        const int32x4_t b = tfhrf_rescale16_4(vshlq_n_s32(vldrhq_s32(x2), 16), scale2);
        const int32x4_t sum = vaddq_s32(vshlq_n_s32(vldrhq_s32(x1), 15), vshlq_n_s32(b, 1));
        const int32x4_t q = tfhrf_saturate16_4(tfhrf_rescale16_4(sum, scale));
        vstrhq_s32(y, vmaxq_s32(q, vdupq_n_s32(low)));
        x1 += 4;
        x2 += 4;
        y += 4;
    }
#endif
    while (x1 != last) {
        const int32_t b = tfhrf_align16(*x2++, scale2);
        const int32_t sum = tfhrf_shift_left(*x1++, 15) + tfhrf_shift_left(b, 1);
        *y++ = (int16_t)tfhrf_at_least(tfhrf_saturate16(tfhrf_rescale16(sum, scale)), low);
    }
}

TFHRF_KERNEL void tfhrf_add16_rows(const int16_t *in1, tfhrf_strides from1, const int16_t *in2,
                                   tfhrf_strides from2, int16_t *out, tfhrf_strides to,
                                   int32_t rows, const tfhrf_sum16 *p)
{
    /* A copy: what is written might change what `p` points to. */
    const tfhrf_sum16 sum = *p;
    const int32_t half1 = tfhrf_is_half16(&sum.scale1);
    if (from1.step != 1 || from2.step != 1 || to.step != 1 ||
        (half1 == 0 && tfhrf_is_half16(&sum.scale2) == 0)) {
        tfhrf_pairs16(in1, from1, in2, from2, out, to, rows, &p->columns, tfhrf_add16_value, &sum);
        return;
    }
    for (; rows > 0; --rows) {
        if (half1 != 0) {
            tfhrf_add16_dense(in1, in2, sum.scale2, out, &sum);
        } else {
            tfhrf_add16_dense(in2, in1, sum.scale1, out, &sum);
        }
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}

TFHRF_KERNEL void tfhrf_subtract16_rows(const int16_t *in1, tfhrf_strides from1,
                                        const int16_t *in2, tfhrf_strides from2, int16_t *out,
                                        tfhrf_strides to, int32_t rows, const tfhrf_sum16 *p)
{
    /* A copy: what is written might change what `p` points to. */
    const tfhrf_sum16 sum = *p;
    tfhrf_pairs16(in1, from1, in2, from2, out, to, rows, &p->columns, tfhrf_subtract16_value, &sum);
}

/* MUL whose result is not shifted left. */
typedef struct {
    int32_t columns;
    tfhrf_scale16 scale;
    int32_t low; /* the least output */
} tfhrf_product16;

TFHRF_KERNEL void tfhrf_multiply16_rows(const int16_t *in1, tfhrf_strides from1,
                                        const int16_t *in2, tfhrf_strides from2, int16_t *out,
                                        tfhrf_strides to, int32_t rows,
                                        const tfhrf_product16 *p)
{
    const tfhrf_scale16 scale = p->scale;
    const int32_t low = p->low;
#if TFHRF_MVE
    const int32_t dense = from1.step == 1 && from2.step == 1 && to.step == 1 ? 1 : 0;
#endif
    for (; rows > 0; --rows) {
        const int16_t *x1 = in1;
        const int16_t *x2 = in2;
        int16_t *y = out;
        int32_t left = p->columns;
#if TFHRF_MVE
        for (; dense != 0 && left >= 4; left -= 4) {
            const int32x4_t product = vmulq_s32(vldrhq_s32(x1), vldrhq_s32(x2));
            const int32x4_t high = vqrdmulhq_s32(product, vdupq_n_s32(scale.multiplier));
            const int32x4_t q = tfhrf_saturate16_4(tfhrf_round16_4(high, scale));
            vstrhq_s32(y, vmaxq_s32(q, vdupq_n_s32(low)));
            x1 += 4;
            x2 += 4;
            y += 4;
        }
#endif
        for (; left > 0; --left) {
            const int32_t q = tfhrf_saturate16(tfhrf_rescale16_once(*x1 * *x2, scale));
            *y = (int16_t)tfhrf_at_least(q, low);
            x1 += from1.step;
            x2 += from2.step;
            y += to.step;
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

TFHRF_KERNEL void tfhrf_sigmoid16_rows(const int16_t *in, tfhrf_strides from, int16_t *out,
                                       tfhrf_strides to, int32_t rows, const tfhrf_sigmoid16 *p,
                                       int32_t bits)
{
    const tfhrf_sigmoid16 sigmoid = *p;
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < sigmoid.columns; ++i) {
            out[i * to.step] = tfhrf_sigmoid_value(in[i * from.step], &sigmoid, bits);
        }
        in += from.row;
        out += to.row;
    }
}

/* RELU, LEAKY_RELU, QUANTIZE, CLAMP: a scale for values from zero on, one for those below. */
typedef struct {
    int32_t columns;
    tfhrf_scale above;
    tfhrf_scale below;
    int32_t low;  /* the least output */
    int32_t high; /* the largest output */
} tfhrf_slopes16;

TFHRF_KERNEL void tfhrf_slopes16_rows(const int16_t *in, tfhrf_strides from, int16_t *out,
                                      tfhrf_strides to, int32_t rows, const tfhrf_slopes16 *p)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < p->columns; ++i) {
            const int32_t x = in[i * from.step];
            const int32_t q = tfhrf_at_least(
                tfhrf_rescale_any(x, x < 0 ? &p->below : &p->above), p->low);
            out[i * to.step] = (int16_t)(q < p->high ? q : p->high);
        }
        in += from.row;
        out += to.row;
    }
}

#endif
