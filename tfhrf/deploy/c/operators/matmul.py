"""Lowers BATCH_MATMUL, and arranges the operands of matrix products."""

import dataclasses

import numpy as np

from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import product_scale, refuse
from tfhrf.deploy.c.literals import INT8, final_table, inner_scale, table_pointer, wide_scale
from tfhrf.deploy.c.operators.dense import pairs
from tfhrf.deploy.c.steps import Operand, Step, rows_first
from tfhrf.deploy.c.views import View, strides_of
from tfhrf.deploy.memory_plan import round_up


def matmul8_body(write, operator, table, depth, columns):
    """Initializer of a tfhrf_matmul."""
    a, b = operator.inputs
    y = raw_output(operator)
    scale = product_scale(dataclasses.replace(operator, outputs=[y]))
    return (
        f"{{{depth}, {columns}, {-a.zero_point}, {-b.zero_point}, "
        f"{inner_scale(write, scale, y.zero_point, depth * 255 * 255)}, "
        f"{table_pointer(write, table)}}}"
    )


def matmul16_body(operator, depth, columns):
    """Initializer of a tfhrf_matmul16."""
    return f"{{{depth}, {columns}, {wide_scale(*product_scale(operator))}}}"


def left_rows(lowering, tensor, batch, transposed):
    """The left operand, batches first, its rows dense."""
    view = lowering.view(tensor)
    address = np.swapaxes(view.address, -1, -2) if transposed else view.address
    address = np.broadcast_to(address, (*batch, *address.shape[-2:]))
    return lowering.contiguous(View(view.storage, address))


def right_rows(lowering, tensor, batch, transposed):
    """The right operand, batches first, its columns as dense rows."""
    view = left_rows(lowering, tensor, batch, not transposed)
    return whole_blocks(lowering, view) if lowering.precision is INT8 else view


def whole_blocks(lowering, view):
    """Rows that can be read in blocks of four bytes: the view, or a copy with longer rows."""
    storage = view.storage
    end = int(view.address[..., 0].max()) + round_up(view.address.shape[-1], 4)
    if end > storage.elements and storage.role != "arena":
        return lowering.copy(view)
    storage.beyond = max(storage.beyond, end - storage.elements)
    return view


def merge_batch(operator, views):
    """Views of shape (batches..., rows, columns), batch axes merged where all views allow it.

    Raises:
        ValueError: a view has no strides.
    """
    if any(strides_of(view.address) is None for view in views):
        refuse(operator, "its output does not lie in rows")
    while views[0].address.ndim > 3:
        merged = [View(v.storage, v.address.reshape(-1, *v.address.shape[2:])) for v in views]
        if any(strides_of(v.address) is None for v in merged):
            return views
        views = merged
    return views


def in_batches(views, pointers, call):
    """Lines of C that do a call for each batch.

    Args:
        views: as of `merge_batch`.
        pointers: C expression for each view.
        call: function of C expressions for the views of one batch; returns a line of C.
    """
    strides = [strides_of(view.address) for view in views]
    opening: list[str] = []
    closing: list[str] = []
    pointers = list(pointers)
    for axis, count in enumerate(views[0].address.shape[:-2]):
        if count == 1:
            continue
        indent = "    " * len(opening)
        opening.append(f"{indent}for (int32_t b{axis} = 0; b{axis} < {count}; ++b{axis}) {{")
        closing.insert(0, f"{indent}}}")
        for position, stride in enumerate(strides):
            if stride[axis]:
                pointers[position] += f" + {stride[axis]} * b{axis}"
    return [*opening, "    " * len(opening) + call(pointers), *closing]


def lower_matmul(lowering, operator):
    a, b = operator.inputs
    *batch, _, columns = operator.output.shape
    options, suffix = operator.options, lowering.precision.suffix
    left = left_rows(lowering, a, batch, options.adjX)
    right = right_rows(lowering, b, batch, options.adjY)
    views = merge_batch(operator, [left, right, lowering.allocate(operator.output)])
    depth = left.address.shape[-1]
    x_row, y_row, out_row = (strides_of(view.address)[-2] for view in views)
    out_step = strides_of(views[2].address)[-1]

    def call(write, pointers, rows):
        if lowering.precision is INT8:
            body = matmul8_body(write, operator, final_table(operator), depth, columns)
        else:
            body = matmul16_body(operator, depth, columns)
        name = write.struct(f"tfhrf_matmul{suffix}", body)
        return in_batches(
            views,
            pointers,
            lambda at: (
                f"tfhrf_matmul{suffix}_rows({at[0]}, {x_row}, {at[1]}, {y_row}, {at[2]}, "
                f"{out_row}, {out_step}, {rows}, &{name}, {write.scratch});"
            ),
        )

    x, y, out = map(rows_first, views)
    reads = [Operand(x), Operand(y, False)]
    kernels = (f"matmul{suffix}",)
    lowering.steps.append(Step("matmul", reads, Operand(out), call, kernels, 4 * pairs(depth)))
