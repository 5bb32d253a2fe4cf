/* From the energy in a filter to a level of the model's input. */
#ifndef TFHRF_FRONTEND_LEVEL_H_
#define TFHRF_FRONTEND_LEVEL_H_

#include <stdint.h>

#include "frontend_tables.h"

/* Fractional bits of the logarithm to base 2. */
#define FRONTEND_LOG_BITS 25

/* Level of a filter's energy: the logarithm to base 2, to which `offset` is added, shifted, scaled,
 * rounded and clipped. */
frontend_level_t frontend_level(int64_t energy, int32_t offset);

#endif /* TFHRF_FRONTEND_LEVEL_H_ */
