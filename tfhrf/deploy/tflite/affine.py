"""Scales and offsets of channels that stand before a mean, in the weights behind it instead.

The converter puts a normalization's gamma and beta into a Dense layer that follows directly; behind
the last normalization of a model there often is a mean over time first, which they pass through.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs


def fold_affine(graph):
    """Rewrites a float graph in place; the function stays the same."""
    for mean in list(graph.subgraphs[0].operators):
        if graphs.operator_name(graph, mean) != "MEAN":
            continue
        dense = alone_behind(graph, mean)
        x, axes = (int(index) for index in mean.inputs)
        channels = graphs.shape_of(graph.subgraphs[0].tensors[x])[-1]
        if dense is None or not folds_into(graph, mean, dense, axes, channels):
            continue
        for kind in ("ADD", "MUL"):
            x = absorb(graph, dense, x, kind, channels)
        mean.inputs = [x, axes]
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)


def alone_behind(graph, operator):
    """The only reader of an operator's output, or None."""
    index = int(operator.outputs[0])
    _, readers = graphs.neighbors(graph, index)
    return readers[0] if len(readers) == 1 and index not in graph.subgraphs[0].outputs else None


def folds_into(graph, mean, dense, axes, channels):
    """Whether a mean leaves channels apart, and a Dense layer of constant weights reads them."""
    tensors = graph.subgraphs[0].tensors
    rank = len(graphs.shape_of(tensors[int(mean.inputs[0])]))
    last = {int(axis) % rank for axis in graphs.constant_values(graph, axes)}
    if rank - 1 in last or graphs.operator_name(graph, dense) != "FULLY_CONNECTED":
        return False
    if int(dense.inputs[0]) != int(mean.outputs[0]):
        return False
    fixed = [int(index) for index in dense.inputs[1:] if index >= 0]
    shape = graphs.shape_of(tensors[fixed[0]])
    return shape[-1] == channels and all(graphs.is_constant(graph, tensors[i]) for i in fixed)


def absorb(graph, dense, x, kind, channels):
    """Puts an ADD or MUL of a constant per channel into a Dense layer; what it read, else x."""
    producer, _ = graphs.neighbors(graph, x)
    if producer is None or graphs.operator_name(graph, producer) != kind:
        return x
    tensors = graph.subgraphs[0].tensors
    fixed = [int(i) for i in producer.inputs if graphs.is_constant(graph, tensors[int(i)])]
    plain = producer.builtinOptions.fusedActivationFunction == 0
    if len(fixed) != 1 or graphs.shape_of(tensors[fixed[0]]) != [channels] or not plain:
        return x
    if alone_behind(graph, producer) is None:
        return x
    values = graphs.float_values(graph, fixed[0]).astype(np.float64)
    inputs = [int(index) for index in dense.inputs]
    weights = graphs.float_values(graph, inputs[1]).reshape(-1, channels).astype(np.float64)
    if kind == "MUL":
        inputs[1] = like(graph, inputs[1], weights * values)
    else:
        had = len(inputs) > 2 and inputs[2] >= 0
        bias = graphs.float_values(graph, inputs[2]) if had else np.zeros(len(weights))
        name = inputs[2] if had else inputs[1]
        inputs[2:] = [like(graph, name, bias + weights @ values)]
    dense.inputs = inputs
    subgraph = graph.subgraphs[0]
    del subgraph.operators[graphs.position(subgraph, producer)]
    return next(int(i) for i in producer.inputs if int(i) != fixed[0])


def like(graph, index, values):
    """Index of a new constant with the name of another."""
    name = graphs.tensor_name(graph.subgraphs[0].tensors[index])
    return graphs.add_constant(graph, np.ascontiguousarray(values, np.float32), name)
