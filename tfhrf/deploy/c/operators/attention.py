"""Lowers matrix products, softmax, and attention, which is both."""

import dataclasses

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.fuse import IDENTITY, raw_output
from tfhrf.deploy.c.ir import product_scale, refuse
from tfhrf.deploy.c.literals import final_table, inner_scale, table_pointer
from tfhrf.deploy.c.operators.dense import pairs
from tfhrf.deploy.c.operators.elementwise import binary_struct
from tfhrf.deploy.c.steps import Operand, matrix_strides, rows_first
from tfhrf.deploy.c.views import View, strides_of


def exponentials(operator):
    """exp(-difference) as 31-bit fractions, for differences 0 ... 255."""
    x = operator.inputs[0]
    beta = float(np.float32(operator.options.beta))
    real = min(beta * x.scale * 2**26, 2.0**31 - 1)
    multiplier, shift = exact.quantize_multiplier(real)
    differences = -np.arange(256)
    inside = differences >= -exact.input_radius(5, shift)
    scaled = exact.high_multiply(np.where(inside, differences, 0) << shift, multiplier)
    return np.where(inside, exact.exp_on_negative(scaled, 5), 0)


def exponentials_name(write, operator):
    return write.array("uint32_t", exponentials(operator), "exponentials")


def check_softmax(operator):
    y = operator.output
    if y.zero_point != -128 or y.scale != 1 / 256:
        refuse(operator, "its output has not the scale 1/256 and the zero point -128")
    if operator.inputs[0].scale * 2**26 * operator.options.beta <= 1:
        refuse(operator, "its input's scale is too small", operator.inputs[0])


def lower_softmax(lowering, operator):
    x = operator.inputs[0]
    columns = x.shape[-1]
    check_softmax(operator)
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1:
        refuse(operator, "its output's rows are not dense")

    def call(write, pointers, rows):
        return [
            f"tfhrf_softmax_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"{columns}, {exponentials_name(write, operator)});"
        ]

    lowering.add(
        "softmax",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("softmax",),
    )


def matmul_body(write, operator, table, depth, columns):
    """Initializer of a tfhrf_matmul."""
    a, b = operator.inputs
    y = raw_output(operator)
    scale = product_scale(dataclasses.replace(operator, outputs=[y]))
    return (
        f"{{{depth}, {columns}, {-a.zero_point}, {-b.zero_point}, "
        f"{inner_scale(write, scale, y.zero_point, depth * 255 * 255)}, "
        f"{table_pointer(write, table)}}}"
    )


def right_rows(lowering, operator, tensor, batch):
    """The right operand, batches first, its columns as dense rows."""
    view = lowering.view(tensor)
    address = view.address
    if not operator.options.adjY:
        address = np.swapaxes(address, -1, -2)
    address = np.broadcast_to(address, (*batch, *address.shape[-2:]))
    return lowering.contiguous(View(view.storage, address), 1)


def whole_blocks(lowering, view):
    """Rows that can be read in blocks of four bytes: the view, or a copy with longer rows."""
    storage = view.storage
    end = int(view.address[..., 0].max()) + -(-view.address.shape[-1] // 4) * 4
    if end > storage.elements and storage.role != "arena":
        return lowering.copy(view)
    storage.beyond = max(storage.beyond, end - storage.elements)
    return view


def left_rows(lowering, operator, tensor, batch):
    view = lowering.view(tensor)
    address = view.address
    if operator.options.adjX:
        address = np.swapaxes(address, -1, -2)
    address = np.broadcast_to(address, (*batch, *address.shape[-2:]))
    return lowering.contiguous(View(view.storage, address), 1)


def batch_loops(batch, views):
    """Loops over the batch axes of views: (opening lines, offsets of the views, closing lines)."""
    strides = [strides_of(view.address) for view in views]
    opening: list[str] = []
    closing: list[str] = []
    offsets = ["" for _ in views]
    for axis, count in enumerate(batch):
        if count == 1:
            continue
        indent = "    " * len(opening)
        opening.append(f"{indent}for (int32_t b{axis} = 0; b{axis} < {count}; ++b{axis}) {{")
        closing.insert(0, f"{indent}}}")
        for position, stride in enumerate(strides):
            if stride[axis]:
                offsets[position] += f" + {stride[axis]} * b{axis}"
    return opening, offsets, closing


def merge_batch(views):
    """Batch axes merged where all views allow it: views of shape (batches..., rows, columns)."""
    while views[0].address.ndim > 3:
        merged = [View(v.storage, v.address.reshape(-1, *v.address.shape[2:])) for v in views]
        if any(strides_of(v.address) is None for v in merged):
            return views
        views = merged
    return views


def lower_matmul(lowering, operator):
    a, b = operator.inputs
    shape = operator.output.shape
    batch = shape[:-2]
    left = left_rows(lowering, operator, a, batch)
    right = whole_blocks(lowering, right_rows(lowering, operator, b, batch))
    target = lowering.allocate(operator.output)
    for view in (left, right, target):
        if strides_of(view.address) is None:
            refuse(operator, "its output does not lie in rows")
    left, right, target = merge_batch([left, right, target])
    batch = target.address.shape[:-2]
    depth, columns = left.address.shape[-1], shape[-1]
    strides = [strides_of(view.address) for view in (left, right, target)]

    def call(write, pointers, rows):
        opening, offsets, closing = batch_loops(batch, (left, right, target))
        table = final_table(operator)
        name = write.struct("tfhrf_matmul", matmul_body(write, operator, table, depth, columns))
        indent = "    " * len(opening)
        return [
            *opening,
            f"{indent}tfhrf_matmul_rows({pointers[0]}{offsets[0]}, {strides[0][-2]}, "
            f"{pointers[1]}{offsets[1]}, {strides[1][-2]}, {pointers[2]}{offsets[2]}, "
            f"{strides[2][-2]}, {strides[2][-1]}, {rows}, &{name}, {write.scratch});",
            *closing,
        ]

    lowering.add(
        "matmul",
        shape[-2],
        [Operand(rows_first(left), True), Operand(rows_first(right), False)],
        Operand(rows_first(target), True),
        call,
        4 * pairs(depth),
        ("matmul",),
    )


def lower_attention(lowering, operator):
    q, k, v, *rest = operator.inputs
    extra = operator.extra
    scores, softmax, product = extra["scores"], extra["softmax"], extra["product"]
    check_softmax(softmax)
    shape = operator.output.shape
    batch = shape[:-2]
    query = left_rows(lowering, scores, q, batch)
    key = whole_blocks(lowering, right_rows(lowering, scores, k, batch))
    value = whole_blocks(lowering, right_rows(lowering, product, v, batch))
    views = attention_views(lowering, operator, query, key, value, rest)
    depth, width = query.address.shape[-1], shape[-1]
    keys = key.address.shape[-2]

    def body(write):
        table = extra.get("scores_table")
        values = [matmul_body(write, scores, final_scores_table(scores, table), depth, keys)]
        if rest:
            add = extra["add"]
            swapped = [add.inputs[extra["position"]], rest[0]]
            add = dataclasses.replace(add, inputs=swapped)
            values.append(f"&{binary_struct(write, add, keys)}")
        else:
            values.append("NULL")
        values.append(exponentials_name(write, softmax))
        product_now = dataclasses.replace(product, outputs=[raw_output(operator)])
        values.append(matmul_body(write, product_now, final_table(operator), keys, width))
        return values

    scratch = 4 * pairs(max(depth, keys)) + 2 * keys
    add_attention(lowering, views, body, scratch)


def attention_views(lowering, operator, query, key, value, rest):
    """Query, key, value, output and, if `rest` names it, what is added to the scores, in rows."""
    views = [query, key, value, lowering.allocate(operator.output)]
    if rest:
        rows, keys = query.address.shape[-2], key.address.shape[-2]
        added = lowering.view(rest[0])
        address = np.broadcast_to(added.address, (*operator.output.shape[:-2], rows, keys))
        view = View(added.storage, address)
        views.append(view if strides_of(address) is not None else lowering.copy(view))
    for view in views:
        if strides_of(view.address) is None:
            refuse(operator, "its output does not lie in rows")
    return merge_batch(views)


def add_attention(lowering, views, body, scratch, suffix=""):
    """Adds the step of an attention.

    Args:
        lowering: Lowering to add it to.
        views: as of `attention_views`.
        body: function of a writer; returns the values of the kernel's struct.
        scratch: bytes.
        suffix: of the kernel's names.
    """
    batch = views[0].address.shape[:-2]
    strides = [strides_of(view.address) for view in views]

    def call(write, pointers, rows):
        reads, to = pointers[:-1], pointers[-1]
        opening, offsets, closing = batch_loops(batch, views)
        added, steps = "NULL", "0, 0"
        if len(views) > 4:
            added, steps = f"{reads[3]}{offsets[4]}", f"{strides[4][-2]}, {strides[4][-1]}"
        name = write.struct(f"tfhrf_attention{suffix}", f"{{{', '.join(body(write))}}}")
        indent = "    " * len(opening)
        return [
            *opening,
            f"{indent}tfhrf_attention{suffix}_rows({reads[0]}{offsets[0]}, {strides[0][-2]}, "
            f"{reads[1]}{offsets[1]}, {strides[1][-2]}, {reads[2]}{offsets[2]}, "
            f"{strides[2][-2]}, {added}, (tfhrf_strides{suffix}){{{steps}}}, "
            f"{to}{offsets[3]}, {strides[3][-2]}, {strides[3][-1]}, "
            f"{rows}, &{name}, {write.scratch});",
            *closing,
        ]

    query, key, value, target, *others = views
    reads = [
        Operand(rows_first(query), True),
        Operand(rows_first(key), False),
        Operand(rows_first(value), False),
        *(Operand(rows_first(view), True) for view in others),
    ]
    lowering.add(
        "attention",
        query.address.shape[-2],
        reads,
        Operand(rows_first(target), True),
        call,
        scratch,
        (f"attention{suffix}",),
    )


def final_scores_table(scores, table):
    return None if table is None or np.array_equal(table, IDENTITY) else table
