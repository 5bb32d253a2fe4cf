/* Constant weights and their product with rows, of 8-bit and 16-bit kernels. */

typedef struct {
    const int8_t *weights; /* as tfhrf_weights.h has them; depthwise: [depth][outputs] */
    const int32_t *bias;   /* of an even number of outputs */
    const TFHRF_OF(dense, _scale) *scales; /* one for each output, or one for all */
    int32_t depth;
    int32_t outputs;
    int32_t scale_step;            /* 1 where each output has its own scale, else 0 */
    TFHRF_OF(dense, _final) final; /* what becomes of saturated results */
} TFHRF_OF(dense, );

/* Two rows x, `next` apart in the output, times all weights; one row where they are not apart. */
TFHRF_INLINE void TFHRF_OF(dense, _loop)(const tfhrf_pair *x, const TFHRF_OF(dense, ) *dense,
                                         const TFHRF_OF(dense, _final) *end, TFHRF_VALUE *out,
                                         ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int32_t scale_step = dense->scale_step;
    const TFHRF_OF(dense, _final) final = *end;
    const int8_t *weights = dense->weights;
    const int32_t *bias = dense->bias;
    const TFHRF_OF(dense, _scale) *scale = dense->scales;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        if (next != 0) {
            tfhrf_dot_two(weights, x, blocks, sums);
        } else {
            tfhrf_dot_one(weights, x, blocks, sums);
            sums[1] = sums[0];
            sums[3] = sums[2];
        }
        /* Copies: a value that is written might change what pointers point to. */
        const TFHRF_OF(dense, _scale) first = scale[0];
        const TFHRF_OF(dense, _scale) second = scale[scale_step];
        TFHRF_OF(put, )(sums, &first, final, out, next);
        if (left > 1) {
            TFHRF_OF(put, )(sums + 2, &second, final, out + out_step, next);
        }
        scale += 2 * scale_step;
        out += 2 * out_step;
        weights += 8 * blocks;
        bias += 2;
    }
}

#if TFHRF_FOUR
/* Four rows. */
TFHRF_INLINE void TFHRF_OF(dense, _four_loop)(const tfhrf_pair *x, const TFHRF_OF(dense, ) *dense,
                                              const TFHRF_OF(dense, _final) *end, TFHRF_VALUE *out,
                                              ptrdiff_t next, ptrdiff_t out_step)
{
    const int32_t blocks = tfhrf_blocks(dense->depth);
    const int32_t scale_step = dense->scale_step;
    const TFHRF_OF(dense, _final) final = *end;
    const int8_t *weights = dense->weights;
    const int32_t *bias = dense->bias;
    const TFHRF_OF(dense, _scale) *scale = dense->scales;
    for (int32_t left = dense->outputs; left > 0; left -= 2) {
        int32_t sums[8];
        sums[0] = bias[0];
        sums[1] = bias[1];
        tfhrf_dot_four(weights, x, x + 8 * blocks, sums);
        /* Copies: a value that is written might change what pointers point to. */
        const TFHRF_OF(dense, _scale) first = scale[0];
        TFHRF_OF(put, )(sums, &first, final, out, next);
        TFHRF_OF(put, )(sums + 2, &first, final, out + 2 * next, next);
        if (left > 1) {
            const TFHRF_OF(dense, _scale) second = scale[scale_step];
            TFHRF_OF(put, )(sums + 4, &second, final, out + out_step, next);
            TFHRF_OF(put, )(sums + 6, &second, final, out + out_step + 2 * next, next);
        }
        scale += 2 * scale_step;
        out += 2 * out_step;
        weights += 8 * blocks;
        bias += 2;
    }
}
#endif

#if !TFHRF_PLANNED
/* Only 8-bit vectors have something to plan: see tfhrf_vectors.h. */
typedef struct {
    int32_t none;
} TFHRF_OF(eight, );

TFHRF_INLINE TFHRF_OF(eight, ) TFHRF_OF(eight, _of)(const TFHRF_OF(dense, ) *dense, ptrdiff_t next,
                                                    ptrdiff_t out_step)
{
    const TFHRF_OF(eight, ) eight = {0};
    (void)dense;
    (void)next;
    (void)out_step;
    return eight;
}
#endif
