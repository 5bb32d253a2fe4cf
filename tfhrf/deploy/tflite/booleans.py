"""Booleans as zeros and ones.

TFLM has no operators of logic, and in 16 bits TensorFlow Lite's quantizer has no comparisons.
"""

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    constant_array,
    is_constant,
    is_constant_float,
    make_operator,
    operator_name,
    replace,
    shape_of,
    type_name,
)
from tfhrf.deploy.tflite.lookups import functions
from tfhrf.deploy.tflite.pieces import binary, like, reshape, unary
from tfhrf.deploy.tflite.ranges import BOUNDED, STEEP
from tfhrf.deploy.tflite.schema import schema

COMPARISONS = {"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"}
LOGIC = {"LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR"}
EXTREMES = {"REDUCE_ALL": "REDUCE_MIN", "REDUCE_ANY": "REDUCE_MAX"}
MOVERS = {
    *("BROADCAST_TO", "CONCATENATION", "EXPAND_DIMS", "GATHER", "PACK", "RESHAPE", "REVERSE_V2"),
    *("SLICE", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK"),
}
# Far above what scores are, so that adding it and choosing it are the same.
MASKED = -1e4
# What these make need not be finite where a condition does not choose it.
UNBOUNDED = {"ATAN2", "DIV", "EXP", "FLOOR_DIV", "FLOOR_MOD", "LOG", "POW", "RSQRT", "SQRT"}


def count_booleans(graph, precision):
    """Rewrites a float graph in place; functions of one value that shall be tables stay.

    In 8 bits comparisons stay, too, where nothing but a choice reads them.
    """
    subgraph = graph.subgraphs[0]
    kept = {id(operator) for operator in in_tables(graph, precision)}
    if precision == "int8" and not any(
        id(operator) not in kept and reads_booleans(graph, operator)
        for operator in subgraph.operators
    ):
        return
    numbers: set[int] = set()

    def count(*outputs):
        """Makes floats of booleans, before what makes them is replaced by what makes floats."""
        for index in outputs:
            subgraph.tensors[index].type = schema.TensorType.FLOAT32
        numbers.update(map(int, outputs))

    for operator in list(subgraph.operators):
        name, read = operator_name(graph, operator), [int(i) for i in operator.inputs]
        y = int(operator.outputs[0]) if len(operator.outputs) else -1
        if id(operator) in kept:
            continue
        if name in COMPARISONS and type_name(subgraph.tensors[read[0]]) == "float32":
            count(y)
            replace(graph, operator, step(graph, name, read[0], read[1], y))
        elif name in MOVERS and numbers & {*read} and all(known(graph, numbers, i) for i in read):
            count(*operator.outputs)
            operator.inputs = [as_number(graph, i) for i in read]
        elif name in LOGIC and numbers & {*read}:
            count(y)
            replace(graph, operator, logic(graph, name, [as_number(graph, i) for i in read], y))
        elif name in EXTREMES and read[0] in numbers:
            count(y)
            options = operator.builtinOptions
            new = make_operator(graph, EXTREMES[name], options, read, list(operator.outputs))
            replace(graph, operator, [new])
        elif name == "CAST" and read[0] in numbers:
            replace(graph, operator, [reshape(graph, read[0], y)])
        elif name in ("SELECT", "SELECT_V2") and read[0] in numbers:
            replace(graph, operator, blend(graph, read, y))


def reads_booleans(graph, operator):
    """Whether an operator takes booleans and chooses nothing."""
    name, read = operator_name(graph, operator), graph.subgraphs[0].tensors[operator.inputs[0]]
    return name in LOGIC or name in EXTREMES or (name == "CAST" and type_name(read) == "bool")


def in_tables(graph, precision):
    """Operators of functions of one value that are better looked up: all that are, in 8 bits."""
    for function in functions(graph):
        names = {operator_name(graph, operator) for operator in function.operators}
        bounded = not names & UNBOUNDED and not any(
            is_of_itself(graph, operator) for operator in function.operators
        )
        if precision == "int8" or not bounded:
            yield from function.operators


def is_of_itself(graph, operator):
    """Whether something is compared with itself, as isnan does."""
    same = len({int(index) for index in operator.inputs}) == 1
    return same and operator_name(graph, operator) in COMPARISONS


def known(graph, numbers, index):
    tensor = graph.subgraphs[0].tensors[index]
    return index in numbers or is_constant(graph, tensor)


def as_number(graph, index):
    """The tensor, or floats like a constant of booleans."""
    tensor = graph.subgraphs[0].tensors[index]
    if type_name(tensor) != "bool" or not is_constant(graph, tensor):
        return index
    return add_constant(graph, constant_array(graph, index).astype(np.float32), "booleans")


def step(graph, name, a, b, y):
    """Operators that make 1 where a comparison holds, else 0."""
    if name in ("LESS", "GREATER_EQUAL"):
        a, b = b, a
    inverted = name in ("EQUAL", "GREATER_EQUAL", "LESS_EQUAL")
    new: list = []
    difference = a
    if not is_constant_float(graph, b) or constant_array(graph, b).any():
        difference = like(graph, y, "difference")
        new.append(binary(graph, "SUB", a, b, difference))
    if name in ("EQUAL", "NOT_EQUAL"):
        size = like(graph, y, "size")
        new.append(unary(graph, "ABS", difference, size))
        difference = size
    sides = like(graph, y, "sides")
    new.append(binary(graph, "MUL", difference, STEEP, sides, BOUNDED))
    above = like(graph, y, "above") if inverted else y
    new.append(unary(graph, "RELU", sides, above))
    return [*new, binary(graph, "SUB", 1.0, above, y)] if inverted else new


def logic(graph, name, sides, y):
    if name == "LOGICAL_NOT":
        return [binary(graph, "SUB", 1.0, sides[0], y)]
    one, other = sides
    if name == "LOGICAL_AND":
        return [binary(graph, "MUL", one, other, y)]
    either, both = like(graph, y, "either"), like(graph, y, "both")
    return [
        binary(graph, "ADD", one, other, either),
        binary(graph, "MUL", one, other, both),
        binary(graph, "SUB", either, both, y),
    ]


def blend(graph, read, y):
    """other + chosen * (x - other); what excludes scores from a softmax is added to them."""
    chosen, x, other = read
    tensors = graph.subgraphs[0].tensors
    shapes = [shape_of(tensors[index]) for index in read]
    values = [constant_array(graph, i) if is_constant_float(graph, i) else None for i in (x, other)]
    zero, mask = (
        [value is not None and bool(holds(value).all()) for value in values]
        for holds in (lambda value: value == 0, lambda value: value <= MASKED)
    )
    if any(mask) and not all(mask):
        penalty, rest = (like(graph, y, part, shapes[0]) for part in ("penalty", "rest"))
        if mask[0]:
            new = [binary(graph, "MUL", chosen, MASKED, penalty)]
        else:
            new = [binary(graph, "SUB", chosen, 1.0, rest)]
            new.append(binary(graph, "MUL", rest, -MASKED, penalty))
        return [*new, binary(graph, "ADD", other if mask[0] else x, penalty, y)]
    if zero[1]:
        return [binary(graph, "MUL", chosen, x, y)]
    if zero[0]:
        part = like(graph, y, "part", list(np.broadcast_shapes(shapes[0], shapes[2])))
        return [binary(graph, "MUL", chosen, other, part), binary(graph, "SUB", other, part, y)]
    if all(value is not None for value in values):
        difference, new = np.asarray(constant_array(graph, x) - constant_array(graph, other)), []
    else:
        difference = like(graph, y, "difference", list(np.broadcast_shapes(*shapes[1:])))
        new = [binary(graph, "SUB", x, other, difference)]
    part = like(graph, y, "part", list(np.broadcast_shapes(*shapes)))
    new.append(binary(graph, "MUL", chosen, difference, part))
    return [*new, binary(graph, "ADD", other, part, y)]
