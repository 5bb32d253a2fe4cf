"""Lowers FULLY_CONNECTED, and arranges weights and biases for it and for convolutions."""

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import refuse
from tfhrf.deploy.c.literals import final_table, inner_scale, table_pointer
from tfhrf.deploy.c.steps import Operand, matrix_strides


def weight_scales(operator, channels, x, weights, y):
    """Quantized multipliers: one, or one for each channel."""
    if len(weights.scales) > 1:
        if len(weights.scales) != channels:
            refuse(operator, "its weights have another number of scales than channels", weights)
        reals = [x.scale * float(s) / y.scale for s in weights.scales]
    else:
        reals = [x.scale * weights.scale / y.scale]
    return [exact.quantize_multiplier(real) for real in reals]


def pad_rows(matrix):
    """Rows of int8 values, each filled up with zeros to a multiple of four."""
    rows, depth = matrix.shape
    padded = np.zeros((rows, -(-depth // 4) * 4), np.int8)
    padded[:, :depth] = matrix
    return padded


def folded_bias(bias, weights, zero_point):
    """A bias that takes the input's zero point into account: int64."""
    plain = np.zeros(len(weights), np.int64) if bias is None else bias.data.astype(np.int64)
    return plain - zero_point * weights.astype(np.int64).sum(axis=1)


def dense_literal(write, operator, weights, bias, scales, zero_point, depthwise=False):
    """Name of a tfhrf_dense for a matrix of weights, one row for each output.

    Depthwise kernels take the matrix column by column, and sums as they are.
    """
    if np.abs(bias).max() >= 2**31:
        refuse(operator, "its bias and zero point do not fit 32 bits", operator.inputs[1])
    largest = int((np.abs(weights.astype(np.int64)).sum(axis=1) * 255 + np.abs(bias)).max())
    body = ", ".join(
        [
            write.array("int8_t", weights.T if depthwise else pad_rows(weights), "weights"),
            write.array("int32_t", bias * (1 if depthwise or write.any_scale else 2), "bias"),
            write.structs(
                "tfhrf_scale", [inner_scale(write, s, zero_point, largest) for s in scales]
            ),
            table_pointer(write, final_table(operator)),
            str(weights.shape[1]),
            str(weights.shape[0]),
            "1" if len(scales) > 1 else "0",
        ]
    )
    return write.struct("tfhrf_dense", f"{{{body}}}")


def pairs(depth, rows=2):
    """Pairs of scratch for so many widened rows."""
    return -(-depth // 8) * 4 * rows


def lower_dense(lowering, operator):
    x, weights, *rest = operator.inputs
    bias = rest[0] if rest else None
    y = raw_output(operator)
    for tensor in (weights, bias):
        if tensor is not None and tensor.data is None:
            refuse(operator, "its weights are not constant", tensor)
    if weights.zero_point or weights.dtype != "int8" or x.dtype != "int8":
        refuse(operator, "its weights are not symmetric int8", weights)
    matrix = weights.data.reshape(weights.shape[0], -1)
    outputs, depth = matrix.shape
    scales = weight_scales(operator, outputs, x, weights, y)
    folded = folded_bias(bias, matrix, x.zero_point)
    source, stride = lowering.matrix(lowering.view(x), depth)
    target = lowering.allocate(operator.output).reshape(-1, outputs)
    out_stride, out_step = matrix_strides(lowering, operator, target)

    def call(write, pointers, rows):
        name = dense_literal(write, operator, matrix, folded, scales, y.zero_point)
        return [
            f"tfhrf_dense_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {out_step}, "
            f"{rows}, &{name}, {write.scratch});"
        ]

    lowering.add(
        "dense",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        4 * pairs(depth),
        ("dense",),
    )
