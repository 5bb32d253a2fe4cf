"""Lowers SOFTMAX and LOG_SOFTMAX, and makes the tables of their kernels."""

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.ir import refuse
from tfhrf.deploy.c.literals import INT8, scale16, scale_literal
from tfhrf.deploy.c.steps import add_rows


def lower_softmax(lowering, operator):
    if lowering.precision is INT8:
        check_softmax(operator)
        columns = operator.inputs[0].shape[-1]
        add_rows(
            lowering, operator, "softmax", lambda write: f"{columns}, {exponents(write, operator)}"
        )
    else:
        add_rows(
            lowering,
            operator,
            "softmax",
            lambda write: f"&{write.struct('tfhrf_softmax16', softmax16_body(write, operator))}",
        )


def check_softmax(operator):
    """Raises ValueError where the 8-bit kernel does not compute what the operator does."""
    y = operator.output
    if y.zero_point != -128 or y.scale != 1 / 256:
        refuse(operator, "its output has not the scale 1/256 and the zero point -128")
    if operator.inputs[0].scale * 2**26 * operator.options.beta <= 1:
        refuse(operator, "its input's scale is too small", operator.inputs[0])


def exponents(write, operator):
    """Name of a table of exp(-difference) as 31-bit fractions, for differences 0 ... 255."""
    beta = float(np.float32(getattr(operator.options, "beta", 1.0)))
    multiplier, shift = scale_of_differences(operator.inputs[0], beta)
    differences = -np.arange(256)
    inside = differences >= -exact.input_radius(5, shift)
    scaled = exact.high_multiply(np.where(inside, differences, 0) << shift, multiplier)
    table = np.where(inside, exact.exp_on_negative(scaled, 5), 0)
    return write.array("uint32_t", table, "exponentials")


def scale_of_differences(x, beta=1.0):
    """Quantized multiplier from differences of inputs to five integer bits."""
    return exact.quantize_multiplier(min(beta * x.scale * 2**26, 2.0**31 - 1))


def lower_log_softmax(lowering, operator):
    x, y = operator.inputs[0], operator.output
    if y.zero_point != 127 or y.scale != 16 / 256:
        refuse(operator, "its output has not the scale 16/256 and the zero point 127")
    if x.scale * 2**26 <= 1 or x.shape[-1] > 4096:
        refuse(operator, "its input's scale is too small, or its rows are too long", x)

    def last(write):
        multiplier, shift = scale_of_differences(x)
        back = exact.quantize_multiplier(2.0 ** (31 - shift) / multiplier)
        body = [str(x.shape[-1]), exponents(write, operator)]
        body += [scale_literal(scale, 0) for scale in ((multiplier, shift), back)]
        body.append(str(-exact.input_radius(5, shift) - 1))
        initializer = f"{{{', '.join(body)}}}"
        return f"&{write.struct('tfhrf_log_softmax', initializer)}"

    add_rows(lowering, operator, "log_softmax", last)


def softmax16_body(write, operator):
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
