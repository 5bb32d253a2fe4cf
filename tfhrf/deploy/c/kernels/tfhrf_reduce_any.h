/* Sums over up to three axes, of 8-bit and 16-bit kernels. */

/* `sum` and the values that are reduced to one. */
TFHRF_INLINE int32_t TFHRF_OF(total, )(const TFHRF_VALUE *in, const TFHRF_OF(reduce, ) *p,
                                       int32_t sum)
{
    for (int32_t i = 0; i < p->counts[0]; ++i) {
        for (int32_t j = 0; j < p->counts[1]; ++j) {
            const TFHRF_VALUE *x = in + i * p->steps[0] + j * p->steps[1];
            for (int32_t k = p->counts[2]; k > 0; --k) {
                sum += *x;
                x += p->steps[2];
            }
        }
    }
    return sum;
}
