#include "application.h"

#include <stdbool.h>
#include <string.h>

#include "application_tables.h"
#include "audio_provider.h"
#include "classifier.h"
#include "frontend.h"
#include "posterior.h"
#include "responder.h"

#define WINDOW APPLICATION_WINDOW

static bool working;
static frontend_t frontend;
/* The latest frames, around and around: one window and no more. */
static frontend_level_t frames[WINDOW][FRONTEND_MELS];
static uint32_t next;    /* where the next frame goes */
static uint32_t missing; /* frames until a window is due */
static posterior_t posterior;
static uint64_t frontend_ticks;
static uint64_t model_ticks;
static uint64_t all_ticks;

static void begin_utterance(void)
{
    frontend_init(&frontend);
    posterior_clear(&posterior);
    next = 0U;
    missing = WINDOW;
    frontend_ticks = 0U;
    model_ticks = 0U;
    all_ticks = 0U;
}

/* Reverses the order of the frames from `first` up to `end`. */
static void reverse(uint32_t first, uint32_t end)
{
    frontend_level_t kept[FRONTEND_MELS];
    uint32_t low = first;
    uint32_t high = end;
    while (low + 1U < high) {
        --high;
        (void)memcpy(kept, frames[low], sizeof kept);
        (void)memcpy(frames[low], frames[high], sizeof kept);
        (void)memcpy(frames[high], kept, sizeof kept);
        ++low;
    }
}

/* Puts the oldest frame first, in the place where it is. */
static void put_in_order(void)
{
    if (next > 0U) {
        reverse(0U, next);
        reverse(next, WINDOW);
        reverse(0U, WINDOW);
        next = 0U;
    }
}

/* The model's answer to the latest window. */
static void classify(void)
{
    int8_t logits[APPLICATION_CLASSES];
    put_in_order();
    const uint64_t start = responder_ticks();
    const bool done = classifier_run(frames[0], logits);
    model_ticks += responder_ticks() - start;
    if (done) {
        posterior_add(&posterior, logits);
        responder_window(frames[0], logits);
    } else {
        working = false;
        responder_failure("The model failed");
    }
}

/* A window is due as soon as there are frames for one, and then after each hop. */
static void frame_is_complete(void)
{
    next = (next + 1U < WINDOW) ? (next + 1U) : 0U;
    --missing;
    if (missing == 0U) {
        classify();
        missing = APPLICATION_HOP;
    }
}

static void take(const int16_t *samples, size_t left)
{
    bool complete = true;
    while (complete && working) {
        const uint64_t start = responder_ticks();
        complete =
            frontend_push(&frontend, classifier_spectrum(), &samples, &left, frames[next]);
        frontend_ticks += responder_ticks() - start;
        if (complete) {
            frame_is_complete();
        }
    }
}

/* Silence before and after an utterance that is shorter than a window. */
static void pad(void)
{
    const uint32_t count = next;
    const uint32_t before = (WINDOW - count) / 2U;
    const uint32_t after = WINDOW - count - before;
    (void)memmove(frames[before], frames[0], count * sizeof frames[0]);
    (void)memset(frames[0], FRONTEND_LEAST, before * sizeof frames[0]);
    (void)memset(frames[before + count], FRONTEND_LEAST, after * sizeof frames[0]);
    next = 0U;
}

/* The last window ends with the utterance, if none has just been classified that does. */
static void classify_rest(void)
{
    if (posterior.windows == 0U) {
        pad();
        classify();
    } else if (missing < APPLICATION_HOP) {
        classify();
    } else {
        /* Nothing is left. */
    }
}

static void respond(void)
{
    uint32_t mean[APPLICATION_CLASSES];
    result_t result;
    result.best = posterior_mean(&posterior, mean);
    result.windows = posterior.windows;
    result.classes = APPLICATION_CLASSES;
    result.posterior = mean;
    result.labels = classifier_labels();
    result.frontend_ticks = frontend_ticks;
    result.model_ticks = model_ticks;
    result.all_ticks = all_ticks;
    responder_utterance(&result);
}

void application_setup(void)
{
    responder_start();
    if (!classifier_start()) {
        responder_failure("The model's golden output differs");
    } else if (!audio_start()) {
        responder_failure("There is no sound");
    } else {
        begin_utterance();
        working = true;
    }
}

void application_loop(void)
{
    const int16_t *samples = NULL;
    size_t left = 0U;
    const audio_status_t status = working ? audio_read(&samples, &left) : AUDIO_NOTHING_YET;
    const uint64_t start = responder_ticks();
    if (status == AUDIO_SAMPLES) {
        take(samples, left);
        all_ticks += responder_ticks() - start;
    } else if (status == AUDIO_END) {
        if (posterior.windows > 0U || next > 0U) {
            classify_rest();
            all_ticks += responder_ticks() - start;
        }
        if (working && posterior.windows > 0U) {
            respond();
        }
        begin_utterance();
    } else {
        /* Nothing to do. */
    }
}
