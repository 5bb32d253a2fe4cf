/* The part of the C library that the program needs: there is none for WebAssembly by itself. */
#ifndef STRING_H_
#define STRING_H_

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *one, const void *other, size_t count);

#endif
