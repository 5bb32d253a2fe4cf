"""Computes float graphs with some of what an integer graph rounds: weights or activations."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhrf.compression.constants import in_layout
from tfhrf.compression.operators import OPERATORS, options_of
from tfhrf.deploy.tflite import graph as graphs

UNMATCHED = ("QUANTIZE", "DEQUANTIZE")


def pairs_of(before: Any, after: Any) -> list[tuple[Any, Any]]:
    """The operators of a float graph, each with its own of the integer graph made of it.

    Raises:
        ValueError: the integer graph was made of another one.
    """
    floats = before.subgraphs[0].operators
    integers = [
        operator
        for operator in after.subgraphs[0].operators
        if graphs.operator_name(after, operator) not in UNMATCHED
    ]
    kinds = [[graphs.operator_name(before, operator) for operator in floats]]
    kinds += [[graphs.operator_name(after, operator) for operator in integers]]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "The .tflite file was not made of this model by tfhrf. "
            f"Received: {len(kinds[1])} operators, {len(kinds[0])} of the model"
        )
    return list(zip(floats, integers, strict=True))


def real_values(graph: Any, index: int) -> np.ndarray:
    """A constant of an integer graph multiplied out."""
    tensor = graph.subgraphs[0].tensors[index]
    dtype = np.dtype(graphs.type_name(tensor))
    data = bytes(graph.buffers[tensor.buffer].data)
    values = np.frombuffer(data, dtype).reshape(graphs.shape_of(tensor)).astype(np.float64)
    scales = np.asarray(tensor.quantization.scale, np.float64)
    shape = [1] * values.ndim
    if len(scales) > 1:
        shape[tensor.quantization.quantizedDimension] = len(scales)
    zero = int(tensor.quantization.zeroPoint[0])
    return ((values - zero) * scales.reshape(shape)).astype(np.float32)


def rounded(x: Any, graph: Any, index: int) -> Any:
    """Values at the levels of a tensor of an integer graph."""
    tensor = graphs.describe(graph.subgraphs[0].tensors[index])
    if tensor["scale"] is None:
        return x
    limits = np.iinfo(tensor["dtype"])
    levels = tf.round(x / tensor["scale"]) + tensor["zero_point"]
    levels = tf.clip_by_value(levels, float(limits.min), float(limits.max))
    return (levels - tensor["zero_point"]) * tensor["scale"]


def evaluate(
    before: Any, after: Any, inputs: list[np.ndarray], *, weights: bool, activations: bool
) -> list[np.ndarray]:
    """Outputs of a float graph that has the weights, or the rounding, of an integer graph.

    Args:
        before, after: float and integer ModelT, the second made of the first.
        inputs: arrays (examples, ...) in the order of the graph's inputs.
        weights: whether kernels and biases are those of the integer graph.
        activations: whether inputs and results of operators are rounded as in it.
    """
    subgraph = before.subgraphs[0]
    known = {int(i): tf.constant(x[:, None]) for i, x in zip(subgraph.inputs, inputs, strict=True)}
    if activations:
        ends = zip(subgraph.inputs, after.subgraphs[0].inputs, strict=True)
        known.update({int(i): rounded(known[int(i)], after, int(j)) for i, j in ends})
    for one, other in pairs_of(before, after):
        kind = graphs.operator_name(before, one)
        operands = []
        for place, index in enumerate(map(int, one.inputs)):
            if index in known:
                operands.append(known[index])
            elif index >= 0 and graphs.type_name(subgraph.tensors[index]) == "float32":
                operands.append(constant(before, after, one, other, place, weights))
        results = OPERATORS[kind](operands, options_of(before, one))
        results = results if isinstance(results, (list, tuple)) else [results]
        for index, twin, values in zip(one.outputs, other.outputs, results, strict=True):
            known[int(index)] = rounded(values, after, int(twin)) if activations else values
    return [np.asarray(known[int(index)]) for index in subgraph.outputs]


def constant(before: Any, after: Any, one: Any, other: Any, place: int, integers: bool) -> Any:
    """A constant input of an operator as `OPERATORS` takes it."""
    kind = graphs.operator_name(before, one)
    values = graphs.constant_array(before, int(one.inputs[place]))
    if kind not in graphs.PRODUCTS:
        return tf.constant(values[None])
    if integers:
        values = real_values(after, int(other.inputs[place])).reshape(values.shape)
    return tf.constant(in_layout(kind, place, values))
