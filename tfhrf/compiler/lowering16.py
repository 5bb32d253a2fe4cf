"""From 16-bit operators to steps, as `lowering` does for 8 bits. Zero points are 0."""

import math

import numpy as np

from tfhrf.compiler import arithmetic as exact
from tfhrf.compiler.attention import batch_loops, left_rows, merge_batch, right_rows
from tfhrf.compiler.convolution import image
from tfhrf.compiler.dense import folded_bias, weight_scales
from tfhrf.compiler.elementwise import in_rows
from tfhrf.compiler.literals import scale_literal
from tfhrf.compiler.movers import MOVERS
from tfhrf.compiler.normalization import reduced_view
from tfhrf.compiler.operators import activation, mean_scale, product_scale, refuse, shared_scale
from tfhrf.compiler.steps import Operand, matrix_strides, rows_first
from tfhrf.compiler.views import View, strides_of

KERNELS = ("int16",)


def wide_scale(multiplier, shift):
    """Initializer of a tfhrf_wide_scale."""
    return f"{{{exact.reduced_multiplier(multiplier)}, {15 - shift}}}"


def least(operator):
    """The least output that the fused activation leaves."""
    kind = activation(operator)
    if kind not in ("NONE", "RELU"):
        refuse(operator, f"its fused activation is {kind}")
    return 0 if kind == "RELU" else -32768


def dense_struct(write, operator, matrix, bias, scales):
    body = ", ".join(
        [
            write.array("int8_t", matrix, "weights"),
            write.array("int64_t", folded_bias(bias, matrix, 0), "bias"),
            write.structs("tfhrf_wide_scale", [wide_scale(*scale) for scale in scales]),
            str(matrix.shape[1]),
            str(matrix.shape[0]),
            "1" if len(scales) > 1 else "0",
            str(least(operator)),
        ]
    )
    return write.struct("tfhrf_dense16", f"{{{body}}}")


def constant_weights(operator):
    """(weights, bias or None), both constant."""
    weights = operator.inputs[1]
    bias = operator.inputs[2] if len(operator.inputs) > 2 else None
    for tensor in (weights, bias):
        if tensor is not None and tensor.data is None:
            refuse(operator, "its weights are not constant", tensor)
    if weights.dtype != "int8" or weights.zero_point:
        refuse(operator, "its weights are not symmetric int8", weights)
    return weights, bias


def lower_dense(lowering, operator):
    x = operator.inputs[0]
    weights, bias = constant_weights(operator)
    matrix = weights.data.reshape(weights.shape[0], -1)
    outputs, depth = matrix.shape
    scales = weight_scales(operator, outputs, x, weights, operator.output)
    source, stride = lowering.matrix(lowering.view(x), depth)
    target = lowering.allocate(operator.output).reshape(-1, outputs)
    out_stride, out_step = matrix_strides(lowering, operator, target)

    def call(write, pointers, rows):
        name = dense_struct(write, operator, matrix, bias, scales)
        return [
            f"tfhrf_dense16_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, "
            f"{out_step}, {rows}, &{name});"
        ]

    reads = [Operand(source, True)]
    lowering.add("dense", len(source.address), reads, Operand(target, True), call, 0, KERNELS)


def lower_conv(lowering, operator):
    """CONV_2D and DEPTHWISE_CONV_2D."""
    x = operator.inputs[0]
    weights, bias = constant_weights(operator)
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    matrix = np.moveaxis(weights.data[0], -1, 0) if depthwise else weights.data
    matrix = matrix.reshape(len(matrix), -1)
    multiplier = weights.shape[-1] // x.shape[-1] if depthwise else 0
    if not depthwise and weights.shape[-1] != x.shape[-1]:
        refuse(operator, "its channels are in groups", weights)
    scales = weight_scales(operator, len(matrix), x, weights, operator.output)
    source, target, window = image(lowering, operator, weights.shape[1:3])
    strides = ", ".join(map(str, strides_of(target.address)))

    def call(write, pointers, rows, first="0"):
        geometry = write.struct("tfhrf_window16", window)
        name = dense_struct(write, operator, matrix, bias, scales)
        return [
            f"tfhrf_conv16_rows({pointers[0]}, {pointers[1]}, {strides}, {first}, {rows}, "
            f"&{geometry}, &{name}, {multiplier});"
        ]

    reads = [Operand(View(source.storage, source.address.reshape(1, -1)), False)]
    lowering.add("conv", len(target.address), reads, Operand(target, True), call, 0, KERNELS)


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
        scale = wide_scale(*product_scale(operator))
        name = write.struct("tfhrf_matmul16", f"{{{depth}, {columns}, {scale}}}")
        x, y, out = (p + o for p, o in zip(pointers, offsets, strict=True))
        indent = "    " * len(opening)
        return [
            *opening,
            f"{indent}tfhrf_matmul16_rows({x}, {x_row}, {y}, {y_row}, {out}, {out_row}, "
            f"{out_step}, {rows}, &{name});",
            *closing,
        ]

    reads = [Operand(rows_first(views[0]), True), Operand(rows_first(views[1]), False)]
    write = Operand(rows_first(views[2]), True)
    lowering.add("matmul", shape[-2], reads, write, call, 0, KERNELS)


def lower_elementwise(lowering, operator):
    """ADD, SUB, MUL, SQUARED_DIFFERENCE, LOGISTIC, TANH and RSQRT."""
    sources, target, strides = in_rows(lowering, operator)
    columns = target.address.shape[-1]
    arguments = [f"(tfhrf_strides16){{{row}, {step}}}" for row, step in strides]

    def call(write, pointers, rows):
        places = ", ".join(f"{p}, {a}" for p, a in zip(pointers, arguments, strict=True))
        if operator.name in ("LOGISTIC", "TANH"):
            bits = 9 if operator.name == "LOGISTIC" else 8
            name = write.struct("tfhrf_sigmoid16", sigmoid_body(write, operator, columns))
            return [f"tfhrf_sigmoid16_rows({places}, {rows}, &{name}, {bits});"]
        if operator.name == "RSQRT":
            x, y = operator.inputs[0], operator.output
            multiplier, shift = exact.quantize_multiplier(1 / (math.sqrt(x.scale) * y.scale))
            scale = write.struct("tfhrf_scale", scale_literal((multiplier, shift - 20), 0))
            return [f"status |= tfhrf_inverse_root16_rows({places}, {rows}, {columns}, &{scale});"]
        name = write.struct("tfhrf_binary16", binary_body(operator, columns))
        kind = ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE").index(operator.name)
        return [f"tfhrf_binary16_rows({places}, {rows}, &{name}, {kind});"]

    reads = [Operand(source, True) for source in sources]
    name = operator.name.lower()
    lowering.add(name, len(target.address), reads, Operand(target, True), call, 0, KERNELS)


def binary_body(operator, columns):
    if operator.name == "MUL":
        bits, scales = 0, [(0, 0), (0, 0), product_scale(operator)]
    else:
        bits, scales = shared_scale(operator)
    parts = [scale_literal(scale, 0) for scale in scales]
    return f"{{{columns}, {bits}, {', '.join(parts)}, {least(operator)}}}"


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


def lower_mean(lowering, operator):
    source, strides, counts, target = reduced_view(lowering, operator)
    columns = target.address.shape[1]
    out_stride, out_step = matrix_strides(lowering, operator, target)
    filled = ", ".join(map(str, [1] * (3 - len(counts)) + counts))
    steps = ", ".join(map(str, [0] * (3 - len(counts)) + strides[2:]))

    def call(write, pointers, rows):
        scale = scale_literal(mean_scale(operator, int(np.prod(counts))), 0)
        body = f"{{{columns}, {{{filled}}}, {{{steps}}}, {scale}}}"
        name = write.struct("tfhrf_reduce16", body)
        return [
            f"tfhrf_mean16_rows({pointers[0]}, {strides[0]}, {strides[1]}, {pointers[1]}, "
            f"{out_stride}, {out_step}, {rows}, &{name});"
        ]

    reads = [Operand(source, True)]
    lowering.add("mean", len(target.address), reads, Operand(target, True), call, 0, KERNELS)


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


def lower_softmax(lowering, operator):
    x, y = operator.inputs[0], operator.output
    columns = x.shape[-1]
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(y).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1 and columns > 1:
        refuse(operator, "its output's rows are not dense")
    if abs(y.scale * 32768 - 1) > 1e-3 or y.zero_point:
        refuse(operator, "its output has not the scale 1/32768")

    def call(write, pointers, rows):
        beta = float(np.float32(operator.options.beta))
        scale = exact.quantize_multiplier(x.scale * beta / (10.0 / 65535.0))
        exponentials = interpolation_table(np.exp, -10, 0)
        reciprocals = interpolation_table(lambda v: 1 / (1 + v), 0, 1)
        body = [str(columns), scale_literal(scale, 0)]
        body += [write.array("int16_t", t, "samples") for t in (exponentials, reciprocals)]
        name = write.struct("tfhrf_softmax16", f"{{{', '.join(body)}}}")
        return [
            f"tfhrf_softmax16_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"&{name});"
        ]

    reads = [Operand(source, True)]
    lowering.add("softmax", len(source.address), reads, Operand(target, True), call, 0, KERNELS)


NAMES = ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "LOGISTIC", "TANH", "RSQRT")
LOWERINGS16 = {
    **MOVERS,
    **dict.fromkeys(NAMES, lower_elementwise),
    "FULLY_CONNECTED": lower_dense,
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), lower_conv),
    "BATCH_MATMUL": lower_matmul,
    "MEAN": lower_mean,
    "SOFTMAX": lower_softmax,
}
