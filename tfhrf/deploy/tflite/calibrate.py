"""The range of each tensor of a float graph over examples, as its quantization needs it."""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite import ranges
from tfhrf.deploy.tflite.clipping import clip, sampler
from tfhrf.deploy.tflite.interpreter import feed, make_interpreter

# So far below the largest of its row a score has no weight: about a twentieth of the least that
# the output of SOFTMAX can hold. Cut off there, its range leaves levels to the scores that count,
# also where a mask adds large negative numbers to others.
NO_WEIGHT = {"int8": 8.5, "int16x8": 13.5}
# A row whose largest score is below has been masked as a whole: it tells nothing of scores.
EXCLUDED = -5e3


def calibrate(graph, content, examples, precision, name_layer, how="minmax"):
    """Writes the range of each tensor of a float graph, over all examples, into the graph.

    Args:
        graph: float ModelT. Tensors that nothing touches are removed in the end.
        content: bytes of a graph with the same tensors that computes their values.
        examples: list with one array for each model input.
        precision: "int8" or "int16x8".
        name_layer: maps a tensor's name to words that say which layer it belongs to.
        how: "minmax", or what `clip` takes.
    """
    subgraph = graph.subgraphs[0]
    samples: dict = {}
    low, high, peak = measure(graph, content, examples, None if how == "minmax" else samples)
    for index in low:
        name = graphs.tensor_name(subgraph.tensors[index])
        if not np.isfinite((low[index], high[index])).all():
            raise ValueError(
                "A tensor is not finite on the representative data: "
                f"{name_layer(name)}tensor '{name}'. "
                f"Received: values in [{low[index]}, {high[index]}]"
            )
    if how != "minmax":
        samples = {index: np.concatenate(values) for index, values in samples.items()}
        clip(graph, low, high, samples, how, precision)
    cap_rsqrt(graph, low, high, precision)
    cut = [i for i in peak if np.inf > peak[i] - NO_WEIGHT[precision] > low[i]]
    low.update({index: peak[index] - NO_WEIGHT[precision] for index in cut})
    ranges.cut_masks(graph, low, high, cut, precision)
    write_ranges(graph, low, high, precision)


def write_ranges(graph, low, high, precision):
    """Writes ranges into a graph, such that all operators can work with them.

    Args:
        graph: float ModelT.
        low, high: dicts of the least and the largest value of each computed float tensor by its
            index; they are changed.
        precision: "int8" or "int16x8".
    """
    subgraph = graph.subgraphs[0]
    ranges.settle(graph, low, high, precision)
    for index in low:
        quantization = graphs.schema.QuantizationParametersT()
        quantization.min = np.array([low[index]], np.float32)
        quantization.max = np.array([high[index]], np.float32)
        subgraph.tensors[index].quantization = quantization
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)


def read_ranges(graph):
    """(low, high) that `write_ranges` wrote."""
    written = {
        index: tensor.quantization
        for index, tensor in enumerate(graph.subgraphs[0].tensors)
        if tensor.quantization is not None and tensor.quantization.min is not None
    }
    return (
        {index: float(found.min[0]) for index, found in written.items()},
        {index: float(found.max[0]) for index, found in written.items()},
    )


def measure(graph, content, examples, samples=None):
    """Three dicts by index of a float tensor: least value, largest, and for scores of attention
    the least of the largest scores of all rows that are not masked as a whole.

    Lists of some values of each example are added to `samples`, a dict by index, if it is given.
    """
    subgraph = graph.subgraphs[0]
    interpreter = make_interpreter(content, keep_all=True)
    made = [index for operator in subgraph.operators for index in operator.outputs]
    measured = [
        index
        for index in (*subgraph.inputs, *made)
        if graphs.type_name(subgraph.tensors[index]) == "float32"
    ]
    low = dict.fromkeys(measured, np.inf)
    high = dict.fromkeys(measured, -np.inf)
    peak = dict.fromkeys(scores_of(graph), np.inf)
    pick = sampler()
    for example in range(len(examples[0])):
        feed(interpreter, examples, example)
        interpreter.invoke()
        for index in measured:
            values = interpreter.get_tensor(index)
            low[index] = min(low[index], values.min())
            high[index] = max(high[index], values.max())
            if samples is not None:
                samples.setdefault(index, []).append(pick(values))
            if index in peak:
                rows = values.max(axis=-1)
                peak[index] = rows.min(initial=peak[index], where=rows > EXCLUDED)
    return low, high, peak


def scores_of(graph):
    """Indices of the tensors that a SOFTMAX alone reads."""
    subgraph = graph.subgraphs[0]
    return [
        operator.inputs[0]
        for operator in subgraph.operators
        if graphs.operator_name(graph, operator) == "SOFTMAX"
        and len(graphs.neighbors(graph, operator.inputs[0])[1]) == 1
        and operator.inputs[0] not in subgraph.outputs
    ]


def cap_rsqrt(graph, low, high, precision):
    """Cuts the range of each RSQRT at what it returns for the least integer above zero.

    Nothing is lost: only an input that rounds to zero, whose result is arbitrary, lies above. But
    without it one token that hardly varies (silence) leaves few levels to all others.
    """
    levels = ranges.LEVELS[precision]
    for operator in graph.subgraphs[0].operators:
        if graphs.operator_name(graph, operator) == "RSQRT":
            (x,), (y,) = operator.inputs, operator.outputs
            if high[x] > 0:
                high[y] = min(high[y], (high[x] / levels) ** -0.5)
                low[y] = min(low[y], high[y])
