/*
 * DEPTHWISE_CONV_2D, int8, of an image that is one pixel wide, such as frames of sound, without
 * gaps: two lines of outputs at a time, for each of four channels.
 *
 * Four bytes of weights belong to two taps of a channel, [pairs of taps][outputs][4]: the taps
 * 2 i, 2 i - 1, 2 i + 1 and 2 i. The first and the third meet two lines of the input for the first
 * line of outputs, the others for the second. Taps that there are not are 0. Biases have the
 * input's zero point folded in.
 */
#ifndef TFHRF_DEPTHWISE_FRAMES_H_
#define TFHRF_DEPTHWISE_FRAMES_H_

#include "tfhrf_depthwise.h"

/* Lines of the input that one call meets at most. */
#define TFHRF_FRAMES 34

#if TFHRF_SIMD32
/* Adds the products of two lines; the sums of the first line of outputs, then of the second. */
TFHRF_INLINE void tfhrf_add_line_pair(const int8_t *x0, const int8_t *x1, const int8_t *w,
                                 int32_t sums[8])
{
    const uint32_t upper = tfhrf_load_word(x0);
    const uint32_t lower = tfhrf_load_word(x1);
    const uint32_t upper_even = tfhrf_extend_even(upper);
    const uint32_t lower_even = tfhrf_extend_even(lower);
    const uint32_t upper_odd = tfhrf_extend_odd(upper);
    const uint32_t lower_odd = tfhrf_extend_odd(lower);
    const uint32_t pairs[4] = {tfhrf_low_halves(upper_even, lower_even),
                               tfhrf_low_halves(upper_odd, lower_odd),
                               tfhrf_high_halves(upper_even, lower_even),
                               tfhrf_high_halves(upper_odd, lower_odd)};
    for (int32_t k = 0; k < 4; ++k) {
        const uint32_t taps = tfhrf_load_word(w + 4 * k);
        sums[k] = tfhrf_dual(pairs[k], tfhrf_extend_even(taps), sums[k]);
        sums[4 + k] = tfhrf_dual(pairs[k], tfhrf_extend_odd(taps), sums[4 + k]);
    }
}
#else
TFHRF_INLINE void tfhrf_add_line_pair(const int8_t *x0, const int8_t *x1, const int8_t *w,
                                 int32_t sums[8])
{
    for (int32_t k = 0; k < 4; ++k) {
        sums[k] += x0[k] * w[4 * k] + x1[k] * w[4 * k + 2];
        sums[4 + k] += x0[k] * w[4 * k + 1] + x1[k] * w[4 * k + 3];
    }
}
#endif

/* Lines of the output from `out_y` on; `padding` is scratch for a line. */
TFHRF_KERNEL void tfhrf_depthwise_frames_rows(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                              ptrdiff_t out_column, ptrdiff_t out_step,
                                              int32_t out_y, int32_t rows,
                                              const tfhrf_window *window, const tfhrf_dense *dense,
                                              int8_t *padding)
{
    const int32_t outputs = dense->outputs;
    const int32_t pairs = window->kernel_height / 2 + 1;
    (void)out_column;
    memset(padding, window->zero_point, (size_t)outputs);
    for (; rows > 0; rows -= 2) {
        const int8_t *lines[TFHRF_FRAMES];
        for (int32_t i = 0; i < 2 * pairs; ++i) {
            const int32_t y = out_y - window->top + i;
            lines[i] = y < 0 || y >= window->height ? padding : in + y * window->row;
        }
        const tfhrf_scale *scale = dense->scales;
        int8_t *pixel = out;
        for (int32_t c = 0; c < outputs; c += 4) {
            const int32_t *bias = dense->bias + c;
            const int8_t *w = dense->weights + 4 * c;
            int32_t sums[8] = {bias[0], bias[1], bias[2], bias[3],
                               bias[0], bias[1], bias[2], bias[3]};
            for (int32_t i = 0; i < 2 * pairs; i += 2) {
                tfhrf_add_line_pair(lines[i] + c, lines[i + 1] + c, w, sums);
                w += 4 * outputs;
            }
            for (int32_t k = 0; k < 4; ++k) {
                if (rows > 1) {
                    pixel[out_row] = tfhrf_channel(sums[4 + k], scale, dense);
                }
                *pixel = tfhrf_channel(sums[k], scale, dense);
                pixel += out_step;
                scale += dense->scale_step;
            }
        }
        out_y += 2;
        out += 2 * out_row;
    }
}

#endif
