/* Every sample belongs to an utterance; the port says when that is over. */
#include <stdbool.h>

#include "listener.h"

static frontend_t frontend;
static bool over;

void listener_start(void)
{
    frontend_init(&frontend);
    over = false;
}

listener_event_t listener_next(frontend_complex_t *spectrum, const int16_t **samples,
                               size_t *left, frontend_level_t *frame)
{
    listener_event_t event = LISTENER_NOTHING;
    if (frontend_push(&frontend, spectrum, samples, left, frame)) {
        event = LISTENER_FRAME;
    } else if (over) {
        over = false;
        event = LISTENER_END;
    } else {
        /* More samples. */
    }
    return event;
}

void listener_finish(void)
{
    over = true;
}
