#include "frontend.h"

#include "frontend_arithmetic.h"
#include "frontend_fft.h"
#include "frontend_mel.h"

/* Apart, so that its registers take no stack while the spectrum is computed. */
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART
#endif

/* Appends samples to the ring. */
static APART void store(frontend_t *stream, const int16_t *samples, uint32_t count)
{
    const int16_t *sample = samples;
    uint32_t left = count;
    int32_t loudest = stream->loudest;

    while (left > 0U) {
        /* Up to the end of the ring. */
        const uint32_t room = FRONTEND_FRAME_LENGTH - stream->next;
        const uint32_t run = (left < room) ? left : room;
        int16_t *place = &stream->ring[stream->next];
        const int16_t *end = &sample[run];
        while (sample < end) {
            const int32_t value = *sample;
            loudest |= value ^ (value >> 15);
            *place = (int16_t)value;
            place = &place[1];
            sample = &sample[1];
        }
        left -= run;
        stream->next = (run < room) ? (stream->next + run) : 0U;
    }
    stream->loudest = loudest;
}

/* How far all samples of the frame can be shifted up: quiet ones keep more of their precision.
 * Looks at up to two frames back. */
static uint32_t find_gain(frontend_t *stream)
{
    const int32_t loudest = stream->loudest | stream->before;

    stream->left--;
    if (stream->left == 0U) {
        stream->left = FRONTEND_OVERLAP;
        stream->before = stream->loudest;
        stream->loudest = 0;
    }
    return (loudest > 0) ? (14U - frontend_highest_bit((uint32_t)loudest)) : 15U;
}

void frontend_init(frontend_t *stream)
{
    stream->next = 0U;
    stream->missing = FRONTEND_FRAME_LENGTH;
    stream->left = FRONTEND_OVERLAP;
    stream->loudest = 0;
    stream->before = 0;
}

bool frontend_push(frontend_t *stream, frontend_complex_t *spectrum, const int16_t **samples,
                   size_t *count, frontend_level_t *frame)
{
    const uint32_t taken = (*count < stream->missing) ? (uint32_t)*count : stream->missing;
    uint32_t gain;

    store(stream, *samples, taken);
    *samples = &(*samples)[taken];
    *count -= taken;
    stream->missing -= taken;
    if (stream->missing > 0U) {
        return false;
    }
    stream->missing = FRONTEND_HOP;
    stream->ring[FRONTEND_FRAME_LENGTH] = stream->ring[0];
    gain = find_gain(stream);
    frontend_transform(spectrum, stream->ring, stream->next, gain);
    frontend_filter(spectrum, gain, frame);
    return true;
}
