"""Lowers 16-bit operators that work element by element."""

import math

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.ir import bounds_of, product_scale, shared_scale, shrinks
from tfhrf.deploy.c.literals import scale_literal
from tfhrf.deploy.c.literals16 import least, scale16
from tfhrf.deploy.c.operators.elementwise import in_rows
from tfhrf.deploy.c.steps import Operand

SLOPES = ("RELU", "LEAKY_RELU", "QUANTIZE", "CLAMP")
KINDS = ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE")


def sum_body(operator, columns):
    """Initializer of a tfhrf_sum16."""
    _, scales = shared_scale(operator)
    parts = [scale16(*scale) for scale in scales]
    return f"{{{columns}, {', '.join(parts)}, {least(operator)}}}"


def sum_struct(write, operator, columns):
    return write.struct("tfhrf_sum16", sum_body(operator, columns))


def binary_body(operator, columns):
    if operator.name == "MUL":
        bits, scales = 0, [(0, 0), (0, 0), product_scale(operator)]
    else:
        bits, scales = shared_scale(operator)
    parts = [scale_literal(scale, 0) for scale in scales]
    return f"{{{columns}, {bits}, {', '.join(parts)}, {least(operator)}}}"


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
    table = write.array("uint16_t", sigmoid_table(), "sigmoid")
    return f"{{{columns}, {multiplier}, {shift}, {table}}}"


# Where TFLM's table of sigmoids is one more than the rounded value: found by running TFLM on all
# inputs.
ONE_MORE = [4, 8, 12, *range(14, 18), *range(19, 23), 25, *range(27, 32), 33, 34, 35, 37, 39, 40]
ONE_MORE += [
    41,
    *range(43, 47),
    49,
    50,
    54,
    62,
    63,
    64,
    66,
    82,
    86,
    93,
    100,
    103,
    112,
    116,
    135,
    255,
]


def sigmoid_table():
    """sigmoid(i / 24) with 16 fractional bits."""
    values = np.floor(65536 / (1 + np.exp(-np.arange(256) / 24)) + 0.5).astype(np.int64)
    values[ONE_MORE] += 1
    return values


def lower_elementwise(lowering, operator):
    """Binary operators, LOGISTIC, TANH, RSQRT, RELU, LEAKY_RELU, QUANTIZE and CLAMP."""
    sources, target, strides = in_rows(lowering, operator)
    columns = target.address.shape[-1]
    arguments = [f"(tfhrf_strides16){{{row}, {step}}}" for row, step in strides]

    def call(write, pointers, rows):
        places = ", ".join(f"{p}, {a}" for p, a in zip(pointers, arguments, strict=True))
        if operator.name in ("LOGISTIC", "TANH"):
            bits = 9 if operator.name == "LOGISTIC" else 8
            name = write.struct("tfhrf_sigmoid16", sigmoid_body(write, operator, columns))
            return [f"tfhrf_sigmoid16_rows({places}, {rows}, &{name}, {bits});"]
        if operator.name in SLOPES:
            name = write.struct("tfhrf_slopes16", slopes_body(operator, columns))
            return [f"tfhrf_slopes16_rows({places}, {rows}, &{name});"]
        if operator.name == "RSQRT":
            scale = write.struct("tfhrf_scale", root_scale(operator))
            return [f"status |= tfhrf_inverse_root16_rows({places}, {rows}, {columns}, &{scale});"]
        if shrinks(operator) and operator.name == "MUL":
            body = f"{{{columns}, {scale16(*product_scale(operator))}, {least(operator)}}}"
            name = write.struct("tfhrf_product16", body)
            return [f"tfhrf_multiply16_rows({places}, {rows}, &{name});"]
        if shrinks(operator):
            kernel = "add" if operator.name == "ADD" else "subtract"
            name = sum_struct(write, operator, columns)
            return [f"tfhrf_{kernel}16_rows({places}, {rows}, &{name});"]
        name = write.struct("tfhrf_binary16", binary_body(operator, columns))
        kind = KINDS.index(operator.name)
        return [f"tfhrf_binary16_rows({places}, {rows}, &{name}, {kind});"]

    reads = [Operand(source, True) for source in sources]
    name = operator.name.lower()
    kernels = ("rsqrt16",) if operator.name == "RSQRT" else ("elementwise16",)
    lowering.add(name, len(target.address), reads, Operand(target, True), call, 0, kernels)
