"""Computes float graphs with some of what an integer graph rounds: weights or activations."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfhrf.compression.constants import in_layout
from tfhrf.compression.operators import OPERATORS, options_of
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.lookups import Function, evaluator, functions

UNMATCHED = ("QUANTIZE", "DEQUANTIZE")
# What the quantizer makes of operators where it can.
SAME = {"STRIDED_SLICE": "SLICE"}
# What hands all values on in their order; the quantizer leaves it out, or joins it, where it likes.
RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
SLICES = ("SLICE", "STRIDED_SLICE")


def pairs_of(before: Any, after: Any, *, tables: bool = True) -> list[tuple[Any, Any]]:
    """What a float graph computes with, each with its operator of the integer graph made of it.

    These are operators, and Functions in the place of chains that the integer graph looks up in
    tables. They are found from the outputs on: the quantizer puts operators in another order.
    What only reshapes has None: there the integer graph may have less, or more.

    Args:
        before, after: float and integer ModelT, the second made of the first.
        tables: whether the integer graph has tables yet.

    Raises:
        ValueError: the integer graph was made of another one.
    """
    operators = before.subgraphs[0].operators
    makers, integers = makers_of(before), makers_of(after)
    if tables:
        makers.update({function.result: function for function in functions(before)})
    found: dict[int, Any] = {}
    waiting = ends_of(before.subgraphs[0].outputs, after.subgraphs[0].outputs)
    while waiting:
        index, twin = waiting.pop()
        part: Any = makers.get(index)
        while keeps_values(before, part):
            found[id(part)] = None
            part = makers.get(int(part.inputs[0]))
        operator = maker_of_integers(after, integers, twin)
        if id(part) in found:
            continue
        sizes = value_count(after, twin), value_count(before, index)
        other_size = part is not None and sizes[0] != sizes[1]
        if alike(before, part) != alike(after, operator) or other_size:
            raise ValueError(
                "The .tflite file was not made of this model by tfhrf. "
                f"Received: {kind_of(after, operator)} of {sizes[0]} values "
                f"where the model has {kind_of(before, part)} of {sizes[1]}"
            )
        if isinstance(part, Function):
            waiting.append((part.source, source_of(after, integers, operator)))
        elif part is not None:
            waiting += ends_of(part.inputs, operator.inputs)
        if part is not None:
            found[id(part)] = operator
    parts = [makers[int(operator.outputs[0])] for operator in operators]
    return [(part, found[id(part)]) for part in parts if id(part) in found]


def keeps_values(graph: Any, part: Any) -> bool:
    """Whether an operator hands on all values of its input, in their order."""
    if part is None or isinstance(part, Function):
        return False
    kind, tensors = graphs.operator_name(graph, part), graph.subgraphs[0].tensors
    if kind == "TRANSPOSE" and graphs.is_constant(graph, tensors[part.inputs[1]]):
        # As that of a single head: axes of length one may go anywhere.
        lengths = graphs.shape_of(tensors[part.inputs[0]])
        moved = [
            axis for axis in graphs.constant_values(graph, part.inputs[1]) if lengths[axis] > 1
        ]
        return moved == sorted(moved)
    if kind not in SLICES:
        return kind in RESHAPES
    whole = value_count(graph, part.inputs[0]) == value_count(graph, part.outputs[0])
    # As many of them, but not from the last to the first.
    return whole and all(
        graphs.is_constant(graph, tensors[i]) and min(graphs.constant_values(graph, i)) > 0
        for i in part.inputs[3:]
    )


def value_count(graph: Any, index: int) -> int:
    """How many values a tensor has; 0 of one that an operator goes without."""
    return math.prod(graphs.shape_of(graph.subgraphs[0].tensors[index])) if index >= 0 else 0


def makers_of(graph: Any) -> dict[int, Any]:
    """{tensor: operator that makes it}."""
    operators = graph.subgraphs[0].operators
    return {int(index): operator for operator in operators for index in operator.outputs}


def ends_of(indices: Any, twins: Any) -> list[tuple[int, int]]:
    """Tensors of two graphs side by side, without those that an operator goes without."""
    both = [(int(index), int(twin)) for index, twin in zip(indices, twins, strict=False)]
    return [ends for ends in both if min(ends) >= 0]


def kind_of(graph: Any, part: Any) -> str:
    """The operator that an integer graph has for a part of a float graph."""
    if part is None:
        return "nothing"
    return "GATHER" if isinstance(part, Function) else graphs.operator_name(graph, part)


def alike(graph: Any, part: Any) -> str:
    """The same for parts that are each other's."""
    kind = kind_of(graph, part)
    return SAME.get(kind, kind)


def maker_of_integers(after: Any, makers: dict[int, Any], index: int) -> Any:
    """The operator that makes a tensor's values in an integer graph, at whatever scale; or None."""
    operator = makers.get(index)
    while operator is not None and (
        graphs.operator_name(after, operator) in UNMATCHED or keeps_values(after, operator)
    ):
        operator = makers.get(int(operator.inputs[0]))
    return operator


def source_of(after: Any, makers: dict[int, Any], gather: Any) -> int:
    """The tensor whose levels are places in a table, as `lookups.look_up` makes them; or -1."""
    index = int(gather.inputs[1])
    for kind in ("ADD", "CAST"):
        operator = makers.get(index)
        if operator is None or graphs.operator_name(after, operator) != kind:
            return -1
        index = int(operator.inputs[0])
    return index


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
        if isinstance(one, Function):
            values = look_up(before, one, known[one.source])
            twin = int(other.outputs[0])
            known[one.result] = rounded(values, after, twin) if activations else values
            continue
        kind = graphs.operator_name(before, one)
        operands = []
        for place, index in enumerate(map(int, one.inputs)):
            if index in known:
                operands.append(known[index])
            elif index >= 0 and graphs.type_name(subgraph.tensors[index]) == "float32":
                operands.append(constant(before, after, one, other, place, weights))
        results = OPERATORS[kind](operands, options_of(before, one))
        results = results if isinstance(results, (list, tuple)) else [results]
        known.update(zip(map(int, one.outputs), results, strict=True))
        if activations and other is not None:
            for index, twin in zip(one.outputs, other.outputs, strict=True):
                known[int(index)] = rounded(known[int(index)], after, int(twin))
    return [np.asarray(known[int(index)]) for index in subgraph.outputs]


def look_up(before: Any, function: Function, x: Any) -> Any:
    """What a Function makes of values."""
    values = np.asarray(x, np.float32)
    return tf.constant(evaluator(before, function, values.size)(values.ravel()).reshape(x.shape))


def constant(before: Any, after: Any, one: Any, other: Any, place: int, integers: bool) -> Any:
    """A constant input of an operator as `OPERATORS` takes it."""
    kind = graphs.operator_name(before, one)
    values = graphs.constant_array(before, int(one.inputs[place]))
    if kind not in graphs.PRODUCTS:
        return tf.constant(values[None])
    if integers:
        values = real_values(after, int(other.inputs[place])).reshape(values.shape)
    return tf.constant(in_layout(kind, place, values))
