"""Exact range balancing: channels between two linear operators take scales that suit integers.

What one operator divides an output channel by, the next multiplies its weights of that channel by.
Factors are powers of two: no float changes but in its exponent, so the function is the same to the
last bit (Meller et al. 2019, Nagel et al. 2019 balance so, by weights).
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import feed, make_interpreter

# Activations that a positive factor passes through.
PASSING = ("NONE", "RELU")
MOST = 6  # exponent of a factor
EXAMPLES = 64


def balance(graph, examples):
    """Balances a float graph in place; returns how many pairs of operators were found.

    Args:
        graph: ModelT, as of `float_graph`.
        examples: list of float32 arrays, one for each model input.
    """
    found = pairs_of(graph)
    peaks = peaks_of(graph, examples, {int(first.outputs[0]) for first, _ in found})
    for first, second in found:
        exponents = exponents_of(graph, first, second, peaks[int(first.outputs[0])])
        scale_outputs(graph, first, -exponents)
        scale_inputs(graph, second, exponents)
    return len(found)


def pairs_of(graph):
    """Products and the product that alone reads what they make, reshaped or not."""
    subgraph = graph.subgraphs[0]
    found = []
    for first in subgraph.operators:
        if not has_weights(graph, first) or not passes(first):
            continue
        channels = (
            len(weights_of(graph, first)) if kind(graph, first) != "DEPTHWISE_CONV_2D" else None
        )
        index = int(first.outputs[0])
        channels = channels or graphs.shape_of(subgraph.tensors[index])[-1]
        while index not in map(int, subgraph.outputs):
            _, readers = graphs.neighbors(graph, index)
            if len(readers) != 1 or int(readers[0].inputs[0]) != index:
                break
            (second,) = readers
            if kind(graph, second) == "RESHAPE":
                index = int(second.outputs[0])
                if graphs.shape_of(subgraph.tensors[index])[-1] % channels:
                    break
                continue
            width = graphs.shape_of(subgraph.tensors[index])[-1]
            if has_weights(graph, second) and fits(graph, second, channels, width):
                found.append((first, second))
            break
    return found


def kind(graph, operator):
    return graphs.operator_name(graph, operator)


def passes(operator):
    names = {getattr(graphs.schema.ActivationFunctionType, name) for name in PASSING}
    return operator.builtinOptions.fusedActivationFunction in names


def has_weights(graph, operator):
    if kind(graph, operator) not in graphs.PRODUCTS:
        return False
    tensors = graph.subgraphs[0].tensors
    return all(graphs.is_constant(graph, tensors[i]) for i in operator.inputs[1:] if i >= 0)


def fits(graph, second, channels, width):
    """Whether the weights of an operator have an axis of the channels it reads."""
    values = weights_of(graph, second)
    if kind(graph, second) == "DEPTHWISE_CONV_2D":
        return width == channels == values.shape[-1]
    # A RESHAPE may have put several positions side by side; a convolution's channels are one.
    return values.shape[-1] == width and (kind(graph, second) != "CONV_2D" or width == channels)


def weights_of(graph, operator, place=1):
    return graphs.constant_array(graph, int(operator.inputs[place]))


def peaks_of(graph, examples, indices):
    """{index: largest absolute value of each channel} over some examples."""
    interpreter = make_interpreter(graphs.write(graph), keep_all=True)
    peaks: dict[int, np.ndarray] = {}
    for example in range(min(len(examples[0]), EXAMPLES)):
        feed(interpreter, examples, example)
        interpreter.invoke()
        for index in indices:
            values = np.abs(interpreter.get_tensor(index))
            found = values.reshape(-1, values.shape[-1]).max(axis=0)
            peaks[index] = np.maximum(peaks.get(index, 0.0), found)
    return peaks


def exponents_of(graph, first, second, peaks):
    """Exponents of the factors that channels are divided by between two operators."""
    before = peaks.astype(np.float64)
    if kind(graph, first) == "FULLY_CONNECTED":
        # One scale for all of its weights: their rows shall not drift apart either.
        rows = np.abs(weights_of(graph, first)).max(axis=1)
        before = np.sqrt(before * rows)
    channels = len(before)
    values = np.abs(weights_of(graph, second)).astype(np.float64)
    if kind(graph, second) == "DEPTHWISE_CONV_2D":
        # Each channel has a scale of its own.
        after = np.where(values.max(axis=(0, 1, 2)) > 0, 1.0, 0.0)
        factors = before
    else:
        if kind(graph, second) == "CONV_2D":
            values = values / np.maximum(values.max(axis=(1, 2, 3), keepdims=True), 1e-30)
        after = values.reshape(-1, channels).max(axis=0)
        factors = np.sqrt(before / np.maximum(after, 1e-30))
    used = (before > 0) & (after > 0)
    if not used.any():
        return np.zeros(channels, np.int64)
    exponents = np.log2(np.where(used, factors, 1.0))
    exponents = np.where(used, np.round(exponents - np.median(exponents[used])), 0)
    return np.clip(exponents, -MOST, MOST).astype(np.int64)


def scale_outputs(graph, operator, exponents):
    values = weights_of(graph, operator)
    shape = [1] * values.ndim
    shape[-1 if kind(graph, operator) == "DEPTHWISE_CONV_2D" else 0] = len(exponents)
    replace(graph, operator, 1, np.ldexp(values, exponents.reshape(shape)))
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        replace(graph, operator, 2, np.ldexp(weights_of(graph, operator, 2), exponents))


def scale_inputs(graph, operator, exponents):
    values = weights_of(graph, operator)
    times = values.shape[-1] // len(exponents)
    replace(graph, operator, 1, np.ldexp(values, np.tile(exponents, times)))


def replace(graph, operator, place, values):
    """Gives a constant input of an operator other values."""
    old = graph.subgraphs[0].tensors[int(operator.inputs[place])]
    values = np.ascontiguousarray(values, np.float32)
    inputs = [int(index) for index in operator.inputs]
    inputs[place] = graphs.add_constant(graph, values, graphs.tensor_name(old))
    operator.inputs = inputs
