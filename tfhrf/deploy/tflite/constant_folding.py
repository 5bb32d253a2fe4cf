"""Evaluates what a float graph computes of constants alone, as masks of fixed shapes."""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter


def fold_constants(graph):
    """Has constants take the place of operators of a float graph that read constants only.

    Operators that make outputs of the graph stay.
    """
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
