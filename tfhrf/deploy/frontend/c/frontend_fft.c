#include "frontend_fft.h"

#include "frontend_arithmetic.h"

/* Length of the transforms that the first stage makes, and the distance of their pairs. */
#if FRONTEND_FFT_RADIX_2
#define FIRST_SPAN 2U
#else
#define FIRST_SPAN 4U
#endif
#define STRIDE (FRONTEND_FFT_POINTS / FIRST_SPAN)

/* A stage whose span is known at compile time is a quarter faster than one with a variable. */
#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

static INLINE frontend_complex_t halved(frontend_complex_t value)
{
    const frontend_complex_t result = {value.re >> 1, value.im >> 1};
    return result;
}

/* Discrete Fourier transform of a, b, c, d into *z0, *z1, *z2, *z3. */
static INLINE void butterfly(frontend_complex_t a, frontend_complex_t b, frontend_complex_t c,
                             frontend_complex_t d, frontend_complex_t *z0, frontend_complex_t *z1,
                             frontend_complex_t *z2, frontend_complex_t *z3)
{
    const frontend_complex_t odd = {b.re + d.re, b.im + d.im};
    const frontend_complex_t odd_turned = {b.im - d.im, d.re - b.re};
    const frontend_complex_t even = {a.re + c.re, a.im + c.im};
    const frontend_complex_t even_turned = {a.re - c.re, a.im - c.im};
    z0->re = even.re + odd.re;
    z0->im = even.im + odd.im;
    z1->re = even_turned.re + odd_turned.re;
    z1->im = even_turned.im + odd_turned.im;
    z2->re = even.re - odd.re;
    z2->im = even.im - odd.im;
    z3->re = even_turned.re - odd_turned.re;
    z3->im = even_turned.im - odd_turned.im;
}

/* Where a frame lies in the ring, and by how many bits its samples are shifted up. */
typedef struct {
    const int16_t *ring;
    uint32_t oldest;
    uint32_t gain;
} frame_t;

/* Where a pair of samples begins. */
static INLINE const int16_t *find(const frame_t *frame, uint32_t pair)
{
    const uint32_t place = frame->oldest + (2U * pair);
    return &frame->ring[(place < FRONTEND_FRAME_LENGTH) ? place : (place - FRONTEND_FRAME_LENGTH)];
}

/* A windowed pair of samples as one complex value. */
static INLINE frontend_complex_t windowed(const int16_t *samples, uint32_t gain,
                                          frontend_complex_t weight)
{
    const int32_t re = (int32_t)((uint32_t)samples[0] << (16U + gain));
    const int32_t im = (int32_t)((uint32_t)samples[1] << (16U + gain));
    const frontend_complex_t result = {
        frontend_product(re, weight.re),
        frontend_product(im, weight.im),
    };
    return result;
}

/* Transforms of the pairs n, n + STRIDE, ... for n from `begin` to `end`: the first stage, whose
 * factors are all 1. `live` of them lie in the frame; the others are zeros. */
static INLINE void transform_pairs(frontend_complex_t *spectrum, const frame_t *frame,
                                   uint32_t begin, uint32_t end, uint32_t live)
{
    const frontend_complex_t zero = {0, 0};
    const uint32_t gain = frame->gain;
    const int16_t *s0 = (live > 0U) ? find(frame, begin) : frame->ring;
    const int16_t *s1 = (live > 1U) ? find(frame, begin + STRIDE) : s0;
#if !FRONTEND_FFT_RADIX_2
    const int16_t *s2 = (live > 2U) ? find(frame, begin + (2U * STRIDE)) : s0;
    const int16_t *s3 = (live > 3U) ? find(frame, begin + (3U * STRIDE)) : s0;
#endif
    uint32_t n;

    for (n = begin; n < end; n++) {
        const frontend_complex_t *w = &frontend_window[n];
        frontend_complex_t *z = &spectrum[frontend_order[n]];
        const frontend_complex_t a = (live > 0U) ? windowed(s0, gain, w[0]) : zero;
        const frontend_complex_t b = (live > 1U) ? windowed(s1, gain, w[STRIDE]) : zero;
#if FRONTEND_FFT_RADIX_2
        z[0].re = a.re + b.re;
        z[0].im = a.im + b.im;
        z[1].re = a.re - b.re;
        z[1].im = a.im - b.im;
#else
        const frontend_complex_t c = (live > 2U) ? windowed(s2, gain, w[2U * STRIDE]) : zero;
        const frontend_complex_t d = (live > 3U) ? windowed(s3, gain, w[3U * STRIDE]) : zero;
        butterfly(a, b, c, d, &z[0], &z[1], &z[2], &z[3]);
        s2 = (live > 2U) ? &s2[2] : s2;
        s3 = (live > 3U) ? &s3[2] : s3;
#endif
        s0 = (live > 0U) ? &s0[2] : s0;
        s1 = (live > 1U) ? &s1[2] : s1;
    }
}

static void transform_pairs_of_more(frontend_complex_t *spectrum, const frame_t *frame,
                                    uint32_t begin, uint32_t end)
{
    transform_pairs(spectrum, frame, begin, end, (FRONTEND_PAIRS / STRIDE) + 1U);
}

static void transform_pairs_of_fewer(frontend_complex_t *spectrum, const frame_t *frame,
                                     uint32_t begin, uint32_t end)
{
    transform_pairs(spectrum, frame, begin, end, FRONTEND_PAIRS / STRIDE);
}

/* Window and first stage, in runs in which no pair passes the end of the ring or the frame. */
static void first_stage(frontend_complex_t *spectrum, const frame_t *frame)
{
    const uint32_t wrap = ((FRONTEND_FRAME_LENGTH + 1U - frame->oldest) / 2U) % STRIDE;
    const uint32_t end = FRONTEND_PAIRS % STRIDE;
    const uint32_t first = (wrap < end) ? wrap : end;
    const uint32_t last = (wrap < end) ? end : wrap;

    transform_pairs_of_more(spectrum, frame, 0U, first);
    transform_pairs_of_more(spectrum, frame, first, end);
    transform_pairs_of_fewer(spectrum, frame, end, last);
    transform_pairs_of_fewer(spectrum, frame, last, STRIDE);
}

/* Joins the transforms of `span` values, four at a time. Returns the next factors. */
static INLINE const frontend_complex_t *join(frontend_complex_t *spectrum, uint32_t span,
                                             const frontend_complex_t *factors)
{
    const frontend_complex_t *w = factors;
    frontend_complex_t *block;

    for (block = spectrum; block < &spectrum[FRONTEND_FFT_POINTS]; block = &block[4U * span]) {
        frontend_complex_t *z = block;
        w = factors;
        butterfly(halved(z[0]), halved(z[span]), halved(z[2U * span]), halved(z[3U * span]), z,
                  &z[span], &z[2U * span], &z[3U * span]);
        for (z = &block[1]; z < &block[span]; z = &z[1]) {
            butterfly(halved(z[0]), frontend_rotated(z[span], w[0]),
                      frontend_rotated(z[2U * span], w[1]), frontend_rotated(z[3U * span], w[2]),
                      z, &z[span], &z[2U * span], &z[3U * span]);
            w = &w[3];
        }
    }
    return w;
}

/* From the transform of pairs to that of the real values: bins k and n - k come from each other. */
static void split(frontend_complex_t *spectrum, const frontend_complex_t *factors)
{
    const frontend_complex_t *w = factors;
    frontend_complex_t *up = &spectrum[1];
    frontend_complex_t *down = &spectrum[FRONTEND_FFT_POINTS - 1U];

    for (; up < down; up = &up[1]) {
        const frontend_complex_t even = {up->re + down->re, up->im - down->im};
        const frontend_complex_t odd = {up->im + down->im, down->re - up->re};
        const frontend_complex_t turned = frontend_rotated(odd, *w);
        up->re = (even.re >> 1) + turned.re;
        up->im = (even.im >> 1) + turned.im;
        down->re = (even.re >> 1) - turned.re;
        down->im = turned.im - (even.im >> 1);
        down = &down[-1];
        w = &w[1];
    }
}

void frontend_transform(frontend_complex_t *spectrum, const int16_t *ring, uint32_t oldest,
                        uint32_t gain)
{
    const frame_t frame = {ring, oldest, gain};
    const frontend_complex_t *w = frontend_factors;

    first_stage(spectrum, &frame);
    w = join(spectrum, FIRST_SPAN, w);
#if FRONTEND_FFT_POINTS > 4U * FIRST_SPAN
    w = join(spectrum, 4U * FIRST_SPAN, w);
#endif
#if FRONTEND_FFT_POINTS > 16U * FIRST_SPAN
    w = join(spectrum, 16U * FIRST_SPAN, w);
#endif
#if FRONTEND_FFT_POINTS > 64U * FIRST_SPAN
    w = join(spectrum, 64U * FIRST_SPAN, w);
#endif
#if FRONTEND_FFT_POINTS > 256U * FIRST_SPAN
    w = join(spectrum, 256U * FIRST_SPAN, w);
#endif
    split(spectrum, w);
}
