"""Operators that TFLM has for no type, written with those that it has."""

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    add_tensor,
    constant_values,
    drop_unused_codes,
    drop_unused_tensors,
    is_constant,
    make_operator,
    operator_name,
    replace,
    shape_of,
    tensor_name,
)
from tfhrf.deploy.tflite.pieces import binary, like
from tfhrf.deploy.tflite.schema import schema

# TFLM's CONCATENATION takes ten inputs.
MOST_INPUTS = 10
# Which input of an operator is its bias.
BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


def replace_missing(graph):
    """Rewrites a float graph in place."""
    subgraph = graph.subgraphs[0]
    for operator in list(subgraph.operators):
        name = operator_name(graph, operator)
        if name == "TILE" and is_constant(graph, subgraph.tensors[operator.inputs[1]]):
            replace(graph, operator, concatenated(graph, operator))
        elif name == "SELECT":
            choose_by_element(graph, operator)
        elif name == "REVERSE_V2":
            reverse_in_turn(graph, operator)
    drop_unused_tensors(graph)
    drop_unused_codes(graph)


def concatenated(graph, tile):
    """CONCATENATIONs of a tensor with itself, axis after axis; a RESHAPE where none is needed."""
    new: list = []
    subgraph, index = graph.subgraphs[0], int(tile.inputs[0])
    kind, name = subgraph.tensors[index].type, tensor_name(subgraph.tensors[tile.outputs[0]])

    def join(parts, axis):
        shape = shape_of(subgraph.tensors[parts[0]])
        shape[axis] = sum(shape_of(subgraph.tensors[part])[axis] for part in parts)
        joined = add_tensor(graph, shape, kind, f"{name}/part_{len(new)}")
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        new.append(make_operator(graph, "CONCATENATION", options, parts, [joined]))
        return joined

    def repeat(part, times, axis):
        if times <= MOST_INPUTS:
            return part if times == 1 else join([part] * times, axis)
        whole, rest = divmod(times, MOST_INPUTS)
        longer = repeat(join([part] * MOST_INPUTS, axis), whole, axis)
        return join([longer] + [part] * rest, axis) if rest else longer

    for axis, times in enumerate(constant_values(graph, tile.inputs[1]).tolist()):
        index = repeat(index, times, axis)
    if not new:
        return [make_operator(graph, "RESHAPE", schema.ReshapeOptionsT(), [index], tile.outputs)]
    new[-1].outputs = list(tile.outputs)
    return new


def reverse_in_turn(graph, reverse):
    """Reverses one axis after the other: axes that are no neighbors TensorFlow Lite takes not."""
    x, axes = reverse.inputs
    if not is_constant(graph, graph.subgraphs[0].tensors[axes]):
        return
    *firsts, last = constant_values(graph, axes).tolist()
    new = []
    for axis in firsts:
        turned = like(graph, x, f"reversed_{axis}")
        index = add_constant(graph, np.array([axis], np.int32), "axis")
        options = schema.ReverseV2OptionsT()
        new.append(make_operator(graph, "REVERSE_V2", options, [x, index], [turned]))
        x = turned
    if new:
        index = add_constant(graph, np.array([last], np.int32), "axis")
        reverse.inputs = [x, index]
        replace(graph, reverse, [*new, reverse])


def add_computed_biases(graph):
    """Adds biases that are no constants behind the operators that had them; whether there were any.

    TensorFlow Lite makes biases of what is added to products, and ends the process where it should
    quantize a computed one.
    """
    tensors = graph.subgraphs[0].tensors
    found = False
    for operator in list(graph.subgraphs[0].operators):
        inputs = [int(index) for index in operator.inputs]
        place = BIAS.get(operator_name(graph, operator), len(inputs))
        if len(inputs) <= place or inputs[place] < 0 or is_constant(graph, tensors[inputs[place]]):
            continue
        (result,), options = operator.outputs, operator.builtinOptions
        product = like(graph, result, "product")
        activation = options.fusedActivationFunction
        total = binary(graph, "ADD", product, inputs[place], result, activation)
        options.fusedActivationFunction = 0
        operator.inputs, operator.outputs = [*inputs[:place], -1], [product]
        replace(graph, operator, [operator, total])
        found = True
    return found


def choose_by_element(graph, select):
    """Makes a SELECT_V2 of a SELECT whose condition has the shape of the values."""
    tensors = graph.subgraphs[0].tensors
    condition, result = (shape_of(tensors[i]) for i in (select.inputs[0], select.outputs[0]))
    if condition in (result, [1], []):
        options = schema.SelectV2OptionsT()
        ends = list(select.inputs), list(select.outputs)
        replace(graph, select, [make_operator(graph, "SELECT_V2", options, *ends)])
