/* SVDF, of states and weights of time of 8 or of 16 bits. */

typedef struct {
    int32_t depth;
    int32_t units;
    int32_t rank; /* filters for each unit */
    int32_t memory;
    const int8_t *features; /* a row for each filter */
    const int32_t *offsets; /* what the input's zero point comes to */
    const TFHRF_VALUE *times;
    const int32_t *bias;
    tfhrf_scale feature; /* from a sum to the state */
    tfhrf_scale scale;
} TFHRF_OF(svdf, );

TFHRF_KERNEL void TFHRF_OF(svdf, _step)(const int8_t *in, TFHRF_VALUE *state, int8_t *out,
                                        const TFHRF_OF(svdf, ) *p)
{
    const int32_t last = p->memory - 1;
    const int8_t *features = p->features;
    const TFHRF_VALUE *times = p->times;
    const int32_t *offset = p->offsets;
    for (int32_t unit = 0; unit < p->units; ++unit) {
        int32_t sum = p->bias[unit];
        for (int32_t filter = 0; filter < p->rank; ++filter) {
            int32_t feature = *offset;
            for (int32_t i = 0; i < p->depth; ++i) {
                feature += features[i] * in[i];
            }
            const int32_t newest = tfhrf_rescale_any(feature, &p->feature);
            for (int32_t i = 0; i < last; ++i) {
                state[i] = state[i + 1];
                sum += state[i] * times[i];
            }
            state[last] = (TFHRF_VALUE)TFHRF_OF(saturate, )(newest);
            sum += state[last] * times[last];
            features += p->depth;
            times += p->memory;
            state += p->memory;
            ++offset;
        }
        out[unit] = (int8_t)tfhrf_saturate(tfhrf_rescale_any(sum, &p->scale));
    }
}
