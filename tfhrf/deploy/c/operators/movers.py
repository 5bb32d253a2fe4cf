"""Lowers operators that move elements: to other addresses where that does, or to copies."""

import numpy as np

from tfhrf.deploy.c.ir import refuse
from tfhrf.deploy.c.steps import Operand, Step, matrix_strides
from tfhrf.deploy.c.views import Storage, View, nested_loops, strides_of

VIEWS = {"RESHAPE", "TRANSPOSE", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE", "GATHER"}
VIEWS |= {"EXPAND_DIMS", "SQUEEZE", "UNPACK", "REVERSE_V2", "TILE", "BROADCAST_TO", "GATHER_ND"}
VIEWS |= {"MIRROR_PAD", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "RESIZE_NEAREST_NEIGHBOR"}
VIEWS |= {"BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"}
# Copies that take more loops than these are made by a list of places instead.
MOST_LOOPS = 16


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
        if address.size != np.prod(operator.output.shape, dtype=int):
            refuse(operator, "its output has not as many elements as its input", inputs[0])
        return [address.reshape(operator.output.shape)]
    if name == "TRANSPOSE":
        return [address.transpose([int(i) for i in inputs[1].data])]
    if name == "SPLIT":
        return np.split(address, len(operator.outputs), axis=int(inputs[0].data.flat[0]))
    if name == "SPLIT_V":
        axis = int(inputs[2].data.flat[0])
        # Of the outputs: among the sizes may be a -1.
        lengths = [tensor.shape[axis] for tensor in operator.outputs]
        return np.split(address, np.cumsum(lengths)[:-1], axis=axis)
    if name == "UNPACK":
        return [np.take(address, i, axis=options.axis) for i in range(len(operator.outputs))]
    if name == "GATHER":
        return [taken(address, inputs[1].data, options.axis, options.batchDims)]
    if name == "GATHER_ND":
        return [address[tuple(np.moveaxis(inputs[1].data, -1, 0))]]
    if name == "REVERSE_V2":
        return [np.flip(address, [int(axis) for axis in inputs[1].data.flat])]
    if name == "TILE":
        return [np.tile(address, inputs[1].data)]
    if name == "BROADCAST_TO":
        return [np.broadcast_to(address, operator.output.shape)]
    if name == "MIRROR_PAD":
        return [np.pad(address, inputs[1].data, "symmetric" if options.mode else "reflect")]
    if name in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"):
        return [blocks_of(address, options.blockSize, name == "DEPTH_TO_SPACE")]
    if name == "SPACE_TO_BATCH_ND":
        return [batches_of(address, inputs[1].data)]
    if name == "BATCH_TO_SPACE_ND":
        return [space_of(address, inputs[1].data, inputs[2].data)]
    if name == "RESIZE_NEAREST_NEIGHBOR":
        lines, columns = (
            nearest(length, new, options)
            for length, new in zip(address.shape[1:3], operator.output.shape[1:3], strict=True)
        )
        return [address[:, lines][:, :, columns]]
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


def taken(address, places, axis, batches):
    """What lies at places of an axis; with batches, each along the first axes has its own."""
    if batches == 0:
        return np.take(address, places, axis=axis)
    axis %= address.ndim
    rows = zip(address, places, strict=True)
    return np.stack([taken(row, own, axis - 1, batches - 1) for row, own in rows])


def blocks_of(address, size, spread):
    """Blocks of size x size pixels out of channels, or channels out of such blocks."""
    batch, height, width, depth = address.shape
    if spread:
        parts = address.reshape(batch, height, width, size, size, depth // size**2)
        shape = (batch, height * size, width * size, -1)
        return parts.transpose(0, 1, 3, 2, 4, 5).reshape(shape)
    parts = address.reshape(batch, height // size, size, width // size, size, depth)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // size, width // size, -1)


def batches_of(address, block):
    """Each place of a block of the axes behind the first one as a batch of its own."""
    batch, *rest = address.shape
    inner = [part for n, size in zip(rest, block, strict=False) for part in (n // size, size)]
    count = len(block)
    parts = address.reshape(batch, *inner, *rest[count:])
    sizes = [2 + 2 * axis for axis in range(count)]
    kept = [axis for axis in range(1, parts.ndim) if axis not in sizes]
    shape = [n // size for n, size in zip(rest, block, strict=False)]
    return parts.transpose(*sizes, 0, *kept).reshape(-1, *shape, *rest[count:])


def space_of(address, block, crops):
    """The inverse of `batches_of`, without (before, after) of each axis."""
    count = len(block)
    batches, *rest = address.shape
    parts = address.reshape(*block, batches // int(np.prod(block)), *rest)
    axes = [axis for i in range(count) for axis in (count + 1 + i, i)]
    whole = parts.transpose(count, *axes, *range(2 * count + 1, parts.ndim))
    lengths = [n * size for n, size in zip(rest, block, strict=False)]
    whole = whole.reshape(-1, *lengths, *rest[count:])
    inner = [slice(int(low), n - int(high)) for (low, high), n in zip(crops, lengths, strict=True)]
    return whole[(slice(None), *inner)]


def nearest(length, new, options):
    """Which of `length` lines or columns each of `new` ones is, in single precision."""
    factor = np.float32(length) / np.float32(new)
    if options.alignCorners and new > 1:
        factor = np.float32(length - 1) / np.float32(new - 1)
    offset = np.float32(0.5 if options.halfPixelCenters else 0)
    places = (np.arange(new, dtype=np.float32) + offset) * factor
    # Halves away from zero; none is below it.
    places = np.floor(places + np.float32(0.5)) if options.alignCorners else np.floor(places)
    return np.clip(places.astype(int), 0, length - 1)


def lower_view(lowering, operator):
    source = operator.inputs[1 if operator.name == "SPLIT" else 0]
    for operand in operator.inputs:
        if operand is not source and operand is not None and operand.data is None:
            refuse(operator, "it depends on computed values", operand)
    view = lowering.view(source)
    if operator.name == "SPACE_TO_BATCH_ND" and operator.inputs[2].data.any():
        refuse(operator, "it adds zeros", operator.inputs[2])
    for tensor, address in zip(operator.outputs, view_of(operator, view.address), strict=True):
        if address.shape != tensor.shape:
            refuse(operator, f"it moves {address.shape} into {tensor.shape}", tensor)
        put_view(lowering, tensor, View(view.storage, address))


def put_view(lowering, tensor, view):
    """Makes a view what is read as a tensor, or copies it to an output."""
    if any(tensor is output for output in lowering.graph.outputs):
        lowering.move(view, lowering.allocate(tensor))
    else:
        lowering.views[id(tensor)] = view


def lower_concatenation(lowering, operator):
    first = operator.inputs[0]
    if all(tensor is first for tensor in operator.inputs) and operator.name == "CONCATENATION":
        # What TILE is written as.
        view, times = lowering.view(first), len(operator.inputs)
        address = np.concatenate([view.address] * times, operator.options.axis)
        put_view(lowering, operator.output, View(view.storage, address))
        return
    whole = lowering.allocate(operator.output)
    for position, tensor in enumerate(operator.inputs):
        if lowering.parts.get(id(tensor)) != (operator, position):
            address = part_of(operator, whole.address, position)
            lowering.move(lowering.view(tensor), View(whole.storage, address))


def lower_pad(lowering, operator):
    x, amounts, *values = operator.inputs
    for tensor in (amounts, *values):
        if tensor.data is None:
            refuse(operator, "its amounts are not constant", tensor)
    target = lowering.allocate(operator.output)
    value = values[0].data.ravel() if values else np.array([operator.output.zero_point])
    filler = Storage("constant", x.dtype, 1, "padding", value)
    move(lowering, View(filler, np.zeros_like(target.address)), target)
    inner = tuple(
        slice(int(before), int(before) + length)
        for (before, _), length in zip(amounts.data, x.shape, strict=True)
    )
    lowering.move(lowering.view(x), View(target.storage, target.address[inner]))


def move(lowering, source, target):
    """Steps that copy the elements of a view to another."""
    parts = affine_parts(source.address, target.address)
    if parts is None:
        copy_listed(lowering, source, target)
        return
    for low, high, loops in parts:
        copy_in_loops(lowering, View(source.storage, low), View(target.storage, high), loops)


def affine_parts(source, target):
    """[(part of source, of target, loops over both)], or None where those are too many."""
    loops = nested_loops(source, target)
    if loops is not None:
        return [(source, target, loops)]
    if source.ndim == 1 or len(source) > MOST_LOOPS:
        return None
    # Line by line: each innermost run is affine by itself.
    lines = [affine_parts(low, high) for low, high in zip(source, target, strict=True)]
    if any(line is None for line in lines) or sum(map(len, lines)) > MOST_LOOPS:
        return None
    return [part for line in lines for part in line]


def copy_listed(lowering, source, target):
    """A step that copies runs of elements from one list of places to another."""
    places = np.stack([source.address.ravel(), target.address.ravel()])
    breaks = np.flatnonzero((np.diff(places) != 1).any(axis=0)) + 1
    run = int(np.gcd.reduce([*breaks, places.shape[1]]))
    size = source.storage.itemsize
    reads = [Operand(View(source.storage, source.address.reshape(1, -1)), False)]
    write = Operand(View(target.storage, target.address.reshape(1, -1)), False)

    def call(write, pointers, rows):
        # The pointers are those of the first elements.
        lists = (places - places[:, :1])[:, ::run] * size
        names = [write.array("int32_t", each, "places") for each in lists]
        return [
            f"tfhrf_copy_listed({pointers[0]}, {names[0]}, {pointers[1]}, {names[1]}, "
            f"{lists.shape[1]}, {run * size});"
        ]

    lowering.steps.append(Step("copy", reads, write, call, ("copy",)))


def copy_in_loops(lowering, source, target, loops):
    """A step that copies the elements of a view to another in nested loops."""
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


def lower_gather(lowering, operator):
    """Rows of a table at constant or computed places."""
    table, places = operator.inputs
    if places.data is not None:
        lower_view(lowering, operator)
        return
    axis = operator.options.axis % len(table.shape)
    if operator.options.batchDims or axis or places.dtype != "int32":
        refuse(operator, "only rows of a table can be looked up at int32 places", places)
    columns = int(np.prod(table.shape[1:]))
    rows, row = lowering.matrix(lowering.view(table), columns)
    source = lowering.view(places).reshape(-1, 1)
    if strides_of(source.address) is None:
        source = lowering.copy(source)
    step = strides_of(source.address)[0]
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_row, out_step = matrix_strides(operator, target)
    if out_step != 1 and columns > 1:
        refuse(operator, "its output's rows are not dense")
    size = rows.storage.itemsize

    def call(write, pointers, count):
        return [
            f"tfhrf_gather({pointers[0]}, {step}, {pointers[1]}, {row * size}, {table.shape[0]}, "
            f"{pointers[2]}, {out_row * size}, {columns * size}, {count});"
        ]

    reads = [Operand(source), Operand(View(rows.storage, rows.address.reshape(1, -1)), False)]
    step_of = Step("gather", reads, Operand(target), call, ("gather",), can_fail=True)
    lowering.steps.append(step_of)


MOVERS = {
    **dict.fromkeys(VIEWS, lower_view),
    "CONCATENATION": lower_concatenation,
    "GATHER": lower_gather,
    "PACK": lower_concatenation,
    "PAD": lower_pad,
    "PADV2": lower_pad,
}
