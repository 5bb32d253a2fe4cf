/*
 * Weights that have sixteen values: numbers of four bits, and a table.
 *
 * Of eight weights there are four bytes: 0 (in the low half) and 2, 4 and 6, 1 and 3, 5 and 7.
 */
#ifndef TFHRF_UNPACK_H_
#define TFHRF_UNPACK_H_

#include "tfhrf_dense.h"

/* Writes the weights of numbers: `blocks` of eight. */
TFHRF_KERNEL void tfhrf_unpack(const int8_t *numbers, const int8_t *table, int32_t blocks,
                               int8_t *out)
{
#if TFHRF_MVE
    const uint8x16_t i = vidupq_n_u8(0U, 1);
    const uint8x16_t row = vshlq_n_u8(vandq_u8(i, vdupq_n_u8(1U)), 2);
    const uint8x16_t half = vandq_u8(vshrq_n_u8(i, 1), vdupq_n_u8(1U));
    const uint8x16_t block = vshlq_n_u8(vshrq_n_u8(i, 2), 3);
    const uint8x16_t places = vaddq_u8(block, vaddq_u8(row, half));
    for (int32_t left = 4 * blocks; left > 0; left -= 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        const uint8x16_t both = vldrbq_z_u8((const uint8_t *)numbers, lanes);
        const uint8x16_t low = vandq_u8(both, vdupq_n_u8(15U));
        const uint8x16_t high = vshrq_n_u8(both, 4);
        vstrbq_scatter_offset_p_s8(out, places, vldrbq_gather_offset_s8(table, low), lanes);
        vstrbq_scatter_offset_p_s8(out + 2, places, vldrbq_gather_offset_s8(table, high), lanes);
        numbers += 16;
        out += 32;
    }
#else
    for (int32_t i = 0; i < 2 * blocks; ++i) {
        const uint32_t a = (uint8_t)numbers[0];
        const uint32_t b = (uint8_t)numbers[1];
        out[0] = table[a & 15U];
        out[2] = table[a >> 4];
        out[4] = table[b & 15U];
        out[6] = table[b >> 4];
        numbers += 2;
        out += i % 2 == 0 ? 1 : 7;
    }
#endif
}

/*
 * The same of a depthwise kernel, as tfhrf_depthwise_frames.h has it, numbers being in the order
 * [taps][outputs]; `taken` is room for them.
 */
TFHRF_KERNEL void tfhrf_unpack_frames(const int8_t *numbers, const int8_t *table, int32_t taps,
                                      int32_t outputs, int8_t *taken, int8_t *out)
{
    const int32_t count = taps * outputs;
    tfhrf_unpack(numbers, table, (count + 7) / 8, taken);
    for (int32_t i = 0; i < taps + 1; i += 2) {
        for (int32_t at = i * outputs; at < (i + 1) * outputs; ++at) {
            const int8_t tap = at < count ? taken[at] : 0;
            out[0] = tap;
            out[1] = i > 0 ? taken[at - outputs] : 0;
            out[2] = at + outputs < count ? taken[at + outputs] : 0;
            out[3] = tap;
            out += 4;
        }
    }
}

/* The same weights with numbers unpacked. */
TFHRF_INLINE tfhrf_dense tfhrf_unpacked(const tfhrf_dense *dense, const int8_t *weights)
{
    tfhrf_dense unpacked = *dense;
    unpacked.weights = weights;
    return unpacked;
}

#endif
