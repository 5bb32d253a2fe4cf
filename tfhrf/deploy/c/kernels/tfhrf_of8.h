/* For headers whose text 8-bit and 16-bit kernels share: names and values of 8-bit kernels. */
#undef TFHRF_OF
#undef TFHRF_VALUE
#undef TFHRF_PLANNED
#define TFHRF_OF(kernel, rest) tfhrf_##kernel##rest
#define TFHRF_VALUE int8_t
#define TFHRF_PLANNED TFHRF_VECTORS
