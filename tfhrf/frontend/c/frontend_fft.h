/* Discrete Fourier transform of a real frame, in place, in 32-bit integers. */
#ifndef TFHRF_FRONTEND_FFT_H_
#define TFHRF_FRONTEND_FFT_H_

#include <stdint.h>

#include "frontend_tables.h"

/* Transforms 2 * FRONTEND_FFT_POINTS real values. Before, they lie in pairs, pair n at
 * frontend_order[n]; afterwards element k holds bin k of the spectrum, but element 0 is unused.
 * Every stage that multiplies also halves; the tables leave room so that nothing overflows. */
void frontend_transform(frontend_complex_t *spectrum);

#endif /* TFHRF_FRONTEND_FFT_H_ */
