/* Where sound comes from: the first of the two files that a port writes. */
#ifndef AUDIO_PROVIDER_H_
#define AUDIO_PROVIDER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    AUDIO_NOTHING_YET, /* come again later */
    AUDIO_SAMPLES,     /* here are some */
    AUDIO_END          /* the sound is over, and an utterance with it; another sound may follow */
} audio_status_t;

/* Called once, before anything else here; false if there is no sound to be had. */
bool audio_start(void);

/* Hands on what the microphone hears: the application finds the utterances in it. A port that knows
 * better, by a button for example, says AUDIO_END; without the endpointer (write_project with
 * endpoint=False) it has to.
 *
 * Must not wait. For AUDIO_SAMPLES it sets *samples and *count: any number of 16-bit samples of
 * one channel, at the sample rate of the front end, that stay untouched until the next call. */
audio_status_t audio_read(const int16_t **samples, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
