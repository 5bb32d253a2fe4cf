/* UNIDIRECTIONAL_SEQUENCE_LSTM: 8-bit values, 16-bit cells and gates. */
#ifndef TFHRF_LSTM_H_
#define TFHRF_LSTM_H_

#include "tfhrf_elementwise16.h"

/* Biases hold what the zero points come to. */
typedef struct {
    const int8_t *weights; /* a row for each unit */
    const int32_t *bias;
    tfhrf_scale scale;
    const int8_t *recurrent;
    const int32_t *recurrent_bias;
    tfhrf_scale recurrent_scale;
} tfhrf_gate;

typedef struct {
    int32_t depth;
    int32_t units;
    tfhrf_gate gates[4]; /* input, forget, cell, output */
    tfhrf_scale kept;    /* of a cell times the forget gate */
    tfhrf_scale added;   /* of the cell gate times the input gate */
    tfhrf_scale shown;   /* of a cell's tanh times the output gate */
    int32_t clip;        /* of cells; 32768: none */
    tfhrf_sigmoid16 gate;
    tfhrf_sigmoid16 cell;
} tfhrf_lstm;

TFHRF_INLINE int32_t tfhrf_row_sum(const int8_t *a, const int8_t *b, int32_t count, int32_t sum)
{
    for (; count > 0; --count) {
        sum += *a * *b;
        ++a;
        ++b;
    }
    return sum;
}

TFHRF_INLINE int32_t tfhrf_gate_sum(const int8_t *x, const int8_t *hidden, int32_t unit,
                                    const tfhrf_lstm *p, const tfhrf_gate *gate)
{
    const int32_t sum =
        tfhrf_row_sum(x, gate->weights + unit * p->depth, p->depth, gate->bias[unit]);
    const int32_t recurrent = tfhrf_row_sum(hidden, gate->recurrent + unit * p->units, p->units,
                                            gate->recurrent_bias[unit]);
    return tfhrf_saturate16(
        tfhrf_saturate16(tfhrf_rescale_any(sum, &gate->scale)) +
        tfhrf_saturate16(tfhrf_rescale_any(recurrent, &gate->recurrent_scale)));
}

/* What a cell becomes. */
TFHRF_INLINE int32_t tfhrf_next_cell(int32_t cell, const int32_t sums[4], const tfhrf_lstm *p)
{
    const int32_t input = tfhrf_sigmoid_value(sums[0], &p->gate, 9);
    const int32_t forget = tfhrf_sigmoid_value(sums[1], &p->gate, 9);
    const int32_t new = tfhrf_sigmoid_value(sums[2], &p->gate, 8);
    const int32_t kept = tfhrf_saturate16(tfhrf_rescale_any(forget * cell, &p->kept));
    const int32_t added = tfhrf_saturate16(tfhrf_rescale_any(input * new, &p->added));
    const int32_t sum = tfhrf_saturate16(kept + added);
    const int32_t low = sum < -p->clip ? -p->clip : sum;
    return low > p->clip ? p->clip : low;
}

TFHRF_KERNEL void tfhrf_lstm_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *hidden,
                                  int16_t *cells, int8_t *out, ptrdiff_t out_stride, int32_t steps,
                                  const tfhrf_lstm *p)
{
    const int8_t *before = hidden;
    for (; steps > 0; --steps) {
        for (int32_t unit = 0; unit < p->units; ++unit) {
            int32_t sums[4];
            for (int32_t i = 0; i < 4; ++i) {
                sums[i] = tfhrf_gate_sum(in, before, unit, p, &p->gates[i]);
            }
            const int32_t cell = tfhrf_next_cell(cells[unit], sums, p);
            const int32_t shown = tfhrf_sigmoid_value(cell, &p->cell, 8);
            const int32_t output = tfhrf_sigmoid_value(sums[3], &p->gate, 9);
            cells[unit] = (int16_t)cell;
            out[unit] = (int8_t)tfhrf_saturate(tfhrf_rescale_any(output * shown, &p->shown));
        }
        before = out;
        in += in_stride;
        out += out_stride;
    }
    memcpy(hidden, before, (size_t)p->units);
}

#endif
