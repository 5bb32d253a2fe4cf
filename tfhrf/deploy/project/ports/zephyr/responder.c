/* Prints the answers. */
#include "responder.h"

#include <zephyr/kernel.h>

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
        /* Without floats, which printk does not print. */
        const uint64_t scaled = 1000U * (uint64_t)result->posterior[i] + POSTERIOR_ONE / 2U;
        const unsigned int thousandths = (unsigned int)(scaled / POSTERIOR_ONE);
        printk("%u.%03u %s\n", thousandths / 1000U, thousandths % 1000U, result->labels[i]);
    }
    printk("class: %s\n", result->labels[result->best]);
}

void responder_failure(const char *what)
{
    printk("Error: %s\n", what);
}

uint64_t responder_ticks(void)
{
    return (uint64_t)k_uptime_ticks();
}
