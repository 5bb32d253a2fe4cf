/* Window and discrete Fourier transform of a frame of samples, in 32-bit integers. */
#ifndef TFHRF_FRONTEND_FFT_H_
#define TFHRF_FRONTEND_FFT_H_

#include <stdint.h>

#include "frontend_tables.h"

/* Spectrum of the windowed frame in the ring, padded with zeros. The frame begins at ring[oldest];
 * after the last element, which repeats the first, it goes on at the second. Samples are shifted
 * up by `gain` bits, which they must have room for. Element k is bin k, but element 0 is unused.
 * Every stage with factors halves; nothing overflows. */
void frontend_transform(frontend_complex_t *spectrum, const int16_t *ring, uint32_t oldest,
                        uint32_t gain);

#endif /* TFHRF_FRONTEND_FFT_H_ */
