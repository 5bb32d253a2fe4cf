/* Answers to the page's script. */
#include "responder.h"

#include "page.h"
#include "posterior.h"

void responder_start(void)
{
}

void responder_window(const int8_t *window, const int8_t *logits)
{
    posterior_t posterior;
    uint32_t mean[APPLICATION_CLASSES];
    posterior_clear(&posterior);
    posterior_add(&posterior, logits);
    (void)posterior_mean(&posterior, mean);
    page_window(window, logits, mean);
}

void responder_utterance(const result_t *result)
{
    uint32_t start;
    uint32_t end;
    page_utterance(&start, &end);
    page_answer(start, end, result->windows, result->posterior,
                (double)result->frontend_ticks / 1000.0, (double)result->model_ticks / 1000.0);
}

void responder_failure(const char *what)
{
    page_stop();
    page_failure(what);
}

/* Microseconds. */
uint64_t responder_ticks(void)
{
    return (uint64_t)(page_now() * 1000.0);
}
