/* Files and command line of the machine that emulates or debugs the board, by semihosting. */
#ifndef HOST_H_
#define HOST_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the command line, the program's name first; false if it does not fit. */
bool host_arguments(char *text, size_t size);

/* Open files have numbers from 0; a negative one says that the file cannot be opened. */
int32_t host_open(const char *path, bool writing);
size_t host_read(int32_t file, void *to, size_t bytes);        /* bytes that were read */
bool host_write(int32_t file, const void *from, size_t bytes); /* whether all were written */
bool host_seek(int32_t file, uint32_t position);
int32_t host_length(int32_t file); /* negative if it is unknown */

/* Text for people. */
void host_print_number(uint64_t number);
void host_print_signed(int32_t number);

#endif
