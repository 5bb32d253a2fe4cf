/* Copies of what does not lie in even steps. */
#ifndef TFHRF_COPY_H_
#define TFHRF_COPY_H_

#include "tfhrf_common.h"

/* Runs of so many bytes, from one list of places to another, counted in bytes. */
TFHRF_KERNEL void tfhrf_copy_listed(const void *in, const int32_t *from, void *out,
                                    const int32_t *to, int32_t count, int32_t bytes)
{
    for (int32_t i = 0; i < count; ++i) {
        memcpy((uint8_t *)out + to[i], (const uint8_t *)in + from[i], (size_t)bytes);
    }
}

#endif
