#include "frontend.h"

#include "frontend_arithmetic.h"
#include "frontend_mel.h"

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
    frontend_filter(frontend->spectrum, gain, frame);
    return true;
}
