#include "frontend_fft.h"

#include "frontend_arithmetic.h"

/* Length of the transforms that the first stage makes. */
#if FRONTEND_FFT_RADIX_2
#define FIRST_SPAN 2U
#else
#define FIRST_SPAN 4U
#endif

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

/* The first stage, whose factors are all 1: transforms of neighbors. */
static void first_stage(frontend_complex_t *spectrum)
{
    frontend_complex_t *z = spectrum;
    const frontend_complex_t *end = &spectrum[FRONTEND_FFT_POINTS];
#if FRONTEND_FFT_RADIX_2
    for (; z < end; z = &z[2]) {
        const frontend_complex_t a = z[0];
        const frontend_complex_t b = z[1];
        z[0].re = a.re + b.re;
        z[0].im = a.im + b.im;
        z[1].re = a.re - b.re;
        z[1].im = a.im - b.im;
    }
#else
    for (; z < end; z = &z[4]) {
        butterfly(z[0], z[1], z[2], z[3], &z[0], &z[1], &z[2], &z[3]);
    }
#endif
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

void frontend_transform(frontend_complex_t *spectrum)
{
    const frontend_complex_t *w = frontend_factors;

    first_stage(spectrum);
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
