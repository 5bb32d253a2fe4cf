"""Lowers what keeps a state of its own: UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF."""

import math
from typing import Any, NamedTuple

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.ir import refuse
from tfhrf.deploy.c.literals import scale_literal
from tfhrf.deploy.c.operators.dense import folded_bias
from tfhrf.deploy.c.operators.elementwise import sigmoid_table
from tfhrf.deploy.c.steps import Operand, Step, matrix_strides
from tfhrf.deploy.c.views import View

# Twelve fractional bits, in which the sums of gates are.
GATE_SCALE = 2.0**-12


class Gate(NamedTuple):
    """Tensors of a gate, in the order of an LSTM's inputs."""

    weights: Any
    recurrent: Any
    bias: Any


def whole(view):
    """A view as an operand of one row that may be read anywhere."""
    return Operand(View(view.storage, view.address.reshape(1, -1)), False)


def lower_lstm(lowering, operator):
    """UNIDIRECTIONAL_SEQUENCE_LSTM of one sequence, without peepholes and projection."""
    inputs, options, y = operator.inputs, operator.options, operator.output
    x, (hidden, cell) = inputs[0], inputs[18:20]
    if any(tensor is not None for tensor in (*inputs[9:12], *inputs[16:18], *inputs[20:])):
        refuse(operator, "it has peepholes, a projection or layer normalization")
    gates = [Gate(inputs[1 + i], inputs[5 + i], inputs[12 + i]) for i in range(4)]
    constant = [tensor for gate in gates for tensor in gate]
    if any(tensor is None or tensor.data is None for tensor in constant):
        refuse(operator, "its weights are not constant, or one gate has none")
    if options.fusedActivationFunction != 4 or cell.dtype != "int16":
        refuse(operator, "its activation is not tanh, or its cells have not 16 bits", cell)
    if math.prod(x.shape[:-1]) != x.shape[0 if options.timeMajor else 1]:
        refuse(operator, "it has several sequences", x)
    units, depth = y.shape[-1], x.shape[-1]
    source, stride = lowering.matrix(lowering.view(x), depth)
    target = lowering.allocate(y).reshape(-1, units)
    out_stride, out_step = matrix_strides(operator, target)
    if out_step != 1 and units > 1:
        refuse(operator, "its output's rows are not dense")
    steps = len(target.address)

    def call(write, pointers, rows):
        body = lstm_body(write, operator, gates, depth, units)
        name = write.struct("tfhrf_lstm", body)
        return [
            f"tfhrf_lstm_rows({pointers[0]}, {stride}, {pointers[1]}, {pointers[2]}, "
            f"{pointers[3]}, {out_stride}, {steps}, &{name});"
        ]

    reads = [whole(source), *(whole(lowering.view(state)) for state in (hidden, cell))]
    lowering.steps.append(Step("lstm", reads, whole(target), call, ("lstm",)))


def lstm_body(write, operator, gates, depth, units):
    """Initializer of a tfhrf_lstm."""
    x, (hidden, cell) = operator.inputs[0], operator.inputs[18:20]
    power = round(math.log2(cell.scale))
    if abs(math.log2(cell.scale) - power) > 1e-3:
        refuse(operator, "the scale of its cells is no power of two", cell)
    # tanh takes its argument with twelve fractional bits.
    shift = 12 + power
    clip = float(np.float32(operator.options.cellClip or 0))
    clip = min(max(round(clip / cell.scale), -32768), 32767) if clip > 0 else 32768
    parts = [gate_body(write, x, hidden, gate) for gate in gates]
    reals = (2.0**-15, 2.0**-30 / cell.scale, 2.0**-30 / hidden.scale)
    scales = [
        scale_literal(exact.quantize_multiplier(real), zero_point)
        for real, zero_point in zip(reals, (0, 0, hidden.zero_point), strict=True)
    ]
    table = write.array("uint16_t", sigmoid_table(), "sigmoid")
    body = [str(depth), str(units), f"{{{', '.join(parts)}}}", *scales, str(clip)]
    body += [f"{{1, 3, 0, {table}}}", f"{{1, {3 << max(shift, 0)}, {max(-shift, 0)}, {table}}}"]
    return f"{{{', '.join(body)}}}"


def gate_body(write, x, hidden, gate):
    """Initializer of a tfhrf_gate."""
    body = []
    for source, weights, bias in ((x, gate.weights, gate.bias), (hidden, gate.recurrent, None)):
        matrix = weights.data.reshape(len(weights.data), -1)
        scale = exact.quantize_multiplier(source.scale * weights.scale / GATE_SCALE)
        body += [
            write.array("int8_t", matrix, "weights"),
            write.array("int32_t", folded_bias(bias, matrix, source.zero_point), "bias"),
            scale_literal(scale, 0),
        ]
    return f"{{{', '.join(body)}}}"


def lower_svdf(lowering, operator):
    """SVDF of one example."""
    x, features, times, bias, state = operator.inputs
    y, rank = operator.output, operator.options.rank
    for tensor in (features, times, bias):
        if tensor is None or tensor.data is None:
            refuse(operator, "its weights are not constant, or it has no bias", tensor)
    if len(features.scales) > 1 or len(times.scales) > 1 or math.prod(x.shape[:-1]) != 1:
        refuse(operator, "it has several examples, or scales for channels", x)
    source, _ = lowering.matrix(lowering.view(x), x.shape[-1])
    target = lowering.allocate(y).reshape(1, -1)
    if matrix_strides(operator, target)[1] != 1 and y.shape[-1] > 1:
        refuse(operator, "its output is not dense")
    wide = state.dtype == "int16"
    kind = "svdf16" if wide else "svdf"

    def call(write, pointers, rows):
        first = x.scale * features.scale / state.scale
        second = state.scale * times.scale / y.scale
        matrix = features.data.reshape(len(features.data), -1)
        units = len(matrix) // rank
        sums = bias.data.astype(np.int64)
        zero = 0 if wide else state.zero_point
        if not wide:
            sums = sums - zero * times.data.astype(np.int64).reshape(units, -1).sum(axis=1)
        body = [
            str(x.shape[-1]),
            str(units),
            str(rank),
            str(times.shape[-1]),
            write.array("int8_t", matrix, "weights"),
            write.array("int32_t", folded_bias(None, matrix, x.zero_point), "bias"),
            write.array(f"{times.dtype}_t", times.data, "weights"),
            write.array("int32_t", sums, "bias"),
            scale_literal(exact.quantize_multiplier(first), zero),
            scale_literal(exact.quantize_multiplier(second), y.zero_point),
        ]
        name = write.struct(f"tfhrf_{kind}", f"{{{', '.join(body)}}}")
        return [f"tfhrf_{kind}_step({pointers[0]}, {pointers[1]}, {pointers[2]}, &{name});"]

    reads = [whole(source), whole(lowering.view(state))]
    lowering.steps.append(Step("svdf", reads, whole(target), call, (kind,)))
