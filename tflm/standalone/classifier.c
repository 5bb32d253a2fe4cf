#include "classifier.h"

#include <string.h>

#include "model.h"
#include "model_golden.h"

bool classifier_start(void)
{
    int8_t logits[MODEL_OUTPUT_ELEMENTS];
    return classifier_run(model_golden_input, logits) &&
           memcmp(logits, model_golden_output, sizeof logits) == 0;
}

bool classifier_run(const int8_t *window, int8_t *logits)
{
    return model_invoke(window, logits) == 0;
}

const char *const *classifier_labels(void)
{
    return model_labels;
}
