#include "frontend.h"

/* Fractional bits of the logarithm to base 2. */
#define LOG_BITS 25U

/* Index of the highest bit that is set; the value is not 0. */
static inline uint32_t highest_bit(uint32_t value)
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

/* Level of a filter's energy: the logarithm, shifted, scaled, rounded and clipped. */
static frontend_level_t level_of(uint64_t energy)
{
    const uint32_t high = (uint32_t)(energy >> 32);
    const uint32_t low = (uint32_t)energy;
    uint32_t exponent;
    uint32_t mantissa; /* its highest bit is set */
    uint32_t index;
    uint32_t base;
    uint32_t rise;
    int64_t level;

    if (energy <= FRONTEND_FLOOR) {
        return FRONTEND_FLOOR_LEVEL;
    }
    if (high != 0U) {
        exponent = highest_bit(high);
        mantissa = (high << (31U - exponent)) | ((low >> 1) >> exponent);
        exponent += 32U;
    } else {
        exponent = highest_bit(low);
        mantissa = low << (31U - exponent);
    }
    /* Linear between the entries of a table with 15 fractional bits. */
    index = (mantissa >> 24) & 127U;
    base = frontend_logarithm[index];
    rise = frontend_logarithm[index + 1U] - base;
    base = (exponent << LOG_BITS) + (base << (LOG_BITS - 15U));
    base += (rise * ((mantissa >> 8) & 0xFFFFU)) >> (31U - LOG_BITS);
    /* Shifts of negative numbers to the right keep the sign, as with every compiler in use. */
    level = ((int64_t)(int32_t)base * FRONTEND_SLOPE + FRONTEND_OFFSET) >> FRONTEND_SHIFT;
    if (level < FRONTEND_LEVEL_MIN) {
        level = FRONTEND_LEVEL_MIN;
    }
    if (level > FRONTEND_LEVEL_MAX) {
        level = FRONTEND_LEVEL_MAX;
    }
    return (frontend_level_t)level;
}

/* Applies the window and puts the frame where the transform expects it. */
static void window_frame(frontend_t *frontend)
{
    int32_t *values = &frontend->spectrum[0].re;
    const int16_t *sample = &frontend->ring[frontend->next];
    const int16_t *end = &frontend->ring[FRONTEND_FRAME_LENGTH];
    uint32_t pair;

    for (pair = 0U; pair < FRONTEND_PAIRS; pair++) {
        int32_t *place = &values[2U * frontend_order[pair]];
        const int32_t *weight = &frontend_window[2U * pair];
        place[0] = (int32_t)(((int64_t)(sample[0] * 65536) * weight[0]) >> 32);
        place[1] = (int32_t)(((int64_t)(sample[1] * 65536) * weight[1]) >> 32);
        sample = &sample[2];
        if (sample >= end) {
            sample = &sample[-(int32_t)FRONTEND_FRAME_LENGTH];
        }
    }
    for (; pair < FRONTEND_FFT_POINTS; pair++) {
        int32_t *place = &values[2U * frontend_order[pair]];
        place[0] = 0;
        place[1] = 0;
    }
}

/* Levels of the mel filters. They are triangles that overlap by half: between the centres of two
 * filters, the weights of a bin in both add up to one. */
static void filter(const frontend_complex_t *spectrum, frontend_level_t *frame)
{
    const uint16_t *weight = frontend_weights;
    uint32_t bin = FRONTEND_FIRST_BIN;
    uint32_t segment;
    uint64_t rising = 0U; /* of the filter whose centre comes next, with 16 fractional bits */

    for (segment = 0U; segment <= FRONTEND_MELS; segment++) {
        const uint32_t stop = bin + frontend_segments[segment];
        uint64_t sum = 0U;
        uint64_t next = 0U;
        while (bin < stop) {
            const uint64_t power = frontend_power(&spectrum[bin]) >> FRONTEND_POWER_SHIFT;
            sum += power;
            next += power * *weight;
            weight = &weight[1];
            bin++;
        }
        if (segment > 0U) {
            frame[segment - 1U] = level_of(rising + (sum << 16) - next);
        }
        rising = next;
    }
}

void frontend_init(frontend_t *frontend)
{
    frontend->next = 0U;
    frontend->missing = FRONTEND_FRAME_LENGTH;
}

bool frontend_push(frontend_t *frontend, const int16_t **samples, size_t *count,
                   frontend_level_t *frame)
{
    uint32_t left = (*count < frontend->missing) ? (uint32_t)*count : frontend->missing;

    frontend->missing -= left;
    *count -= left;
    while (left > 0U) {
        /* Up to the end of the ring. */
        const uint32_t room = FRONTEND_FRAME_LENGTH - frontend->next;
        const uint32_t run = (left < room) ? left : room;
        int16_t *place = &frontend->ring[frontend->next];
        uint32_t i;
        for (i = 0U; i < run; i++) {
            place[i] = (*samples)[i];
        }
        *samples = &(*samples)[run];
        left -= run;
        frontend->next = (run < room) ? (frontend->next + run) : 0U;
    }
    if (frontend->missing > 0U) {
        return false;
    }
    frontend->missing = FRONTEND_HOP;
    frontend->ring[FRONTEND_FRAME_LENGTH] = frontend->ring[0];
    window_frame(frontend);
    frontend_transform(frontend->spectrum);
    filter(frontend->spectrum, frame);
    return true;
}
