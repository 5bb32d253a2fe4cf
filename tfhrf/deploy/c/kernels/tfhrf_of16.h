/* For headers whose text 8-bit and 16-bit kernels share: names and values of 16-bit kernels. */
#undef TFHRF_OF
#undef TFHRF_VALUE
#undef TFHRF_PLANNED
#define TFHRF_OF(kernel, rest) tfhrf_##kernel##16##rest
#define TFHRF_VALUE int16_t
#define TFHRF_PLANNED 0
