"""The numbers of the C front end: what a LogMelConfig becomes in integers.

Scales are powers of two, as large as no input can make overflow. A sample has 15 fractional bits;
of a value x of the spectrum the C code holds x * 2**(15 + bits).
"""

import dataclasses
import math

import numpy as np

from tfhrf.deploy.levels import quantize
from tfhrf.log_mel import hann, hz_to_mel

LOG_BITS = 25  # fractional bits of the logarithm to base 2, as in frontend_level.c


@dataclasses.dataclass(frozen=True)
class Tables:
    """Integer arrays and constants; the names are those of frontend_tables.h."""

    radix_2: bool  # the transform begins with a stage of radix 2, else 4
    order: np.ndarray  # where the transforms of the first stage go
    window: np.ndarray  # (pairs of samples, 2)
    factors: np.ndarray  # (factors, 2), cosine and sine: of each stage, then of `split`
    first_bin: int
    segments: np.ndarray  # bins before the first centre, between centres, after the last one
    weights: np.ndarray  # of each bin, in the filter whose centre comes next, 31 fractional bits
    logarithm: np.ndarray  # (intervals, 3), terms of log2(1 + (i + position) / intervals)
    equalizer: np.ndarray  # of each mel, or none; added to log2(energy)
    slope: int  # level = (log2(energy) * slope + offset) >> shift
    offset: int
    shift: int
    least: int  # level of silence


def make_tables(config, scale, zero_point, dtype):
    """Integers for a configuration and the quantization of a model's input.

    Args:
        config: LogMelConfig that passed `check_config`.
        scale: float, of the model's input.
        zero_point: int, of the model's input.
        dtype: of the model's input, "int8" or "int16".

    Returns:
        Tables.

    Raises:
        ValueError: the scale is too small or large for the configuration.
    """
    points = config.fft_length // 2
    window = np.zeros(config.fft_length)
    window[: config.frame_length] = hann(config.frame_length)
    order = digit_reversal(points)
    spans = stage_spans(points)
    bits = headroom(window, order, spans)
    window_bits = bits + len(spans) + 16  # every stage with factors halves
    pairs = -(-config.frame_length // 2)
    unit = 2.0 ** (1 - 2 * (15 + bits))  # energies are halved
    first_bin, segments, weights = filters(config)
    slope, offset, shift = line(config, scale, zero_point, math.log2(unit))
    return Tables(
        radix_2=spans[0] == 2,
        order=order[: points // spans[0]],
        window=np.round(window[: 2 * pairs] * 2.0**window_bits).astype(np.int64).reshape(-1, 2),
        factors=np.concatenate([*(stage_factors(span) for span in spans), split_factors(points)]),
        first_bin=first_bin,
        segments=segments,
        weights=weights,
        logarithm=logarithm_terms(),
        equalizer=equalizer(config),
        slope=slope,
        offset=offset,
        shift=shift,
        least=int(quantize(config.silence, scale, zero_point, dtype)),
    )


def stage_spans(points):
    """Lengths of the transforms that each stage with factors joins, four at a time."""
    first = 4 if math.log2(points) % 2 == 0 else 2
    return [first * 4**i for i in range(round(math.log(points / first, 4)))]


def digit_reversal(points):
    """Place of each input of a transform that is decimated in time by 4 (and 2 at the start)."""
    inputs = np.arange(points)
    blocks = inputs[None]
    while blocks.shape[1] > 4:
        blocks = blocks.reshape(len(blocks), -1, 4).transpose(0, 2, 1)
        blocks = blocks.reshape(-1, blocks.shape[-1])
    order = np.empty(points, np.int64)
    order[blocks.ravel()] = inputs
    return order


def headroom(window, order, spans):
    """Most fractional bits of the spectrum with which nothing can overflow.

    Whatever the factors, a value of a stage is at most the sum of the magnitudes that it is made
    of.
    """
    pairs = np.hypot(window[::2], window[1::2])[np.argsort(order)]
    halvings = 2 ** len(spans)
    bounds = [2 * window[::2].sum(), 2 * window[1::2].sum(), 2 * halvings * window.max()]
    for stage, size in enumerate([spans[0], *(4 * span for span in spans)]):
        sums = pairs.reshape(-1, size).sum(axis=1)
        bounds.append(sums.max() * halvings / 2**stage)
    energy = len(order) * np.sum(window**2)  # Parseval: of all bins together
    bounds.append(math.sqrt(energy / 2))
    # A sixteenth of room for what rounding adds.
    return math.floor(16 - math.log2(max(bounds) * (1 + 1 / 16)))


def stage_factors(span):
    """exp(-2 pi i j k / 4 span) of a stage, j = 1 ... span - 1, k = 1, 2, 3."""
    j, k = np.meshgrid(np.arange(1, span), [1, 2, 3], indexing="ij")
    return fixed_point(2 * np.pi * (j * k).ravel() / (4 * span))


def split_factors(points):
    """exp(-2 pi i k / 2 points), k = 1 ... points / 2 - 1."""
    return fixed_point(np.pi * np.arange(1, points // 2) / points)


def fixed_point(angles):
    """Cosine and sine, 31 fractional bits."""
    values = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.clip(np.round(values * 2**31), -(2**31 - 1), 2**31 - 1).astype(np.int64)


def filters(config):
    """The mel filters as first bin, segments and weights.

    Triangles that are equally wide on the mel scale and overlap by half are a linear
    interpolation between their centres.
    """
    bins = np.linspace(0, config.sample_rate / 2, config.fft_length // 2 + 1)
    low, high = hz_to_mel(config.lower_hz), hz_to_mel(config.upper_hz)
    positions = (hz_to_mel(bins) - low) / (high - low) * (config.mels + 1)
    inside = np.flatnonzero((positions > 0) & (positions < config.mels + 1))
    if not len(inside):
        raise ValueError(
            "The filters must cover a bin of the spectrum; there is no bin between their edges. "
            f"Received: lower_hz={config.lower_hz}, upper_hz={config.upper_hz}"
        )
    positions = positions[inside]
    numbers = np.floor(positions).astype(np.int64)
    weights = np.round((positions - numbers) * 2**31).astype(np.int64)
    segments = np.bincount(numbers, minlength=config.mels + 1)
    return int(inside[0]), segments, np.minimum(weights, 2**31 - 1)


def logarithm_terms(intervals=32):
    """Polynomials of degree 2 through log2 at the Chebyshev nodes of each interval.

    Products with the position, which has 31 fractional bits, keep the high 32 bits.
    """
    nodes = 0.5 + 0.5 * np.cos(np.pi * (np.arange(3) + 0.5) / 3)
    values = np.log2(1 + (np.arange(intervals)[:, None] + nodes) / intervals)
    terms = np.linalg.solve(np.vander(nodes, increasing=True), values.T).T
    return np.round(terms * 2.0**LOG_BITS * [1, 2, 4]).astype(np.int64)


def equalizer(config):
    """The equalizer's decibels as logarithms to base 2."""
    decibels = np.array(config.equalizer)
    return np.round(decibels * (math.log2(10) / 10 * 2**LOG_BITS)).astype(np.int64)


def line(config, scale, zero_point, log2_unit):
    """Slope, offset and shift from the logarithm of an energy in the C code to a level."""
    slope = math.log(2) * config.scale / scale
    offset = zero_point + slope * log2_unit - config.mean * config.scale / scale
    largest = 64 * slope + abs(offset) + 1
    bits = min(math.floor(31 - math.log2(slope)), math.floor(62 - math.log2(largest)) - LOG_BITS)
    shift = bits + LOG_BITS
    if not 32 <= shift <= 62:
        raise ValueError(
            "`scale` must be such that speech covers the range of the model's input. "
            f"Received: scale={scale}, with config.scale={config.scale}"
        )
    fixed = min(round(slope * 2**bits), 2**31 - 1)
    return fixed, round((offset + 0.5) * 2**shift), shift
