#include "endpoint.h"

/* Before the first frame. */
#define UNKNOWN (-1)

/* Logarithm to base 2 with 8 fractional bits, linear between powers of two; 0 of 0. */
static int32_t logarithm(uint64_t energy)
{
    uint32_t exponent = 0U;
    for (uint32_t step = 32U; step > 0U; step /= 2U) {
        exponent += (energy >> exponent >> step) > 0U ? step : 0U;
    }
    const uint64_t mantissa = exponent > 8U ? energy >> (exponent - 8U) : energy << (8U - exponent);
    return energy > 0U ? (int32_t)((exponent << 8) | (uint32_t)(mantissa & 255U)) : 0;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Energy about the mean, times the frame's length. */
static int32_t level_of_frame(endpoint_t *endpoint)
{
    const uint64_t square = (uint64_t)((int64_t)endpoint->sum * endpoint->sum);
    const int32_t level = logarithm(ENDPOINT_FRAME * endpoint->squares - square);
    endpoint->squares = 0U;
    endpoint->sum = 0;
    endpoint->filled = 0U;
    return level;
}

/* Whether a frame is speech; the floor follows it. */
static bool stands_out(endpoint_t *endpoint, int32_t level)
{
    const int32_t energy = level * 256;
    const int32_t limit = endpoint->speaking ? ENDPOINT_RELEASE : ENDPOINT_THRESHOLD;
    if (endpoint->floor < 0) {
        endpoint->floor = energy < ENDPOINT_FIRST_FLOOR ? energy : ENDPOINT_FIRST_FLOOR;
        endpoint->floor = larger(endpoint->floor, ENDPOINT_LEAST_FLOOR);
    }
    /* Shifts of negative numbers to the right keep the sign, as with every compiler in use. */
    const int32_t above = energy - endpoint->floor;
    const bool active = above > limit;
    if (above < 0) {
        endpoint->floor += above >> ENDPOINT_FALL;
    } else if (active) {
        endpoint->floor += ENDPOINT_CLIMB;
    } else {
        endpoint->floor += above >> ENDPOINT_RISE;
    }
    endpoint->floor = larger(endpoint->floor, ENDPOINT_LEAST_FLOOR);
    return active;
}

static endpoint_event_t before_speech(endpoint_t *endpoint, int32_t level, bool active)
{
    endpoint_event_t event = ENDPOINT_QUIET;
    endpoint->room += endpoint->room < ENDPOINT_SPEECH_FRAMES + ENDPOINT_MARGIN ? 1U : 0U;
    endpoint->run = active ? endpoint->run + 1U : 0U;
    if (endpoint->run == ENDPOINT_SPEECH_FRAMES) {
        const uint32_t wanted = endpoint->run + ENDPOINT_MARGIN;
        const uint32_t back = wanted < endpoint->room ? wanted : endpoint->room;
        endpoint->start = endpoint->position - ENDPOINT_FRAME * back;
        endpoint->end = endpoint->position;
        endpoint->quiet = 0U;
        endpoint->quietest = level;
        endpoint->speaking = true;
        event = ENDPOINT_START;
    }
    return event;
}

static endpoint_event_t in_speech(endpoint_t *endpoint, int32_t level, bool active)
{
    endpoint_event_t event = ENDPOINT_SPEECH;
    endpoint->quiet = active ? 0U : endpoint->quiet + 1U;
    endpoint->quietest = level < endpoint->quietest ? level : endpoint->quietest;
    if (endpoint->quiet <= ENDPOINT_MARGIN) {
        endpoint->end = endpoint->position;
    }
    if (endpoint->quiet >= ENDPOINT_HANGOVER) {
        event = ENDPOINT_END;
    } else if (endpoint->position - endpoint->start >= ENDPOINT_LONGEST) {
        /* What never pauses is noise. */
        endpoint->floor = larger(endpoint->floor, endpoint->quietest * 256);
        event = ENDPOINT_END;
    } else {
        /* It goes on. */
    }
    if (event == ENDPOINT_END) {
        const bool beyond = endpoint->quiet > ENDPOINT_MARGIN;
        endpoint->room = beyond ? endpoint->quiet - ENDPOINT_MARGIN : 0U;
        endpoint->run = 0U;
        endpoint->speaking = false;
    }
    return event;
}

void endpoint_reset(endpoint_t *endpoint)
{
    const endpoint_t fresh = {.floor = UNKNOWN};
    *endpoint = fresh;
}

endpoint_event_t endpoint_feed(endpoint_t *endpoint, const int16_t **samples, size_t *count)
{
    const uint32_t missing = ENDPOINT_FRAME - endpoint->filled;
    const uint32_t taken = *count < missing ? (uint32_t)*count : missing;
    const int16_t *const first = *samples;
    endpoint_event_t event = ENDPOINT_NOTHING;
    uint64_t squares = endpoint->squares;
    int32_t sum = endpoint->sum;
    for (uint32_t i = 0U; i < taken; ++i) {
        const int32_t sample = first[i];
        sum += sample;
        squares += (uint32_t)(sample * sample);
    }
    endpoint->squares = squares;
    endpoint->sum = sum;
    endpoint->filled += taken;
    if (taken > 0U) {
        *samples = &first[taken];
        *count -= taken;
    }
    if (endpoint->filled == ENDPOINT_FRAME) {
        const int32_t level = level_of_frame(endpoint);
        const bool active = stands_out(endpoint, level);
        endpoint->position += ENDPOINT_FRAME;
        event = endpoint->speaking ? in_speech(endpoint, level, active)
                                   : before_speech(endpoint, level, active);
    }
    return event;
}

bool endpoint_finish(endpoint_t *endpoint)
{
    const bool speaking = endpoint->speaking;
    if (speaking && endpoint->quiet <= ENDPOINT_MARGIN) {
        endpoint->end = endpoint->position + endpoint->filled;
    }
    endpoint->speaking = false;
    return speaking;
}
