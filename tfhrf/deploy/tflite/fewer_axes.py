"""Slices and transpositions of no more axes than TensorFlow Lite Micro's kernels have."""

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    add_tensor,
    constant_values,
    is_constant,
    make_operator,
    operator_name,
    replace,
    shape_of,
    tensor_name,
)
from tfhrf.deploy.tflite.pieces import reshape
from tfhrf.deploy.tflite.schema import schema

MOST_SLICED, MOST_TRANSPOSED = 4, 5


def keep_few_axes(graph):
    """Rewrites a graph in place."""
    slice_fewer_axes(graph)
    transpose_fewer_axes(graph)


def slice_fewer_axes(graph):
    """Has neighboring axes that are taken whole joined where slices have too many."""
    subgraph = graph.subgraphs[0]
    for cut in [op for op in subgraph.operators if operator_name(graph, op) == "STRIDED_SLICE"]:
        x, *bounds = cut.inputs
        (y,), options = cut.outputs, cut.builtinOptions
        shape, kind = shape_of(subgraph.tensors[x]), subgraph.tensors[x].type
        constant = all(is_constant(graph, subgraph.tensors[index]) for index in bounds)
        if len(shape) <= MOST_SLICED or options.ellipsisMask or options.newAxisMask or not constant:
            continue
        begin, end, step = (constant_values(graph, index).tolist() for index in bounds)
        axes = joined_axes(shape, begin, end, step, options)
        name = tensor_name(subgraph.tensors[y])
        joined = add_tensor(graph, [length for _, length in axes], kind, f"{name}/joined")
        lengths = [len(range(*taken)) for taken, _ in axes]
        part = add_tensor(graph, lengths, kind, f"{name}/part")
        # An end of -1 would be the last element, not the place before the first.
        axes = [((a, b if b >= 0 else -n - 1, step), n) for (a, b, step), n in axes]
        ends = [[taken[i] for taken, _ in axes] for i in range(3)]
        ends = [add_constant(graph, np.array(end, np.int32), name) for end in ends]
        plain = schema.StridedSliceOptionsT()
        new = make_operator(graph, "STRIDED_SLICE", plain, [joined, *ends], [part])
        replace(graph, cut, [reshape(graph, x, joined), new, reshape(graph, part, y)])


def joined_axes(shape, begin, end, step, options):
    """[((begin, end, step), length)] of a strided slice, axes that are taken whole joined."""
    axes: list[tuple] = []
    for axis, length in enumerate(shape):
        taken = (0, length, 1)
        if axis < len(begin) and options.shrinkAxisMask >> axis & 1:
            taken = (begin[axis] % length, begin[axis] % length + 1, 1)
        elif axis < len(begin):
            low = None if options.beginMask >> axis & 1 else begin[axis]
            high = None if options.endMask >> axis & 1 else end[axis]
            taken = slice(low, high, step[axis]).indices(length)
        whole = taken == (0, length, 1)
        if whole and axes and axes[-1][0] == (0, axes[-1][1], 1):
            length *= axes.pop()[1]
            taken = (0, length, 1)
        if not (whole and length == 1):
            axes.append((taken, length))
    return axes


def transpose_fewer_axes(graph):
    """Has neighboring blocks of axes change places, one pair after the other, where there are many.

    That takes four axes: what stays before, the two blocks, what stays behind.
    """
    subgraph = graph.subgraphs[0]
    for turn in [op for op in subgraph.operators if operator_name(graph, op) == "TRANSPOSE"]:
        x, order = turn.inputs
        shape = shape_of(subgraph.tensors[x])
        if len(shape) <= MOST_TRANSPOSED or not is_constant(graph, subgraph.tensors[order]):
            continue
        new: list = []
        (y,) = turn.outputs
        name, kind = tensor_name(subgraph.tensors[y]), subgraph.tensors[x].type
        for lengths, places in exchanges(shape, constant_values(graph, order).tolist()):
            joined = add_tensor(graph, lengths, kind, f"{name}/joined")
            turned = add_tensor(graph, [lengths[i] for i in places], kind, f"{name}/turned")
            index = add_constant(graph, np.array(places, np.int32), f"{name}/order")
            options = schema.TransposeOptionsT()
            new.append(reshape(graph, x, joined))
            new.append(make_operator(graph, "TRANSPOSE", options, [joined, index], [turned]))
            x = turned
        replace(graph, turn, [*new, reshape(graph, x, y)])


def exchanges(shape, order):
    """[(lengths, order)] of transpositions of at most four axes that make one of more."""
    axes = list(range(len(shape)))
    found = []
    for place, axis in enumerate(order):
        first = axes.index(axis)
        if first == place:
            continue
        # All that is to follow this one, and does so already, goes with it.
        last = first + 1
        while last < len(axes) and axes[last] == order[place + last - first]:
            last += 1
        parts = axes[:place], axes[place:first], axes[first:last], axes[last:]
        axes = [*parts[0], *parts[2], *parts[1], *parts[3]]
        lengths = [int(np.prod([shape[i] for i in part], dtype=int)) for part in parts]
        if min(lengths[1:3]) > 1:
            found.append((lengths, [0, 2, 1, 3]))
    return found
