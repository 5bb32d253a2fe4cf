/* Prints the answers. */
#include "responder.h"

#include <stdio.h>
#include <stdlib.h>

void responder_start(void)
{
}

void responder_window(const int8_t *window, const int8_t *logits)
{
    (void)window;
    (void)logits;
}

void responder_utterance(const result_t *result)
{
    for (uint32_t i = 0U; i < result->classes; ++i) {
        const double posterior = (double)result->posterior[i] / (double)POSTERIOR_ONE;
        (void)printf("%.3f %s\n", posterior, result->labels[i]);
    }
    (void)printf("class: %s\n", result->labels[result->best]);
}

void responder_failure(const char *what)
{
    (void)printf("Error: %s\n", what);
    exit(EXIT_FAILURE);
}

uint64_t responder_ticks(void)
{
    return 0U;
}
