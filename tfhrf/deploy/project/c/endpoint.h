/* Where utterances begin and end, by the energy of the samples over an adaptive noise floor:
 * integers only, the same bits as tfhrf.endpoint in Python.
 *
 *     static endpoint_t endpoint;
 *     endpoint_reset(&endpoint);
 *     do {
 *         event = endpoint_feed(&endpoint, &samples, &count);
 *     } while (event != ENDPOINT_NOTHING);
 */
#ifndef ENDPOINT_H_
#define ENDPOINT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ENDPOINT_NOTHING, /* all samples are taken, no frame is complete */
    ENDPOINT_QUIET,   /* no utterance */
    ENDPOINT_START,   /* one has begun, at `start` */
    ENDPOINT_SPEECH,  /* it goes on, at least up to `end` */
    ENDPOINT_END      /* it is over; it went from `start` to `end` */
} endpoint_event_t;

/* One stream. Positions count samples, begin with 0 again after 2^32 of them, and may be
 * subtracted. */
typedef struct {
    uint32_t start;    /* first sample of the utterance */
    uint32_t end;      /* the sample behind the last one that surely belongs to it */
    uint32_t position; /* samples in whole frames so far */
    /* The rest is the endpointer's own. */
    uint64_t squares; /* of this frame's samples */
    int32_t sum;
    uint32_t filled;
    int32_t floor;    /* of the noise, 16 fractional bits; negative before the first frame */
    int32_t quietest; /* level of the utterance */
    uint32_t quiet;   /* frames in a row without speech, in an utterance */
    uint32_t run;     /* frames of speech in a row before an utterance */
    uint32_t room;    /* frames since the last one, as far as they may belong to the next one */
    bool speaking;
} endpoint_t;

/* Starts a stream. */
void endpoint_reset(endpoint_t *endpoint);

/* Takes samples until a frame of ENDPOINT_FRAME is complete or none is left, and moves *samples
 * and *count past what it took. */
endpoint_event_t endpoint_feed(endpoint_t *endpoint, const int16_t **samples, size_t *count);

/* The stream is over: whether that ends an utterance. Reset before the next sample. */
bool endpoint_finish(endpoint_t *endpoint);

#ifdef __cplusplus
}
#endif

#endif
