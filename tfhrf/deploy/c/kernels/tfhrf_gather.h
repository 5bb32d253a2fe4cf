/* GATHER: rows of a table, which lie `row` bytes apart. */
#ifndef TFHRF_GATHER_H_
#define TFHRF_GATHER_H_

#include "tfhrf_common.h"

/* Returns 1 if a place lies outside of the table; the first row is taken then. */
TFHRF_KERNEL int tfhrf_gather(const int32_t *places, ptrdiff_t step, const void *table,
                              ptrdiff_t row, int32_t length, void *out, ptrdiff_t out_row,
                              int32_t bytes, int32_t count)
{
    int failed = 0;
    uint8_t *to = out;
    for (; count > 0; --count) {
        int32_t place = *places;
        if (place < 0 || place >= length) {
            failed = 1;
            place = 0;
        }
        memcpy(to, (const uint8_t *)table + row * place, (size_t)bytes);
        to += out_row;
        places += step;
    }
    return failed;
}

#endif
