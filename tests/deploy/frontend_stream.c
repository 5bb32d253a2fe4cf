/* Reads int16 samples from standard input, in pieces of argv[1] samples; writes the frames. */
#include <stdio.h>
#include <stdlib.h>

#include "frontend.h"

int main(int argc, char **argv)
{
    static frontend_t frontend;
    static frontend_complex_t spectrum[FRONTEND_FFT_POINTS];
    const size_t piece = (argc > 1) ? (size_t)strtoul(argv[1], NULL, 10) : 0U;
    int16_t *samples = malloc(piece * sizeof *samples);
    size_t count;

    if ((piece == 0U) || (samples == NULL)) {
        return 1;
    }
    frontend_init(&frontend);
    while ((count = fread(samples, sizeof *samples, piece, stdin)) > 0U) {
        const int16_t *next = samples;
        frontend_level_t frame[FRONTEND_MELS];
        while (frontend_push(&frontend, spectrum, &next, &count, frame)) {
            fwrite(frame, sizeof frame, 1U, stdout);
        }
    }
    free(samples);
    return 0;
}
