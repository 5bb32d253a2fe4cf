#include "application.h"

#include <stdbool.h>
#include <string.h>

#include "application_tables.h"
#include "audio_provider.h"
#include "classifier.h"
#include "frontend.h"
#include "listener.h"
#include "posterior.h"
#include "responder.h"

#define WINDOW APPLICATION_WINDOW

static bool working;
/* The latest frames, around and around: one window and no more. */
static frontend_level_t frames[WINDOW][FRONTEND_MELS];
static uint32_t next;    /* where the next frame goes */
static uint32_t missing; /* frames until a window is due */
static posterior_t posterior;
static uint64_t frontend_ticks;
static uint64_t model_ticks;
static uint64_t all_ticks;
static uint64_t since; /* when the work began that all_ticks does not hold yet */

static void begin_utterance(void)
{
    posterior_clear(&posterior);
    next = 0U;
    missing = WINDOW;
    frontend_ticks = 0U;
    model_ticks = 0U;
    all_ticks = 0U;
    since = responder_ticks();
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

static void count_ticks(void)
{
    const uint64_t now = responder_ticks();
    all_ticks += now - since;
    since = now;
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

static void end_utterance(void)
{
    if (posterior.windows > 0U || next > 0U) {
        classify_rest();
    }
    if (working && posterior.windows > 0U) {
        count_ticks();
        respond();
    }
    begin_utterance();
}

static void take(const int16_t *samples, size_t left)
{
    listener_event_t event = LISTENER_FRAME;
    while (event != LISTENER_NOTHING && working) {
        const uint64_t start = responder_ticks();
        event = listener_next(classifier_spectrum(), &samples, &left, frames[next]);
        frontend_ticks += responder_ticks() - start;
        if (event == LISTENER_FRAME) {
            frame_is_complete();
        } else if (event == LISTENER_END) {
            end_utterance();
        } else {
            /* All are taken. */
        }
    }
}

void application_setup(void)
{
    responder_start();
    if (!classifier_start()) {
        responder_failure("The model's golden output differs");
    } else if (!audio_start()) {
        responder_failure("There is no sound");
    } else {
        listener_start();
        begin_utterance();
        working = true;
    }
}

void application_loop(void)
{
    static const int16_t none = 0;
    const int16_t *samples = &none;
    size_t left = 0U;
    const audio_status_t status = working ? audio_read(&samples, &left) : AUDIO_NOTHING_YET;
    since = responder_ticks();
    if (status == AUDIO_SAMPLES) {
        take(samples, left);
    } else if (status == AUDIO_END) {
        listener_finish();
        take(samples, 0U);
        listener_start();
        begin_utterance();
    } else {
        /* Nothing to do. */
    }
    count_ticks();
}
