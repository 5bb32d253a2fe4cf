/* A port of the application to this machine: pieces of sound from standard input, answers to
 * standard output.
 *
 * A piece is an int32 and as many samples; 0 ends an utterance, -1 says that there is nothing yet.
 * An answer is the best class, the number of windows, and the posteriors, as uint32. */
#include <stdio.h>
#include <stdlib.h>

#include "audio_provider.h"
#include "responder.h"

static int16_t *piece = NULL;

bool audio_start(void)
{
    return true;
}

audio_status_t audio_read(const int16_t **samples, size_t *count)
{
    audio_status_t status = AUDIO_NOTHING_YET;
    int32_t size;
    free(piece);
    piece = NULL;
    if (fread(&size, sizeof size, 1, stdin) != 1U) {
        exit(0);
    }
    if (size == 0) {
        status = AUDIO_END;
    } else if (size > 0) {
        /* Of just the size, so that reading past it is found. */
        piece = malloc((size_t)size * sizeof *piece);
        if (piece == NULL || fread(piece, sizeof *piece, (size_t)size, stdin) != (size_t)size) {
            exit(2);
        }
        *samples = piece;
        *count = (size_t)size;
        status = AUDIO_SAMPLES;
    } else {
        /* Nothing yet. */
    }
    return status;
}

void responder_start(void)
{
}

void responder_window(const int8_t *window, const int8_t *logits)
{
    (void)window;
    (void)logits;
}

void responder_utterance(const result_t *result)
{
    (void)fwrite(&result->best, sizeof result->best, 1, stdout);
    (void)fwrite(&result->windows, sizeof result->windows, 1, stdout);
    (void)fwrite(result->posterior, sizeof result->posterior[0], result->classes, stdout);
}

void responder_failure(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    exit(1);
}

uint64_t responder_ticks(void)
{
    return 0U;
}
