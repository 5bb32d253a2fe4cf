#include "frontend_fft.h"

#include "frontend_arithmetic.h"

/* Half of value * (w.re - i w.im); w has 31 fractional bits. */
static inline frontend_complex_t rotated(frontend_complex_t value, frontend_complex_t w)
{
    const frontend_complex_t result = {
        frontend_add_product(frontend_product(value.re, w.re), value.im, w.im),
        frontend_subtract_product(frontend_product(value.im, w.re), value.re, w.im),
    };
    return result;
}

static inline frontend_complex_t halved(frontend_complex_t value)
{
    const frontend_complex_t result = {value.re >> 1, value.im >> 1};
    return result;
}

/* Discrete Fourier transform of a, b, c, d into *a_out, *b_out, *c_out, *d_out. */
static inline void butterfly(frontend_complex_t a, frontend_complex_t b, frontend_complex_t c,
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
        butterfly(z[0], z[1], z[2], z[3], &z[0], &z[1], &z[2], &z[3]);
    }
    return 4U;
#endif
}

/* Joins four transforms of `span` values that lie one after the other. */
static void join(frontend_complex_t *spectrum, uint32_t span, const frontend_complex_t *factors)
{
    const frontend_complex_t *w = factors;
    frontend_complex_t *z0 = spectrum;
    frontend_complex_t *z1 = &z0[span];
    frontend_complex_t *z2 = &z1[span];
    frontend_complex_t *z3 = &z2[span];
    const frontend_complex_t *end = z1;

    butterfly(halved(*z0), halved(*z1), halved(*z2), halved(*z3), z0, z1, z2, z3);
    for (z0 = &z0[1]; z0 < end; z0 = &z0[1]) {
        z1 = &z1[1];
        z2 = &z2[1];
        z3 = &z3[1];
        butterfly(halved(*z0), rotated(*z1, w[0]), rotated(*z2, w[1]), rotated(*z3, w[2]), z0, z1,
                  z2, z3);
        w = &w[3];
    }
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
        const frontend_complex_t turned = rotated(odd, *w);
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
    uint32_t span;
    uint32_t start;

    for (span = first_stage(spectrum); span < FRONTEND_FFT_POINTS; span *= 4U) {
        for (start = 0U; start < FRONTEND_FFT_POINTS; start += 4U * span) {
            join(&spectrum[start], span, w);
        }
        w = &w[3U * (span - 1U)];
    }
    split(spectrum, w);
}
