/* Products of vectors, of 8-bit and 16-bit kernels. */

/* Adds to sums the products of two rows a, b of `left` values with two widened rows x. */
TFHRF_INLINE void TFHRF_OF(dot_vectors, )(const TFHRF_VALUE *a, const TFHRF_VALUE *b,
                                          const tfhrf_pair *x, int32_t left, int32_t sums[4])
{
    int32_t a0 = sums[0];
    int32_t a1 = sums[1];
    int32_t b0 = sums[2];
    int32_t b1 = sums[3];
    const int16_t *x0 = x[0].half;
    for (; left >= 8; left -= 8) {
        const int16x8_t first = vldrhq_s16(x0);
        const int16x8_t second = vldrhq_s16(x0 + 8);
        const int16x8_t a_values = TFHRF_OF(load_eight, )(a);
        const int16x8_t b_values = TFHRF_OF(load_eight, )(b);
        a0 = vmladavaq_s16(a0, a_values, first);
        a1 = vmladavaq_s16(a1, a_values, second);
        b0 = vmladavaq_s16(b0, b_values, first);
        b1 = vmladavaq_s16(b1, b_values, second);
        a += 8;
        b += 8;
        x0 += 16;
    }
    if (left > 0) {
        const mve_pred16_t lanes = vctp16q((uint32_t)left);
        const int16x8_t first = vldrhq_s16(x0);
        const int16x8_t second = vldrhq_s16(x0 + 8);
        const int16x8_t a_values = TFHRF_OF(load_lanes, )(a, lanes);
        const int16x8_t b_values = TFHRF_OF(load_lanes, )(b, lanes);
        a0 = vmladavaq_s16(a0, a_values, first);
        a1 = vmladavaq_s16(a1, a_values, second);
        b0 = vmladavaq_s16(b0, b_values, first);
        b1 = vmladavaq_s16(b1, b_values, second);
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
}
