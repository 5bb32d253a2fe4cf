"""Lowers 16-bit matrix products, softmax, and attention, which is both."""

import dataclasses

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.ir import product_scale, refuse
from tfhrf.deploy.c.literals16 import narrow_scale, scale16, wide_scale
from tfhrf.deploy.c.operators.attention import (
    add_attention,
    attention_views,
    batch_loops,
    left_rows,
    merge_batch,
    right_rows,
)
from tfhrf.deploy.c.operators.dense import pairs
from tfhrf.deploy.c.operators.elementwise16 import sum_struct
from tfhrf.deploy.c.steps import Operand, matrix_strides, rows_first
from tfhrf.deploy.c.views import strides_of


def matmul_body(operator, depth, columns):
    """Initializer of a tfhrf_matmul16."""
    return f"{{{depth}, {columns}, {wide_scale(*product_scale(operator))}}}"


def lower_matmul(lowering, operator):
    a, b = operator.inputs
    shape = operator.output.shape
    left = left_rows(lowering, operator, a, shape[:-2])
    right = right_rows(lowering, operator, b, shape[:-2])
    target = lowering.allocate(operator.output)
    for view in (left, right, target):
        if strides_of(view.address) is None:
            refuse(operator, "its output does not lie in rows")
    views = merge_batch([left, right, target])
    batch = views[0].address.shape[:-2]
    depth, columns = left.address.shape[-1], shape[-1]
    (_, x_row, _), (_, y_row, _), (_, out_row, out_step) = (
        strides_of(view.address)[-3:] if view.address.ndim > 2 else (0, *strides_of(view.address))
        for view in views
    )

    def call(write, pointers, rows):
        opening, offsets, closing = batch_loops(batch, views)
        name = write.struct("tfhrf_matmul16", matmul_body(operator, depth, columns))
        x, y, out = (p + o for p, o in zip(pointers, offsets, strict=True))
        indent = "    " * len(opening)
        return [
            *opening,
            f"{indent}tfhrf_matmul16_rows({x}, {x_row}, {y}, {y_row}, {out}, {out_row}, "
            f"{out_step}, {rows}, &{name}, {write.scratch});",
            *closing,
        ]

    reads = [Operand(rows_first(views[0]), True), Operand(rows_first(views[1]), False)]
    write = Operand(rows_first(views[2]), True)
    lowering.add("matmul", shape[-2], reads, write, call, 4 * pairs(depth), ("matmul16",))


def half_up(values):
    """Rounded to integers, halves away from zero, in single precision."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values).astype(np.float32)


def interpolation_table(function, low, high):
    """513 samples of a function for linear interpolation, 15 fractional bits."""
    low, high = np.float32(low), np.float32(high)
    step = (high - low) / np.float32(512)
    scale = np.float32(32768)

    def sample(x):
        return function(x.astype(np.float64)).astype(np.float32)

    points = low + np.arange(512, dtype=np.float32) * step
    value = half_up(sample(points) * scale)
    after = sample(low + np.arange(1, 513, dtype=np.float32) * step) * scale
    between = half_up((after + value) / np.float32(2))
    middle = half_up(sample(points + step / np.float32(2)) * scale)
    table = value - half_up((between - middle) / np.float32(2))
    last = half_up(sample(np.array([high])) * scale)
    return np.clip(np.concatenate([table, last]), -32768, 32767).astype(np.int64)


def softmax_body(write, operator):
    """Initializer of a tfhrf_softmax16."""
    x, y = operator.inputs[0], operator.output
    if abs(y.scale * 32768 - 1) > 1e-3 or y.zero_point:
        refuse(operator, "its output has not the scale 1/32768")
    beta = float(np.float32(operator.options.beta))
    scale = exact.quantize_multiplier(x.scale * beta / (10.0 / 65535.0))
    if scale[1] > 14:
        refuse(operator, "its input's scale is too large", x)
    exponentials = interpolation_table(np.exp, -10, 0)
    reciprocals = interpolation_table(lambda v: 1 / (1 + v), 0, 1)
    body = [str(x.shape[-1]), scale16(*scale)]
    body += [write.array("int16_t", t, "samples") for t in (exponentials, reciprocals)]
    return f"{{{', '.join(body)}}}"


def lower_softmax(lowering, operator):
    x, y = operator.inputs[0], operator.output
    columns = x.shape[-1]
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(y).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1 and columns > 1:
        refuse(operator, "its output's rows are not dense")

    def call(write, pointers, rows):
        name = write.struct("tfhrf_softmax16", softmax_body(write, operator))
        return [
            f"tfhrf_softmax16_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"&{name});"
        ]

    reads = [Operand(source, True)]
    lowering.add(
        "softmax", len(source.address), reads, Operand(target, True), call, 0, ("softmax16",)
    )


def lower_attention(lowering, operator):
    q, k, v, *rest = operator.inputs
    extra = operator.extra
    scores, softmax, product = extra["scores"], extra["softmax"], extra["product"]
    batch = operator.output.shape[:-2]
    query = left_rows(lowering, scores, q, batch)
    key = right_rows(lowering, scores, k, batch)
    value = right_rows(lowering, product, v, batch)
    views = attention_views(lowering, operator, query, key, value, rest)
    depth, width = query.address.shape[-1], operator.output.shape[-1]
    keys = key.address.shape[-2]

    def body(write):
        factor = extra.get("factor")
        values = [matmul_body(scores, depth, keys)]
        values.append(str(extra["factor_value"] if factor else 0))
        values.append(scale16(*product_scale(factor)) if factor else "{0, 0, 0, 0, 0}")
        if rest:
            add = extra["add"]
            add = dataclasses.replace(add, inputs=[add.inputs[extra["position"]], rest[0]])
            values.append(f"&{sum_struct(write, add, keys)}")
        else:
            values.append("NULL")
        return [
            *values,
            softmax_body(write, softmax),
            str(width),
            narrow_scale(*product_scale(product)),
        ]

    scratch = 4 * pairs(max(depth, keys)) + 4 * keys
    add_attention(lowering, views, body, scratch, "16")
