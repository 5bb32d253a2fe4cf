"""What operators of a quantized graph do to single values, as TensorFlow Lite Micro computes it."""

import math

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.ir import (
    BINARY,
    CHOICES,
    bounds_of,
    check_same_scale,
    clamp,
    product_scale,
    quotient_scale,
    shared_scale,
    slope_scales,
)


def evaluate(operator, *values):
    """What an elementwise operator makes of quantized values: arrays in, array out."""
    arrays = [np.asarray(value, np.int64) for value in values]
    centered = [
        array - tensor.zero_point for array, tensor in zip(arrays, operator.inputs, strict=True)
    ]
    y = operator.output
    if operator.name in CHOICES:
        for tensor in operator.inputs:
            check_same_scale(operator, tensor)
        result = (np.maximum if operator.name == "MAXIMUM" else np.minimum)(*arrays)
    elif operator.name in BINARY:
        result = evaluate_binary(operator, *centered) + y.zero_point
    else:
        result = globals()[f"evaluate_{operator.name.lower()}"](operator, centered[0])
    return clamp(operator, exact.saturate(result, y.limits))


def evaluate_binary(operator, a, b):
    if operator.name == "MUL":
        return exact.rescale(a * b, *product_scale(operator))
    if operator.name == "DIV":
        return exact.divide(a, b, *quotient_scale(operator))
    if operator.name == "PRELU":
        above, below = slope_scales(operator)
        return np.where(a >= 0, exact.rescale(a, *above), exact.rescale(a * b, *below))
    bits, (scale_a, scale_b, scale) = shared_scale(operator)
    a, b = exact.rescale(a << bits, *scale_a), exact.rescale(b << bits, *scale_b)
    raw = a + b if operator.name == "ADD" else a - b
    return exact.rescale(raw * raw if operator.name == "SQUARED_DIFFERENCE" else raw, *scale)


def fixed_point(operator, x):
    """(values with four integer bits, whether they lie below, above the range of those)."""
    multiplier, shift = exact.quantize_multiplier(operator.inputs[0].scale * 2**27)
    radius = exact.input_radius(4, shift)
    inside = np.clip(x, -radius + 1, radius - 1)
    return exact.rescale(inside, multiplier, shift), x <= -radius, x >= radius


def evaluate_abs(operator, x):
    source, y = operator.inputs[0], operator.output
    magnitude = np.abs(x)
    if source.scale != y.scale:
        magnitude = exact.rescale(magnitude, *exact.quantize_multiplier(source.scale / y.scale))
    return magnitude + y.zero_point


def evaluate_elu(operator, x):
    """In single precision, as TensorFlow Lite Micro makes its table."""
    source, y = operator.inputs[0], operator.output
    real = np.float32(source.scale) * x.astype(np.float32)
    bent = np.where(real < 0, np.expm1(real.astype(np.float64)).astype(np.float32), real)
    steps = bent * (np.float32(1) / np.float32(y.scale))
    return np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps).astype(int) + y.zero_point


def evaluate_logistic(operator, x):
    inside, below, above = fixed_point(operator, x)
    result = exact.divide_by_power(exact.logistic(inside), 23) - 128
    return np.where(below, -128, np.where(above, 127, result))


def evaluate_tanh(operator, x):
    inside, below, above = fixed_point(operator, x)
    result = exact.divide_by_power(exact.tanh(inside), 24)
    return np.where(below, -128, np.where(above, 127, result))


def evaluate_rsqrt(operator, x):
    source, y = operator.inputs[0], operator.output
    multiplier, shift = exact.quantize_multiplier(1 / (math.sqrt(source.scale) * y.scale))

    def one(value):
        # TFLM stops below zero; where no input can be below, it does not matter.
        if value <= 0:
            return y.limits.max
        inverse, right = exact.inverse_square_root(value)
        data = exact.rescale(1, inverse, 20 - right)
        return int(exact.rescale(data, multiplier, shift - 20)) + y.zero_point

    return np.array([one(int(value)) for value in x.flat], np.int64).reshape(x.shape)


def evaluate_relu(operator, x):
    source, y = operator.inputs[0], operator.output
    scale = exact.quantize_multiplier(source.scale / y.scale)
    return np.maximum(y.zero_point, exact.rescale(x, *scale) + y.zero_point)


def evaluate_relu6(operator, x):
    # TFLM does not rescale: the bounds and the result are in steps of the input.
    source = operator.inputs[0]
    return np.clip(x + source.zero_point, *bounds_of("RELU6", source))


def evaluate_leaky_relu(operator, x):
    source, y = operator.inputs[0], operator.output
    alpha = float(np.float32(operator.options.alpha))
    identity = exact.quantize_multiplier(source.scale / y.scale)
    sloped = exact.quantize_multiplier(source.scale * alpha / y.scale)
    return y.zero_point + np.where(x >= 0, exact.rescale(x, *identity), exact.rescale(x, *sloped))


def evaluate_quantize(operator, x):
    source, y = operator.inputs[0], operator.output
    scale = exact.quantize_multiplier(source.scale / y.scale)
    return exact.rescale(x, *scale) + y.zero_point


def evaluate_hard_swish(operator, x):
    source, y = operator.inputs[0], operator.output
    int16 = np.iinfo(np.int16)
    high = np.float32(1 / 128) * np.float32(source.scale)
    output_multiplier, output_shift = sixteen_bits(float(high) / y.scale)
    relu_multiplier, relu_shift = sixteen_bits(float(high) / float(np.float32(3 / 32768)))

    def doubled(a, b):
        return exact.saturate((a * b + (1 << 14)) >> 15, int16)

    fine = x * 128
    outer = doubled(fine, output_multiplier)
    inner = fine
    if relu_shift > 0:
        inner = exact.saturate(inner << (relu_shift - 1), int16)
    inner = doubled(inner, relu_multiplier)
    if relu_shift > 0:
        inner = exact.saturate(inner << 1, int16)
    if relu_shift < 0:
        inner = exact.divide_by_power(inner, -relu_shift)
    inner = (inner + (1 << 15)) >> 1
    product = inner * outer
    truncated = np.where(product < 0, -(-product >> 15), product >> 15)
    return exact.divide_by_power(truncated, -output_shift) + y.zero_point


def sixteen_bits(real):
    multiplier, shift = exact.quantize_multiplier(real)
    return min((multiplier + (1 << 15)) >> 16, 32767), shift


def table_of(operator, constants):
    """256 outputs of an int8 operator for the inputs -128 ... 127.

    Args:
        constants: for each input its value if it is a constant scalar, or None.
    """
    x = np.arange(-128, 128)
    return evaluate(operator, *(x if c is None else np.full(256, c) for c in constants))
