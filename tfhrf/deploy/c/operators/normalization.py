"""Lowers normalizations, and what they are made of: means, maxima and their places, over axes."""

import dataclasses

import numpy as np

from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import activation, check_same_scale, mean_scale, product_scale, refuse
from tfhrf.deploy.c.literals import (
    INT8,
    final_table,
    inner_scale,
    scale16,
    scale_literal,
    table_pointer,
    wide_scale,
)
from tfhrf.deploy.c.operators.elementwise import (
    binary8_body,
    binary16_body,
    root_scale,
    sum16_body,
)
from tfhrf.deploy.c.steps import Operand, Step, add_rows, matrix_strides
from tfhrf.deploy.c.views import View, strides_of

REDUCTIONS = {"MEAN": "mean", "SUM": "mean", "REDUCE_MAX": "maximum", "REDUCE_MIN": "minimum"}


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
    """MEAN, SUM, REDUCE_MAX and REDUCE_MIN."""
    mean, suffix = operator.name in ("MEAN", "SUM"), lowering.precision.suffix
    if not mean:
        check_same_scale(operator)
    source, strides, counts, target = reduced_view(lowering, operator)
    out_stride, out_step = matrix_strides(operator, target)
    filled = ", ".join(map(str, [1] * (3 - len(counts)) + counts))
    steps = ", ".join(map(str, [0] * (3 - len(counts)) + strides[2:]))
    count = int(np.prod(counts))

    def call(write, pointers, rows):
        scale = scale_literal((0, 0), 0)
        if mean:
            plain = dataclasses.replace(operator, outputs=[raw_output(operator)])
            # A sum is the mean of one value.
            multiplier = mean_scale(plain, count if operator.name == "MEAN" else 1)
            scale = scale_literal(multiplier, plain.output.zero_point)
        body = [str(target.address.shape[1]), f"{{{filled}}}, {{{steps}}}", scale]
        if lowering.precision is INT8:
            body.insert(2, str(-count * operator.inputs[0].zero_point))
            body.append(table_pointer(write, final_table(operator)))
        name = write.struct(f"tfhrf_reduce{suffix}", f"{{{', '.join(body)}}}")
        return [
            f"tfhrf_{REDUCTIONS[operator.name]}{suffix}_rows({pointers[0]}, {strides[0]}, "
            f"{strides[1]}, {pointers[1]}, {out_stride}, {out_step}, {rows}, &{name});"
        ]

    kernels = (f"reduce{suffix}",)
    lowering.steps.append(
        Step(operator.name.lower(), [Operand(source)], Operand(target), call, kernels)
    )


def lower_place(lowering, operator):
    """ARG_MAX and ARG_MIN."""
    if operator.output.dtype != "int32":
        refuse(operator, "places are of 32 bits here")
    source, strides, (count,), target = reduced_view(lowering, operator)
    out_stride, out_step = matrix_strides(operator, target)
    sign = 1 if operator.name == "ARG_MAX" else -1

    def call(write, pointers, rows):
        body = f"{{{target.address.shape[1]}, {count}, {strides[2]}, {sign}}}"
        return [
            f"tfhrf_extreme_rows({pointers[0]}, {strides[0]}, {strides[1]}, {pointers[1]}, "
            f"{out_stride}, {out_step}, {rows}, &{write.struct('tfhrf_extreme_place', body)});"
        ]

    name = operator.name.lower()
    lowering.steps.append(Step(name, [Operand(source)], Operand(target), call, ("extreme",)))


def lower_l2_norm(lowering, operator):
    x, y = operator.inputs[0], operator.output
    if (y.scale, y.zero_point) != (1 / 128, 0) or activation(operator) != "NONE":
        refuse(operator, "its output has not the scale 1/128 and the zero point 0")
    if x.shape[-1] * 255**2 >= 2**31:
        refuse(operator, "its rows are too long", x)
    add_rows(lowering, operator, "l2_norm", lambda write: f"{x.shape[-1]}, {x.zero_point}")


def lower_layer_norm(lowering, operator):
    body = layer_norm8_body if lowering.precision is INT8 else layer_norm16_body
    struct = f"tfhrf_layer_norm{lowering.precision.suffix}"
    add_rows(
        lowering,
        operator,
        "layer_norm",
        lambda write: f"&{write.struct(struct, body(write, operator))}",
    )


def layer_norm8_body(write, operator):
    """Initializer of a tfhrf_layer_norm."""
    (x,) = operator.inputs
    extra, columns, y = operator.extra, x.shape[-1], raw_output(operator)
    mean, variance = extra["mean"], extra["variance"]
    if variance.name == "BATCH_MATMUL":
        squares, squares_offset = "NULL", 0
        spread = product_scale(variance)
    else:
        squares = table_pointer(write, extra["squares_table"])
        squares_offset = -columns * variance.inputs[0].zero_point
        spread = mean_scale(variance, columns)
    scale = product_scale(dataclasses.replace(extra["product"], outputs=[y]))
    body = [
        str(columns),
        str(-columns * x.zero_point),
        scale_literal(mean_scale(mean, columns), mean.output.zero_point),
        binary8_body(write, extra["subtract"], columns),
        str(extra["difference"].zero_point),
        squares,
        str(squares_offset),
        scale_literal(spread, variance.output.zero_point),
        table_pointer(write, extra["inverse_table"]),
        str(extra["inverse"].zero_point),
        inner_scale(write, scale, y.zero_point, 255 * 255),
        table_pointer(write, final_table(operator)),
    ]
    return f"{{{', '.join(body)}}}"


def layer_norm16_body(write, operator):
    """Initializer of a tfhrf_layer_norm16."""
    extra, columns = operator.extra, operator.inputs[0].shape[-1]
    body = [
        str(columns),
        scale_literal(mean_scale(extra["mean"], columns), 0),
        sum16_body(extra["subtract"], columns),
        wide_scale(*product_scale(extra["variance"])),
        str(extra["epsilon"]),
        binary16_body(extra["add"], 1),
        root_scale(extra["root"]),
        scale16(*product_scale(extra["product"])),
    ]
    return f"{{{', '.join(body)}}}"
