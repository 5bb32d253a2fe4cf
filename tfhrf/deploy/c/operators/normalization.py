"""Lowers layer normalization and what it is made of: means, and maxima, over axes."""

import dataclasses

import numpy as np

from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import check_same_scale, mean_scale, product_scale, refuse
from tfhrf.deploy.c.literals import final_table, inner_scale, scale_literal, table_pointer
from tfhrf.deploy.c.operators.elementwise import binary_body
from tfhrf.deploy.c.steps import Operand, matrix_strides
from tfhrf.deploy.c.views import View, strides_of


def reduced_view(lowering, operator):
    """(input view of shape (rows, columns, counts...), its strides, counts, output view)."""
    x, axes = operator.inputs
    if axes.data is None:
        refuse(operator, "its axes are not constant", axes)
    rank = len(x.shape)
    reduced = sorted({int(axis) % rank for axis in np.ravel(axes.data)})
    kept = [axis for axis in range(rank) if axis not in reduced]
    columns = (operator.output.shape or (1,))[-1]
    counts = [x.shape[axis] for axis in reduced]
    target = lowering.allocate(operator.output).reshape(-1, columns)
    source = lowering.view(x)
    for _ in range(2):
        address = source.address.transpose([*kept, *reduced]).reshape(-1, columns, *counts)
        strides = strides_of(address)
        if strides is not None:
            break
        source = lowering.copy(source)
    if strides is None or len(counts) > 3:
        refuse(operator, "its axes are too many")
    return View(source.storage, address), strides, counts, target


def lower_reduce(lowering, operator):
    """MEAN and REDUCE_MAX."""
    x = operator.inputs[0]
    source, strides, counts, target = reduced_view(lowering, operator)
    columns = target.address.shape[1]
    out_stride, out_step = matrix_strides(lowering, operator, target)
    filled = [1] * (3 - len(counts)) + counts
    steps = [0] * (3 - len(counts)) + strides[2:]
    count = int(np.prod(counts))

    def call(write, pointers, rows):
        scale = "{0, 0, 0, 0, 0}"
        if operator.name == "MEAN":
            plain = dataclasses.replace(operator, outputs=[raw_output(operator)])
            scale = scale_literal(mean_scale(plain, count), plain.output.zero_point)
        name = write.struct(
            "tfhrf_reduce",
            f"{{{columns}, {{{', '.join(map(str, filled))}}}, {{{', '.join(map(str, steps))}}}, "
            f"{-count * x.zero_point}, {scale}, {table_pointer(write, final_table(operator))}}}",
        )
        kernel = "mean" if operator.name == "MEAN" else "maximum"
        return [
            f"tfhrf_{kernel}_rows({pointers[0]}, {strides[0]}, {strides[1]}, {pointers[1]}, "
            f"{out_stride}, {out_step}, {rows}, &{name});"
        ]

    if operator.name == "REDUCE_MAX":
        check_same_scale(operator)
    lowering.add(
        operator.name.lower(),
        len(target.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("reduce",),
    )


def lower_layer_norm(lowering, operator):
    (x,) = operator.inputs
    extra = operator.extra
    columns = x.shape[-1]
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1:
        refuse(operator, "its output's rows are not dense")
    mean, subtract, variance, product = (
        extra[key] for key in ("mean", "subtract", "variance", "product")
    )
    difference, inverse = extra["difference"], extra["inverse"]
    y = raw_output(operator)

    def call(write, pointers, rows):
        if variance.name == "BATCH_MATMUL":
            squares, squares_offset = "NULL", 0
            spread = product_scale(variance)
        else:
            squares = table_pointer(write, extra["squares_table"])
            squares_offset = -columns * variance.inputs[0].zero_point
            spread = mean_scale(variance, columns)
        scale = product_scale(dataclasses.replace(product, outputs=[y]))
        body = [
            str(columns),
            str(-columns * x.zero_point),
            scale_literal(mean_scale(mean, columns), mean.output.zero_point),
            binary_body(write, subtract, columns),
            str(difference.zero_point),
            squares,
            str(squares_offset),
            scale_literal(spread, variance.output.zero_point),
            table_pointer(write, extra["inverse_table"]),
            str(inverse.zero_point),
            inner_scale(write, scale, y.zero_point, 255 * 255),
            table_pointer(write, final_table(operator)),
        ]
        name = write.struct("tfhrf_layer_norm", f"{{{', '.join(body)}}}")
        return [
            f"tfhrf_layer_norm_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"&{name});"
        ]

    lowering.add(
        "layer_norm",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("layer_norm",),
    )
