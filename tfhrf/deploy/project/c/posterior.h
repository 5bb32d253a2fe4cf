/* Softmax of a model's integer outputs, and its mean over windows, in integers alone. */
#ifndef POSTERIOR_H_
#define POSTERIOR_H_

#include <stdint.h>

#include "application_tables.h"

typedef struct {
    uint64_t sums[APPLICATION_CLASSES];
    uint32_t windows;
} posterior_t;

void posterior_clear(posterior_t *posterior);
void posterior_add(posterior_t *posterior, const int8_t *logits);

/* Writes the mean over at least one window, in parts of POSTERIOR_ONE; returns the index of the
 * highest, of equals the first. */
uint32_t posterior_mean(const posterior_t *posterior, uint32_t *mean);

#endif
