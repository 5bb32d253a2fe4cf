#include "frontend_fft.h"

/* (a * b + c * d) / 2**32. */
static inline int32_t sum_of_products(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (int32_t)(((int64_t)a * b + (int64_t)c * d) >> 32);
}

/* Half of value * (w.re - i w.im); w has 31 fractional bits. */
static inline frontend_complex_t rotated(const frontend_complex_t *value, const int32_t *w)
{
    const frontend_complex_t result = {
        sum_of_products(value->re, w[0], value->im, w[1]),
        sum_of_products(value->im, w[0], -value->re, w[1]),
    };
    return result;
}

static inline frontend_complex_t halved(const frontend_complex_t *value)
{
    const frontend_complex_t result = {value->re >> 1, value->im >> 1};
    return result;
}

/* Discrete Fourier transform of a, b, c, d into elements 0, step, 2 step, 3 step of z. */
static inline void butterfly(frontend_complex_t *z, uint32_t step, frontend_complex_t a,
                             frontend_complex_t b, frontend_complex_t c, frontend_complex_t d)
{
    const frontend_complex_t even = {a.re + c.re, a.im + c.im};
    const frontend_complex_t even_turned = {a.re - c.re, a.im - c.im};
    const frontend_complex_t odd = {b.re + d.re, b.im + d.im};
    const frontend_complex_t odd_turned = {b.im - d.im, d.re - b.re};
    z[0].re = even.re + odd.re;
    z[0].im = even.im + odd.im;
    z[step].re = even_turned.re + odd_turned.re;
    z[step].im = even_turned.im + odd_turned.im;
    z[2U * step].re = even.re - odd.re;
    z[2U * step].im = even.im - odd.im;
    z[3U * step].re = even_turned.re - odd_turned.re;
    z[3U * step].im = even_turned.im - odd_turned.im;
}

/* The first stage, whose factors are all 1: transforms of neighbors. Returns their length. */
static uint32_t first_stage(frontend_complex_t *spectrum)
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
    return 2U;
#else
    for (; z < end; z = &z[4]) {
        butterfly(z, 1U, z[0], z[1], z[2], z[3]);
    }
    return 4U;
#endif
}

/* Joins the transforms of `span` values, four at a time. Returns the next factors. */
static const int32_t *join(frontend_complex_t *spectrum, uint32_t span, const int32_t *factors)
{
    const frontend_complex_t *end = &spectrum[FRONTEND_FFT_POINTS];
    const int32_t *w = factors;
    frontend_complex_t *z;
    uint32_t j;

    for (z = spectrum; z < end; z = &z[4U * span]) {
        butterfly(z, span, halved(z), halved(&z[span]), halved(&z[2U * span]),
                  halved(&z[3U * span]));
    }
    for (j = 1U; j < span; j++) {
        for (z = &spectrum[j]; z < end; z = &z[4U * span]) {
            butterfly(z, span, halved(z), rotated(&z[span], w), rotated(&z[2U * span], &w[2]),
                      rotated(&z[3U * span], &w[4]));
        }
        w = &w[6];
    }
    return w;
}

/* From the transform of pairs to that of the real values: bins k and n - k come from each other. */
static void split(frontend_complex_t *spectrum, const int32_t *factors)
{
    const int32_t *w = factors;
    frontend_complex_t *up = &spectrum[1];
    frontend_complex_t *down = &spectrum[FRONTEND_FFT_POINTS - 1U];

    for (; up < down; up = &up[1]) {
        const frontend_complex_t even = {up->re + down->re, up->im - down->im};
        const frontend_complex_t odd = {up->im + down->im, down->re - up->re};
        const frontend_complex_t turned = rotated(&odd, w);
        up->re = (even.re >> 1) + turned.re;
        up->im = (even.im >> 1) + turned.im;
        down->re = (even.re >> 1) - turned.re;
        down->im = turned.im - (even.im >> 1);
        down = &down[-1];
        w = &w[2];
    }
}

void frontend_transform(frontend_complex_t *spectrum)
{
    const int32_t *w = frontend_factors;
    uint32_t span;

    for (span = first_stage(spectrum); span < FRONTEND_FFT_POINTS; span *= 4U) {
        w = join(spectrum, span, w);
    }
    split(spectrum, w);
}
