"""Lowers ATTENTION: two matrix products with a softmax between them."""

import dataclasses

import numpy as np

from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import product_scale
from tfhrf.deploy.c.literals import INT8, final_table, narrow_scale, scale16
from tfhrf.deploy.c.operators.dense import pairs
from tfhrf.deploy.c.operators.elementwise import binary8_body, sum16_body
from tfhrf.deploy.c.operators.matmul import (
    in_batches,
    left_rows,
    matmul8_body,
    matmul16_body,
    merge_batch,
    right_rows,
)
from tfhrf.deploy.c.operators.softmax import check_softmax, exponents, softmax16_body
from tfhrf.deploy.c.simplify import IDENTITY
from tfhrf.deploy.c.steps import Operand, Step, rows_first
from tfhrf.deploy.c.views import View, strides_of


def attention8_body(write, operator, depth, keys):
    """Initializer of a tfhrf_attention."""
    extra = operator.extra
    table = extra.get("scores_table")
    if table is not None and np.array_equal(table, IDENTITY):
        table = None
    add = added(operator)
    product = dataclasses.replace(extra["product"], outputs=[raw_output(operator)])
    width = operator.output.shape[-1]
    values = [
        matmul8_body(write, extra["scores"], table, depth, keys),
        f"&{write.struct('tfhrf_binary', binary8_body(write, add, keys))}" if add else "NULL",
        exponents(write, extra["softmax"]),
        matmul8_body(write, product, final_table(operator), keys, width),
    ]
    return f"{{{', '.join(values)}}}"


def attention16_body(write, operator, depth, keys):
    """Initializer of a tfhrf_attention16."""
    extra = operator.extra
    factor, add = extra.get("factor"), added(operator)
    values = [
        matmul16_body(extra["scores"], depth, keys),
        str(2 * extra["factor_value"] if factor else 0),
        scale16(*product_scale(factor)) if factor else "{0, 0, 0, 0, 0}",
        f"&{write.struct('tfhrf_sum16', sum16_body(add, keys))}" if add else "NULL",
        softmax16_body(write, extra["softmax"]),
        str(operator.output.shape[-1]),
        narrow_scale(*product_scale(extra["product"])),
    ]
    return f"{{{', '.join(values)}}}"


def added(operator):
    """The ADD after the scores of an ATTENTION, the scores as its first input, or None."""
    add = operator.extra.get("add")
    if add is None:
        return None
    scores = add.inputs[operator.extra["position"]]
    return dataclasses.replace(add, inputs=[scores, operator.inputs[3]])


def attention_views(lowering, operator):
    """Query, key, value, output and, if there is such, what is added to the scores, in rows."""
    q, k, v, *rest = operator.inputs
    scores, product = (operator.extra[part].options for part in ("scores", "product"))
    batch = operator.output.shape[:-2]
    query = left_rows(lowering, q, batch, scores.adjX)
    key = right_rows(lowering, k, batch, scores.adjY)
    value = right_rows(lowering, v, batch, product.adjY)
    views = [query, key, value, lowering.allocate(operator.output)]
    if rest:
        rows, keys = query.address.shape[-2], key.address.shape[-2]
        bias = lowering.view(rest[0])
        address = np.broadcast_to(bias.address, (*batch, rows, keys))
        view = View(bias.storage, address)
        views.append(view if strides_of(address) is not None else lowering.copy(view))
    return merge_batch(operator, views)


def lower_attention(lowering, operator):
    precision = lowering.precision
    suffix = precision.suffix
    if precision is INT8:
        check_softmax(operator.extra["softmax"])
    views = attention_views(lowering, operator)
    strides = [strides_of(view.address)[-2:] for view in views]
    depth, keys = views[0].address.shape[-1], views[1].address.shape[-2]

    def call(write, pointers, rows):
        body = attention8_body if precision is INT8 else attention16_body
        name = write.struct(f"tfhrf_attention{suffix}", body(write, operator, depth, keys))

        def line(at):
            added, steps = "NULL", "0, 0"
            if len(views) > 4:
                added, steps = at[4], f"{strides[4][0]}, {strides[4][1]}"
            return (
                f"tfhrf_attention{suffix}_rows({at[0]}, {strides[0][0]}, {at[1]}, "
                f"{strides[1][0]}, {at[2]}, {strides[2][0]}, {added}, "
                f"(tfhrf_strides){{{steps}}}, {at[3]}, {strides[3][0]}, {strides[3][1]}, "
                f"{rows}, &{name}, {write.scratch});"
            )

        # The output's pointer comes last.
        return in_batches(views, [*pointers[:3], pointers[-1], *pointers[3:-1]], line)

    query, key, value, target, *others = map(rows_first, views)
    reads = [Operand(query), Operand(key, False), Operand(value, False), *map(Operand, others)]
    scratch = 4 * pairs(max(depth, keys)) + 2 * precision.itemsize * keys
    kernels = (f"attention{suffix}",)
    lowering.steps.append(Step("attention", reads, Operand(target), call, kernels, scratch))
