/* FULLY_CONNECTED, int8: rows of inputs times constant weights. */
#ifndef TFHRF_DENSE_H_
#define TFHRF_DENSE_H_

#include "tfhrf_outputs.h"
#include "tfhrf_vectors.h"
#include "tfhrf_weights.h"

/* Biases have the input's zero point folded in, and are TFHRF_TWICE. */
typedef tfhrf_scale tfhrf_dense_scale;
/* A table of an activation, at the index 0; or NULL. */
typedef const int8_t *tfhrf_dense_final;

/* The end of two sums: scaled, saturated, looked up. */
TFHRF_INLINE void tfhrf_put(const int32_t *sums, const tfhrf_scale *scale, const int8_t *table,
                            int8_t *out, ptrdiff_t next)
{
    int32_t q0 = tfhrf_saturate(tfhrf_rescale_twice(sums[0], scale));
    int32_t q1 = tfhrf_saturate(tfhrf_rescale_twice(sums[1], scale));
    if (table != NULL) {
        q0 = table[q0];
        q1 = table[q1];
    }
    /* The first row last: it is the one to keep where both are one. */
    out[next] = (int8_t)q1;
    *out = (int8_t)q0;
}

#include "tfhrf_of8.h"
#include "tfhrf_dense_any.h"

#if TFHRF_OUTPUTS
TFHRF_INLINE tfhrf_outputs tfhrf_outputs_of(const tfhrf_dense *dense, int8_t *out, ptrdiff_t next,
                                            ptrdiff_t out_step)
{
    const tfhrf_outputs outputs = {
        out,
        next,
        dense->final,
        out_step,
        dense->scales,
        dense->outputs,
        dense->scale_step * (ptrdiff_t)sizeof *dense->scales,
        dense->bias,
        NULL,
        NULL,
    };
    return outputs;
}
#endif

#if TFHRF_MVE
/*
 * Sixteen products of bytes at a time, of two rows of weights with two rows x: nothing is widened.
 * Beyond the depth weights are anything and x is zero.
 */
TFHRF_INLINE void tfhrf_dot_bytes(const int8_t *w, const int8_t *x0, const int8_t *x1,
                                  int32_t whole, uint32_t rest, int32_t sums[4])
{
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
    for (; whole > 0; --whole) {
        const int8x16_t first = vldrbq_s8(x0);
        const int8x16_t second = vldrbq_s8(x1);
        const int32x4x2_t both = vld2q_s32((const int32_t *)(const void *)w);
        const int8x16_t a = vreinterpretq_s8_s32(both.val[0]);
        const int8x16_t b = vreinterpretq_s8_s32(both.val[1]);
        a0 = vmladavaq_s8(a0, a, first);
        a1 = vmladavaq_s8(a1, a, second);
        b0 = vmladavaq_s8(b0, b, first);
        b1 = vmladavaq_s8(b1, b, second);
        w += 32;
        x0 += 16;
        x1 += 16;
    }
    if (rest != 0U) {
        const mve_pred16_t lanes = vctp8q(rest);
        const int8x16_t first = vldrbq_z_s8(x0, lanes);
        const int8x16_t second = vldrbq_z_s8(x1, lanes);
        const int32x4x2_t both = vld2q_s32((const int32_t *)(const void *)w);
        const int8x16_t a = vreinterpretq_s8_s32(both.val[0]);
        const int8x16_t b = vreinterpretq_s8_s32(both.val[1]);
        a0 = vmladavaq_s8(a0, a, first);
        a1 = vmladavaq_s8(a1, a, second);
        b0 = vmladavaq_s8(b0, b, first);
        b1 = vmladavaq_s8(b1, b, second);
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}

#if TFHRF_VECTORS
/* The addresses of the scales of two outputs, each for two rows. */
TFHRF_INLINE uint32x4_t tfhrf_scales_of(const tfhrf_scale *scale, int32_t scale_step)
{
    const uint32x4_t second = vshrq_n_u32(vidupq_n_u32(0U, 1), 1);
    const uint32_t size = (uint32_t)sizeof *scale * (uint32_t)scale_step;
    return vaddq_n_u32(vmulq_n_u32(second, size), (uint32_t)(uintptr_t)scale);
}

/* Four sums, taken once, scaled. The shift is the lowest byte of what is loaded. */
TFHRF_INLINE int32x4_t tfhrf_scaled4(int32x4_t sums, uint32x4_t scales)
{
    int32x4_t q = vqrdmulhq_s32(sums, vldrwq_gather_base_s32(scales, 0));
    q = vaddq_s32(q, vshrq_n_s32(q, 31));
    q = vaddq_s32(q, vldrwq_gather_base_s32(scales, 4));
    return vshlq_s32(q, vldrwq_gather_base_s32(scales, 12));
}

/* Four scaled sums to outputs: the lowest bytes. */
TFHRF_INLINE int32x4_t tfhrf_bytes4(int32x4_t q, const int8_t *table)
{
    if (table != NULL) {
        return tfhrf_look_up4(table, tfhrf_saturate4(q));
    }
    const int16x8_t halves = vqmovnbq_s32(vreinterpretq_s16_s32(q), q);
    return vreinterpretq_s32_s8(vqmovnbq_s16(vreinterpretq_s8_s16(halves), halves));
}

TFHRF_INLINE int32x4_t tfhrf_finish_outputs(int32x4_t sums, uint32x4_t scales,
                                            const int8_t *table)
{
    return tfhrf_bytes4(tfhrf_scaled4(sums, scales), table);
}

TFHRF_INLINE int32x4_t tfhrf_vector_of(const int32_t sums[4])
{
    int32x4_t vector;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\t"
            "vmov %q0[3], %q0[1], %2, %4"
            : "=&w"(vector)
            : "r"(sums[0]), "r"(sums[1]), "r"(sums[2]), "r"(sums[3]));
    return vector;
}

/* What is the same for all pairs of rows, which are `next` apart in the output. */
TFHRF_INLINE tfhrf_eight tfhrf_eight_of(const tfhrf_dense *dense, ptrdiff_t next,
                                        ptrdiff_t out_step)
{
    const uint32_t scale_size = (uint32_t)sizeof(tfhrf_scale) * (uint32_t)dense->scale_step;
    const uint32_t depth = (uint32_t)dense->depth;
    const uint32_t scale = (uint32_t)(uintptr_t)dense->scales;
    const tfhrf_eight eight = {
        {NULL, NULL},
        {NULL, NULL},
        (int32_t)(depth / 16U) - 1,
        depth % 16U,
        NULL,
        4U * scale_size,
        NULL,
        0,
        4 * out_step,
        dense->final,
        0,
        tfhrf_places_of(next, out_step),
        {scale, scale + scale_size, scale + 2U * scale_size, scale + 3U * scale_size},
        8 * tfhrf_blocks(dense->depth),
    };
    return eight;
}

/* Two rows of bytes, `next` apart in the output, times the weights of outputs from `first` on. */
TFHRF_INLINE void tfhrf_dense_rest(const int8_t *x0, const int8_t *x1, const tfhrf_dense *dense,
                                   int32_t first, int8_t *out, ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t depth = dense->depth;
    const int32_t whole = depth / 16;
    const uint32_t rest = (uint32_t)depth % 16U;
    const int32_t width = 8 * tfhrf_blocks(depth);
    const uint32_t scales_step = 2U * (uint32_t)sizeof(tfhrf_scale) * (uint32_t)dense->scale_step;
    const int8_t *const table = dense->final;
    const uint32x4_t lane = vidupq_n_u32(0U, 1);
    const uint32x4_t places =
        vaddq_u32(vmulq_n_u32(vandq_u32(lane, vdupq_n_u32(1U)), (uint32_t)next),
                  vmulq_n_u32(vshrq_n_u32(lane, 1), (uint32_t)out_step));
    const int8_t *weights = dense->weights + first / 2 * width;
    const int32_t *bias = dense->bias + first;
    uint32x4_t scales = tfhrf_scales_of(dense->scales + first * dense->scale_step,
                                        dense->scale_step);
    out += first * out_step;
    for (int32_t left = dense->outputs - first; left > 0; left -= 2) {
        const int32_t a = bias[0] >> TFHRF_TWICE;
        const int32_t b = bias[1] >> TFHRF_TWICE;
        int32_t sums[4] = {a, a, b, b};
        tfhrf_dot_bytes(weights, x0, x1, whole, rest, sums);
        const int32x4_t q = tfhrf_finish_outputs(tfhrf_vector_of(sums), scales, table);
        vstrbq_scatter_offset_p_s32(out, places, q, vctp32q(2U * (uint32_t)left));
        scales = vaddq_n_u32(scales, scales_step);
        out += 2 * out_step;
        weights += width;
        bias += 2;
    }
}

/* The same for all outputs, fours of them as `eight` says, which is of `next` and `out_step`. */
TFHRF_INLINE void tfhrf_dense_bytes(tfhrf_eight *eight, const int8_t *x0, const int8_t *x1,
                                    const tfhrf_dense *dense, int8_t *out, ptrdiff_t next,
                                    ptrdiff_t out_step)
{
    const int32_t done = tfhrf_are_near(next, out_step) != 0 ? dense->outputs & ~3 : 0;
    if (done != 0) {
        eight->weights[0] = dense->weights;
        eight->weights[1] = dense->weights + eight->width;
        eight->x[0] = x0;
        eight->x[1] = x1;
        eight->bias = dense->bias;
        eight->out = out;
        eight->left = done;
        tfhrf_vector_outputs(eight);
    }
    if (done != dense->outputs) {
        tfhrf_dense_rest(x0, x1, dense, done, out, next, out_step);
    }
}
#else
TFHRF_INLINE void tfhrf_dense_bytes(tfhrf_eight *eight, const int8_t *x0, const int8_t *x1,
                                    const tfhrf_dense *dense, int8_t *out, ptrdiff_t next,
                                    ptrdiff_t out_step)
{
    (void)eight;
    const int32_t whole = dense->depth / 16;
    const uint32_t rest = (uint32_t)dense->depth % 16U;
    const int32_t width = 8 * tfhrf_blocks(dense->depth);
    const tfhrf_scale *scale = dense->scales;
    for (int32_t c = 0; c < dense->outputs; c += 2) {
        const int32_t a = dense->bias[c];
        const int32_t b = dense->bias[c + 1];
        int32_t sums[4] = {a, a, b, b};
        tfhrf_dot_bytes(dense->weights + c / 2 * width, x0, x1, whole, rest, sums);
        tfhrf_put(sums, scale, dense->final, out, next);
        if (c + 1 < dense->outputs) {
            tfhrf_put(sums + 2, scale + dense->scale_step, dense->final, out + out_step, next);
        }
        scale += 2 * dense->scale_step;
        out += 2 * out_step;
    }
}
#endif

/* Copies a row. */
TFHRF_INLINE const int8_t *tfhrf_kept(const int8_t *in, int32_t depth, int8_t *out)
{
    int32_t i = 0;
    for (; i + 16 <= depth; i += 16) {
        vstrbq_s8(out + i, vldrbq_s8(in + i));
    }
    if (i < depth) {
        const mve_pred16_t lanes = vctp8q((uint32_t)(depth - i));
        vstrbq_p_s8(out + i, vldrbq_z_s8(in + i, lanes), lanes);
    }
    return out;
}
#else
/* Two rows that are laid out, or one where `next` is 0. */
TFHRF_INLINE void tfhrf_dense_pair(const tfhrf_pair *x, const tfhrf_dense *dense, int8_t *out,
                                   ptrdiff_t next, ptrdiff_t out_step)
{
#if TFHRF_OUTPUTS
    tfhrf_outputs outputs = tfhrf_outputs_of(dense, out, next, out_step);
    tfhrf_two_outputs(dense->weights, x, x + 4 * tfhrf_blocks(dense->depth), &outputs);
#else
    const tfhrf_dense_final none = NULL;
    if (dense->final != NULL) {
        tfhrf_dense_loop(x, dense, &dense->final, out, next, out_step);
    } else {
        tfhrf_dense_loop(x, dense, &none, out, next, out_step);
    }
#endif
}
#endif

#if TFHRF_FOUR
#if defined(TFHRF_ANY_SCALE)
TFHRF_INLINE void tfhrf_dense_four(const tfhrf_pair *x, const tfhrf_dense *dense, int8_t *out,
                                   ptrdiff_t next, ptrdiff_t out_step)
{
    tfhrf_dense_four_loop(x, dense, &dense->final, out, next, out_step);
}
#else
TFHRF_INLINE void tfhrf_dense_four(const tfhrf_pair *x, const tfhrf_dense *dense, int8_t *out,
                                   ptrdiff_t next, ptrdiff_t out_step)
{
    tfhrf_outputs outputs = tfhrf_outputs_of(dense, out, next, out_step);
    tfhrf_four_outputs(dense->weights, x, x + 8 * tfhrf_blocks(dense->depth), &outputs);
}
#endif
#endif

/*
 * `room` is the number of rows that are laid out in `scratch`: 2 or 4. Rows of the output may lie
 * where those of the input do.
 */
TFHRF_KERNEL void tfhrf_dense_rows(const int8_t *in, ptrdiff_t in_stride, int8_t *out,
                                   ptrdiff_t out_stride, ptrdiff_t out_step, int32_t rows,
                                   const tfhrf_dense *dense, tfhrf_pair *scratch, int32_t room)
{
#if TFHRF_FOUR
    for (; room == 4 && rows >= 4; rows -= 4) {
        for (int32_t i = 0; i < 4; ++i) {
            tfhrf_lay(in, dense->depth, 4, scratch + i);
            in += in_stride;
        }
        tfhrf_dense_four(scratch, dense, out, out_stride, out_step);
        out += 4 * out_stride;
    }
#endif
    (void)room;
#if TFHRF_MVE
    tfhrf_eight eight = tfhrf_eight_of(dense, out_stride, out_step);
#endif
    for (; rows > 0; rows -= 2) {
        const ptrdiff_t both = rows > 1 ? 1 : 0;
#if TFHRF_MVE
        if (both == 0) {
            eight = tfhrf_eight_of(dense, 0, out_step);
        }
        const int8_t *first = in;
        const int8_t *second = in + both * in_stride;
        if (in == out) {
            int8_t *const kept = (int8_t *)(void *)scratch;
            second = tfhrf_kept(second, dense->depth, kept + 4 * tfhrf_blocks(dense->depth));
            first = tfhrf_kept(first, dense->depth, kept);
        }
        tfhrf_dense_bytes(&eight, first, second, dense, out, both * out_stride, out_step);
#else
        tfhrf_lay(in, dense->depth, 2, scratch);
        if (both != 0) {
            tfhrf_lay(in + in_stride, dense->depth, 2, scratch + 1);
        }
        tfhrf_dense_pair(scratch, dense, out, both * out_stride, out_step);
#endif
        in += 2 * in_stride;
        out += 2 * out_stride;
    }
}

#endif
