#include "posterior.h"

#include "responder.h"

static uint64_t rounded_quotient(uint64_t dividend, uint64_t divisor)
{
    return (dividend + divisor / 2U) / divisor;
}

void posterior_clear(posterior_t *posterior)
{
    for (uint32_t i = 0U; i < APPLICATION_CLASSES; ++i) {
        posterior->sums[i] = 0U;
    }
    posterior->windows = 0U;
}

void posterior_add(posterior_t *posterior, const int8_t *logits)
{
    int32_t highest = logits[0];
    uint64_t sum = 0U;
    for (uint32_t i = 1U; i < APPLICATION_CLASSES; ++i) {
        highest = logits[i] > highest ? logits[i] : highest;
    }
    for (uint32_t i = 0U; i < APPLICATION_CLASSES; ++i) {
        sum += application_exponentials[highest - logits[i]];
    }
    for (uint32_t i = 0U; i < APPLICATION_CLASSES; ++i) {
        const uint64_t exponential = application_exponentials[highest - logits[i]];
        posterior->sums[i] += rounded_quotient(exponential * POSTERIOR_ONE, sum);
    }
    posterior->windows++;
}

uint32_t posterior_mean(const posterior_t *posterior, uint32_t *mean)
{
    uint32_t best = 0U;
    for (uint32_t i = 0U; i < APPLICATION_CLASSES; ++i) {
        mean[i] = (uint32_t)rounded_quotient(posterior->sums[i], posterior->windows);
        best = posterior->sums[i] > posterior->sums[best] ? i : best;
    }
    return best;
}
