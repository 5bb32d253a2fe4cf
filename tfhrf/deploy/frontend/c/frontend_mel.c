#include "frontend_mel.h"

#include "frontend_arithmetic.h"
#include "frontend_level.h"

#if FRONTEND_EQUALIZED
#define EQUALIZER(mel) frontend_equalizer[mel]
#else
#define EQUALIZER(mel) 0
#endif

void frontend_filter(const frontend_complex_t *spectrum, uint32_t gain, frontend_level_t *frame)
{
    const frontend_complex_t *bin = &spectrum[FRONTEND_FIRST_BIN];
    const int32_t *weight = frontend_weights;
    /* The samples were shifted up, which their energies show twice. */
    const int32_t offset = -(int32_t)(gain << (FRONTEND_LOG_BITS + 1));
    frontend_level_t *level = frame;
    int64_t rising = 0; /* energy in the filter whose centre comes next */
    uint32_t segment;

    for (segment = 0U; segment <= FRONTEND_MELS; segment++) {
        uint32_t left;
        int64_t sum = 2 * rising;
        rising = 0;
        for (left = frontend_segments[segment]; left > 0U; left--) {
            const int32_t re = bin->re;
            const int32_t im = bin->im;
            sum += (int64_t)re * re;
            sum += (int64_t)im * im;
            rising += (int64_t)frontend_product(re, *weight) * re;
            rising += (int64_t)frontend_product(im, *weight) * im;
            weight = &weight[1];
            bin = &bin[1];
        }
        if (segment > 0U) {
            *level = frontend_level((sum >> 1) - rising, offset + EQUALIZER(segment - 1U));
            level = &level[1];
        }
    }
}
