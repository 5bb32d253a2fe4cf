/* The model, whatever computes it: C that tfhrf.to_c generated (classifier.c) or TensorFlow
 * Lite Micro (classifier.cc). */
#ifndef CLASSIFIER_H_
#define CLASSIFIER_H_

#include <stdbool.h>
#include <stdint.h>

#include "frontend_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called once, first; whether the model computes here what it computed where it was made. */
bool classifier_start(void);

/* From a window of levels, frame after frame, to one output for each class; true if it worked. */
bool classifier_run(const int8_t *window, int8_t *logits);

/* Memory for FRONTEND_FFT_POINTS values, which the model may use as its own in classifier_run. */
frontend_complex_t *classifier_spectrum(void);

/* Names of the classes. */
const char *const *classifier_labels(void);

#ifdef __cplusplus
}
#endif

#endif
