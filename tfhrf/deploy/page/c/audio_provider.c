/* Samples from the page's script. What the page draws is computed here once more: the application
 * keeps the frames that lie in utterances only. */
#include "audio_provider.h"

#include "application.h"
#include "application_tables.h"
#include "endpoint.h"
#include "frontend.h"
#include "page.h"

static int16_t buffer[PAGE_SAMPLES];
static uint32_t taken;
static uint32_t filled;
static bool over;
static bool stopped;
static frontend_t frontend;
static frontend_complex_t spectrum[FRONTEND_FFT_POINTS];
static endpoint_t endpoint;

static void begin_sound(void)
{
    frontend_init(&frontend);
    endpoint_reset(&endpoint);
}

static void show(const int16_t *samples, size_t count)
{
    int8_t levels[FRONTEND_MELS];
    const int16_t *heard = samples;
    size_t left = count;
    while (frontend_push(&frontend, spectrum, &heard, &left, levels)) {
        page_frame(levels);
    }
    heard = samples;
    left = count;
    while (left > 0U) {
        if (endpoint_feed(&endpoint, &heard, &left) == ENDPOINT_START) {
            page_begin(endpoint.start);
        }
    }
}

bool audio_start(void)
{
    begin_sound();
    return true;
}

/* At most a frame of the endpointer at a time: no more than one utterance ends in it. */
audio_status_t audio_read(const int16_t **samples, size_t *count)
{
    audio_status_t status = AUDIO_NOTHING_YET;
    const uint32_t left = filled - taken;
    if (left > 0U) {
        *samples = &buffer[taken];
        *count = left < ENDPOINT_FRAME ? left : ENDPOINT_FRAME;
        show(*samples, *count);
        taken += (uint32_t)*count;
        status = AUDIO_SAMPLES;
    } else if (over) {
        (void)endpoint_finish(&endpoint);
        over = false;
        status = AUDIO_END;
    } else {
        /* The script calls again when there is more. */
    }
    return status;
}

void page_utterance(uint32_t *start, uint32_t *end)
{
    *start = endpoint.start;
    *end = endpoint.end;
}

void page_stop(void)
{
    stopped = true;
}

void page_setup(void)
{
    application_setup();
}

int16_t *page_samples(void)
{
    return buffer;
}

void page_take(uint32_t count)
{
    taken = 0U;
    filled = count;
    while (taken < filled && !stopped) {
        application_loop();
    }
}

void page_end(void)
{
    over = true;
    application_loop();
    begin_sound();
}
