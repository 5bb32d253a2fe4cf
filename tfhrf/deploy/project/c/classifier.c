#include "classifier.h"

#include <string.h>

#include "model.h"
#include "model_golden.h"

/* Front end and model never work at the same time. */
static union {
    frontend_complex_t spectrum[FRONTEND_FFT_POINTS];
    int8_t model[MODEL_ARENA_BYTES];
} memory;

bool classifier_start(void)
{
    int8_t logits[MODEL_OUTPUT_ELEMENTS];
    return classifier_run(model_golden_input, logits) &&
           memcmp(logits, model_golden_output, sizeof logits) == 0;
}

bool classifier_run(const int8_t *window, int8_t *logits)
{
    return model_invoke_in(memory.model, window, logits) == 0;
}

frontend_complex_t *classifier_spectrum(void)
{
    return memory.spectrum;
}

const char *const *classifier_labels(void)
{
    return model_labels;
}
