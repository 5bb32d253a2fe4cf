/* What the program was started with: NAME WINDOWS WAV. */
#ifndef COMMAND_LINE_H_
#define COMMAND_LINE_H_

/* File for the windows that the model sees, as they are in memory; "-" for none. */
const char *command_line_windows(void);

/* File of the sound; may hold spaces. */
const char *command_line_wav(void);

#endif
