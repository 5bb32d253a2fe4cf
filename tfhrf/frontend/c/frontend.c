#include "frontend.h"

#include "frontend_arithmetic.h"

/* Fractional bits of the logarithm to base 2. */
#define LOG_BITS 25

/* Level of a filter's energy of samples shifted up by `gain` bits: the logarithm, shifted, scaled,
 * rounded and clipped. */
static inline frontend_level_t level_of(int64_t energy, uint32_t gain)
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
    logarithm = (((int32_t)exponent - (2 * (int32_t)gain)) * (1 << LOG_BITS)) + terms[0];
    logarithm += frontend_product(position, terms[1] + frontend_product(position, terms[2]));
    /* Shifts of negative numbers to the right keep the sign, as with every compiler in use. */
    level = (int32_t)(((int64_t)logarithm * FRONTEND_SLOPE + FRONTEND_OFFSET) >> FRONTEND_SHIFT);
    level = (level < FRONTEND_LEAST) ? FRONTEND_LEAST : level;
    level = (level > FRONTEND_LARGEST) ? FRONTEND_LARGEST : level;
    return (frontend_level_t)level;
}

/* Levels of the mel filters. They are triangles that overlap by half: between the centres of two
 * filters, the weights of a bin in both add up to one. Energies are half their bins' sum. */
static void filter(const frontend_complex_t *spectrum, uint32_t gain, frontend_level_t *frame)
{
    const frontend_complex_t *bin = &spectrum[FRONTEND_FIRST_BIN];
    const int32_t *weight = frontend_weights;
    frontend_level_t *level = frame;
    int64_t rising = 0; /* of the filter whose centre comes next */
    uint32_t segment;

    for (segment = 0U; segment <= FRONTEND_MELS; segment++) {
        uint32_t left;
        int64_t sum = 0;
        int64_t next = 0;
        for (left = frontend_segments[segment]; left > 0U; left--) {
            const int32_t re = bin->re;
            const int32_t im = bin->im;
            sum += (int64_t)re * re;
            sum += (int64_t)im * im;
            next += (int64_t)frontend_product(re, *weight) * re;
            next += (int64_t)frontend_product(im, *weight) * im;
            weight = &weight[1];
            bin = &bin[1];
        }
        if (segment > 0U) {
            *level = level_of(rising + (sum >> 1) - next, gain);
            level = &level[1];
        }
        rising = next;
    }
}

/* Appends samples to the ring. */
static void store(frontend_t *frontend, const int16_t *samples, uint32_t count)
{
    const int16_t *sample = samples;
    uint32_t left = count;
    int32_t loudest = frontend->loudest;

    while (left > 0U) {
        /* Up to the end of the ring. */
        const uint32_t room = FRONTEND_FRAME_LENGTH - frontend->next;
        const uint32_t run = (left < room) ? left : room;
        int16_t *place = &frontend->ring[frontend->next];
        const int16_t *end = &sample[run];
        while (sample < end) {
            const int32_t value = *sample;
            loudest |= value ^ (value >> 15);
            *place = (int16_t)value;
            place = &place[1];
            sample = &sample[1];
        }
        left -= run;
        frontend->next = (run < room) ? (frontend->next + run) : 0U;
    }
    frontend->loudest = loudest;
}

/* How far all samples of the frame can be shifted up: quiet ones keep more of their precision.
 * Looks at up to two frames back. */
static uint32_t find_gain(frontend_t *frontend)
{
    const int32_t loudest = frontend->loudest | frontend->before;

    frontend->left--;
    if (frontend->left == 0U) {
        frontend->left = FRONTEND_OVERLAP;
        frontend->before = frontend->loudest;
        frontend->loudest = 0;
    }
    return (loudest > 0) ? (14U - frontend_highest_bit((uint32_t)loudest)) : 15U;
}

void frontend_init(frontend_t *frontend)
{
    frontend->next = 0U;
    frontend->missing = FRONTEND_FRAME_LENGTH;
    frontend->left = FRONTEND_OVERLAP;
    frontend->loudest = 0;
    frontend->before = 0;
}

bool frontend_push(frontend_t *frontend, const int16_t **samples, size_t *count,
                   frontend_level_t *frame)
{
    const uint32_t taken = (*count < frontend->missing) ? (uint32_t)*count : frontend->missing;
    uint32_t gain;

    store(frontend, *samples, taken);
    *samples = &(*samples)[taken];
    *count -= taken;
    frontend->missing -= taken;
    if (frontend->missing > 0U) {
        return false;
    }
    frontend->missing = FRONTEND_HOP;
    frontend->ring[FRONTEND_FRAME_LENGTH] = frontend->ring[0];
    gain = find_gain(frontend);
    frontend_transform(frontend->spectrum, frontend->ring, frontend->next, gain);
    filter(frontend->spectrum, gain, frame);
    return true;
}
