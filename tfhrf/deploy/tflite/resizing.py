"""RESIZE_BILINEAR in 16 bits, which TFLM has not: products with matrices of two shares a line."""

import numpy as np

from tfhrf.deploy.tflite.graph import add_constant, make_operator, shape_of
from tfhrf.deploy.tflite.pieces import like, reshape
from tfhrf.deploy.tflite.schema import schema

LINES, COLUMNS = 1, 2
LARGEST = 127  # of 8-bit weights


def resize(graph, operator):
    """Lines first, then columns, each behind a transposition that puts them last."""
    x, (y,) = operator.inputs[0], operator.outputs
    tensors, options = graph.subgraphs[0].tensors, operator.builtinOptions
    shape, wanted = shape_of(tensors[x]), shape_of(tensors[y])
    axes = [axis for axis in (LINES, COLUMNS) if shape[axis] != wanted[axis]]
    new: list = []
    order = [0, 1, 2, 3]  # of the axes of what there is
    for axis in axes:
        others = [other for other in order if other != axis]
        x, order = transposed(graph, x, y, order, [*others, axis], new)
        lengths = shape_of(tensors[x])
        weights = shares(lengths[-1], wanted[axis], options)
        made = schema.FullyConnectedOptionsT()
        made.keepNumDims = True
        sums = like(graph, y, f"axis_{axis}", [*lengths[:-1], wanted[axis]])
        inputs = [x, add_constant(graph, weights, "shares"), -1]
        new.append(make_operator(graph, "FULLY_CONNECTED", made, inputs, [sums]))
        x = sums
    x, _ = transposed(graph, x, y, order, [0, 1, 2, 3], new)
    if not new:
        return [reshape(graph, x, y)]
    new[-1].outputs = [y]
    return new


def transposed(graph, x, y, order, wanted, new):
    """(a tensor with its axes in another order, that order); its operator is added to `new`."""
    if order == wanted:
        return x, wanted
    places = [order.index(axis) for axis in wanted]
    lengths = shape_of(graph.subgraphs[0].tensors[x])
    turned = like(graph, y, f"turned_{len(new)}", [lengths[place] for place in places])
    inputs = [x, add_constant(graph, np.array(places, np.int32), "order")]
    new.append(make_operator(graph, "TRANSPOSE", schema.TransposeOptionsT(), inputs, [turned]))
    return turned, wanted


def shares(length, new, options):
    """float32 matrix (new, length): which share of each line or column is in each new one.

    In steps that 8 bits hold, so that the shares of one still add up to 1.
    """
    scale = length / new
    if options.alignCorners and new > 1:
        scale = (length - 1) / (new - 1)
    half = 0.5 if options.halfPixelCenters else 0.0
    places = np.clip((np.arange(new) + half) * scale - half, 0, length - 1)
    lower = np.floor(places).astype(int)
    upper = np.minimum(lower + 1, length - 1)
    # The largest share is to be the largest weight: else the quantizer would round the others.
    for steps in range(LARGEST, 2 * LARGEST + 2):
        above = np.round(steps * (places - lower))
        if max(above.max(), (steps - above).max()) == LARGEST:
            break
    matrix = np.zeros((new, length), np.float32)
    np.add.at(matrix, (np.arange(new), lower), steps - above)
    np.add.at(matrix, (np.arange(new), upper), above)
    return matrix / np.float32(steps)
