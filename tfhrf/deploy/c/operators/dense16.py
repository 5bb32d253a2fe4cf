"""Lowers 16-bit FULLY_CONNECTED, convolutions, whose weights have 8 bits, and pools."""

import numpy as np

from tfhrf.deploy.c.ir import check_same_scale, is_narrow, refuse
from tfhrf.deploy.c.literals16 import least, narrow_scale, wide_scale
from tfhrf.deploy.c.operators.convolution import image
from tfhrf.deploy.c.operators.dense import folded_bias, pad_rows, pairs, weight_scales
from tfhrf.deploy.c.steps import Operand, matrix_strides
from tfhrf.deploy.c.views import View, strides_of


def fits_words(matrix, bias, scales):
    """Whether 32 bits hold all sums of products, whatever the inputs, and all scales shrink."""
    largest = np.abs(matrix.astype(np.int64)).sum(axis=1) * 32768 + np.abs(bias)
    return bool(largest.max() < 2**31) and all(is_narrow(*scale) for scale in scales)


def dense_struct(write, operator, matrix, bias, scales, depthwise=False):
    """Name of a tfhrf_dense16 for a matrix of weights, one row for each output."""
    body = ", ".join(
        [
            write.array("int8_t", matrix.T if depthwise else pad_rows(matrix), "weights"),
            write.array("int32_t", bias, "bias"),
            write.structs("tfhrf_narrow_scale", [narrow_scale(*scale) for scale in scales]),
            str(matrix.shape[1]),
            str(matrix.shape[0]),
            "1" if len(scales) > 1 else "0",
            str(least(operator)),
        ]
    )
    return write.struct("tfhrf_dense16", f"{{{body}}}")


def wide_struct(write, operator, matrix, bias, scales):
    """Name of a tfhrf_wide_dense for a matrix of weights, one row for each output."""
    body = ", ".join(
        [
            write.array("int8_t", matrix, "weights"),
            write.array("int64_t", bias, "bias"),
            write.structs("tfhrf_wide_scale", [wide_scale(*scale) for scale in scales]),
            str(matrix.shape[1]),
            str(matrix.shape[0]),
            "1" if len(scales) > 1 else "0",
            str(least(operator)),
        ]
    )
    return write.struct("tfhrf_wide_dense", f"{{{body}}}")


def constant_weights(operator):
    """(weights, bias or None), both constant."""
    weights = operator.inputs[1]
    bias = operator.inputs[2] if len(operator.inputs) > 2 else None
    for tensor in (weights, bias):
        if tensor is not None and tensor.data is None:
            refuse(operator, "its weights are not constant", tensor)
    if weights.dtype != "int8" or weights.zero_point:
        refuse(operator, "its weights are not symmetric int8", weights)
    return weights, bias


def lower_dense(lowering, operator):
    x = operator.inputs[0]
    weights, bias = constant_weights(operator)
    matrix = weights.data.reshape(weights.shape[0], -1)
    outputs, depth = matrix.shape
    scales = weight_scales(operator, outputs, x, weights, operator.output)
    folded = folded_bias(bias, matrix, 0)
    fast = fits_words(matrix, folded, scales)
    source, stride = lowering.matrix(lowering.view(x), depth)
    target = lowering.allocate(operator.output).reshape(-1, outputs)
    out_stride, out_step = matrix_strides(lowering, operator, target)

    def call(write, pointers, rows):
        place = f"{pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {out_step}, {rows}"
        if fast:
            name = dense_struct(write, operator, matrix, folded, scales)
            return [f"tfhrf_dense16_rows({place}, &{name}, {write.scratch});"]
        name = wide_struct(write, operator, matrix, folded, scales)
        return [f"tfhrf_wide_dense_rows({place}, &{name});"]

    lowering.add(
        "dense",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        4 * pairs(depth) if fast else 0,
        ("dense16",) if fast else ("wide16",),
    )


def lower_conv(lowering, operator):
    """CONV_2D and DEPTHWISE_CONV_2D."""
    x, options = operator.inputs[0], operator.options
    weights, bias = constant_weights(operator)
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    matrix = np.moveaxis(weights.data[0], -1, 0) if depthwise else weights.data
    matrix = matrix.reshape(len(matrix), -1)
    multiplier = weights.shape[-1] // x.shape[-1] if depthwise else 0
    if not depthwise and weights.shape[-1] != x.shape[-1]:
        refuse(operator, "its channels are in groups", weights)
    kernel = weights.shape[1:3]
    if not depthwise and kernel == (1, 1) and options.strideH == options.strideW == 1:
        lower_dense(lowering, operator)
        return
    scales = weight_scales(operator, len(matrix), x, weights, operator.output)
    folded = folded_bias(bias, matrix, 0)
    fast = fits_words(matrix, folded, scales)
    source, target, window = image(lowering, operator, kernel)
    strides = ", ".join(map(str, strides_of(target.address)))

    def call(write, pointers, rows, first="0"):
        geometry = write.struct("tfhrf_window", window)
        place = f"{pointers[0]}, {pointers[1]}, {strides}, {first}, {rows}, &{geometry}"
        if not fast:
            name = wide_struct(write, operator, matrix, folded, scales)
            return [f"tfhrf_wide_conv_rows({place}, &{name}, {multiplier});"]
        name = dense_struct(write, operator, matrix, folded, scales, depthwise)
        if depthwise:
            return [f"tfhrf_depthwise16_rows({place}, &{name}, {multiplier});"]
        return [f"tfhrf_conv16_rows({place}, &{name}, {write.scratch});"]

    patches = 4 * pairs(matrix.shape[1]) + 2 * matrix.shape[1]
    lowering.add(
        "conv",
        len(target.address),
        [Operand(View(source.storage, source.address.reshape(1, -1)), False)],
        Operand(target, True),
        call,
        patches if fast and not depthwise else 0,
        ("wide16",) if not fast else ("depthwise16",) if depthwise else ("conv16",),
    )


def lower_pool(lowering, operator):
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    check_same_scale(operator)
    options = operator.options
    kernel = (options.filterHeight, options.filterWidth)
    source, target, window = image(lowering, operator, kernel)
    strides = ", ".join(map(str, strides_of(target.address)))
    average = int(operator.name == "AVERAGE_POOL_2D")

    def call(write, pointers, rows, first="0"):
        geometry = write.struct("tfhrf_window", window)
        return [
            f"tfhrf_pool16_rows({pointers[0]}, {pointers[1]}, {strides}, {first}, {rows}, "
            f"&{geometry}, {average}, {least(operator)});"
        ]

    lowering.add(
        "pool",
        len(target.address),
        [Operand(View(source.storage, source.address.reshape(1, -1)), False)],
        Operand(target, True),
        call,
        kernels=("pool16",),
    )
