"""Operators and tensors that rewrites of graphs are made of."""

import copy

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    add_tensor,
    make_operator,
    shape_of,
    tensor_name,
)
from tfhrf.deploy.tflite.schema import schema

# Keeps the float inverse of a root finite; below what any range resolves.
EPSILON = 1e-12


def unary(graph, name, x, result):
    """An operator of one value that needs no options."""
    return make_operator(graph, name, None, [x], [result])


def like(graph, index, part, shape=None):
    """Index of a new tensor of the type of another."""
    tensor = graph.subgraphs[0].tensors[index]
    shape = shape_of(tensor) if shape is None else shape
    return add_tensor(graph, shape, tensor.type, f"{tensor_name(tensor)}/{part}")


def binary(graph, name, a, b, result, activation=0):
    """An ADD, SUB or MUL; a float instead of an index is a constant."""
    word = tensor_name(graph.subgraphs[0].tensors[result])
    inputs = [
        add_constant(graph, np.array(x, np.float32), f"{word}/constant") if is_value(x) else x
        for x in (a, b)
    ]
    options = getattr(schema, f"{name.capitalize()}OptionsT")()
    options.fusedActivationFunction = activation
    return make_operator(graph, name, options, inputs, [result])


def inverse_root(graph, x, result):
    """Operators that make the inverse of the root of what is not below zero."""
    above = like(graph, result, "above_zero")
    return [binary(graph, "ADD", x, EPSILON, above), unary(graph, "RSQRT", above, result)]


def is_value(x):
    return isinstance(x, (float, np.ndarray))


def reshape(graph, x, y):
    """A RESHAPE of one tensor to another."""
    shape = shape_of(graph.subgraphs[0].tensors[y])
    options = schema.ReshapeOptionsT()
    options.newShape = shape
    name = tensor_name(graph.subgraphs[0].tensors[y])
    wanted = add_constant(graph, np.array(shape, np.int32), f"{name}/shape")
    return make_operator(graph, "RESHAPE", options, [x, wanted], [y])


def pad(graph, x, amounts, result):
    """A PAD of one tensor to another."""
    index = add_constant(graph, amounts, "padding")
    return make_operator(graph, "PAD", schema.PadOptionsT(), [x, index], [result])


def like_values(graph, index, shape):
    """Index of a new tensor for values in the scale of another."""
    new = like(graph, index, "values", shape)
    tensors = graph.subgraphs[0].tensors
    tensors[new].quantization = copy.deepcopy(tensors[index].quantization)
    return new
