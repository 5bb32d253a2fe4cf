/* Constant weights and their product with two rows, of 8-bit and 16-bit kernels. */

typedef struct {
    const int8_t *weights; /* [outputs][depth rounded up to 4]; depthwise: [depth][outputs] */
    const int32_t *bias;
    const TFHRF_OF(dense, _scale) *scales; /* one for each output, or one for all */
    int32_t depth;
    int32_t outputs;
    int32_t scale_step;            /* 1 where each output has its own scale, else 0 */
    TFHRF_OF(dense, _final) final; /* what becomes of saturated results */
} TFHRF_OF(dense, );

/* Two rows as `tfhrf_dot` reads them, `next` apart in the output, times all weights. */
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
    int32_t left = dense->outputs;
    for (; left >= 2; left -= 2) {
        int32_t sums[4] = {bias[0], bias[0], bias[1], bias[1]};
        tfhrf_dot(weights, weights + 4 * blocks, x, blocks, sums);
        TFHRF_OF(put, )(sums, scale, final, out, next);
        TFHRF_OF(put, )(sums + 2, scale + scale_step, final, out + out_step, next);
        scale += 2 * scale_step;
        out += 2 * out_step;
        weights += 8 * blocks;
        bias += 2;
    }
    if (left != 0) {
        int32_t sums[4] = {bias[0], bias[0], 0, 0};
        tfhrf_dot(weights, weights, x, blocks, sums);
        TFHRF_OF(put, )(sums, scale, final, out, next);
    }
}
