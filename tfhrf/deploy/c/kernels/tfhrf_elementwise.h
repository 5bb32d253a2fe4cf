/* Element by element, int8: activations by table; ADD, SUB, MUL, SQUARED_DIFFERENCE. */
#ifndef TFHRF_ELEMENTWISE_H_
#define TFHRF_ELEMENTWISE_H_

#include "tfhrf_common.h"

#include "tfhrf_of8.h"
#include "tfhrf_pairs_any.h"

typedef struct {
    int32_t columns;
    int32_t left;       /* bits by which the inputs are shifted first */
    int32_t zero_point1;
    int32_t zero_point2;
    tfhrf_scale scale1;
    tfhrf_scale scale2; /* negative: minus */
    tfhrf_scale scale;
    const int8_t *table; /* of an activation, at the index 0; or NULL */
} tfhrf_binary;

TFHRF_KERNEL void tfhrf_table_rows(const int8_t *in, tfhrf_strides from, int8_t *out,
                                   tfhrf_strides to, int32_t rows, int32_t columns,
                                   const int8_t *table)
{
    for (; rows > 0; --rows) {
        const int8_t *x = in;
        int8_t *y = out;
        for (int32_t left = columns; left > 0; --left) {
            *y = table[*x];
            x += from.step;
            y += to.step;
        }
        in += from.row;
        out += to.row;
    }
}

TFHRF_INLINE int8_t tfhrf_finish(int32_t value, const tfhrf_scale *scale, const int8_t *table)
{
    const int32_t q = tfhrf_saturate(tfhrf_rescale(value, scale));
    return (int8_t)(table != NULL ? table[q] : q);
}

/* An operand of ADD, SUB or SQUARED_DIFFERENCE, to be brought to the scale that both share. */
typedef struct {
    int32_t offset; /* minus the zero point, shifted */
    int32_t left;
    int32_t half; /* 1: its scale is halved, which is exact */
    tfhrf_scale scale;
} tfhrf_operand;

TFHRF_INLINE tfhrf_operand tfhrf_operand_of(int32_t zero_point, int32_t left,
                                            const tfhrf_scale *scale)
{
    const int32_t half = scale->right == 0 && scale->multiplier == 0x40000000 ? 1 : 0;
    /* TFHRF_TWICE the value, ready to be rescaled. */
    const int32_t bits = left + TFHRF_TWICE - half;
    const tfhrf_operand operand = {-tfhrf_shift_left(zero_point, bits), bits, half, *scale};
    return operand;
}

/* TFHRF_TWICE the operand on the common scale. */
TFHRF_INLINE int32_t tfhrf_align(int32_t q, tfhrf_operand operand)
{
    const int32_t shifted = tfhrf_shift_left(q, operand.left) + operand.offset;
    return operand.half != 0
               ? shifted
               : tfhrf_shift_left(tfhrf_rescale_twice(shifted, &operand.scale), TFHRF_TWICE);
}

/* Bits by which ADD and SUB shift their inputs. */
#define TFHRF_SUM_BITS 20
TFHRF_INLINE int32_t tfhrf_add_shifted(int32_t offset, int32_t q, int32_t bits)
{
    return offset + tfhrf_shift_left(q, bits);
}

#if TFHRF_VECTORS
TFHRF_INLINE int32x4_t tfhrf_align4(const int8_t *from, tfhrf_operand operand)
{
    const int32x4_t shifted =
        vaddq_n_s32(vshlq_r_s32(vldrbq_s32(from), operand.left), operand.offset);
    return operand.half != 0 ? shifted
                             : vshlq_n_s32(tfhrf_rescale4(shifted, operand.scale), TFHRF_TWICE);
}
#endif

/* The first is halved, the second is not, as of ADD and SUB: their bits are known. */
TFHRF_INLINE void tfhrf_combine_dense(const int8_t *x1, int32_t offset1, const int8_t *x2,
                                      int32_t offset2, const tfhrf_scale *second, int8_t *y,
                                      int32_t columns, int32_t sign, const tfhrf_scale *end)
{
    const tfhrf_scale scale2 = *second;
    const tfhrf_scale scale = *end;
    const int8_t *const last = x1 + columns;
#if TFHRF_VECTORS
    for (int32_t fours = sign > 0 ? columns / 4 : 0; fours > 0; --fours) {
        /* Even offsets halve exactly. */
        int32x4_t b = vshlq_n_s32(vldrbq_s32(x2), TFHRF_SUM_BITS);
        b = tfhrf_rescale4_once(vaddq_n_s32(b, offset2 / 2), scale2);
        int32x4_t a = vshlq_n_s32(vldrbq_s32(x1), TFHRF_SUM_BITS - 1);
        a = vaddq_s32(vaddq_n_s32(a, offset1 / 2), b);
        vstrbq_s32(y, tfhrf_saturate4(tfhrf_rescale4_once(a, scale)));
        x1 += 4;
        x2 += 4;
        y += 4;
    }
#endif
    while (x1 != last) {
        const int32_t a = tfhrf_add_shifted(offset1, *x1++, TFHRF_SUM_BITS + TFHRF_TWICE - 1);
        const int32_t b = tfhrf_add_shifted(offset2, *x2++, TFHRF_SUM_BITS + TFHRF_TWICE);
        const int32_t aligned = tfhrf_shift_left(tfhrf_rescale_twice(b, &scale2), TFHRF_TWICE);
        *y++ = (int8_t)tfhrf_saturate(tfhrf_rescale_twice(a + sign * aligned, &scale));
    }
}

TFHRF_INLINE void tfhrf_combine_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                     tfhrf_strides from2, int8_t *out, tfhrf_strides to,
                                     int32_t rows, const tfhrf_binary *p, int32_t sign)
{
    /* Copies: a byte that is written might change what `p` points to. */
    const tfhrf_operand operand1 = tfhrf_operand_of(p->zero_point1, TFHRF_SUM_BITS, &p->scale1);
    const tfhrf_operand operand2 = tfhrf_operand_of(p->zero_point2, TFHRF_SUM_BITS, &p->scale2);
    const tfhrf_scale scale = p->scale;
    const int8_t *const table = p->table;
    const int32_t columns = p->columns;
    const int32_t dense = from1.step == 1 && from2.step == 1 && to.step == 1 ? 1 : 0;
    for (; rows > 0; --rows) {
        const int8_t *x1 = in1;
        const int8_t *x2 = in2;
        int8_t *y = out;
        int32_t left = columns;
        /* Written out for the most usual: the larger scale is halved, the other is not. */
        if (dense != 0 && table == NULL && operand1.half > operand2.half) {
            tfhrf_combine_dense(x1, operand1.offset, x2, operand2.offset, &operand2.scale, y,
                                columns, sign, &scale);
            left = 0;
        } else if (dense != 0 && table == NULL && sign > 0 && operand1.half < operand2.half) {
            tfhrf_combine_dense(x2, operand2.offset, x1, operand1.offset, &operand1.scale, y,
                                columns, sign, &scale);
            left = 0;
        }
#if TFHRF_VECTORS
        for (; dense != 0 && left >= 4; left -= 4) {
            const int32x4_t a = tfhrf_align4(x1, operand1);
            const int32x4_t b = tfhrf_align4(x2, operand2);
            const int32x4_t sum = sign > 0 ? vaddq_s32(a, b) : vsubq_s32(a, b);
            int32x4_t q = tfhrf_saturate4(tfhrf_rescale4(sum, scale));
            if (table != NULL) {
                q = tfhrf_look_up4(table, q);
            }
            vstrbq_s32(y, q);
            x1 += 4;
            x2 += 4;
            y += 4;
        }
#endif
        for (; left > 0; --left) {
            const int32_t a = tfhrf_align(*x1, operand1);
            const int32_t b = tfhrf_align(*x2, operand2);
            const int32_t q = tfhrf_saturate(tfhrf_rescale_twice(a + sign * b, &scale));
            *y = (int8_t)(table != NULL ? table[q] : q);
            x1 += from1.step;
            x2 += from2.step;
            y += to.step;
        }
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}

TFHRF_KERNEL void tfhrf_add_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                 tfhrf_strides from2, int8_t *out, tfhrf_strides to, int32_t rows,
                                 const tfhrf_binary *p)
{
    tfhrf_combine_rows(in1, from1, in2, from2, out, to, rows, p, 1);
}

TFHRF_KERNEL void tfhrf_subtract_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                      tfhrf_strides from2, int8_t *out, tfhrf_strides to,
                                      int32_t rows, const tfhrf_binary *p)
{
    tfhrf_combine_rows(in1, from1, in2, from2, out, to, rows, p, -1);
}

TFHRF_INLINE int8_t tfhrf_multiply_value(int32_t a, int32_t b, const void *binary)
{
    const tfhrf_binary *const p = binary;
    return tfhrf_finish((a - p->zero_point1) * (b - p->zero_point2), &p->scale, p->table);
}

TFHRF_KERNEL void tfhrf_multiply_rows(const int8_t *in1, tfhrf_strides from1, const int8_t *in2,
                                      tfhrf_strides from2, int8_t *out, tfhrf_strides to,
                                      int32_t rows, const tfhrf_binary *p)
{
    tfhrf_pairs(in1, from1, in2, from2, out, to, rows, &p->columns, tfhrf_multiply_value, p);
}

typedef struct {
    tfhrf_operand operand1;
    tfhrf_operand operand2;
    const tfhrf_binary *p;
} tfhrf_difference;

TFHRF_INLINE int8_t tfhrf_squared_difference_value(int32_t a, int32_t b, const void *difference)
{
    const tfhrf_difference *const d = difference;
    const int32_t twice = tfhrf_align(a, d->operand1) - tfhrf_align(b, d->operand2);
    const int32_t once = twice / (1 + TFHRF_TWICE);
    return tfhrf_finish(once * once, &d->p->scale, d->p->table);
}

TFHRF_KERNEL void tfhrf_squared_difference_rows(const int8_t *in1, tfhrf_strides from1,
                                                const int8_t *in2, tfhrf_strides from2,
                                                int8_t *out, tfhrf_strides to, int32_t rows,
                                                const tfhrf_binary *p)
{
    const tfhrf_difference difference = {
        tfhrf_operand_of(p->zero_point1, p->left, &p->scale1),
        tfhrf_operand_of(p->zero_point2, p->left, &p->scale2),
        p,
    };
    tfhrf_pairs(in1, from1, in2, from2, out, to, rows, &p->columns, tfhrf_squared_difference_value,
                &difference);
}

#endif
