/* What happens with the answer: the second of the two files that a port writes. */
#ifndef RESPONDER_H_
#define RESPONDER_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t windows;          /* that the model has seen of this utterance */
    uint32_t classes;
    uint32_t best;             /* index of the class with the highest posterior */
    const uint32_t *posterior; /* mean over the windows; POSTERIOR_ONE is certainty */
    const char *const *labels; /* name of each class */
    uint64_t frontend_ticks;   /* time by responder_ticks since the last answer, silence too */
    uint64_t model_ticks;
    uint64_t all_ticks; /* these two, moving windows, averaging, and the responder's own work */
} result_t;

#define POSTERIOR_ONE (1UL << 24)

/* Called once, first of all. */
void responder_start(void);

/* Called after each window, with the model's input and output as integers. */
void responder_window(const int8_t *window, const int8_t *logits);

/* Called at the end of each utterance that is not shorter than one frame. */
void responder_utterance(const result_t *result);

/* Called when the device cannot work; nothing is called afterwards. */
void responder_failure(const char *what);

/* Any clock, for the times in the result; may always return 0. */
uint64_t responder_ticks(void);

#ifdef __cplusplus
}
#endif

#endif
