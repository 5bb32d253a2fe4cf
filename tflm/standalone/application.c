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
#define ROOM (APPLICATION_WINDOW + APPLICATION_HOP)

static bool working;
static frontend_t frontend;
/* The latest frames: a whole window, and those that came after it. */
static frontend_level_t frames[ROOM][FRONTEND_MELS];
static uint32_t count;
static posterior_t posterior;
static uint64_t frontend_ticks;
static uint64_t model_ticks;
static uint64_t all_ticks;

static void begin_utterance(void)
{
    frontend_init(&frontend);
    posterior_clear(&posterior);
    count = 0U;
    frontend_ticks = 0U;
    model_ticks = 0U;
    all_ticks = 0U;
}

/* The model's answer to the window that begins with this frame. */
static void classify(uint32_t first)
{
    int8_t logits[APPLICATION_CLASSES];
    const uint64_t start = responder_ticks();
    const bool done = classifier_run(frames[first], logits);
    model_ticks += responder_ticks() - start;
    if (done) {
        posterior_add(&posterior, logits);
        responder_window(frames[first], logits);
    } else {
        working = false;
        responder_failure("The model failed");
    }
}

/* A window is due as soon as there are frames for one, and then after each hop. */
static void frame_is_complete(void)
{
    ++count;
    if (count == WINDOW || count == ROOM) {
        classify(count - WINDOW);
    }
    if (count == ROOM) {
        (void)memmove(frames[0], frames[APPLICATION_HOP], WINDOW * sizeof frames[0]);
        count = WINDOW;
    }
}

static void take(const int16_t *samples, size_t left)
{
    bool complete = true;
    while (complete && working) {
        const uint64_t start = responder_ticks();
        complete = frontend_push(&frontend, &samples, &left, frames[count]);
        frontend_ticks += responder_ticks() - start;
        if (complete) {
            frame_is_complete();
        }
    }
}

/* Silence before and after an utterance that is shorter than a window. */
static void pad(void)
{
    const uint32_t before = (WINDOW - count) / 2U;
    const uint32_t after = WINDOW - count - before;
    (void)memmove(frames[before], frames[0], count * sizeof frames[0]);
    (void)memset(frames[0], FRONTEND_LEAST, before * sizeof frames[0]);
    (void)memset(frames[before + count], FRONTEND_LEAST, after * sizeof frames[0]);
    count = WINDOW;
}

/* The last window ends with the utterance. */
static void classify_rest(void)
{
    if (count < WINDOW) {
        pad();
        classify(0U);
    } else if (count > WINDOW) {
        classify(count - WINDOW);
    } else {
        /* The window that ends here was classified when it was complete. */
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

void setup(void)
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

void loop(void)
{
    const int16_t *samples = NULL;
    size_t left = 0U;
    const audio_status_t status = working ? audio_read(&samples, &left) : AUDIO_NOTHING_YET;
    const uint64_t start = responder_ticks();
    if (status == AUDIO_SAMPLES) {
        take(samples, left);
        all_ticks += responder_ticks() - start;
    } else if (status == AUDIO_END) {
        if (count > 0U) {
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
