"""Evaluates what a float graph computes of constants alone, as masks of fixed shapes.

What zeros make is known, too: the first step of a recurrent layer adds them and multiplies by them.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter


def fold_constants(graph):
    """Has constants take the place of operators of a float graph that read constants only.

    Operators that make outputs of the graph stay.
    """
    settle_zeros(graph)
    subgraph = graph.subgraphs[0]
    tensors, outputs = subgraph.tensors, {int(index) for index in subgraph.outputs}
    folded: list = []
    made: set[int] = set()
    for operator in list(subgraph.operators):
        name = graphs.operator_name(graph, operator)
        results = {int(index) for index in operator.outputs}
        read = [int(index) for index in operator.inputs if index >= 0]
        if results & outputs or name.startswith("RANDOM"):
            continue
        if name == "ZEROS_LIKE":
            (result,) = results
            kind = graphs.type_name(tensors[result])
            graphs.make_constant(graph, result, np.zeros(graphs.shape_of(tensors[result]), kind))
            subgraph.operators.remove(operator)
        elif read and all(i in made or graphs.is_constant(graph, tensors[i]) for i in read):
            folded.append(operator)
            made |= results
    if folded:
        for index, values in evaluated(graph, folded, sorted(made)).items():
            graphs.make_constant(graph, index, values)
        subgraph.operators = [op for op in subgraph.operators if op not in folded]
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)


def settle_zeros(graph):
    """Makes zeros of products with zeros, and leaves out operators that add or subtract them."""
    subgraph = graph.subgraphs[0]
    tensors, outputs = subgraph.tensors, {int(index) for index in subgraph.outputs}
    same: dict[int, int] = {}
    for operator in list(subgraph.operators):
        operator.inputs = [same.get(int(index), int(index)) for index in operator.inputs]
        name = graphs.operator_name(graph, operator)
        result = int(operator.outputs[0]) if len(operator.outputs) else -1
        if name not in ("ADD", "MUL", "SUB") or result in outputs:
            continue
        activated = operator.builtinOptions.fusedActivationFunction
        zero = [is_zero(graph, index) for index in operator.inputs]
        shape = graphs.shape_of(tensors[result])
        if name == "MUL" and any(zero):
            graphs.make_constant(graph, result, np.zeros(shape, np.float32))
        elif activated or not any(zero) or (name == "SUB" and not zero[1]):
            continue
        elif graphs.shape_of(tensors[kept := operator.inputs[zero[0]]]) == shape:
            same[result] = kept
        else:
            continue
        subgraph.operators.remove(operator)


def is_zero(graph, index):
    """Whether a tensor is a float constant of zeros."""
    tensor = graph.subgraphs[0].tensors[index]
    if graphs.type_name(tensor) != "float32" or not graphs.is_constant(graph, tensor):
        return False
    return not graphs.constant_values(graph, index).any()


def evaluated(graph, operators, results):
    """{index of a tensor: its values} of what operators that need no input make."""
    places = [graphs.position(graph.subgraphs[0], operator) for operator in operators]
    alone = graphs.read(graphs.write(graph))
    alone.signatureDefs = []
    subgraph = alone.subgraphs[0]
    subgraph.operators = [subgraph.operators[place] for place in places]
    subgraph.inputs, subgraph.outputs = [], results
    graphs.drop_unused_tensors(alone)
    interpreter = make_interpreter(graphs.write(alone))
    interpreter.invoke()
    found = [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]
    return dict(zip(results, found, strict=True))
