#include "frontend.h"

#include "frontend_arithmetic.h"

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
static inline frontend_level_t level_of(int64_t energy)
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
        exponent = highest_bit(high);
        mantissa = (high << (31U - exponent)) | ((low >> 1) >> exponent);
        exponent += 32U;
    } else {
        exponent = highest_bit(low);
        mantissa = low << (31U - exponent);
    }
    /* A polynomial of degree 2 on each of 32 intervals. */
    terms = frontend_logarithm[(mantissa >> 26) & 31U];
    position = (int32_t)((mantissa << 6) >> 1);
    logarithm = (int32_t)(exponent << LOG_BITS) + terms[0];
    logarithm += frontend_product(position, terms[1] + frontend_product(position, terms[2]));
    /* Shifts of negative numbers to the right keep the sign, as with every compiler in use. */
    level = (int32_t)(((int64_t)logarithm * FRONTEND_SLOPE + FRONTEND_OFFSET) >> FRONTEND_SHIFT);
    level = (level < FRONTEND_LEAST) ? FRONTEND_LEAST : level;
    level = (level > FRONTEND_LARGEST) ? FRONTEND_LARGEST : level;
    return (frontend_level_t)level;
}

/* Applies the window to pairs of samples and puts them where the transform expects them. */
static void window_pairs(frontend_complex_t *spectrum, const int16_t *samples, uint32_t first,
                         uint32_t stop)
{
    const int16_t *sample = samples;
    uint32_t pair;

    for (pair = first; pair < stop; pair++) {
        const frontend_complex_t weight = frontend_window[pair];
        frontend_complex_t *place = &spectrum[frontend_order[pair]];
        place->re = frontend_weighted(sample[0], weight.re);
        place->im = frontend_weighted(sample[1], weight.im);
        sample = &sample[2];
    }
}

/* Windows the frame, whose first sample is the ring's oldest, and pads it with zeros. */
static void window_frame(frontend_t *frontend)
{
    const uint32_t oldest = frontend->next;
    /* Pairs that begin before the end of the ring. */
    const uint32_t split = (FRONTEND_FRAME_LENGTH + 1U - oldest) / 2U;
    const uint32_t rest = oldest + (2U * split) - FRONTEND_FRAME_LENGTH;
    uint32_t pair;

    frontend->ring[FRONTEND_FRAME_LENGTH] = frontend->ring[0];
    window_pairs(frontend->spectrum, &frontend->ring[oldest], 0U, split);
    window_pairs(frontend->spectrum, &frontend->ring[rest], split, FRONTEND_PAIRS);
    for (pair = FRONTEND_PAIRS; pair < FRONTEND_FFT_POINTS; pair++) {
        frontend_complex_t *place = &frontend->spectrum[frontend_order[pair]];
        place->re = 0;
        place->im = 0;
    }
}

/* Levels of the mel filters. They are triangles that overlap by half: between the centres of two
 * filters, the weights of a bin in both add up to one. Energies are half their bins' sum. */
static void filter(const frontend_complex_t *spectrum, frontend_level_t *frame)
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
            *level = level_of(rising + (sum >> 1) - next);
            level = &level[1];
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
    window_frame(frontend);
    frontend_transform(frontend->spectrum);
    filter(frontend->spectrum, frame);
    return true;
}
