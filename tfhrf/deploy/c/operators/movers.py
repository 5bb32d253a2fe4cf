"""Lowers operators that move elements: to other addresses where that does, or to copies."""

import numpy as np

from tfhrf.deploy.c.ir import refuse
from tfhrf.deploy.c.steps import Operand, Step
from tfhrf.deploy.c.views import Storage, View, nested_loops

VIEWS = {"RESHAPE", "TRANSPOSE", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE", "GATHER"}
VIEWS |= {"EXPAND_DIMS", "SQUEEZE", "UNPACK"}


def part_of(operator, address, position):
    """The part of a CONCATENATION's or PACK's output that one input fills."""
    if operator.name == "PACK":
        return np.take(address, position, axis=operator.options.axis)
    axis = operator.options.axis % address.ndim
    lengths = [tensor.shape[axis] for tensor in operator.inputs]
    start = sum(lengths[:position])
    return np.take(address, np.arange(start, start + lengths[position]), axis=axis)


def view_of(operator, address):
    """The addresses of the outputs of an operator that only looks at its input another way."""
    name, inputs, options = operator.name, operator.inputs, operator.options
    if name in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"):
        return [address.reshape(operator.output.shape)]
    if name == "TRANSPOSE":
        return [address.transpose([int(i) for i in inputs[1].data])]
    if name == "SPLIT":
        return np.split(address, len(operator.outputs), axis=int(inputs[0].data.flat[0]))
    if name == "SPLIT_V":
        lengths = [int(length) for length in inputs[1].data.flat]
        return np.split(address, np.cumsum(lengths)[:-1], axis=int(inputs[2].data.flat[0]))
    if name == "UNPACK":
        return [np.take(address, i, axis=options.axis) for i in range(len(operator.outputs))]
    if name == "GATHER":
        if inputs[1].data is None or options.batchDims:
            refuse(operator, "its indices are not constant", inputs[1])
        return [np.take(address, inputs[1].data, axis=options.axis)]
    if name == "SLICE":
        begin, size = (tensor.data for tensor in inputs[1:3])
        ends = [s if n == -1 else b + n for b, n, s in zip(begin, size, address.shape, strict=True)]
        return [address[tuple(slice(b, e) for b, e in zip(begin, ends, strict=True))]]
    begin, end, step = (tensor.data for tensor in inputs[1:4])
    if options.ellipsisMask or options.newAxisMask:
        refuse(operator, "its mask is not supported")
    index: list = []
    for axis in range(len(begin)):
        if options.shrinkAxisMask >> axis & 1:
            index.append(int(begin[axis]))
        else:
            low = None if options.beginMask >> axis & 1 else int(begin[axis])
            high = None if options.endMask >> axis & 1 else int(end[axis])
            index.append(slice(low, high, int(step[axis])))
    return [address[tuple(index)].reshape(operator.output.shape)]


def lower_view(lowering, operator):
    source = operator.inputs[1 if operator.name == "SPLIT" else 0]
    for operand in operator.inputs:
        if operand is not source and operand is not None and operand.data is None:
            refuse(operator, "it depends on computed values", operand)
    view = lowering.view(source)
    for tensor, address in zip(operator.outputs, view_of(operator, view.address), strict=True):
        if any(tensor is output for output in lowering.graph.outputs):
            lowering.move(View(view.storage, address), lowering.allocate(tensor))
        else:
            lowering.views[id(tensor)] = View(view.storage, address)


def lower_concatenation(lowering, operator):
    whole = lowering.allocate(operator.output)
    for position, tensor in enumerate(operator.inputs):
        if lowering.parts.get(id(tensor)) != (operator, position):
            address = part_of(operator, whole.address, position)
            lowering.move(lowering.view(tensor), View(whole.storage, address))


def lower_pad(lowering, operator):
    x, amounts = operator.inputs[:2]
    if amounts.data is None or len(operator.inputs) > 2:
        refuse(operator, "its amounts are not constant", amounts)
    target = lowering.allocate(operator.output)
    value = np.array([operator.output.zero_point])
    filler = Storage("constant", x.dtype, 1, "padding", value)
    move(lowering, View(filler, np.zeros_like(target.address)), target)
    inner = tuple(
        slice(int(before), int(before) + length)
        for (before, _), length in zip(amounts.data, x.shape, strict=True)
    )
    lowering.move(lowering.view(x), View(target.storage, target.address[inner]))


def move(lowering, source, target):
    """A step that copies the elements of a view to another."""
    loops = nested_loops(source.address, target.address)
    if loops is None:
        # Line by line: each innermost run is affine by itself.
        if source.address.ndim > 1:
            for low, high in zip(source.address, target.address, strict=True):
                move(lowering, View(source.storage, low), View(target.storage, high))
            return
        raise ValueError(f"Cannot copy element by element. Received: {source.storage.name}")
    reads = [Operand(View(source.storage, source.address.reshape(1, -1)), False)]
    write = Operand(View(target.storage, target.address.reshape(1, -1)), False)

    def call(write, pointers, rows):
        lines = []
        offsets = [pointers[0], pointers[1]]
        outer = loops if loops else [(1, (1, 1))]
        for depth, (count, strides) in enumerate(outer):
            indent = "    " * depth
            lines.append(f"{indent}for (int32_t i{depth} = 0; i{depth} < {count}; ++i{depth}) {{")
            offsets = [
                offset if stride == 0 else f"{offset} + {stride} * i{depth}"
                for offset, stride in zip(offsets, strides, strict=True)
            ]
        indent = "    " * len(outer)
        lines.append(f"{indent}*({offsets[1]}) = *({offsets[0]});")
        lines += ["    " * depth + "}" for depth in reversed(range(len(outer)))]
        return lines

    lowering.steps.append(Step("copy", reads, write, call))


MOVERS = {
    **dict.fromkeys(VIEWS, lower_view),
    "CONCATENATION": lower_concatenation,
    "PACK": lower_concatenation,
    "PAD": lower_pad,
}
