"""Lowers tables and operators of two values."""

import dataclasses

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import product_scale, quotient_scale, refuse, shared_scale
from tfhrf.deploy.c.literals import final_table, inner_scale, scale_literal, table_pointer
from tfhrf.deploy.c.steps import Operand, broadcast_rows
from tfhrf.deploy.c.views import strides_of


def in_rows(lowering, operator):
    """(views of the inputs, view of the output, strides of all of them), each as rows."""
    shape = operator.output.shape or (1,)
    columns = shape[-1]
    target = lowering.allocate(operator.output).reshape(-1, columns)
    sources = [broadcast_rows(lowering.view(tensor), shape) for tensor in operator.inputs]
    for position, source in enumerate(sources):
        if strides_of(source.address) is None:
            sources[position] = lowering.copy(source)
    strides = [strides_of(view.address) for view in (*sources, target)]
    if strides[-1] is None:
        refuse(operator, "its output does not lie in rows")
    return sources, target, strides


def lower_elementwise(lowering, operator):
    """TABLE, ADD, SUB, MUL, DIV and SQUARED_DIFFERENCE."""
    sources, target, strides = in_rows(lowering, operator)
    columns = target.address.shape[-1]
    arguments = [f"(tfhrf_strides){{{row}, {step}}}" for row, step in strides]

    def call(write, pointers, rows):
        if operator.name == "TABLE":
            table = table_pointer(write, operator.extra["table"])
            return [
                f"tfhrf_table_rows({pointers[0]}, {arguments[0]}, {pointers[1]}, {arguments[1]}, "
                f"{rows}, {columns}, {table});"
            ]
        operands = ", ".join(f"{p}, {a}" for p, a in zip(pointers, arguments, strict=True))
        if operator.name == "DIV":
            name = write.struct("tfhrf_division", division_body(write, operator, columns))
            return [f"tfhrf_divide_rows({operands}, {rows}, &{name});"]
        name = binary_struct(write, operator, columns)
        kernel = {
            "ADD": "add",
            "SUB": "subtract",
            "MUL": "multiply",
            "SQUARED_DIFFERENCE": "squared_difference",
        }[operator.name]
        return [f"tfhrf_{kernel}_rows({operands}, {rows}, &{name});"]

    reads = [Operand(source, True) for source in sources]
    lowering.add(
        operator.name.lower(),
        len(target.address),
        reads,
        Operand(target, True),
        call,
        kernels=("divide",) if operator.name == "DIV" else ("elementwise",),
    )


def binary_body(write, operator, columns):
    """Initializer of a tfhrf_binary."""
    a, b = operator.inputs[:2]
    y = raw_output(operator)
    plain = dataclasses.replace(operator, outputs=[y])
    if operator.name == "MUL":
        bits, scales = 0, [(0, 0), (0, 0), product_scale(plain)]
    else:
        bits, scales = shared_scale(plain)
    body = [str(columns), str(bits), str(a.zero_point), str(b.zero_point)]
    # What is shifted left by 20 bits stays below 2**29, as does the sum of two halved values.
    largest = 255 * 255 if operator.name == "MUL" else 2**29
    if operator.name == "SQUARED_DIFFERENCE":
        largest = (255 << bits) ** 2
    for scale, zero_point in zip(scales, (0, 0, y.zero_point), strict=True):
        exact_half = scale == (1 << 30, 0)
        literal = scale_literal(scale, zero_point)
        body.append(literal if exact_half else inner_scale(write, scale, zero_point, largest))
    body.append(table_pointer(write, final_table(operator)))
    return f"{{{', '.join(body)}}}"


def division_body(write, operator, columns):
    """Initializer of a tfhrf_division."""
    a, b = operator.inputs[:2]
    y = raw_output(operator)
    plain = dataclasses.replace(operator, outputs=[y])
    multiplier, shift = quotient_scale(plain)
    body = [columns, a.zero_point, b.zero_point, multiplier, shift, y.zero_point]
    body += [write.array("int32_t", exact.reciprocals(), "reciprocals")]
    body += [table_pointer(write, final_table(operator))]
    return f"{{{', '.join(map(str, body))}}}"


def binary_struct(write, operator, columns):
    return write.struct("tfhrf_binary", binary_body(write, operator, columns))
