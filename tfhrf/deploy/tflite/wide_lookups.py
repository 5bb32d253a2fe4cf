"""Functions of one value in 16 bits: a line for each of 256 parts of the value's range.

TensorFlow Lite Micro (TFLM) looks up 8-bit tables only. QUANTIZE to 8 bits tells in which part a
value lies; there a base, whose 16 bits two tables hold, and the slope of a third one times what the
value lies beside the part's middle make the result.
"""

import dataclasses

import numpy as np

from tfhrf.deploy import levels
from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.calibrate import read_ranges
from tfhrf.deploy.tflite.lookups import LEVELS, narrow_tables, stands_for, to_places
from tfhrf.deploy.tflite.schema import schema

# Of how many values functions are asked.
COUNTS = {"int8": 2**8, "int16x8": 2**16}
WIDE = np.arange(-32768, 32768)
# Of the two tables of a base: their sum reaches from -32766 to 32766.
HIGH = 257
# How often the largest slope is halved: parts in which a function jumps would leave few levels to
# the slopes of the others.
HALVINGS = 12
# Steps of the result that make no difference, and the share of a range that does.
FLAT, NARROW = 2, 0.75


@dataclasses.dataclass
class Lines:
    """Base and slope of each part, in steps of 8 bits, and the scales of what they are made of."""

    part: tuple[float, int]  # scale and zero point of the 8-bit value
    rest: float  # scale of what lies beside the middle of a part
    slope: float  # scale of the slopes
    bases: np.ndarray  # steps of the result
    slopes: np.ndarray


def ranges_met(graph, count):
    """The range of each of `count` functions' values, which is in the graph, by the number."""
    low, high = read_ranges(graph)
    found = [(0.0, 0.0)] * count
    for operator in graph.subgraphs[0].operators:
        number = stands_for(graph, operator)
        if number is not None:
            x = int(operator.inputs[0])
            found[number] = (low[x], high[x])
    return found


def look_up_wide(graph, evaluated, ranges):
    """Puts lines in the place of what stands for functions in a 16-bit graph, and narrows tables.

    Args:
        graph: ModelT.
        evaluated: functions as of `lookups.stand_in`, of 65,536 values.
        ranges: as of `ranges_met`.
    """
    narrow_tables(graph)
    tensors = graph.subgraphs[0].tensors
    places: dict[tuple, tuple] = {}
    for operator in list(graph.subgraphs[0].operators):
        number = stands_for(graph, operator)
        if number is None:
            continue
        (x,), (y,) = operator.inputs, operator.outputs
        scale, out_scale = (graphs.describe(tensors[i])["scale"] for i in (x, y))
        lines = fit(evaluated[number], ranges[number], scale, out_scale)
        new: list = []
        if (x, lines.part) not in places:
            places[x, lines.part] = divided(graph, x, lines, new)
        graphs.replace(graph, operator, new + joined(graph, y, places[x, lines.part], lines))
    graphs.drop_unused_codes(graph)


def fit(evaluate, bounds, scale, out_scale):
    """Lines that come nearest to a function, of all values in a range alike."""
    least, most = levels.dequantize(WIDE[[1, -1]], out_scale, 0)
    found = evaluate(levels.dequantize(WIDE, scale, 0)).astype(np.float64).clip(least, most)
    low, high = bends(found, bounds, scale, out_scale)
    step = float(np.float32(max(high - low, 255 * scale) / 255))
    zero = int(np.clip(round(-128 - low / step), -128, 127))
    factor, back = exact.quantize_multiplier(scale / step), exact.quantize_multiplier(step / scale)
    part = np.clip(exact.rescale(WIDE, *factor) + zero, -128, 127)
    middles = exact.saturate(exact.rescale(LEVELS - zero, *back), np.iinfo(np.int16))
    beside = (WIDE - middles[part + 128]) * scale
    used = (np.abs(beside) <= step) & ~np.isnan(found)
    means = moments(part[used] + 128, beside[used], found[used])
    slopes, slope = rounded_slopes(*means)
    bases = means[1] - slopes * slope * means[0]
    bases = np.clip(np.round(bases / out_scale), -HIGH * 127 - 127, HIGH * 127 + 127).astype(int)
    rest = float(np.float32((step + 2 * scale) / 32767))
    return Lines((step, zero), rest, slope, bases, slopes)


def bends(found, bounds, scale, out_scale):
    """The range, zero in it, or the part of it beyond which a function stays what it is."""
    whole = min(bounds[0], 0.0), max(bounds[1], 0.0)
    inside = (WIDE * scale >= whole[0]) & (WIDE * scale <= whole[1]) & ~np.isnan(found)
    values, places = found[inside], WIDE[inside] * scale
    first, last = (
        np.flatnonzero(~(np.abs(values - end) <= FLAT * out_scale)) for end in values[[0, -1]]
    )
    if not len(first):
        return whole
    part = min(places[first[0]], 0.0), max(places[last[-1]], 0.0)
    # Functions of one range share what tells the part.
    return part if part[1] - part[0] < NARROW * (whole[1] - whole[0]) else whole


def moments(parts, x, y):
    """Means of x and of y, and of what is left the squares of x and the products, of each part.

    A part without values has those of the next one that has some.
    """
    count = np.bincount(parts, minlength=256).astype(np.float64)

    def mean(values):
        return np.bincount(parts, values, minlength=256) / np.maximum(count, 1)

    mean_x, mean_y = mean(x), mean(y)
    over_x, over_y = x - mean_x[parts], y - mean_y[parts]
    filled = np.flatnonzero(count)
    nearest = filled[np.abs(np.arange(256)[:, None] - filled).argmin(axis=1)] if len(filled) else 0
    known = count > 0
    return (
        np.where(known, mean_x, 0.0),
        mean_y[nearest],
        *(np.where(known, mean(over_x * over), 0.0) for over in (over_x, over_y)),
    )


def rounded_slopes(_, __, squares, products):
    """(slopes in 8 bits, their scale) of least squares, given what `moments` returns."""
    best = np.divide(products, squares, out=np.zeros(256), where=squares > 0)
    found = (np.zeros(256, int), 1.0)
    least = 0.0
    for halving in range(HALVINGS):
        scale = float(np.float32(np.abs(best).max() / 127 / 2**halving))
        if scale == 0.0:
            break
        slopes = np.clip(np.round(best / scale), -127, 127).astype(int)
        # What a slope saves of the squared error.
        error = np.sum((slopes * scale) ** 2 * squares - 2 * slopes * scale * products)
        if error < least:
            least, found = error, (slopes, scale)
    return found


def divided(graph, x, lines, new):
    """(places of the parts, what lies beside their middles); their operators are added to `new`."""
    name = graphs.tensor_name(graph.subgraphs[0].tensors[x])
    scale = graphs.describe(graph.subgraphs[0].tensors[x])["scale"]
    part = scaled(graph, x, "INT8", lines.part[0], lines.part[1], f"{name}/part")
    middle = scaled(graph, x, "INT16", scale, 0, f"{name}/middle")
    beside = scaled(graph, x, "INT16", lines.rest, 0, f"{name}/beside")
    new.append(convert(graph, x, part))
    places: dict[int, int] = {}
    new += to_places(graph, part, places)
    new.append(convert(graph, part, middle))
    new.append(graphs.make_operator(graph, "SUB", schema.SubOptionsT(), [x, middle], [beside]))
    return places[part], beside


def joined(graph, y, divided_value, lines):
    """Operators that make a result of a place and of what lies beside the middle of its part."""
    places, beside = divided_value
    name = graphs.tensor_name(graph.subgraphs[0].tensors[y])
    scale = graphs.describe(graph.subgraphs[0].tensors[y])["scale"]
    high = np.clip(np.round(lines.bases / HIGH), -127, 127).astype(int)
    low = np.clip(lines.bases - high * HIGH, -128, 127)
    parts = [(high, HIGH * scale, scale), (low, scale, scale)]
    parts.append((lines.slopes, lines.slope, lines.slope))
    new, wide = [], []
    for values, narrow, broad in parts:
        table = graphs.add_constant(graph, values.astype(np.int8), f"{name}/table")
        give(graph, table, narrow, 0)
        row = scaled(graph, y, "INT8", narrow, 0, f"{name}/row")
        wide.append(scaled(graph, y, "INT16", broad, 0, f"{name}/wide"))
        options = schema.GatherOptionsT()
        new.append(graphs.make_operator(graph, "GATHER", options, [table, places], [row]))
        new.append(convert(graph, row, wide[-1]))
    base, over = (
        scaled(graph, y, "INT16", scale, 0, f"{name}/{part}") for part in ("base", "over")
    )
    add, multiply = schema.AddOptionsT(), schema.MulOptionsT()
    return [
        *new,
        graphs.make_operator(graph, "ADD", add, wide[:2], [base]),
        graphs.make_operator(graph, "MUL", multiply, [wide[2], beside], [over]),
        graphs.make_operator(graph, "ADD", schema.AddOptionsT(), [base, over], [y]),
    ]


def convert(graph, x, y):
    return graphs.make_operator(graph, "QUANTIZE", schema.QuantizeOptionsT(), [x], [y])


def scaled(graph, like, kind, scale, zero_point, name):
    """Index of a new tensor of the shape of another."""
    shape = graphs.shape_of(graph.subgraphs[0].tensors[like])
    index = graphs.add_tensor(graph, shape, getattr(schema.TensorType, kind), name)
    give(graph, index, scale, zero_point)
    return index


def give(graph, index, scale, zero_point):
    """Gives a tensor scale and zero point."""
    quantization = schema.QuantizationParametersT()
    quantization.scale = np.array([scale], np.float32)
    quantization.zeroPoint = np.array([zero_point], np.int64)
    graph.subgraphs[0].tensors[index].quantization = quantization
