"""Lowers what slides a window over an image: convolutions and pools."""

import numpy as np

from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import check_same_scale, refuse
from tfhrf.deploy.c.literals import final_table, table_pointer
from tfhrf.deploy.c.operators.dense import (
    dense_literal,
    folded_bias,
    lower_dense,
    pairs,
    weight_scales,
)
from tfhrf.deploy.c.steps import Operand
from tfhrf.deploy.c.views import View, strides_of


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


def image(lowering, operator, kernel):
    """(input view, output view with lines as rows, window initializer) of a sliding window."""
    x, y = operator.inputs[0], operator.output
    if len(x.shape) != 4 or x.shape[0] != 1:
        refuse(operator, "it needs one image", x)
    source = lowering.contiguous(lowering.view(x), 3)
    target = lowering.allocate(y)
    window, swapped = window_of(operator, source, y.shape[1], y.shape[2], kernel)
    address = target.address[0]
    target = View(target.storage, np.swapaxes(address, 0, 1) if swapped else address)
    if strides_of(target.address) is None:
        refuse(operator, "its output does not lie in rows")
    return source, target, window


def lower_window(lowering, operator):
    """CONV_2D, DEPTHWISE_CONV_2D, AVERAGE_POOL_2D and MAX_POOL_2D."""
    x = operator.inputs[0]
    options = operator.options
    pool = operator.name.endswith("POOL_2D")
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    if pool:
        check_same_scale(operator)
        kernel = (options.filterHeight, options.filterWidth)
    else:
        weights = operator.inputs[1]
        bias = operator.inputs[2] if len(operator.inputs) > 2 else None
        if weights.data is None or weights.dtype != "int8" or weights.zero_point:
            refuse(operator, "its weights are not constant and symmetric int8", weights)
        kernel = weights.shape[1:3]
        if depthwise:
            matrix = np.moveaxis(weights.data[0], -1, 0)
            multiplier = weights.shape[-1] // x.shape[-1]
        else:
            matrix = weights.data
            if weights.shape[-1] != x.shape[-1]:
                refuse(operator, "its channels are in groups", weights)
        matrix = matrix.reshape(len(matrix), -1)
        scales = weight_scales(operator, len(matrix), x, weights, raw_output(operator))
    ones = (
        kernel == (1, 1) and getattr(options, "strideH", 1) == getattr(options, "strideW", 1) == 1
    )
    if operator.name == "CONV_2D" and ones:
        lower_dense(lowering, operator)
        return
    source, target, window = image(lowering, operator, kernel)
    strides = ", ".join(map(str, strides_of(target.address)))

    def call(write, pointers, rows, first="0"):
        geometry = write.struct("tfhrf_window", window)
        place = f"{pointers[0]}, {pointers[1]}, {strides}, {first}, {rows}, &{geometry}"
        if pool:
            average = int(operator.name == "AVERAGE_POOL_2D")
            table = table_pointer(write, final_table(operator))
            return [f"tfhrf_pool_rows({place}, {average}, {table});"]
        if depthwise:
            plain = folded_bias(bias, matrix, 0)
            name = dense_literal(
                write, operator, matrix, plain, scales, raw_output(operator).zero_point, True
            )
            return [f"tfhrf_depthwise_rows({place}, &{name}, {multiplier});"]
        folded = folded_bias(bias, matrix, x.zero_point)
        name = dense_literal(
            write, operator, matrix, folded, scales, raw_output(operator).zero_point
        )
        return [f"tfhrf_conv_rows({place}, &{name}, {write.scratch});"]

    scratch = 0 if pool or depthwise else 4 * pairs(matrix.shape[1]) + matrix.shape[1]
    kind = "pool" if pool else "depthwise" if depthwise else "conv"
    lowering.add(
        kind,
        target.address.shape[0],
        [Operand(View(source.storage, source.address.reshape(1, -1)), False)],
        Operand(target, True),
        call,
        scratch,
        (kind,),
    )
