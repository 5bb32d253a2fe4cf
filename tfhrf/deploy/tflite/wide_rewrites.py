"""Rewrites of float graphs for what TFLM has in 8 bits, but not in 16."""

import math
from typing import Literal

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    constant_array,
    constant_values,
    is_constant,
    make_operator,
    shape_of,
)
from tfhrf.deploy.tflite.missing_operators import MOST_INPUTS
from tfhrf.deploy.tflite.pieces import binary, inverse_root, like, reshape, unary
from tfhrf.deploy.tflite.resizing import resize
from tfhrf.deploy.tflite.schema import schema

# How NumPy calls them, without and with the edge.
MIRRORS: tuple[Literal["reflect", "symmetric"], ...] = ("reflect", "symmetric")


def gelu(graph, operator):
    """x times a sigmoid, which is within 0.0005 of GELU with the error function."""
    (x,), (y,) = operator.inputs, operator.outputs
    square, bent, argument, share = (
        like(graph, y, part) for part in ("square", "bent", "argument", "share")
    )
    factor = math.sqrt(8 / math.pi)
    return [
        binary(graph, "MUL", x, x, square),
        binary(graph, "MUL", square, 0.044715 * factor, bent),
        binary(graph, "ADD", bent, factor, argument),
        binary(graph, "MUL", argument, x, bent_x := like(graph, y, "bent_x")),
        unary(graph, "LOGISTIC", bent_x, share),
        binary(graph, "MUL", x, share, y),
    ]


def elu(graph, operator):
    """relu(x) + exp(-r) - 1 with r = relu(-x); exp(-r) is s / (1 - s) of the sigmoid s of -r."""
    (x,), (y,) = operator.inputs, operator.outputs
    parts = (
        "minus",
        "below",
        "argument",
        "share",
        "rest",
        "root",
        "product",
        "power",
        "above",
        "sum",
    )
    minus, below, argument, share, rest, root, product, power, above, total = (
        like(graph, y, part) for part in parts
    )
    return [
        binary(graph, "MUL", x, -1.0, minus),
        unary(graph, "RELU", minus, below),
        binary(graph, "MUL", below, -1.0, argument),
        unary(graph, "LOGISTIC", argument, share),
        binary(graph, "SUB", 1.0, share, rest),
        unary(graph, "RSQRT", rest, root),
        binary(graph, "MUL", share, root, product),
        binary(graph, "MUL", product, root, power),
        unary(graph, "RELU", x, above),
        binary(graph, "ADD", above, power, total),
        binary(graph, "SUB", total, 1.0, y),
    ]


def hard_swish(graph, operator):
    """x * relu6(x + 3) / 6."""
    (x,), (y,) = operator.inputs, operator.outputs
    moved, bounded, share = (like(graph, y, part) for part in ("moved", "bounded", "share"))
    return [
        binary(graph, "ADD", x, 3.0, moved),
        unary(graph, "RELU6", moved, bounded),
        binary(graph, "MUL", bounded, 1 / 6, share),
        binary(graph, "MUL", x, share, y),
    ]


def prelu(graph, operator):
    """relu(x) - alpha * relu(-x)."""
    (x, alpha), (y,) = operator.inputs, operator.outputs
    tensor = graph.subgraphs[0].tensors[alpha]
    if not is_constant(graph, tensor):
        return None
    slopes = constant_array(graph, alpha)
    minus, below, sloped, above = (
        like(graph, y, part) for part in ("minus", "below", "sloped", "above")
    )
    return [
        binary(graph, "MUL", x, -1.0, minus),
        unary(graph, "RELU", minus, below),
        binary(graph, "MUL", below, slopes, sloped),
        unary(graph, "RELU", x, above),
        binary(graph, "SUB", above, sloped, y),
    ]


def largest(graph, operator):
    """MAX_POOL_2D over neighboring axes."""
    (x, axes), (y,) = operator.inputs, operator.outputs
    shape = shape_of(graph.subgraphs[0].tensors[x])
    reduced = sorted({int(axis) % len(shape) for axis in constant_values(graph, axes)})
    if reduced != list(range(reduced[0], reduced[-1] + 1)):
        return None
    before, length, after = (
        int(np.prod(part))
        for part in (
            shape[: reduced[0]],
            shape[reduced[0] : reduced[-1] + 1],
            shape[reduced[-1] + 1 :],
        )
    )
    image = like(graph, x, "image", [1, before * length, 1, after])
    pooled = like(graph, y, "pooled", [1, before, 1, after])
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.filterHeight = length
    options.strideW = options.filterWidth = 1
    return [
        reshape(graph, x, image),
        make_operator(graph, "MAX_POOL_2D", options, [image], [pooled]),
        reshape(graph, pooled, y),
    ]


def smallest(graph, operator):
    """Minus the largest of the negative values."""
    (x, axes), (y,) = operator.inputs, operator.outputs
    minus, most = like(graph, x, "minus"), like(graph, y, "most")
    inner = make_operator(graph, "REDUCE_MAX", operator.builtinOptions, [minus, axes], [most])
    found = largest(graph, inner)
    if found is None:
        return None
    return [
        binary(graph, "MUL", x, -1.0, minus),
        *found,
        binary(graph, "MUL", most, -1.0, y),
    ]


def unit_length(graph, operator):
    """x times the inverse root of the sum of squares over the last axis."""
    (x,), (y,) = operator.inputs, operator.outputs
    shape = shape_of(graph.subgraphs[0].tensors[x])
    square = like(graph, x, "square")
    mean, inverse, share = (
        like(graph, y, part, [*shape[:-1], 1]) for part in ("mean", "inverse", "share")
    )
    options = schema.ReducerOptionsT()
    options.keepDims = True
    axes = add_constant(graph, np.array([len(shape) - 1], np.int32), "axes")
    return [
        binary(graph, "MUL", x, x, square),
        make_operator(graph, "MEAN", options, [square, axes], [mean]),
        *inverse_root(graph, mean, inverse),
        binary(graph, "MUL", inverse, shape[-1] ** -0.5, share),
        binary(graph, "MUL", x, share, y),
    ]


def log_softmax(graph, operator):
    """x less its largest value, less the logarithm of the sum of the powers of that."""
    (x,), (y,) = operator.inputs, operator.outputs
    shape = shape_of(graph.subgraphs[0].tensors[x])
    row = [*shape[:-1], 1]
    most, mean, total, logarithm = (
        like(graph, y, part, row) for part in ("most", "mean", "total", "logarithm")
    )
    below, power = (like(graph, y, part) for part in ("below", "power"))
    options = schema.ReducerOptionsT()
    options.keepDims = True
    axes = add_constant(graph, np.array([len(shape) - 1], np.int32), "axes")
    return [
        *largest(graph, make_operator(graph, "REDUCE_MAX", options, [x, axes], [most])),
        binary(graph, "SUB", x, most, below),
        unary(graph, "EXP", below, power),
        make_operator(graph, "MEAN", options, [power, axes], [mean]),
        binary(graph, "MUL", mean, float(shape[-1]), total),
        unary(graph, "LOG", total, logarithm),
        binary(graph, "SUB", below, logarithm, y),
    ]


def gather(graph, operator):
    """What constant places of an axis hold; batches with places of their own lie in a row."""
    (x, places), (y,) = operator.inputs, operator.outputs
    tensors, options = graph.subgraphs[0].tensors, operator.builtinOptions
    if is_constant(graph, tensors[x]) or not is_constant(graph, tensors[places]):
        return None
    shape, batches = shape_of(tensors[x]), options.batchDims
    axis = options.axis % len(shape)
    if batches and axis != batches:
        return None
    indices = constant_array(graph, places) % shape[axis]
    before = shape[:axis]
    if batches:
        count = int(np.prod(before))
        first = np.arange(count).reshape([*before, *[1] * (indices.ndim - batches)])
        indices = indices + first * shape[axis]
        before, shape = [], [count * shape[axis], *shape[axis + 1 :]]
    return take_flat(graph, x, shape, len(before), indices, y)


def take_flat(graph, x, shape, axis, indices, y):
    """Operators that take indices of an axis of a tensor as if it had a shape."""
    new: list = []
    if shape != shape_of(graph.subgraphs[0].tensors[x]):
        flat = like(graph, x, "flat", shape)
        new, x = [reshape(graph, x, flat)], flat
    taken = like(graph, y, "taken", [*shape[:axis], indices.size, *shape[axis + 1 :]])
    new += take(graph, x, axis, indices.ravel().tolist(), taken)
    return [*new, reshape(graph, taken, y)]


def mirror_pad(graph, operator):
    """What lies at the ends, in reverse."""
    (x, paddings), (y,) = operator.inputs, operator.outputs
    tensors = graph.subgraphs[0].tensors
    edge = operator.builtinOptions.mode == schema.MirrorPadMode.SYMMETRIC
    new: list = []
    for axis, (before, after) in enumerate(constant_array(graph, paddings).tolist()):
        if before or after:
            shape = shape_of(tensors[x])
            around = np.pad(np.arange(shape[axis]), (before, after), MIRRORS[edge])
            shape[axis] = len(around)
            padded = like(graph, y, f"axis_{axis}", shape)
            new += take(graph, x, axis, around.tolist(), padded)
            x = padded
    return [*new, reshape(graph, x, y)]


def pad(graph, operator):
    """Constants in front and behind: TFLM wants the value of PADV2 in the scale of the output."""
    (x, amounts, value), (y,) = operator.inputs, operator.outputs
    fill = constant_array(graph, value).ravel()
    new: list = []
    for axis, ends in enumerate(constant_array(graph, amounts).tolist()):
        if any(ends):
            shape = shape_of(graph.subgraphs[0].tensors[x])
            padded = like(
                graph,
                y,
                f"axis_{axis}",
                [*shape[:axis], sum(ends, shape[axis]), *shape[axis + 1 :]],
            )
            parts = [x]
            for end, count in enumerate(ends):
                values = np.full([*shape[:axis], count, *shape[axis + 1 :]], fill, np.float32)
                if count:
                    parts.insert(end * len(parts), add_constant(graph, values, "padding"))
            new += join(graph, parts, axis, padded)
            x = padded
    return [*new, reshape(graph, x, y)]


def take(graph, x, axis, indices, result):
    """Operators that join parts of a tensor, each of indices that lie side by side, up or down."""
    whole = shape_of(graph.subgraphs[0].tensors[x])
    new: list = []
    parts = []
    for first, last in runs(indices):
        begin, size = [0] * len(whole), list(whole)
        begin[axis], size[axis] = min(first, last), abs(last - first) + 1
        part = like(graph, result, f"part_{len(new)}", size)
        bounds = [add_constant(graph, np.array(ends, np.int32), "bounds") for ends in (begin, size)]
        new.append(make_operator(graph, "SLICE", schema.SliceOptionsT(), [x, *bounds], [part]))
        if first > last:
            down = like(graph, result, f"part_{len(new)}", size)
            axes = add_constant(graph, np.array([axis], np.int32), "axis")
            options = schema.ReverseV2OptionsT()
            new.append(make_operator(graph, "REVERSE_V2", options, [part, axes], [down]))
            part = down
        parts.append(part)
    return new + join(graph, parts, axis, result)


def runs(indices):
    """Pairs of the first and the last of what goes up or down one by one, in a row."""
    found: list = []
    step = 0
    for index in indices:
        if found and index - found[-1][1] in ((step,) if step else (1, -1)):
            step = index - found[-1][1]
            found[-1][1] = index
        else:
            found.append([index, index])
            step = 0
    return found


def join(graph, parts, axis, result):
    """CONCATENATIONs of at most MOST_INPUTS tensors each; a RESHAPE of one tensor."""
    new: list = []
    while len(parts) > 1:
        groups = [parts[i : i + MOST_INPUTS] for i in range(0, len(parts), MOST_INPUTS)]
        parts = []
        for group in groups:
            shapes = [shape_of(graph.subgraphs[0].tensors[part]) for part in group]
            shape = [*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]]
            options = schema.ConcatenationOptionsT()
            options.axis = axis
            joined = (
                result if len(groups) == 1 else like(graph, result, f"joined_{len(new)}", shape)
            )
            new.append(make_operator(graph, "CONCATENATION", options, group, [joined]))
            parts.append(joined)
    return new or [reshape(graph, parts[0], result)]


WIDE_REWRITES = {
    "ELU": elu,
    "GATHER": gather,
    "GELU": gelu,
    "HARD_SWISH": hard_swish,
    "L2_NORMALIZATION": unit_length,
    "LOG_SOFTMAX": log_softmax,
    "MIRROR_PAD": mirror_pad,
    "PADV2": pad,
    "PRELU": prelu,
    "REDUCE_MAX": largest,
    "REDUCE_MIN": smallest,
    "RESIZE_BILINEAR": resize,
}
