"""The range of each tensor of a float graph over examples, as its quantization needs it."""

import re

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite import graph_rewrites
from tfhrf.deploy.tflite.interpreter import make_interpreter

# So far below the largest of its row a score has no weight: about a twentieth of the least that
# the output of SOFTMAX can hold. Cut off there, its range leaves levels to the scores that count,
# also where a mask adds large negative numbers to others.
NO_WEIGHT = {"int8": 8.5, "int16x8": 13.5}
# Results of these are of the kind of what they read; how small a range may be against it.
SAME_KIND = {"ADD", "SUB", "RELU", "RELU6", "LEAKY_RELU", "MEAN", "MAXIMUM", "MINIMUM"}
LEAST_RANGE = 2.0**-14


def calibrate(graph, examples, precision, name_layer):
    """Writes the range of each tensor of a float graph, over all examples, into the graph."""
    subgraph = graph.subgraphs[0]
    low, high, peak = measure(graph, examples)
    for index in low:
        name = graphs.tensor_name(subgraph.tensors[index])
        if not np.isfinite((low[index], high[index])).all():
            raise ValueError(
                "A tensor is not finite on the representative data: "
                f"{name_layer(name)}tensor '{name}'. "
                f"Received: values in [{low[index]}, {high[index]}]"
            )
    cap_rsqrt(graph, low, high, precision)
    for index in peak:
        low[index] = max(low[index], peak[index] - NO_WEIGHT[precision])
    widen(graph, low, high)
    # Where scales differ between tensors that only move values, QUANTIZE operators would stand.
    for members in graph_rewrites.tied(graph):
        low.update(dict.fromkeys(members, min(low[index] for index in members)))
        high.update(dict.fromkeys(members, max(high[index] for index in members)))
    for index in low:
        ranges = graphs.schema.QuantizationParametersT()
        ranges.min = np.array([low[index]], np.float32)
        ranges.max = np.array([high[index]], np.float32)
        subgraph.tensors[index].quantization = ranges


def measure(graph, examples):
    """Three dicts by index of a float tensor: least value, largest, and for scores of attention
    the least of the largest scores of all rows."""
    subgraph = graph.subgraphs[0]
    interpreter = make_interpreter(graphs.write(graph), keep_all=True)
    # The converter names the inputs as `freeze` did; it may order them otherwise.
    order = [details["name"] for details in interpreter.get_input_details()]
    slots = [int(re.sub(r".*input_(\d+).*", r"\1", name)) for name in order]
    where = [details["index"] for details in interpreter.get_input_details()]
    measured = [
        *subgraph.inputs,
        *(
            index
            for operator in subgraph.operators
            for index in operator.outputs
            if graphs.type_name(subgraph.tensors[index]) == "float32"
        ),
    ]
    low = dict.fromkeys(measured, np.inf)
    high = dict.fromkeys(measured, -np.inf)
    peak = dict.fromkeys(scores_of(graph), np.inf)
    for example in range(len(examples[0])):
        for slot, index in zip(slots, where, strict=True):
            interpreter.set_tensor(index, examples[slot][example : example + 1])
        interpreter.invoke()
        for index in measured:
            values = interpreter.get_tensor(index)
            low[index] = min(low[index], values.min())
            high[index] = max(high[index], values.max())
            if index in peak:
                peak[index] = min(peak[index], values.max(axis=-1).min())
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


def widen(graph, low, high):
    """Gives a least range to results that hardly vary against what they are made of.

    The mean over one token, subtracted from it, is zero or what rounding leaves: no levels are
    needed there, and TensorFlow Lite Micro ends the process over ratios of scales that large.
    """
    for operator in graph.subgraphs[0].operators:
        if graphs.operator_name(graph, operator) in SAME_KIND:
            (y,) = operator.outputs
            spans = [max(high[x], 0.0) - min(low[x], 0.0) for x in operator.inputs if x in low]
            least = LEAST_RANGE * max(spans, default=0.0)
            if max(high[y], 0.0) - min(low[y], 0.0) < least:
                high[y] = min(low[y], 0.0) + least


def cap_rsqrt(graph, low, high, precision):
    """Cuts the range of each RSQRT at what it returns for the least integer above zero.

    Nothing is lost: only an input that rounds to zero, whose result is arbitrary, lies above. But
    without it one token that hardly varies (silence) leaves few levels to all others.
    """
    levels = {"int8": 255, "int16x8": 32767}[precision]
    for operator in graph.subgraphs[0].operators:
        if graphs.operator_name(graph, operator) == "RSQRT":
            (x,), (y,) = operator.inputs, operator.outputs
            if high[x] > 0:
                high[y] = min(high[y], (high[x] / levels) ** -0.5)
                low[y] = min(low[y], high[y])
