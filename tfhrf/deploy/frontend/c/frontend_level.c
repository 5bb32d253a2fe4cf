#include "frontend_level.h"

#include "frontend_arithmetic.h"

frontend_level_t frontend_level(int64_t energy, int32_t offset)
{
    const uint32_t high = (uint32_t)((uint64_t)energy >> 32);
    const uint32_t low = (uint32_t)energy;
    uint32_t exponent;
    uint32_t mantissa; /* its highest bit is set */
    const int32_t *terms;
    int32_t position; /* in the interval, 31 fractional bits */
    int32_t logarithm;
    int32_t level;

    if (energy <= 0) {
        return FRONTEND_LEAST;
    }
    if (high != 0U) {
        exponent = frontend_highest_bit(high);
        mantissa = (high << (31U - exponent)) | ((low >> 1) >> exponent);
        exponent += 32U;
    } else {
        exponent = frontend_highest_bit(low);
        mantissa = low << (31U - exponent);
    }
    /* A polynomial of degree 2 on each of 32 intervals. */
    terms = frontend_logarithm[(mantissa >> 26) & 31U];
    position = (int32_t)((mantissa << 6) >> 1);
    logarithm = offset + (int32_t)(exponent << FRONTEND_LOG_BITS) + terms[0];
    logarithm += frontend_product(position, terms[1] + frontend_product(position, terms[2]));
    /* Shifts of negative numbers to the right keep the sign, as with every compiler in use. */
    level = (int32_t)(((int64_t)logarithm * FRONTEND_SLOPE + FRONTEND_OFFSET) >> FRONTEND_SHIFT);
    level = (level < FRONTEND_LEAST) ? FRONTEND_LEAST : level;
    level = (level > FRONTEND_LARGEST) ? FRONTEND_LARGEST : level;
    return (frontend_level_t)level;
}
