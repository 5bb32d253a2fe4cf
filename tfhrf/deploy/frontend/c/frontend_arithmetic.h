/* Products that keep the high half of 64 bits are single instructions on a core with the DSP
 * extension (Cortex-M4, M7, M33, M55), and C with the same bits elsewhere. */
#ifndef TFHRF_FRONTEND_ARITHMETIC_H_
#define TFHRF_FRONTEND_ARITHMETIC_H_

#include <stdint.h>

#include "frontend_tables.h"

/* a * b / 2**32, rounded. */
static inline int32_t frontend_product(int32_t a, int32_t b)
{
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    /* The highest of the lower bits rounds. */
    const int64_t product = (int64_t)a * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}

/* Index of the highest bit that is set; the value is not 0. */
static inline uint32_t frontend_highest_bit(uint32_t value)
{
#if defined(__GNUC__)
    return 31U - (uint32_t)__builtin_clz(value);
#else
    uint32_t bit = 31U;
    while ((value >> bit) == 0U) {
        bit--;
    }
    return bit;
#endif
}

/* value * (w.re - i w.im) / 2**32; each of the four products is rounded. */
static inline frontend_complex_t frontend_rotated(frontend_complex_t value, frontend_complex_t w)
{
    frontend_complex_t result;
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)
    __asm__("smmulr %0, %2, %4\n\t"
            "smmulr %1, %3, %4\n\t"
            "smmlar %0, %3, %5, %0\n\t"
            "smmlsr %1, %2, %5, %1"
            : "=&r"(result.re), "=&r"(result.im)
            : "r"(value.re), "r"(value.im), "r"(w.re), "r"(w.im));
#else
    result.re = frontend_product(value.re, w.re) + frontend_product(value.im, w.im);
    result.im = frontend_product(value.im, w.re) + frontend_product(-value.re, w.im);
#endif
    return result;
}

#endif /* TFHRF_FRONTEND_ARITHMETIC_H_ */
