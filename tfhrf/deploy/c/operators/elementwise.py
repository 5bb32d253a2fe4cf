"""Lowers what works element by element: operators of two values, tables, 16-bit functions."""

import dataclasses
import math

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import (
    CHOICES,
    COMPARISONS,
    bounds_of,
    check_same_scale,
    product_scale,
    quotient_scale,
    refuse,
    shared_scale,
    shrinks,
    slope_scales,
)
from tfhrf.deploy.c.literals import (
    INT8,
    final_table,
    inner_scale,
    least,
    scale16,
    scale_literal,
    table_pointer,
)
from tfhrf.deploy.c.steps import Operand, Step, broadcast_rows, matrix_strides
from tfhrf.deploy.c.views import strides_of

WORDS = {"ADD": "add", "SUB": "subtract", "MUL": "multiply"}
WORDS |= {"SQUARED_DIFFERENCE": "squared_difference"}
WORDS |= {"PRELU": "prelu"}
OWN_HEADERS = {"DIV": "divide", "RSQRT": "rsqrt", "MAXIMUM": "choose", "MINIMUM": "choose"}
OWN_HEADERS |= {
    "LINES": "lines",
    "PRELU": "prelu",
    "SELECT_V2": "select",
    **dict.fromkeys(COMPARISONS, "compare"),
}
SLOPES = ("ABS", "RELU", "LEAKY_RELU", "QUANTIZE", "CLAMP")


def lower_elementwise(lowering, operator):
    shape = operator.output.shape or (1,)
    target = lowering.allocate(operator.output).reshape(-1, shape[-1])
    sources = [broadcast_rows(lowering.view(tensor), shape) for tensor in operator.inputs]
    for position, source in enumerate(sources):
        if strides_of(source.address) is None:
            sources[position] = lowering.copy(source)
    strides = [strides_of(view.address) for view in sources]
    strides.append(matrix_strides(operator, target))
    arguments = [f"(tfhrf_strides){{{row}, {step}}}" for row, step in strides]
    kernel_of = kernel8 if lowering.precision is INT8 else kernel16
    fails = operator.name == "RSQRT"

    def call(write, pointers, rows):
        places = ", ".join(f"{p}, {a}" for p, a in zip(pointers, arguments, strict=True))
        kernel, last = kernel_of(write, operator, shape[-1])
        return [f"tfhrf_{kernel}_rows({places}, {rows}, {last});"]

    own = OWN_HEADERS.get(operator.name, "elementwise")
    kernels = (f"{own}{lowering.precision.suffix}",)
    name, reads = operator.name.lower(), list(map(Operand, sources))
    lowering.steps.append(Step(name, reads, Operand(target), call, kernels, can_fail=fails))


def lower_choice(lowering, operator):
    """MAXIMUM and MINIMUM, of values that share one scale."""
    for tensor in operator.inputs:
        check_same_scale(operator, tensor)
    lower_elementwise(lowering, operator)


def lower_select(lowering, operator):
    """SELECT_V2, of values that share one scale."""
    for tensor in operator.inputs[1:]:
        check_same_scale(operator, tensor)
    lower_elementwise(lowering, operator)


def lower_comparison(lowering, operator):
    """EQUAL, GREATER and the like, of two values."""
    for tensor in operator.inputs:
        if tensor.dtype != lowering.precision.dtype or tensor.scale >= 1:
            refuse(operator, "it compares quantized values with scales below 1 only", tensor)
    lower_elementwise(lowering, operator)


def comparison_body(operator, columns):
    """Initializer of a tfhrf_comparison."""
    scales = [exact.quantize_multiplier(tensor.scale) for tensor in operator.inputs]
    name = operator.name
    equal = name in ("EQUAL", "GREATER_EQUAL", "LESS_EQUAL")
    sides = [name == "NOT_EQUAL" or name.startswith(side) for side in ("GREATER", "LESS")]
    body = [columns, *(tensor.zero_point for tensor in operator.inputs)]
    body += [scale_literal(scale, 0) for scale in scales]
    return f"{{{', '.join(map(str, [*body, int(equal), *map(int, sides)]))}}}"


def kernel8(write, operator, columns):
    """(kernel, its last arguments) of TABLE, DIV and operators of two 8-bit values."""
    if operator.name == "SELECT_V2":
        return "select", str(columns)
    if operator.name in COMPARISONS:
        return "compare", f"&{write.struct('tfhrf_comparison', comparison_body(operator, columns))}"
    if operator.name in CHOICES:
        return "choose", f"{columns}, {int(operator.name == 'MAXIMUM')}"
    if operator.name == "TABLE":
        return "table", f"{columns}, {table_pointer(write, operator.extra['table'])}"
    if operator.name == "DIV":
        return (
            "divide",
            f"&{write.struct('tfhrf_division', division_body(write, operator, columns))}",
        )
    name = write.struct("tfhrf_binary", binary8_body(write, operator, columns))
    return WORDS[operator.name], f"&{name}"


def binary8_body(write, operator, columns):
    """Initializer of a tfhrf_binary."""
    a, b = operator.inputs[:2]
    y = raw_output(operator)
    plain = dataclasses.replace(operator, outputs=[y])
    if operator.name == "PRELU":
        return prelu_body(write, operator, plain, columns)
    bits, scales = operand_scales(plain)
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


def prelu_body(write, operator, plain, columns):
    """Initializer of a tfhrf_binary for PRELU."""
    a, b = operator.inputs
    body = [str(columns), "0", str(a.zero_point), str(b.zero_point)]
    body += [scale_literal(scale, plain.output.zero_point) for scale in slope_scales(plain)]
    body += [scale_literal((0, 0), 0), table_pointer(write, final_table(operator))]
    return f"{{{', '.join(body)}}}"


def operand_scales(operator):
    """(bits, scales of both inputs and of the result) of an operator of two values."""
    if operator.name == "MUL":
        return 0, [(0, 0), (0, 0), product_scale(operator)]
    return shared_scale(operator)


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


def kernel16(write, operator, columns):
    """(kernel, its last arguments) of an operator of 16-bit values."""
    if operator.name == "SELECT_V2":
        return "select16", str(columns)
    if operator.name in CHOICES:
        return "choose16", f"{columns}, {int(operator.name == 'MAXIMUM')}"
    if operator.name in ("LOGISTIC", "TANH"):
        bits = 9 if operator.name == "LOGISTIC" else 8
        name = write.struct("tfhrf_sigmoid16", sigmoid_body(write, operator, columns))
        return "sigmoid16", f"&{name}, {bits}"
    if operator.name in SLOPES:
        name = write.struct("tfhrf_slopes16", slopes_body(operator, columns))
        return "slopes16", f"&{name}"
    if operator.name == "LINES":
        return "lines16", f"&{write.struct('tfhrf_lines16', lines_body(write, operator, columns))}"
    if operator.name == "RSQRT":
        return "inverse_root16", f"{columns}, &{write.struct('tfhrf_scale', root_scale(operator))}"
    if shrinks(operator) and operator.name == "MUL":
        name = write.struct("tfhrf_product16", product16_body(operator, columns))
        return "multiply16", f"&{name}"
    if shrinks(operator):
        name = write.struct("tfhrf_sum16", sum16_body(operator, columns))
        return f"{WORDS[operator.name]}16", f"&{name}"
    name = write.struct("tfhrf_binary16", binary16_body(operator, columns))
    return "binary16", f"&{name}, {list(WORDS).index(operator.name)}"


def sum16_body(operator, columns):
    """Initializer of a tfhrf_sum16."""
    _, scales = shared_scale(operator)
    parts = [scale16(*scale) for scale in scales]
    return f"{{{columns}, {', '.join(parts)}, {least(operator)}}}"


def binary16_body(operator, columns):
    """Initializer of a tfhrf_binary16."""
    bits, scales = operand_scales(operator)
    parts = [scale_literal(scale, 0) for scale in scales]
    return f"{{{columns}, {bits}, {', '.join(parts)}, {least(operator)}}}"


def lines_body(write, operator, columns):
    """Initializer of a tfhrf_lines16."""
    part, rest, product, total = (operator.extra[n] for n in ("part", "rest", "product", "sum"))
    for step in (rest, product, total):
        if not shrinks(step):
            refuse(step, "its lines are too steep")
    scale = exact.quantize_multiplier(part.inputs[0].scale / part.output.scale)
    body = [columns, scale_literal(scale, part.output.zero_point)]
    body += [sum16_body(rest, columns), product16_body(product, columns)]
    body += [sum16_body(total, columns)]
    places = np.stack(operator.extra["columns"], axis=1)
    body.append(write.structs("tfhrf_line16", [f"{{{a}, {b}, {c}}}" for a, b, c in places]))
    return f"{{{', '.join(map(str, body))}}}"


def product16_body(operator, columns):
    """Initializer of a tfhrf_product16."""
    return f"{{{columns}, {scale16(*product_scale(operator))}, {least(operator)}}}"


def slopes_body(operator, columns):
    """Initializer of a tfhrf_slopes16."""
    x, y = operator.inputs[0], operator.output
    low, high = 0 if operator.name == "RELU" else -32768, 32767
    if operator.name == "CLAMP":
        # Without rescaling: in steps of the input.
        low, high = bounds_of(operator.extra["kind"], x)
        y = x
    alpha = float(np.float32(operator.options.alpha)) if operator.name == "LEAKY_RELU" else 1.0
    scales = [exact.quantize_multiplier(x.scale * slope / y.scale) for slope in (1.0, alpha)]
    if operator.name == "ABS":
        scales[1] = (-scales[1][0], scales[1][1])
    parts = [scale_literal(scale, 0) for scale in scales]
    return f"{{{columns}, {', '.join(parts)}, {low}, {high}}}"


def root_scale(operator):
    """Initializer of the tfhrf_scale of RSQRT."""
    x, y = operator.inputs[0], operator.output
    multiplier, shift = exact.quantize_multiplier(1 / (math.sqrt(x.scale) * y.scale))
    return scale_literal((multiplier, shift - 20), 0)


def sigmoid_body(write, operator, columns):
    """Initializer of a tfhrf_sigmoid16: the table has 24 steps to one."""
    scale = operator.inputs[0].scale
    logarithm = round(math.log2(scale))
    exact_power = abs(math.log2(scale) - logarithm) < 1e-3
    shift = 12 + logarithm
    if exact_power and shift in ((0,) if operator.name == "LOGISTIC" else (0, 1)):
        multiplier, shift = 3 << shift, 0
    else:
        real, shift = scale * 4096.0 * 3.0, 0
        while real <= 32767.0 / 2.0 and shift <= 30:
            shift += 1
            real *= 2.0
        multiplier = int(real)
    if not 0 < multiplier < 2**16:
        # TFLM's product overflows, or its multiplier is none.
        reason = f"its input's scale is too {'large' if multiplier else 'small'}"
        refuse(operator, reason, operator.inputs[0])
    table = write.array("uint16_t", sigmoid_table(), "sigmoid")
    return f"{{{columns}, {multiplier}, {shift}, {table}}}"


# Where TFLM's table of sigmoids is one more than the rounded value: found by running TFLM on all
# inputs.
ONE_MORE = [4, 8, 12, *range(14, 18), *range(19, 23), 25, *range(27, 32), 33, 34, 35, 37, 39, 40]
ONE_MORE += [41, *range(43, 47), 49, 50, 54, *range(62, 65), 66, 82, 86, 93]
ONE_MORE += [100, 103, 112, 116, 135, 255]


def sigmoid_table():
    """sigmoid(i / 24) with 16 fractional bits."""
    values = np.floor(65536 / (1 + np.exp(-np.arange(256) / 24)) + 0.5).astype(np.int64)
    values[ONE_MORE] += 1
    return values
