/* Utterances are what the endpointer finds; their frames are those of the stream that lie in them.
 *
 * Frames wait until it is known whether they belong to one: before its start is sure, and in a
 * pause that may become its end. */
#include "listener.h"

#include <stdbool.h>
#include <string.h>

#include "endpoint.h"

#define PLACES (ENDPOINT_WAITING + 1U) /* one more, for the frame that comes next */

static frontend_t frontend;
static endpoint_t endpoint;
static frontend_level_t waiting[PLACES][FRONTEND_MELS];
static uint32_t oldest;   /* its place */
static uint32_t held;     /* frames that wait */
static uint32_t position; /* first sample of the oldest */
static bool speaking;
static bool over; /* nothing behind endpoint.end belongs to the utterance */

static void drop_oldest(void)
{
    oldest = oldest + 1U < PLACES ? oldest + 1U : 0U;
    position += FRONTEND_HOP;
    --held;
}

static frontend_level_t *next_place(void)
{
    const uint32_t place = oldest + held;
    return waiting[place < PLACES ? place : place - PLACES];
}

/* The same samples through front end and endpointer, up to a frame of the latter. */
static void hear(frontend_complex_t *spectrum, const int16_t **samples, size_t *left)
{
    const int16_t *heard = *samples;
    const endpoint_event_t event = endpoint_feed(&endpoint, samples, left);
    size_t count = (size_t)(*samples - heard);
    while (frontend_push(&frontend, spectrum, &heard, &count, next_place())) {
        ++held;
        if (held > ENDPOINT_WAITING) {
            drop_oldest();
        }
    }
    speaking = speaking || event == ENDPOINT_START;
    over = event == ENDPOINT_END;
}

/* Whether the oldest frame belongs to the utterance for sure. */
static bool is_settled(void)
{
    while (held > 0U && (int32_t)(position - endpoint.start) < 0) {
        drop_oldest();
    }
    return held > 0U && (int32_t)(endpoint.end - position - FRONTEND_FRAME_LENGTH) >= 0;
}

void listener_start(void)
{
    frontend_init(&frontend);
    endpoint_reset(&endpoint);
    oldest = 0U;
    held = 0U;
    position = 0U;
    speaking = false;
    over = false;
}

listener_event_t listener_next(frontend_complex_t *spectrum, const int16_t **samples,
                               size_t *left, frontend_level_t *frame)
{
    listener_event_t event = LISTENER_NOTHING;
    bool settled = speaking && is_settled();
    while (!settled && !over && *left > 0U) {
        hear(spectrum, samples, left);
        settled = speaking && is_settled();
    }
    if (settled) {
        (void)memcpy(frame, waiting[oldest], sizeof waiting[oldest]);
        drop_oldest();
        event = LISTENER_FRAME;
    } else if (over) {
        speaking = false;
        over = false;
        event = LISTENER_END;
    } else {
        /* More samples. */
    }
    return event;
}

void listener_finish(void)
{
    over = endpoint_finish(&endpoint);
}
