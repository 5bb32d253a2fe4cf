/* From a spectrum to the levels of a frame. */
#ifndef TFHRF_FRONTEND_MEL_H_
#define TFHRF_FRONTEND_MEL_H_

#include <stdint.h>

#include "frontend_tables.h"

/* Levels of the mel filters. They are triangles that overlap by half: between the centres of two
 * filters, the weights of a bin in both add up to one. Energies are half their bins' sum, and those
 * of samples shifted up by `gain` bits. */
void frontend_filter(const frontend_complex_t *spectrum, uint32_t gain, frontend_level_t *frame);

#endif /* TFHRF_FRONTEND_MEL_H_ */
