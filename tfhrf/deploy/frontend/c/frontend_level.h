/* From the energy in a filter to a level of the model's input. */
#ifndef TFHRF_FRONTEND_LEVEL_H_
#define TFHRF_FRONTEND_LEVEL_H_

#include <stdint.h>

#include "frontend_tables.h"

/* Level of a filter's energy of samples shifted up by `gain` bits: the logarithm, shifted, scaled,
 * rounded and clipped. */
frontend_level_t frontend_level(int64_t energy, uint32_t gain);

#endif /* TFHRF_FRONTEND_LEVEL_H_ */
