"""Lowers what slides a window over an image: convolutions and pools."""

import numpy as np

from tfhrf.deploy.c.ir import check_same_scale, refuse
from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.c.operators.dense import (
    arranged,
    check_weights,
    dense_struct,
    folded_bias,
    lower_dense,
    rows_at_once,
    rows_scratch,
)
from tfhrf.deploy.c.steps import Operand, Step, matrix_strides
from tfhrf.deploy.c.views import View, strides_of
from tfhrf.deploy.memory_plan import round_up

# Columns that tfhrf_depthwise_lines.h lays out at a time: TFHRF_STRIP there.
STRIP = 18
# Taps that tfhrf_depthwise_frames.h takes at most: TFHRF_FRAMES there.
LONGEST = 32


def window_of(operator, view, out_height, out_width, kernel):
    """(initializer of a tfhrf_window, whether height and width changed places)."""
    options = operator.options
    _, height, width, channels = view.address.shape
    dilation = [
        getattr(options, "dilationHFactor", 1) or 1,
        getattr(options, "dilationWFactor", 1) or 1,
    ]
    strides = [options.strideH, options.strideW]
    padding = []
    for size, out, length, stride, factor in zip(
        (height, width), (out_height, out_width), kernel, strides, dilation, strict=True
    ):
        reach = (out - 1) * stride + (length - 1) * factor + 1
        padding.append(0 if options.padding == 1 else max(0, reach - size) // 2)
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


def add_window(lowering, operator, name, kernel, size, last, scratch=(0, 0)):
    """Adds the step of a kernel that slides a window over an image.

    Args:
        lowering: Lowering to add it to.
        operator: whose first input is the image.
        name: of the step.
        kernel: (name of the kernel, name of its header).
        size: height and width of the window.
        last: function of a writer; returns the kernel's last arguments.
        scratch: bytes that the kernel needs, and with which it is faster.
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
        place = f"{pointers[0]}, {pointers[1]}, {strides}, {first}, {rows}, &{geometry}"
        return [f"tfhrf_{kernel[0]}_rows({place}, {last(write)});"]

    image = Operand(View(source.storage, source.address.reshape(1, -1)), False)
    needed, wished = scratch
    lowering.steps.append(
        Step(name, [image], Operand(target), call, kernel[1:], needed, wished, numbered=True)
    )


def lower_conv(lowering, operator):
    """CONV_2D and DEPTHWISE_CONV_2D."""
    check_weights(lowering, operator)
    x, tensor = operator.inputs[:2]
    # Of one channel it is the same.
    depthwise = operator.name == "DEPTHWISE_CONV_2D" and x.shape[-1] > 1
    if operator.name == "CONV_2D" and tensor.shape[-1] != x.shape[-1]:
        refuse(operator, "its channels are in groups", tensor)
    size, options = tensor.shape[1:3], operator.options
    if operator.name == "CONV_2D" and size == (1, 1) and options.strideH == options.strideW == 1:
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

    def last(write):
        name = dense_struct(write, lowering, operator, weights, depthwise)
        if patches:
            return f"&{name}, {write.scratch}, {rows_at_once(four, write)}"
        if frames:
            return f"&{name}, (int8_t *)({write.scratch})"
        return f"&{name}, {write.scratch if lines else multiplier}"

    name = "depthwise" if depthwise else "conv"
    kernel = ("wide_conv", "wide16") if weights.wide else (f"{name}{precision.suffix}",) * 2
    scratch = (two, four) if patches else (0, 0)
    if lines:
        kernel = ("depthwise_lines",) * 2
        columns = (operator.output.shape[2] - 1) * operator.options.strideW + 3
        scratch = (4 * 8 * min(columns, STRIP), 0)
    if frames:
        kernel = ("depthwise_frames",) * 2
        scratch = (len(weights.matrix), 0)
    add_window(lowering, operator, name, kernel, size, last, scratch)


def takes_frames(lowering, operator):
    """Whether tfhrf_depthwise_frames.h has a DEPTHWISE_CONV_2D of one output for each channel."""
    tensor, options = operator.inputs[1], operator.options
    steps = [options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor]
    # One of both directions has one pixel and one tap.
    narrow = any(
        operator.inputs[0].shape[axis] == operator.output.shape[axis] == tensor.shape[axis] == 1
        for axis in (1, 2)
    )
    return (
        lowering.precision is INT8
        and narrow
        and 1 < max(tensor.shape[1:3]) <= LONGEST
        and tensor.shape[3] % 4 == 0
        and steps == [1, 1, 1, 1]
    )


def frame_weights(lowering, operator, weights):
    """Weights of a depthwise convolution, a row for each output, as tfhrf_depthwise_frames.h has
    them.
    """
    outputs, taps = weights.matrix.shape
    padded = np.zeros((outputs, round_up(taps + 3, 2)), np.int8)
    padded[:, 1 : taps + 1] = weights.matrix
    first = 2 * np.arange(taps // 2 + 1)[:, None] + 1
    matrix = padded[:, first + np.array([0, -1, 1, 0])]
    zero_point = operator.inputs[0].zero_point
    bias = folded_bias(None, weights.matrix, zero_point) + weights.bias
    return weights._replace(bias=bias, arrangement=matrix.swapaxes(0, 1))


def takes_lines(lowering, operator):
    """Whether tfhrf_depthwise_lines.h has a DEPTHWISE_CONV_2D of one output for each channel."""
    tensor, options = operator.inputs[1], operator.options
    dilation = (options.dilationHFactor, options.dilationWFactor)
    shape = tensor.shape[1:]
    return (
        lowering.precision is INT8
        and shape[:2] == (3, 3)
        and shape[2] % 4 == 0
        and dilation == (1, 1)
        and options.strideW < 3
    )


def lower_pool(lowering, operator):
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    check_same_scale(operator)
    precision, options = lowering.precision, operator.options
    average = int(operator.name == "AVERAGE_POOL_2D")

    def last(write):
        return f"{average}, {precision.final(write, operator)}"

    size = (options.filterHeight, options.filterWidth)
    add_window(lowering, operator, "pool", (f"pool{precision.suffix}",) * 2, size, last)
