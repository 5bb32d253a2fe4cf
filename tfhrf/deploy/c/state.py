"""State that a graph keeps from one call to the next: variables, and what recurrent operators hold.

While a graph runs, nothing is assigned: what a variable will be lies in the arena until the end.
"""

import dataclasses

import numpy as np

from tfhrf.deploy.c.ir import Operator, Tensor, refuse
from tfhrf.deploy.tflite import graph as graphs


@dataclasses.dataclass(eq=False)
class State:
    """A variable: its value when a call begins, its C name, and its first value."""

    tensor: Tensor
    name: str
    initial: np.ndarray


def add_states(model, graph):
    """Takes the variables out of a Graph; what they become is added to its `updates`."""
    variables: dict = {}
    current: dict = {}
    kept = []
    first_values = initial_values(model)
    for operator in graph.operators:
        operator.inputs = [replaced(current, tensor) for tensor in operator.inputs]
        if operator.name == "VAR_HANDLE":
            current[id(operator.output)] = variable_name(operator.options)
        elif operator.name == "READ_VARIABLE":
            name = operator.inputs[0]
            if name not in variables:
                variables[name] = operator.output
            current[id(operator.output)] = current.get(name, variables[name])
            check_same(operator, current[id(operator.output)], operator.output)
        elif operator.name == "ASSIGN_VARIABLE":
            name, value = operator.inputs
            variables.setdefault(name, dataclasses.replace(value, data=None))
            check_same(Operator(operator.name, [], [value]), variables[name], value)
            current[name] = value
        elif operator.name != "CALL_ONCE":
            kept.append(operator)
    graph.operators = kept
    graph.outputs = [replaced(current, tensor) for tensor in graph.outputs]
    for name, tensor in variables.items():
        first = first_values.get(name, np.zeros(tensor.shape, tensor.dtype))
        graph.states.append(State(tensor, f"value{len(graph.states)}", first))
        if name in current:
            graph.updates.append((graph.states[-1], current[name]))
    add_held(graph)


def replaced(current, tensor):
    return tensor if tensor is None else current.get(id(tensor), tensor)


def variable_name(options):
    return (bytes(options.container or b""), bytes(options.sharedName or b""))


def check_same(operator, one, other):
    if one.dtype != other.dtype or one.shape != other.shape or any(one.scales != other.scales):
        refuse(operator, "its variable has several types, shapes or scales")
    if one.zero_point != other.zero_point:
        refuse(operator, "its variable has several zero points")


def initial_values(model):
    """{name of a variable: what CALL_ONCE assigns to it}."""
    found: dict = {}
    for position in initial_subgraphs(model):
        subgraph = model.subgraphs[position]
        names: dict = {}
        for operator in subgraph.operators:
            name = graphs.operator_name(model, operator)
            if name == "VAR_HANDLE":
                names[int(operator.outputs[0])] = variable_name(operator.builtinOptions)
                continue
            tensor = subgraph.tensors[operator.inputs[1]] if name == "ASSIGN_VARIABLE" else None
            if tensor is None or not graphs.is_constant(model, tensor):
                raise ValueError(
                    "No C code for variables whose first values are computed. "
                    f"Received: operator {name} under CALL_ONCE"
                )
            data = np.frombuffer(bytes(model.buffers[tensor.buffer].data), graphs.type_name(tensor))
            found[names[int(operator.inputs[0])]] = data.reshape(graphs.shape_of(tensor))
    return found


def initial_subgraphs(model):
    """Positions of the subgraphs that CALL_ONCE calls."""
    return [
        operator.builtinOptions.initSubgraphIndex
        for operator in model.subgraphs[0].operators
        if graphs.operator_name(model, operator) == "CALL_ONCE"
    ]


def add_held(graph):
    """Adds what recurrent operators hold themselves, which their kernels change in place."""
    for operator in graph.operators:
        for tensor in operator.inputs:
            if tensor is not None and tensor.variable:
                # TensorFlow Lite Micro fills the bytes of 8 bits with the zero point.
                value = tensor.zero_point if tensor.dtype == "int8" else 0
                first = np.full(tensor.shape, value, tensor.dtype)
                graph.states.append(State(tensor, f"value{len(graph.states)}", first))
