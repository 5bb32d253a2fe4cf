/* WebAssembly has instructions for the first three. */
#include "string.h"

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    return __builtin_memcpy(to, from, count);
}

void *memmove(void *to, const void *from, size_t count)
{
    return __builtin_memmove(to, from, count);
}

void *memset(void *to, int value, size_t count)
{
    return __builtin_memset(to, value, count);
}

int memcmp(const void *one, const void *other, size_t count)
{
    const unsigned char *const a = one;
    const unsigned char *const b = other;
    int difference = 0;
    for (size_t i = 0U; i < count && difference == 0; ++i) {
        difference = (int)a[i] - (int)b[i];
    }
    return difference;
}
