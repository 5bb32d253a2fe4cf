/* From samples to the frames of utterances. */
#ifndef LISTENER_H_
#define LISTENER_H_

#include <stddef.h>
#include <stdint.h>

#include "frontend.h"

typedef enum {
    LISTENER_NOTHING, /* all samples are taken */
    LISTENER_FRAME,   /* here is the next frame of the utterance */
    LISTENER_END      /* the utterance is over; the next frame begins another one */
} listener_event_t;

/* Starts a stream. */
void listener_start(void);

/* Takes samples as far as the next event, and moves *samples and *left past what it took; a frame
 * goes to `frame`, FRONTEND_MELS levels. `spectrum` as for frontend_push. */
listener_event_t listener_next(frontend_complex_t *spectrum, const int16_t **samples,
                               size_t *left, frontend_level_t *frame);

/* The stream is over: listener_next with no samples gives the rest of its utterance. */
void listener_finish(void);

#endif
