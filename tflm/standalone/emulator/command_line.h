/* What the program was started with: NAME WINDOWS WAV. */
#ifndef COMMAND_LINE_H_
#define COMMAND_LINE_H_

#include <stdint.h>

/* Holds the text until samples take its place: some boards have little memory. */
typedef union {
    char text[512];
    int16_t samples[256];
} command_line_memory_t;

extern command_line_memory_t command_line_memory;

/* File for the windows that the model sees, as they are in memory; "-" for none. */
const char *command_line_windows(void);

/* File of the sound; may hold spaces. */
const char *command_line_wav(void);

#endif
