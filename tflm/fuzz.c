/* Feeds bytes to a generated model and, as samples, to the front end before it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Outputs of a model for an input; heap blocks of the exact sizes let sanitizers see their ends. */
static void invoke(const frontend_level_t *in, frontend_level_t *out)
{
    if (model_invoke(in, out) != 0) {
        memset(out, 0, MODEL_OUTPUT_ELEMENTS * sizeof *out);
    }
}

/* Frames of a stream of samples, pushed in pieces, move into the window; the model runs on all. */
static void listen(const uint8_t *data, size_t size, frontend_level_t *in, frontend_level_t *out)
{
    static frontend_t frontend;
    const size_t total = size / sizeof(int16_t);
    const size_t piece = size > 0U ? 1U + data[0] : 1U;
    int16_t *const samples = malloc(total * sizeof *samples + 1U);
    frontend_complex_t *const spectrum = malloc(FRONTEND_FFT_POINTS * sizeof *spectrum);
    if (samples == NULL || spectrum == NULL) {
        free(samples);
        free(spectrum);
        return;
    }
    memcpy(samples, data, total * sizeof *samples);
    frontend_init(&frontend);
    for (size_t done = 0U; done < total;) {
        const size_t pushed = piece < total - done ? piece : total - done;
        const int16_t *next = samples + done;
        size_t count = pushed;
        frontend_level_t frame[FRONTEND_MELS];
        while (frontend_push(&frontend, spectrum, &next, &count, frame)) {
            memmove(in, in + FRONTEND_MELS,
                    (MODEL_INPUT_ELEMENTS - FRONTEND_MELS) * sizeof *in);
            memcpy(in + (MODEL_INPUT_ELEMENTS - FRONTEND_MELS), frame, sizeof frame);
        }
        done += pushed;
    }
    invoke(in, out);
    free(samples);
    free(spectrum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t bytes = MODEL_INPUT_ELEMENTS * sizeof(frontend_level_t);
    frontend_level_t *const in = calloc(1U, bytes);
    frontend_level_t *const first = malloc(MODEL_OUTPUT_ELEMENTS * sizeof *first);
    frontend_level_t *const again = malloc(MODEL_OUTPUT_ELEMENTS * sizeof *again);
    if (in != NULL && first != NULL && again != NULL) {
        memcpy(in, data, size < bytes ? size : bytes);
        invoke(in, first);
        listen(data, size, in, again);
        /* What a call leaves in the arena must not matter to the next. */
        memset(in, 0, bytes);
        memcpy(in, data, size < bytes ? size : bytes);
        invoke(in, again);
        if (memcmp(first, again, MODEL_OUTPUT_ELEMENTS * sizeof *first) != 0) {
            abort();
        }
    }
    free(in);
    free(first);
    free(again);
    return 0;
}
