/* What a processor's start-up and the one that all of them share have of each other. */
#ifndef PROCESSOR_H_
#define PROCESSOR_H_

#include <stdint.h>

/* Sets up memory, runs the program, ends it. */
void processor_run(void);

/* Ends the program after a fault. */
void processor_fail(void);

/* Where the stack has grown to. */
const uint32_t *processor_stack(void);

#endif
