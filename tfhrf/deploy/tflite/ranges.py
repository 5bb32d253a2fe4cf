"""Ranges that TensorFlow Lite Micro can work with: its kernels end the process over others.

A range always holds zero; its span is the length of what then remains. `low` and `high` hold the
least and the largest value of each computed float tensor by its index, and are changed in place.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite import graph_rewrites
from tfhrf.deploy.tflite.schema import schema

LEVELS = {"int8": 255, "int16x8": 32767}
# How small the span of a result may be against what the operator makes of its inputs' spans.
LEAST_RATIO = 2.0**-13
# How many times the narrowest range of tensors of one scale the widest may be.
TIED = 2.0**12
# Narrower 8-bit ranges the quantizer makes symmetric, 16-bit ones are none.
LEAST_SPAN = {"int8": 2.0**-18, "int16x8": 2.0**-50}
# Arguments this close to each other, or to zero, make no difference in 16 bits.
LEAST_ARGUMENT = 2.0**-12
ARGUMENTS = {"EXP", "HARD_SWISH", "LOGISTIC", "SOFTMAX", "TANH"}
# Spans of results whose scale is fixed, in each type, whatever range was measured.
FIXED_SPANS = {"LOGISTIC": 1.0, "LOG_SOFTMAX": 16.0, "SOFTMAX": 1.0, "TANH": 2.0}
PRODUCTS = {"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL"}
# What a difference is multiplied by, and cut, to be a comparison: its least step is one.
# `cut_masks` makes it as small as integers allow.
STEEP = 1e9
BOUNDED = schema.ActivationFunctionType.RELU_N1_TO_1
# The quantizers give weights that are all but zero these spans.
LEAST_WEIGHTS = {"int8": 1e-6, "int16x8": 254.0}


def settle(graph, low, high, precision):
    """Widens ranges until all operators can work with them and movers keep one scale."""
    measured, groups = (dict(low), dict(high)), graph_rewrites.tied(graph)
    fixed = {
        int(operator.outputs[0]): FIXED_SPANS[name]
        for operator in graph.subgraphs[0].operators
        if (name := graphs.operator_name(graph, operator)) in FIXED_SPANS
    }
    before = None
    while before != (low, high):
        before = (dict(low), dict(high))
        for operator in graph.subgraphs[0].operators:
            widen(graph, operator, low, high, precision, fixed)
        # Where scales differ between tensors that only move values, QUANTIZE operators would stand.
        for members in list(groups):
            least, largest = (min(low[i] for i in members), max(high[i] for i in members))
            spans = [max(measured[1][i], 0.0) - min(measured[0][i], 0.0) for i in members]
            narrowest = min(filter(None, spans), default=np.inf)
            if max(largest, 0.0) - min(least, 0.0) > TIED * narrowest:
                # A factor between them would be too large, or their ranges would grow for ever.
                groups.remove(members)
                for bounds, old in zip((low, high), measured, strict=True):
                    bounds.update({i: old[i] for i in members})
                continue
            low.update(dict.fromkeys(members, least))
            high.update(dict.fromkeys(members, largest))


def widen(graph, operator, low, high, precision, fixed):
    """Gives least spans to the inputs and the output of an operator."""
    name = graphs.operator_name(graph, operator)
    read = [index for index in operator.inputs if index >= 0]
    least = {index: LEAST_ARGUMENT for index in read if name in ARGUMENTS}
    spans = [fixed.get(int(index), span_of(graph, index, low, high, precision)) for index in read]
    spans = [span for span in spans if span is not None]
    for index in operator.outputs:
        least[index] = max(LEAST_SPAN[precision], LEAST_RATIO * natural_span(name, spans))
    for index, span in least.items():
        # A part in a million spares another round over rounding.
        if index in low and max(high[index], 0.0) - min(low[index], 0.0) < span * (1 - 1e-6):
            high[index] = min(low[index], 0.0) + span


def natural_span(name, spans):
    """The span that an operator's results can have, given those of its inputs."""
    if not spans:
        return 0.0
    if name in PRODUCTS:
        return spans[0] * spans[1] if len(spans) > 1 else 0.0
    if name == "SQUARED_DIFFERENCE":
        return max(spans) ** 2
    # Of the others the results are either of the kind of what they read, or of a kind of their own.
    return 0.0 if name in ARGUMENTS | {"RSQRT"} else max(spans)


def span_of(graph, index, low, high, precision):
    """The span of a float tensor, computed or constant; None of integers."""
    tensor = graph.subgraphs[0].tensors[index]
    if index in low:
        return max(high[index], 0.0) - min(low[index], 0.0)
    if graphs.type_name(tensor) != "float32":
        return None
    values = graphs.constant_array(graph, index)
    span = float(max(values.max(), 0.0) - min(values.min(), 0.0))
    return max(span, LEAST_WEIGHTS["int8"]) if span else LEAST_WEIGHTS[precision]


def cut_masks(graph, low, high, cut, precision):
    """Cuts the ranges of masks down to what counts after them.

    Where the range of a sum was cut, as `calibrate` cuts scores before SOFTMAX, what is added
    need not reach below it: a mask of -1e9 would leave no levels to the scores, or end the process.

    Args:
        graph: float ModelT; constants that masks are made of are changed.
        low, high: ranges.
        cut: indices of the tensors whose range was cut below.
        precision: "int8" or "int16x8".
    """
    subgraph = graph.subgraphs[0]
    # What of a tensor's values counts: (least, largest).
    windows = {index: (low[index], np.inf) for index in cut}
    for operator in subgraph.operators:
        if graphs.operator_name(graph, operator) in ("MAXIMUM", "MINIMUM"):
            # A bound that is never met shall not widen the scale that it shares.
            (y,) = operator.outputs
            windows.setdefault(int(y), (low[y], high[y]))
        elif is_steep(graph, operator):
            windows[int(operator.outputs[0])] = (-1.0, 1.0)
    found: dict[int, list] = {}
    for operator in reversed(subgraph.operators):
        result = int(operator.outputs[0])
        if result not in windows and readers_agree(graph, result, found):
            windows[result] = union(found[result])
        for index, window in windows_of(graph, operator, windows.get(result), low, high, precision):
            found.setdefault(index, []).append(window)
    for index in found:
        if readers_agree(graph, index, found):
            apply_window(graph, index, union(found[index]), low, high)


def is_steep(graph, operator):
    """Whether an operator's least results but zero are its bounds: `booleans` makes such."""
    options = operator.builtinOptions
    if graphs.operator_name(graph, operator) != "MUL" or not graphs.is_constant_float(
        graph, operator.inputs[1]
    ):
        return False
    bounded = options.fusedActivationFunction == BOUNDED
    return bounded and bool(graphs.constant_values(graph, operator.inputs[1])[0] == STEEP)


def union(windows):
    return min(w[0] for w in windows), max(w[1] for w in windows)


def readers_agree(graph, index, found):
    """Whether each use of a tensor says what of its values counts."""
    subgraph = graph.subgraphs[0]
    uses = sum(int(i) == index for op in subgraph.operators for i in op.inputs)
    return 0 < uses == len(found.get(index, ())) and index not in subgraph.outputs


def windows_of(graph, operator, window, low, high, precision):
    """Pairs of an input and what of its values counts, given what of the output's does."""
    if window is None:
        return []
    name = graphs.operator_name(graph, operator)
    a, b = [int(index) for index in operator.inputs[:2]] if len(operator.inputs) > 1 else (0, 0)
    if name in graph_rewrites.MOVERS:
        return [(int(i), window) for i in operator.inputs if is_float(graph, i)]
    if name == "ADD":
        (low_a, high_a), (low_b, high_b) = (limits(graph, i, low, high) for i in (a, b))
        return [
            (a, (window[0] - high_b, window[1] - low_b)),
            (b, (window[0] - high_a, window[1] - low_a)),
        ]
    if name == "SUB":
        (low_a, high_a), (low_b, high_b) = (limits(graph, i, low, high) for i in (a, b))
        return [
            (a, (window[0] + low_b, window[1] + high_b)),
            (b, (low_a - window[1], high_a - window[0])),
        ]
    if name == "MUL":
        x, factor = (a, b) if b not in low else (b, a)
        return windows_of_product(graph, x, factor, window, low, high, precision)
    return []


def windows_of_product(graph, x, factor, window, low, high, precision):
    """`windows_of` for a tensor times a constant."""
    if x not in low or factor in low:
        return []
    values = graphs.constant_array(graph, factor)
    largest = max(map(abs, window))
    step = span_of(graph, x, low, high, precision) / LEVELS[precision]
    if np.abs(values).max() * step > largest:
        # Each step of the other factor leads out of the window, and shall go on doing so.
        bound = largest / step
        return [(factor, (-bound, bound))]
    ends = [bound / value for bound in window for value in np.unique(values[values != 0])]
    # Of zeros no value counts.
    return [(x, (min(ends), max(ends)))] if ends else []


def is_float(graph, index):
    return graphs.type_name(graph.subgraphs[0].tensors[index]) == "float32"


def limits(graph, index, low, high):
    if index in low:
        return low[index], high[index]
    values = graphs.constant_array(graph, index)
    return float(values.min()), float(values.max())


def apply_window(graph, index, window, low, high):
    if index in low:
        low[index], high[index] = (
            min(max(bounds[index], window[0]), window[1]) for bounds in (low, high)
        )
        return
    values = np.clip(graphs.constant_array(graph, index), *window).astype(np.float32)
    graphs.make_constant(graph, index, values)


def scale_zeros(graph):
    """Gives 16-bit constants of zeros a scale: the quantizer makes it 0, which ends processes.

    Returns whether there were any.
    """
    subgraph, found = graph.subgraphs[0], False
    for operator in subgraph.operators:
        tensors = [subgraph.tensors[index] for index in operator.inputs if index >= 0]
        scales = [graphs.describe(tensor)["scale"] or 0.0 for tensor in tensors]
        for tensor, scale in zip(tensors, scales, strict=True):
            if graphs.type_name(tensor) == "int16" and scale == 0.0:
                product = graphs.operator_name(graph, operator) in PRODUCTS
                scale = LEAST_WEIGHTS["int16x8"] / 2 / LEVELS["int16x8"] if product else max(scales)
                tensor.quantization.scale = np.array([scale], np.float32)
                found = True
    for operator in subgraph.operators:
        if graphs.operator_name(graph, operator) == "FILL":
            value, filled = (subgraph.tensors[i] for i in (operator.inputs[1], operator.outputs[0]))
            value.quantization = filled.quantization
    return found
