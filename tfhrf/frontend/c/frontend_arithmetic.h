/* High halves of 64-bit products: single instructions on a core with the DSP extension
 * (Cortex-M4, M7, M33, M55), C with the same bits elsewhere. */
#ifndef TFHRF_FRONTEND_ARITHMETIC_H_
#define TFHRF_FRONTEND_ARITHMETIC_H_

#include <stdint.h>

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* a * b / 2**32, rounded down. */
static inline int32_t frontend_product(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmul %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* sum + a * b / 2**32, rounded down. */
static inline int32_t frontend_add_product(int32_t sum, int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* sum - a * b / 2**32, rounded down. */
static inline int32_t frontend_subtract_product(int32_t sum, int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmls %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

#else

static inline int32_t frontend_product(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b) >> 32);
}

static inline int32_t frontend_add_product(int32_t sum, int32_t a, int32_t b)
{
    return sum + frontend_product(a, b);
}

static inline int32_t frontend_subtract_product(int32_t sum, int32_t a, int32_t b)
{
    return sum + frontend_product(-a, b);
}

#endif

#endif /* TFHRF_FRONTEND_ARITHMETIC_H_ */
