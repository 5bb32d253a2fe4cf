/* DEPTHWISE_CONV_2D, int8. */
#ifndef TFHRF_DEPTHWISE_H_
#define TFHRF_DEPTHWISE_H_

#include "tfhrf_dense.h"
#include "tfhrf_window.h"

#if TFHRF_SIMD32
/* Adds four products of bytes, one for each of four neighboring channels. */
TFHRF_INLINE void tfhrf_add_products(const int8_t *x, const tfhrf_window *window,
                                     const int8_t *w, int32_t sums[4])
{
    const int32_t zero_point = window->zero_point;
    const uint32_t offsets = ((uint32_t)-zero_point & 0xffffU) | ((uint32_t)-zero_point << 16);
    const uint32_t x_bytes = tfhrf_load_word(x);
    const uint32_t w_bytes = tfhrf_load_word(w);
    const int32_t x_even = (int32_t)tfhrf_add_even(offsets, x_bytes);
    const int32_t x_odd = (int32_t)tfhrf_add_odd(offsets, x_bytes);
    const int32_t w_even = (int32_t)tfhrf_extend_even(w_bytes);
    const int32_t w_odd = (int32_t)tfhrf_extend_odd(w_bytes);
    sums[0] = __smlabb(x_even, w_even, sums[0]);
    sums[1] = __smlabb(x_odd, w_odd, sums[1]);
    sums[2] = __smlatt(x_even, w_even, sums[2]);
    sums[3] = __smlatt(x_odd, w_odd, sums[3]);
}

/* Four channels of two pixels in pairs, one channel `apart` from the next. */
TFHRF_INLINE void tfhrf_pair_channels(uint32_t upper, uint32_t lower, ptrdiff_t apart,
                                      tfhrf_pair *out)
{
    const uint32_t upper_even = tfhrf_extend_even(upper);
    const uint32_t lower_even = tfhrf_extend_even(lower);
    const uint32_t upper_odd = tfhrf_extend_odd(upper);
    const uint32_t lower_odd = tfhrf_extend_odd(lower);
    out[0].word = tfhrf_low_halves(upper_even, lower_even);
    out[apart].word = tfhrf_low_halves(upper_odd, lower_odd);
    out[2 * apart].word = tfhrf_high_halves(upper_even, lower_even);
    out[3 * apart].word = tfhrf_high_halves(upper_odd, lower_odd);
}
#endif

/* The product of one value and one weight. */
TFHRF_INLINE int32_t tfhrf_tap(int32_t x, const tfhrf_window *window, int32_t w)
{
    return (x - window->zero_point) * w;
}

TFHRF_INLINE int8_t tfhrf_channel(int32_t sum, const tfhrf_scale *scale, const tfhrf_dense *dense)
{
    const int32_t q = tfhrf_saturate(tfhrf_rescale(sum, scale));
    return (int8_t)(dense->final != NULL ? dense->final[q] : q);
}

#if TFHRF_VECTORS
/* Sums of eight neighboring channels: of every second one, and of those between. */
typedef struct {
    int32x4_t even;
    int32x4_t odd;
} tfhrf_sums8;

/* Sums of the same channels of two outputs. */
typedef struct {
    tfhrf_sums8 first;
    tfhrf_sums8 second;
} tfhrf_two_sums8;

TFHRF_INLINE tfhrf_sums8 tfhrf_add_eight(tfhrf_sums8 sums, int16x8_t products)
{
    sums.even = vaddq_s32(sums.even, vmovlbq_s16(products));
    sums.odd = vaddq_s32(sums.odd, vmovltq_s16(products));
    return sums;
}

/* Eight bytes, or zeros where there are fewer. */
TFHRF_INLINE int16x8_t tfhrf_load_some(const int8_t *from, int32_t left)
{
    return left >= 8 ? vldrbq_s16(from) : vldrbq_z_s16(from, vctp16q((uint32_t)left));
}

TFHRF_INLINE int16x8_t tfhrf_product8(const int8_t *x, int16x8_t w, int32_t left)
{
    return vmulq_s16(tfhrf_load_some(x, left), w);
}

/* Adds a tap to an output, or to two whose values are `apart`. */
TFHRF_INLINE tfhrf_two_sums8 tfhrf_add_tap(tfhrf_two_sums8 sums, int32_t two, const int8_t *x,
                                           ptrdiff_t apart, const int8_t *w, int32_t left)
{
    const int16x8_t weights = tfhrf_load_some(w, left);
    sums.first = tfhrf_add_eight(sums.first, tfhrf_product8(x, weights, left));
    if (two != 0) {
        sums.second = tfhrf_add_eight(sums.second, tfhrf_product8(x + apart, weights, left));
    }
    return sums;
}

TFHRF_INLINE tfhrf_two_sums8 tfhrf_add_two_taps(tfhrf_two_sums8 sums, int32_t two,
                                                const int8_t *x, ptrdiff_t apart,
                                                ptrdiff_t column_step, const int8_t *w,
                                                int32_t outputs, int32_t left)
{
#if defined(TFHRF_LEAST_WEIGHTS)
    sums = tfhrf_add_tap(sums, two, x, apart, w, left);
    return tfhrf_add_tap(sums, two, x + column_step, apart, w + outputs, left);
#else
    /* Without weights of -128, 16 bits hold two products. */
    const int16x8_t w0 = tfhrf_load_some(w, left);
    const int16x8_t w1 = tfhrf_load_some(w + outputs, left);
    const int8_t *const next = x + column_step;
    sums.first = tfhrf_add_eight(sums.first, vaddq_s16(tfhrf_product8(x, w0, left),
                                                       tfhrf_product8(next, w1, left)));
    if (two != 0) {
        sums.second =
            tfhrf_add_eight(sums.second, vaddq_s16(tfhrf_product8(x + apart, w0, left),
                                                   tfhrf_product8(next + apart, w1, left)));
    }
    return sums;
#endif
}

/* Adds the products of the taps of a line. */
TFHRF_INLINE tfhrf_two_sums8 tfhrf_add_taps(tfhrf_two_sums8 sums, int32_t two, const int8_t *x,
                                            ptrdiff_t apart, ptrdiff_t column_step,
                                            const int8_t *w, int32_t outputs, int32_t taps,
                                            int32_t left)
{
    for (; taps >= 2; taps -= 2) {
        sums = tfhrf_add_two_taps(sums, two, x, apart, column_step, w, outputs, left);
        x += 2 * column_step;
        w += 2 * outputs;
    }
    return taps == 0 ? sums : tfhrf_add_tap(sums, two, x, apart, w, left);
}

/* Minus the zero point times the weights of some taps. */
TFHRF_INLINE tfhrf_sums8 tfhrf_take_zero_point(tfhrf_sums8 sums, const tfhrf_window *window,
                                               const int8_t *w, int32_t outputs, tfhrf_taps high,
                                               tfhrf_taps wide, int32_t left)
{
    tfhrf_sums8 total = {vdupq_n_s32(0), vdupq_n_s32(0)};
    for (int32_t i = high.first; i < high.last; ++i) {
        const int8_t *tap = w + (i * window->kernel_width + wide.first) * outputs;
        int16x8_t part = vdupq_n_s16(0);
        for (int32_t j = wide.first; j < wide.last; ++j) {
            part = vaddq_s16(part, tfhrf_load_some(tap, left));
            tap += outputs;
            if (j % 128 == 127) {
                /* 16 bits hold no more than twice as many. */
                total = tfhrf_add_eight(total, part);
                part = vdupq_n_s16(0);
            }
        }
        total = tfhrf_add_eight(total, part);
    }
    sums.even = vmlaq_n_s32(sums.even, total.even, -window->zero_point);
    sums.odd = vmlaq_n_s32(sums.odd, total.odd, -window->zero_point);
    return sums;
}

/* What becomes of the sums of eight channels, or fewer. */
typedef struct {
    uint32x4_t even; /* addresses of scales */
    uint32x4_t odd;
    const int8_t *table;
    ptrdiff_t out_step;
} tfhrf_end8;

/* Of the channels `even` and `odd` behind `c`. */
TFHRF_INLINE tfhrf_end8 tfhrf_end_of(const tfhrf_dense *dense, uint32x4_t even, uint32x4_t odd,
                                     int32_t c, ptrdiff_t out_step)
{
    const uint32_t size = (uint32_t)sizeof(tfhrf_scale) * (uint32_t)dense->scale_step;
    const uint32_t scale = (uint32_t)(uintptr_t)(dense->scales + c * dense->scale_step);
    const tfhrf_end8 end = {
        vaddq_n_u32(vmulq_n_u32(even, size), scale),
        vaddq_n_u32(vmulq_n_u32(odd, size), scale),
        dense->final,
        out_step,
    };
    return end;
}

/* Scaled sums to bytes of the output. */
TFHRF_INLINE void tfhrf_put8(int32x4_t even, int32x4_t odd, const tfhrf_end8 *end, int8_t *out,
                             int32_t left)
{
    if (end->table == NULL && end->out_step == 1) {
        const int16x8_t halves =
            vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(even), even), odd);
        const int16x8_t bytes =
            vreinterpretq_s16_s8(vqmovnbq_s16(vreinterpretq_s8_s16(halves), halves));
        if (left >= 8) {
            vstrbq_s16(out, bytes);
        } else {
            vstrbq_p_s16(out, bytes, vctp16q((uint32_t)left));
        }
        return;
    }
    const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0U, 2), (uint32_t)end->out_step);
    int8_t *const second = out + end->out_step;
    vstrbq_scatter_offset_p_s32(out, places, tfhrf_bytes4(even, end->table),
                                vctp32q(((uint32_t)left + 1U) / 2U));
    vstrbq_scatter_offset_p_s32(second, places, tfhrf_bytes4(odd, end->table),
                                vctp32q((uint32_t)left / 2U));
}

/* An output, or two that are `next` apart. */
TFHRF_INLINE void tfhrf_put_sums(tfhrf_two_sums8 sums, int32_t two, const tfhrf_end8 *end,
                                 int8_t *out, ptrdiff_t next, int32_t left)
{
    sums.first.even = tfhrf_scaled4(sums.first.even, end->even);
    if (two != 0) {
        sums.second.even = tfhrf_scaled4(sums.second.even, end->even);
    }
    sums.first.odd = tfhrf_scaled4(sums.first.odd, end->odd);
    if (two != 0) {
        sums.second.odd = tfhrf_scaled4(sums.second.odd, end->odd);
        tfhrf_put8(sums.second.even, sums.second.odd, end, out + next, left);
    }
    tfhrf_put8(sums.first.even, sums.first.odd, end, out, left);
}

#if defined(__GNUC__) && !defined(TFHRF_LEAST_WEIGHTS)
#define TFHRF_TAP_PAIRS 1

/* Lines of three taps of two outputs: compilers run out of registers. */
TFHRF_INLINE tfhrf_two_sums8 tfhrf_add_threes(tfhrf_two_sums8 sums, const int8_t *x,
                                              ptrdiff_t apart, ptrdiff_t column_step,
                                              ptrdiff_t row_step, const int8_t *w,
                                              int32_t outputs, int32_t lines)
{
#define TFHRF_WIDENED                                                                              \
    "vmovlb.s16 %q[t2], %q[t0]\n\t"                                                                \
    "vadd.i32 %q[s0], %q[s0], %q[t2]\n\t"                                                          \
    "vmovlt.s16 %q[t0], %q[t0]\n\t"                                                                \
    "vadd.i32 %q[s1], %q[s1], %q[t0]\n\t"                                                          \
    "vmovlb.s16 %q[t2], %q[t1]\n\t"                                                                \
    "vadd.i32 %q[s2], %q[s2], %q[t2]\n\t"                                                          \
    "vmovlt.s16 %q[t1], %q[t1]\n\t"                                                                \
    "vadd.i32 %q[s3], %q[s3], %q[t1]\n\t"
#define TFHRF_TAP_OF_BOTH(step)                                                                    \
    "vldrb.s16 %q[t3], [%[w]]\n\t"                                                                 \
    "vldrb.s16 %q[t0], [%[x]]\n\t"                                                                 \
    "vldrb.s16 %q[t1], [%[y]]\n\t"                                                                 \
    "add %[w], %[w], %[outputs]\n\t"                                                               \
    "add %[x], %[x], " step "\n\t"                                                                 \
    "add %[y], %[y], " step "\n\t"                                                                 \
    "vmul.i16 %q[t0], %q[t0], %q[t3]\n\t"                                                          \
    "vmul.i16 %q[t1], %q[t1], %q[t3]\n\t"
    int16x8_t t0;
    int16x8_t t1;
    int16x8_t t2;
    int16x8_t t3;
    const int8_t *y = x + apart;
    const ptrdiff_t back = row_step - 2 * column_step;
    __asm__ volatile("1:\n\t" TFHRF_TAP_OF_BOTH("%[column]")
                     "vldrb.s16 %q[t3], [%[w]]\n\t"
                     "vldrb.s16 %q[t2], [%[x]]\n\t"
                     "add %[w], %[w], %[outputs]\n\t"
                     "add %[x], %[x], %[column]\n\t"
                     "vmul.i16 %q[t2], %q[t2], %q[t3]\n\t"
                     "vadd.i16 %q[t0], %q[t0], %q[t2]\n\t"
                     "vldrb.s16 %q[t2], [%[y]]\n\t"
                     "add %[y], %[y], %[column]\n\t"
                     "vmul.i16 %q[t2], %q[t2], %q[t3]\n\t"
                     "vadd.i16 %q[t1], %q[t1], %q[t2]\n\t" TFHRF_WIDENED
                         TFHRF_TAP_OF_BOTH("%[back]")
                     "subs %[lines], %[lines], #1\n\t" TFHRF_WIDENED "bne 1b\n\t"
                     : [s0] "+w"(sums.first.even), [s1] "+w"(sums.first.odd),
                       [s2] "+w"(sums.second.even), [s3] "+w"(sums.second.odd), [t0] "=&w"(t0),
                       [t1] "=&w"(t1), [t2] "=&w"(t2), [t3] "=&w"(t3), [x] "+l"(x), [y] "+l"(y),
                       [w] "+l"(w), [lines] "+r"(lines)
                     : [outputs] "r"(outputs), [column] "r"(column_step), [back] "r"(back)
                     : "cc", "memory");
    return sums;
#undef TFHRF_TAP_OF_BOTH
#undef TFHRF_WIDENED
}
#else
#define TFHRF_TAP_PAIRS 0
#endif

/* The products of some lines of taps, of an output or of two whose values are `apart`. */
TFHRF_INLINE tfhrf_two_sums8 tfhrf_add_lines(tfhrf_two_sums8 sums, int32_t two, const int8_t *x,
                                             ptrdiff_t apart, const tfhrf_window *window,
                                             const int8_t *w, int32_t outputs, int32_t lines,
                                             int32_t taps, int32_t left)
{
    const ptrdiff_t row_step = window->dilation_height * window->row;
    const ptrdiff_t column_step = window->dilation_width * window->column;
#if TFHRF_TAP_PAIRS
    if (two != 0 && taps == 3 && window->kernel_width == 3 && lines > 0 && left >= 8) {
        return tfhrf_add_threes(sums, x, apart, column_step, row_step, w, outputs, lines);
    }
#endif
    for (; lines > 0; --lines) {
        sums = tfhrf_add_taps(sums, two, x, apart, column_step, w, outputs, taps, left);
        x += row_step;
        w += window->kernel_width * outputs;
    }
    return sums;
}

/* Lines of outputs of the eight channels, or fewer, from `c` on; there are `left`. */
TFHRF_INLINE void tfhrf_depthwise_channels(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                           ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                           int32_t rows, const tfhrf_window *window_of,
                                           const tfhrf_dense *dense, int32_t c, int32_t left)
{
    /* A copy: a byte that is written might change what pointers point to. */
    const tfhrf_window copy = *window_of;
    const tfhrf_window *const window = &copy;
    const int32_t outputs = dense->outputs;
    const int8_t *const weights = dense->weights + c;
    /* Channels that there are not are taken for the last one. */
    const uint32x4_t last = vdupq_n_u32((uint32_t)left - 1U);
    const uint32x4_t even = vminq_u32(vidupq_n_u32(0U, 2), last);
    const uint32x4_t odd = vminq_u32(vidupq_n_u32(1U, 2), last);
    const tfhrf_end8 end = tfhrf_end_of(dense, even, odd, c, out_step);
    const tfhrf_sums8 plain = {
        vldrwq_gather_shifted_offset_s32(dense->bias + c, even),
        vldrwq_gather_shifted_offset_s32(dense->bias + c, odd),
    };
    const tfhrf_taps all = {0, window->kernel_width};
    const tfhrf_taps inside = tfhrf_whole_windows(window);
    tfhrf_sums8 whole = plain;
    tfhrf_taps before = {0, 0};
    while (rows > 0) {
        const int32_t first_y = out_y * window->stride_height - window->top;
        const tfhrf_taps high =
            tfhrf_inside(first_y, window->kernel_height, window->dilation_height, window->height);
        const tfhrf_taps below = tfhrf_inside(first_y + window->stride_height,
                                              window->kernel_height, window->dilation_height,
                                              window->height);
        /* Two outputs at a time: one below the other, else one beside the other. */
        const int32_t lines =
            rows > 1 && below.first == high.first && below.last == high.last ? 2 : 1;
        const ptrdiff_t apart = lines == 2 ? window->stride_height * window->row
                                           : window->stride_width * window->column;
        const ptrdiff_t next = lines == 2 ? out_row : out_column;
        if (high.first != before.first || high.last != before.last) {
            whole = tfhrf_take_zero_point(plain, window, weights, outputs, high, all, left);
            before = high;
        }
        const int8_t *const line = in + c + first_y * window->row +
                                   high.first * window->dilation_height * window->row;
        const int8_t *const taps = weights + high.first * window->kernel_width * outputs;
        const int32_t count = high.last - high.first;
        int8_t *to = out + c * out_step;
        int32_t out_x = 0;
        while (out_x < window->out_width) {
            const int32_t first_x = out_x * window->stride_width - window->left;
            const int8_t *const x = line + first_x * window->column;
            const int32_t is_whole = out_x >= inside.first && out_x < inside.last ? 1 : 0;
            const int32_t two =
                lines == 2 || (is_whole != 0 && out_x + 1 < inside.last) ? 1 : 0;
            tfhrf_two_sums8 sums = {whole, whole};
            if (is_whole != 0 && two != 0) {
                sums = tfhrf_add_lines(sums, 1, x, apart, window, taps, outputs, count,
                                       window->kernel_width, left);
            } else {
                const tfhrf_taps wide = tfhrf_inside(first_x, window->kernel_width,
                                                     window->dilation_width, window->width);
                if (is_whole == 0) {
                    sums.first = tfhrf_take_zero_point(plain, window, weights, outputs, high,
                                                       wide, left);
                    sums.second = sums.first;
                }
                sums = tfhrf_add_lines(
                    sums, two, x + wide.first * window->dilation_width * window->column,
                    two != 0 ? apart : 0, window, taps + wide.first * outputs, outputs, count,
                    wide.last - wide.first, left);
            }
            if (two != 0) {
                tfhrf_put_sums(sums, 1, &end, to, next, left);
            } else {
                tfhrf_put_sums(sums, 0, &end, to, 0, left);
            }
            const int32_t done = two != 0 && lines == 1 ? 2 : 1;
            to += done * out_column;
            out_x += done;
        }
        rows -= lines;
        out_y += lines;
        out += lines * out_row;
    }
}

/* Lines of the output where each channel of the input makes one; returns 1. */
TFHRF_KERNEL int32_t tfhrf_depthwise_vectors(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                             ptrdiff_t out_column, ptrdiff_t out_step,
                                             int32_t out_y, int32_t rows,
                                             const tfhrf_window *window, const tfhrf_dense *dense)
{
    int32_t c = 0;
    for (; c + 8 <= dense->outputs; c += 8) {
        tfhrf_depthwise_channels(in, out, out_row, out_column, out_step, out_y, rows, window,
                                 dense, c, 8);
    }
    if (c < dense->outputs) {
        tfhrf_depthwise_channels(in, out, out_row, out_column, out_step, out_y, rows, window,
                                 dense, c, dense->outputs - c);
    }
    return 1;
}
#endif

#include "tfhrf_of8.h"
#include "tfhrf_depthwise_any.h"

#endif
