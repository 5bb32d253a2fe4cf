/* Log-mel front end: int16 samples in, quantized frames of a model's input out.
 *
 *     static frontend_t frontend;
 *     static frontend_complex_t spectrum[FRONTEND_FFT_POINTS];
 *     frontend_level_t frame[FRONTEND_MELS];
 *     frontend_init(&frontend);
 *     while (frontend_push(&frontend, spectrum, &samples, &count, frame)) {
 *         use(frame);
 *     }
 *
 * Integer arithmetic only, so that every machine computes the same bits. No heap, no recursion.
 */
#ifndef TFHRF_FRONTEND_H_
#define TFHRF_FRONTEND_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One stream of audio. Its fields are the front end's own. */
typedef struct {
    uint32_t next;    /* where the next sample goes in `ring` */
    uint32_t missing; /* samples until the next frame is complete */
    uint32_t left;    /* frames until `loudest` begins anew */
    int32_t loudest;  /* all bits that the magnitudes of the latest samples have */
    int32_t before;   /* `loudest` of the time before */
    int16_t ring[FRONTEND_FRAME_LENGTH + 1U]; /* the last element repeats the first */
} frontend_t;

/* Starts a stream; also forgets what was pushed before. */
void frontend_init(frontend_t *stream);

/* Takes samples until a frame is complete or none is left, and moves *samples and *count past
 * what it took. Returns true if `frame` (FRONTEND_MELS values) was written; call again then.
 * `spectrum` (FRONTEND_FFT_POINTS values) is scratch: between two calls its memory may serve
 * something else. */
bool frontend_push(frontend_t *stream, frontend_complex_t *spectrum, const int16_t **samples,
                   size_t *count, frontend_level_t *frame);

#ifdef __cplusplus
}
#endif

#endif /* TFHRF_FRONTEND_H_ */
