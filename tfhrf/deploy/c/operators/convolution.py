"""Lowers what slides a window over an image: convolutions and pools."""

import copy
import dataclasses
import types

import numpy as np

from tfhrf.deploy.c.ir import Operator, check_same_scale, refuse
from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.c.operators.compact import unpacked
from tfhrf.deploy.c.operators.dense import (
    arranged,
    arrangement_of,
    check_weights,
    dense_struct,
    lower_dense,
    rows_at_once,
    rows_scratch,
)
from tfhrf.deploy.c.operators.depthwise import (
    COLUMN,
    columns_at_once,
    frame_weights,
    takes_frames,
    takes_lines,
)
from tfhrf.deploy.c.steps import Operand, Step, matrix_strides
from tfhrf.deploy.c.views import View, strides_of


def steps_of(options):
    """[strides of a window, distances of its taps], of lines and of columns."""
    dilation = [getattr(options, f"dilation{side}Factor", 1) or 1 for side in "HW"]
    return [options.strideH, options.strideW], dilation


def padding_of(options, sizes, outs, kernel):
    """Lines and columns of padding before the first."""
    if hasattr(options, "before"):
        return options.before
    reaches = [
        (out - 1) * stride + (length - 1) * factor + 1
        for out, length, stride, factor in zip(outs, kernel, *steps_of(options), strict=True)
    ]
    return [
        0 if options.padding == 1 else max(0, reach - size) // 2
        for reach, size in zip(reaches, sizes, strict=True)
    ]


def window_of(operator, view, out_height, out_width, kernel):
    """(initializer of a tfhrf_window, whether height and width changed places)."""
    options = operator.options
    _, height, width, channels = view.address.shape
    strides, dilation = steps_of(options)
    padding = padding_of(options, (height, width), (out_height, out_width), kernel)
    _, row, column, _ = strides_of(view.address)
    pairs_of = [(height, width), (row, column), kernel, strides, dilation, padding]
    swapped = out_height == 1 and height == 1 and kernel[0] == 1
    if swapped:
        pairs_of = [tuple(reversed(pair)) for pair in pairs_of]
        out_width = out_height
    size, steps, *others = pairs_of
    body = [*size, channels, *steps]
    for pair in others:
        body += pair
    body += [out_width, operator.inputs[0].zero_point]
    return f"{{{', '.join(map(str, body))}}}", swapped


def add_window(lowering, operator, name, kernel, size, last, scratch=(0, 0), weights=None):
    """Adds the step of a kernel that slides a window over an image.

    Args:
        lowering: Lowering to add it to.
        operator: whose first input is the image.
        name: of the step.
        kernel: (name of the kernel, name of its header).
        size: height and width of the window.
        last: function of a writer, and of the C expression for the weights if there are such;
            returns the kernel's last arguments.
        scratch: bytes that the kernel needs, and with which it is faster.
        weights: Operand that a step has unpacked the weights to.
    """
    x, y = operator.inputs[0], operator.output
    if len(x.shape) != 4 or x.shape[0] != 1:
        refuse(operator, "it needs one image", x)
    source = lowering.contiguous(lowering.view(x))
    target = lowering.allocate(y)
    window, swapped = window_of(operator, source, y.shape[1], y.shape[2], size)
    address = target.address[0]
    target = View(target.storage, np.swapaxes(address, 0, 1) if swapped else address)
    strides = ", ".join(map(str, matrix_strides(operator, target)))

    def call(write, pointers, rows, first="0"):
        geometry = write.struct("tfhrf_window", window)
        place = f"{pointers[0]}, {pointers[-1]}, {strides}, {first}, {rows}, &{geometry}"
        return [f"tfhrf_{kernel[0]}_rows({place}, {last(write, *pointers[1:-1])});"]

    image = Operand(View(source.storage, source.address.reshape(1, -1)), False)
    reads = [image] if weights is None else [image, weights]
    needed, wished = scratch
    lowering.steps.append(
        Step(name, reads, Operand(target), call, kernel[1:], needed, wished, numbered=True)
    )


def lower_conv(lowering, operator):
    """CONV_2D and DEPTHWISE_CONV_2D."""
    check_weights(lowering, operator)
    x, tensor = operator.inputs[:2]
    # Of one channel it is the same.
    depthwise = operator.name == "DEPTHWISE_CONV_2D" and x.shape[-1] > 1
    if operator.name == "CONV_2D" and tensor.shape[-1] != x.shape[-1]:
        lower_groups(lowering, operator)
        return
    size, options = tensor.shape[1:3], operator.options
    plain = not hasattr(options, "before") and options.strideH == options.strideW == 1
    if operator.name == "CONV_2D" and size == (1, 1) and plain:
        lower_dense(lowering, operator)
        return
    matrix = tensor.data if operator.name == "CONV_2D" else np.moveaxis(tensor.data[0], -1, 0)
    weights = arranged(lowering, operator, matrix.reshape(len(matrix), -1), depthwise)
    multiplier = tensor.shape[-1] // x.shape[-1] if depthwise else 0
    patches = not depthwise and not weights.wide
    lines = depthwise and multiplier == 1 and takes_lines(lowering, operator)
    frames = depthwise and multiplier == 1 and takes_frames(lowering, operator)
    if frames:
        weights = frame_weights(lowering, operator, weights)

    precision, depth = lowering.precision, weights.matrix.shape[1]
    patch = 0 if precision is INT8 and x.shape[-1] % 4 == 0 else depth
    two, four = (rows_scratch(precision, depth, rows, patch) for rows in (2, 4))

    small = unpacked(lowering, weights.matrix, arrangement_of(weights, depthwise), frames)
    if small is not None:
        weights = weights._replace(arrangement=small[0], joint=False)

    def last(write, *more):
        name = f"&{dense_struct(write, lowering, operator, weights, depthwise)}"
        if more:
            # What is unpacked is not joined.
            write.apart |= patches
            name = f"(tfhrf_dense[]){{tfhrf_unpacked({name}, {more[0]})}}"
        if patches:
            return f"{name}, {write.scratch}, {rows_at_once(four, write)}"
        if frames:
            return f"{name}, {write.scratch}"
        if lines:
            columns = min(write.room // COLUMN, columns_at_once(operator)[1])
            return f"{name}, {size[1]}, {write.scratch}, {columns}"
        return f"{name}, {multiplier}"

    name = "depthwise" if depthwise else "conv"
    kernel = ("wide_conv", "wide16") if weights.wide else (f"{name}{precision.suffix}",) * 2
    scratch = (two, four) if patches else (0, 0)
    if lines:
        kernel = ("depthwise_lines",) * 2
        least, best = columns_at_once(operator)
        scratch = (COLUMN * least, COLUMN * best)
    if frames:
        kernel = ("depthwise_frames",) * 2
        # A line, and four channels of pairs of lines.
        scratch = (len(weights.matrix) + 16 * (max(size) // 2 + 2), 0)
    add_window(
        lowering, operator, name, kernel, size, last, scratch, None if small is None else small[1]
    )


def add_part(lowering, operator, source, target, weights, bias, options):
    """Lowers a convolution from a view to a view.

    Args:
        lowering: Lowering to add it to.
        operator: what it is a part of.
        source: view of the image.
        target: view of the part of the output.
        weights, bias: Tensors, bias or None.
        options: of CONV_2D; `before` holds the lines and columns of padding before the first.
    """
    x = operator.inputs[2 if operator.name == "TRANSPOSE_CONV" else 0]
    x = dataclasses.replace(x, shape=source.address.shape)
    y = dataclasses.replace(operator.output, shape=target.address.shape)
    lowering.put(x, source)
    lowering.put(y, target)
    lower_conv(lowering, Operator("CONV_2D", [x, weights, bias], [y], options, operator.extra))


def channels_of(tensor, part):
    """Some output channels of weights or bias, or None."""
    if tensor is None:
        return None
    scales = tensor.scales[part] if len(tensor.scales) > 1 else tensor.scales
    data = tensor.data[part]
    return dataclasses.replace(tensor, data=data, shape=data.shape, scales=scales)


def lower_groups(lowering, operator):
    """CONV_2D of channels in groups: a convolution for each."""
    x, weights, *rest = operator.inputs
    bias = rest[0] if rest else None
    check_weights(lowering, operator)
    depth = weights.shape[-1]
    groups = x.shape[-1] // depth
    outputs = len(weights.data) // groups
    source, target = lowering.view(x), lowering.allocate(operator.output)
    if strides_of(source.address) is None:
        source = lowering.copy(source)
    options = copy.copy(operator.options)
    sizes = (x.shape[1:3], operator.output.shape[1:3], weights.shape[1:3])
    options.before = padding_of(options, *sizes)
    for group in range(groups):
        inner = slice(group * depth, (group + 1) * depth)
        outer = slice(group * outputs, (group + 1) * outputs)
        add_part(
            lowering,
            operator,
            View(source.storage, source.address[..., inner]),
            View(target.storage, target.address[..., outer]),
            channels_of(weights, outer),
            channels_of(bias, outer),
            options,
        )


def lower_transposed(lowering, operator):
    """TRANSPOSE_CONV: a convolution for each place in a stride."""
    _, weights, x, *rest = operator.inputs
    bias = rest[0] if rest else None
    check_weights(lowering, dataclasses.replace(operator, inputs=[x, weights, *rest]))
    y, options = operator.output, operator.options
    source, target = lowering.view(x), lowering.allocate(y)
    strides = (options.strideH, options.strideW)
    before = [
        0 if options.padding == 1 else max(0, (-(-out // step) - 1) * step + taps - out) // 2
        for out, step, taps in zip(y.shape[1:3], strides, weights.shape[1:3], strict=True)
    ]
    for first in np.ndindex(*(min(s, n) for s, n in zip(strides, y.shape[1:3], strict=True))):
        data, padding = weights.data, []
        for axis in (0, 1):
            place = first[axis] + before[axis]
            phase, start = place % strides[axis], place // strides[axis]
            taps = np.arange(phase, weights.shape[axis + 1], strides[axis])[::-1]
            data = np.take(data, taps, axis=axis + 1)
            padding.append(len(taps) - 1 - start)
        if 0 in data.shape:
            # No tap reaches these places: the bias alone is there.
            data = np.zeros((len(data), 1, 1, data.shape[-1]), data.dtype)
            padding = [0, 0]
        part = types.SimpleNamespace(
            strideH=1,
            strideW=1,
            padding=1,
            before=padding,
            fusedActivationFunction=getattr(options, "fusedActivationFunction", 0),
        )
        address = target.address[:, first[0] :: strides[0], first[1] :: strides[1]]
        kernel = dataclasses.replace(weights, data=data, shape=data.shape)
        add_part(lowering, operator, source, View(target.storage, address), kernel, bias, part)


def lower_bilinear(lowering, operator):
    """RESIZE_BILINEAR."""
    check_same_scale(operator)
    x, y, options = operator.inputs[0], operator.output, operator.options
    if x.shape[0] != 1:
        refuse(operator, "it needs one image", x)
    source = lowering.view(x)
    if strides_of(source.address) is None:
        source = lowering.copy(source)
    target = lowering.allocate(y)
    target = View(target.storage, target.address[0])
    places = ", ".join(map(str, matrix_strides(operator, target)))

    def call(write, pointers, rows, first="0"):
        body = [y.shape[2], y.shape[3], *strides_of(source.address)[1:]]
        for length, new in zip(x.shape[1:3], y.shape[1:3], strict=True):
            body.append(write.structs("tfhrf_between", between(length, new, options)))
        name = write.struct("tfhrf_bilinear", f"{{{', '.join(map(str, body))}}}")
        where = f"{pointers[0]}, {pointers[1]}, {places}, {first}, {rows}"
        return [f"tfhrf_bilinear_rows({where}, &{name});"]

    reads = [Operand(View(source.storage, source.address.reshape(1, -1)), False)]
    lowering.steps.append(
        Step("bilinear", reads, Operand(target), call, ("bilinear",), numbered=True)
    )


def between(length, new, options):
    """Initializers of the tfhrf_between of `new` lines or columns out of `length`."""
    scale = (1024 * length + new // 2) // new
    if options.alignCorners and new > 1:
        scale = (1024 * (length - 1) + (new - 1) // 2) // (new - 1)
    scaled = np.arange(new) * scale
    if options.halfPixelCenters:
        scaled = scaled + scale // 2 - 512
    # Quotients are rounded towards zero.
    lower = np.maximum(np.trunc(scaled / 1024), 0).astype(int)
    upper = np.minimum(np.trunc((scaled + 1023) / 1024), length - 1).astype(int)
    parts = zip(lower, upper, scaled - 1024 * lower, strict=True)
    return [f"{{{low}, {high}, {share}}}" for low, high, share in parts]


def lower_pool(lowering, operator):
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    check_same_scale(operator)
    precision, options = lowering.precision, operator.options
    average = int(operator.name == "AVERAGE_POOL_2D")

    def last(write):
        return f"{average}, {precision.final(write, operator)}"

    size = (options.filterHeight, options.filterWidth)
    add_window(lowering, operator, "pool", (f"pool{precision.suffix}",) * 2, size, last)
