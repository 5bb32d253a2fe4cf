"""Ranges that clip rare values, where their tensors lose less by that than by coarse levels."""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.ranges import LEVELS

PERCENTILE = 99.99
# Shares of the measured range that are tried.
SHARES = (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
# Values of a tensor that are kept of each example.
SAMPLE = 512


def sampler(seed=0):
    """A function that picks some values of an array, at most SAMPLE."""
    rng = np.random.default_rng(seed)

    def pick(values):
        flat = values.ravel()
        return flat if flat.size <= SAMPLE else flat[rng.integers(0, flat.size, SAMPLE)]

    return pick


def clip(graph, low, high, samples, how, precision):
    """Narrows measured ranges in place.

    Inputs and outputs keep theirs; so do inverse roots, what they are taken of and scores of
    attention, where one value in a thousand may be the one that counts.

    Args:
        graph: float ModelT.
        low, high: ranges by the index of a tensor.
        samples: values of each tensor by its index, an array.
        how: "percentile" or "mse".
        precision: "int8" or "int16x8".
    """
    kept = kept_whole(graph)
    for index in low:
        if index in kept or samples[index].size < SAMPLE:
            continue
        if how == "percentile":
            ends = np.percentile(samples[index], [100 - PERCENTILE, PERCENTILE])
        else:
            ends = least_squares(samples[index], low[index], high[index], LEVELS[precision])
        low[index] = max(low[index], min(float(ends[0]), 0.0))
        high[index] = min(high[index], max(float(ends[1]), 0.0))


def least_squares(values, low, high, levels):
    """The ends, among shares of the range, between which integers come nearest to values."""
    best, ends = rounding_error(values, low, high, levels), (low, high)
    for share in SHARES:
        for tried in (
            (share * low, share * high),
            (low, share * high),
            (share * low, high),
        ):
            error = rounding_error(values, *tried, levels)
            if error < best:
                best, ends = error, tried
    return ends


def rounding_error(values, low, high, levels):
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / levels
    if step == 0:
        return np.inf
    zero = np.round(-low / step)
    found = (np.clip(np.round(values / step) + zero, 0, levels) - zero) * step
    return float(np.mean((values - found) ** 2))


def kept_whole(graph):
    """Indices of tensors whose extremes count."""
    subgraph = graph.subgraphs[0]
    kept = {int(i) for i in (*subgraph.inputs, *subgraph.outputs)}
    for operator in reversed(subgraph.operators):
        name = graphs.operator_name(graph, operator)
        outputs = {int(i) for i in operator.outputs}
        if name in ("RSQRT", "SOFTMAX", "EXP"):
            kept |= outputs | {int(i) for i in operator.inputs}
        elif name in ("ADD", "RESHAPE", "MUL") and outputs & kept - {*map(int, subgraph.outputs)}:
            kept |= {int(i) for i in operator.inputs}
    return kept
