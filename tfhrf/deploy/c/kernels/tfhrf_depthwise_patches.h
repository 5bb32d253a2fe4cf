/*
 * DEPTHWISE_CONV_2D, int8, windows of 3 x 3 without gaps and one pixel apart, Helium: the sixteen
 * pixels that two outputs and the two below them see are laid out channel by channel, four channels
 * at a time. Sixteen products are one instruction then.
 */
#ifndef TFHRF_DEPTHWISE_PATCHES_H_
#define TFHRF_DEPTHWISE_PATCHES_H_

#include "tfhrf_depthwise.h"

#if TFHRF_VECTORS
#define TFHRF_PATCHES 1

/* Zeros before the taps of a channel: the last output does not see the first pixels. */
#define TFHRF_SKIPPED 5

/* What a channel is computed with. */
typedef struct {
    int32_t bias; /* with the zero point folded in */
    int32_t multiplier;
    int32_t rounding;
    int32_t left; /* minus the shift to the right */
    int8_t taps[24];
} tfhrf_patch_filter;

/* The filters of four channels: three taps, a zero, three taps, a zero and so on. */
TFHRF_INLINE void tfhrf_set_filters(tfhrf_patch_filter filters[4], int32_t words[16],
                                    const tfhrf_dense *dense, int32_t c, int32_t zero_point)
{
    const int32_t outputs = dense->outputs;
    const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0U, 1), (uint32_t)outputs);
    const int8_t *const weights = dense->weights + c;
    __asm__ volatile("vctp.32 %[three]\n\t"
                     "vpsttt\n\t"
                     "vldrwt.u32 q0, [%[w0], %q[places]]\n\t"
                     "vldrwt.u32 q1, [%[w1], %q[places]]\n\t"
                     "vldrwt.u32 q2, [%[w2], %q[places]]\n\t"
                     "vmov.i32 q3, #0\n\t"
                     "vstrw.32 q0, [%[words]]\n\t"
                     "vstrw.32 q1, [%[words], #16]\n\t"
                     "vstrw.32 q2, [%[words], #32]\n\t"
                     "vstrw.32 q3, [%[words], #48]\n\t"
                     :
                     : [three] "r"(3), [w0] "r"(weights), [w1] "r"(weights + 3 * outputs),
                       [w2] "r"(weights + 6 * outputs), [places] "w"(places), [words] "r"(words)
                     : "q0", "q1", "q2", "q3", "p0", "memory");
    const int8x16x4_t channels = vld4q_s8((const int8_t *)(const void *)words);
    const int32_t taps[4] = {
        vaddvq_s8(channels.val[0]),
        vaddvq_s8(channels.val[1]),
        vaddvq_s8(channels.val[2]),
        vaddvq_s8(channels.val[3]),
    };
    int8_t *first = filters[0].taps + TFHRF_SKIPPED;
    __asm__ volatile("vstrb.8 %q[a], [%[to]], #40\n\t"
                     "vstrb.8 %q[b], [%[to]], #40\n\t"
                     "vstrb.8 %q[c], [%[to]], #40\n\t"
                     "vstrb.8 %q[d], [%[to]]\n\t"
                     : [to] "+r"(first)
                     : [a] "w"(channels.val[0]), [b] "w"(channels.val[1]),
                       [c] "w"(channels.val[2]), [d] "w"(channels.val[3])
                     : "memory");
    const uint32x4_t numbers = vidupq_n_u32(0U, 1);
    const uint32x4_t to = vaddq_n_u32(vmulq_n_u32(numbers, (uint32_t)sizeof *filters),
                                      (uint32_t)(uintptr_t)filters);
    const uint32_t scale_size = (uint32_t)sizeof(tfhrf_scale) * (uint32_t)dense->scale_step;
    const uint32x4_t scales =
        vaddq_n_u32(vmulq_n_u32(numbers, scale_size),
                    (uint32_t)(uintptr_t)dense->scales + (uint32_t)c * scale_size);
    const int32x4_t bias = vld1q_s32(dense->bias + c);
    vstrwq_scatter_base_s32(to, 0, vmlaq_n_s32(bias, tfhrf_vector_of(taps), -zero_point));
    vstrwq_scatter_base_s32(to, 4, vldrwq_gather_base_s32(scales, 0));
    vstrwq_scatter_base_s32(to, 8, vldrwq_gather_base_s32(scales, 4));
    /* The shift is the lowest byte of what is loaded. */
    vstrwq_scatter_base_s32(to, 12, vldrwq_gather_base_s32(scales, 12));
}

/* Two by two outputs of four channels: a word for each output. */
TFHRF_INLINE int8x16_t tfhrf_patch_outputs(const int32_t words[16],
                                           const tfhrf_patch_filter filters[4])
{
#define TFHRF_SUM(sum, x, at)                                                                      \
    "vldrb.u8 q4, [%[filter], #" at "]\n\t"                                                        \
    "vmlav.s8 " sum ", " x ", q4\n\t"
/*
 * A channel: where its filter begins, half of that, and the taps that each output begins with. The
 * sign of a value is added before it is multiplied, with what rounds (tfhrf_rescale_twice).
 */
#define TFHRF_CHANNEL(x, filter, half, first, second, third, fourth, narrow)                       \
    TFHRF_SUM("r4", x, first)                                                                      \
    TFHRF_SUM("r8", x, second)                                                                     \
    TFHRF_SUM("r10", x, third)                                                                     \
    TFHRF_SUM("r12", x, fourth)                                                                    \
    "vmov q4[2], q4[0], r4, r10\n\t"                                                               \
    "vmov q4[3], q4[1], r8, r12\n\t"                                                               \
    "ldrd r4, r8, [%[filter], #" filter "]\n\t"                                                    \
    "vadd.i32 q4, q4, r4\n\t"                                                                      \
    "ldrd r4, r10, [%[filter], #" half "]\n\t"                                                     \
    "vshr.s32 q5, q4, #31\n\t"                                                                     \
    "vadd.i32 q5, q5, r4\n\t"                                                                      \
    "vqrdmlah.s32 q5, q4, r8\n\t"                                                                  \
    "vshl.s32 q5, r10\n\t" narrow ", q5\n\t"
    const int8_t *filter = filters[1].taps + 4;
    register int8x16_t outputs __asm__("q0");
    __asm__ volatile("vld40.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     "vld41.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     "vld42.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     "vld43.8 {q0, q1, q2, q3}, [%[words]]\n\t"
                     TFHRF_CHANNEL("q0", "-60", "-52", "-39", "-40", "-43", "-44",
                                   "vqmovnb.s32 q0")
                     TFHRF_CHANNEL("q1", "-20", "-12", "1", "0", "-3", "-4",
                                   "vqmovnb.s32 q1")
                     TFHRF_CHANNEL("q2", "20", "28", "41", "40", "37", "36",
                                   "vqmovnt.s32 q0")
                     TFHRF_CHANNEL("q3", "60", "68", "81", "80", "77", "76",
                                   "vqmovnt.s32 q1")
                     "vqmovnb.s16 q0, q0\n\t"
                     "vqmovnt.s16 q0, q1\n\t"
                     : [outputs] "=w"(outputs)
                     : [filter] "r"(filter), [words] "r"(words)
                     : "r4", "r8", "r10", "r12", "q1", "q2", "q3", "q4", "q5", "memory");
#undef TFHRF_CHANNEL
#undef TFHRF_SUM
    return outputs;
}

/* Those of `kept` where channels are `step` apart, looked up in a table if there is one. */
TFHRF_INLINE void tfhrf_scatter_patch(int8x16_t outputs, const int8_t *table, uint32x4_t places,
                                      int8_t *out, ptrdiff_t step, mve_pred16_t kept)
{
    if (table != NULL) {
        const uint8x16_t q = vreinterpretq_u8_s8(outputs);
        outputs = vldrbq_gather_offset_s8(table - 128, veorq_u8(q, vdupq_n_u8(0x80U)));
    }
    int32x4_t words = vreinterpretq_s32_s8(outputs);
    for (int32_t k = 0; k < 4; ++k) {
        vstrbq_scatter_offset_p_s32(out, places, words, kept);
        words = vshrq_n_s32(words, 8);
        out += step;
    }
}

/* Four lines of four pixels, `row` and `column` apart. */
TFHRF_INLINE void tfhrf_patch_inside(const int8_t *from, ptrdiff_t row, uint32x4_t offsets,
                                     int32_t words[16])
{
    int32x4_t a;
    int32x4_t b;
    __asm__ volatile("vldrw.u32 %q[a], [%[from], %q[offsets]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vldrw.u32 %q[b], [%[from], %q[offsets]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vstrw.32 %q[a], [%[words]]\n\t"
                     "vstrw.32 %q[b], [%[words], #16]\n\t"
                     "vldrw.u32 %q[a], [%[from], %q[offsets]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vldrw.u32 %q[b], [%[from], %q[offsets]]\n\t"
                     "vstrw.32 %q[a], [%[words], #32]\n\t"
                     "vstrw.32 %q[b], [%[words], #48]\n\t"
                     : [a] "=&w"(a), [b] "=&w"(b), [from] "+r"(from)
                     : [row] "r"(row), [offsets] "w"(offsets), [words] "r"(words)
                     : "memory");
}

/*
 * The same, from column `x` of the lines on: a column outside is padding. The one at the edge is
 * read for it, and replaced.
 */
TFHRF_INLINE void tfhrf_patch_side(const int8_t *from, int32_t x, const tfhrf_window *window,
                                   int32_t padding, uint32x4_t counted, int32_t words[16])
{
    int32x4_t a;
    int32x4_t b;
    int32x4_t nearest;
    int32x4_t outside;
    __asm__ volatile("vadd.i32 %q[a], %q[counted], %[x]\n\t"
                     "vmov.i32 %q[nearest], #0\n\t"
                     "vdup.32 %q[outside], %[last]\n\t"
                     "vmax.s32 %q[nearest], %q[a], %q[nearest]\n\t"
                     "vmin.s32 %q[nearest], %q[nearest], %q[outside]\n\t"
                     "vcmp.i32 eq, %q[a], %q[nearest]\n\t"
                     "vmul.i32 %q[nearest], %q[nearest], %[column]\n\t"
                     "vdup.32 %q[outside], %[padding]\n\t"
                     "vldrw.u32 %q[a], [%[from], %q[nearest]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vldrw.u32 %q[b], [%[from], %q[nearest]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vpsel %q[a], %q[a], %q[outside]\n\t"
                     "vpsel %q[b], %q[b], %q[outside]\n\t"
                     "vstrw.32 %q[a], [%[words]]\n\t"
                     "vstrw.32 %q[b], [%[words], #16]\n\t"
                     "vldrw.u32 %q[a], [%[from], %q[nearest]]\n\t"
                     "add %[from], %[from], %[row]\n\t"
                     "vldrw.u32 %q[b], [%[from], %q[nearest]]\n\t"
                     "vpsel %q[a], %q[a], %q[outside]\n\t"
                     "vpsel %q[b], %q[b], %q[outside]\n\t"
                     "vstrw.32 %q[a], [%[words], #32]\n\t"
                     "vstrw.32 %q[b], [%[words], #48]\n\t"
                     : [a] "=&w"(a), [b] "=&w"(b), [nearest] "=&w"(nearest),
                       [outside] "=&w"(outside), [from] "+r"(from)
                     : [row] "r"(window->row), [column] "r"(window->column), [x] "r"(x),
                       [last] "r"(window->width - 1), [padding] "r"(padding),
                       [counted] "w"(counted), [words] "r"(words)
                     : "p0", "memory");
}

/* Lines `y` to y + 3, of which some are outside. */
TFHRF_INLINE void tfhrf_patch_lines(const int8_t *in, int32_t y, int32_t x,
                                    const tfhrf_window *window, int32_t padding,
                                    int32_t words[16])
{
    const int32x4_t outside = vdupq_n_s32(padding);
    const int32x4_t columns = vaddq_n_s32(vreinterpretq_s32_u32(vidupq_n_u32(0U, 1)), x);
    const int32x4_t nearest = vminq_s32(vmaxq_s32(columns, vdupq_n_s32(0)),
                                        vdupq_n_s32(window->width - 1));
    const mve_pred16_t inside = vcmpeqq_s32(columns, nearest);
    const uint32x4_t offsets =
        vreinterpretq_u32_s32(vmulq_n_s32(nearest, (int32_t)window->column));
    const tfhrf_taps lines = tfhrf_inside(y, 4, 1, window->height);
    for (int32_t i = 0; i < 4; ++i) {
        vst1q_s32(words + 4 * i, outside);
    }
    const int8_t *from = in + (y + lines.first) * window->row;
    for (int32_t i = lines.first; i < lines.last; ++i) {
        const int32_t *const pixels = (const int32_t *)(const void *)from;
        const int32x4_t line = vldrwq_gather_offset_s32(pixels, offsets);
        vst1q_s32(words + 4 * i, vpselq_s32(line, outside, inside));
        from += window->row;
    }
}

/* Lines of outputs of four channels. */
TFHRF_INLINE void tfhrf_patches_loop(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                     ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                     int32_t rows, const tfhrf_window *window,
                                     const tfhrf_patch_filter filters[4], int32_t words[16],
                                     const int8_t *table, int32_t words_fit)
{
    const uint32_t byte = (uint32_t)window->zero_point & 0xffU;
    const int32_t padding = (int32_t)(byte * 0x01010101U);
    const uint32x4_t counted = vidupq_n_u32(0U, 1);
    const uint32x4_t offsets = vmulq_n_u32(counted, (uint32_t)window->column);
    /* Of outputs, two by two. */
    const uint32x4_t places =
        vaddq_u32(vmulq_n_u32(vandq_u32(counted, vdupq_n_u32(1U)), (uint32_t)out_column),
                  vmulq_n_u32(vshrq_n_u32(counted, 1), (uint32_t)out_row));
    int32_t y = out_y - window->top;
    for (int32_t left = rows; left > 0; left -= 2) {
        const int32_t high = y >= 0 && y + 4 <= window->height ? 1 : 0;
        const uint32_t tall = left >= 2 ? 0xffffU : 0x00ffU;
        int32_t x = -window->left;
        int8_t *to = out;
        for (int32_t wide = window->out_width; wide > 0; wide -= 2) {
            if (high == 0) {
                tfhrf_patch_lines(in, y, x, window, padding, words);
            } else if (x >= 0 && x + 4 <= window->width) {
                tfhrf_patch_inside(in + y * window->row + x * window->column, window->row, offsets,
                                   words);
            } else {
                tfhrf_patch_side(in + y * window->row, x, window, padding, counted, words);
            }
            const int8x16_t outputs = tfhrf_patch_outputs(words, filters);
            uint32_t lanes = wide >= 2 ? tall : tall & 0x0f0fU;
            /* Of predicates that GCC 12 sees to be constant it makes others. */
            __asm__("" : "+r"(lanes));
            const mve_pred16_t kept = (mve_pred16_t)lanes;
            if (words_fit != 0) {
                vstrwq_scatter_offset_p_s32((int32_t *)(void *)to, places,
                                            vreinterpretq_s32_s8(outputs), kept);
            } else {
                tfhrf_scatter_patch(outputs, table, places, to, out_step, kept);
            }
            x += 2;
            to += 2 * out_column;
        }
        y += 2;
        out += 2 * out_row;
    }
}

/* Lines of the output from `out_y` on; pixels begin at words. */
TFHRF_KERNEL void tfhrf_depthwise_patches(const int8_t *in, int8_t *out, ptrdiff_t out_row,
                                          ptrdiff_t out_column, ptrdiff_t out_step, int32_t out_y,
                                          int32_t rows, const tfhrf_window *window_of,
                                          const tfhrf_dense *dense_of)
{
    /* Copies: a byte that is written might change what pointers point to. */
    const tfhrf_window window = *window_of;
    const tfhrf_dense dense = *dense_of;
    const uintptr_t ends = (uintptr_t)out | (uintptr_t)out_row | (uintptr_t)out_column;
    const int32_t words_fit = dense.final == NULL && out_step == 1 && ends % 4U == 0U ? 1 : 0;
    int32_t words[16] TFHRF_ALIGNED;
    tfhrf_patch_filter filters[4];
    for (int32_t k = 0; k < 4; ++k) {
        vst1q_s8(filters[k].taps, vdupq_n_s8(0));
        vst1q_s8(filters[k].taps + 8, vdupq_n_s8(0));
    }
    for (int32_t c = 0; c < dense.outputs; c += 4) {
        tfhrf_set_filters(filters, words, &dense, c, window.zero_point);
        tfhrf_patches_loop(in + c, out + c * out_step, out_row, out_column, out_step, out_y, rows,
                           &window, filters, words, dense.final, words_fit);
    }
}
#else
#define TFHRF_PATCHES 0
#endif

#endif
