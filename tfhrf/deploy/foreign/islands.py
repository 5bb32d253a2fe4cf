"""Functions of one value that TFLM has no integers for, as tables of the 256 levels.

TensorFlow Lite's quantizer leaves some in floats, between DEQUANTIZE and QUANTIZE, and its kernels
have some in 8 bits that TFLM's have not.
"""

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.schema import schema
from tfhrf.deploy.tflite.tflm_operators import OPERATORS

ENDS = ("DEQUANTIZE", "QUANTIZE")


def look_up_islands(graph):
    """Whether a ModelT had such functions, for which tables stand now."""
    operators = graph.subgraphs[0].operators
    names = {graphs.operator_name(graph, operator) for operator in operators}
    if not (set(ENDS) <= names or any(is_missing(graph, operator) for operator in operators)):
        return False
    # Here, because TensorFlow takes seconds to load.
    from tfhrf.deploy.tflite import lookups

    places: dict[int, int] = {}
    for function in islands(graph, lookups):
        evaluate = lookups.evaluator(graph, function)
        table = graphs.add_constant(graph, evaluate(lookups.LEVELS.astype("int8")), "table")
        tensors = graph.subgraphs[0].tensors
        tensors[table].quantization = tensors[function.result].quantization
        x, options = function.source, schema.GatherOptionsT()
        new = [] if x in places else lookups.to_places(graph, x, places)
        inputs = [table, places[x]]
        new.append(graphs.make_operator(graph, "GATHER", options, inputs, [function.result]))
        graphs.replace(graph, function.operators[-1], new)
    graphs.drop_unread(graph)
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)
    return bool(places)


def islands(graph, lookups):
    """Functions of `lookups` from int8 to int8."""
    found = [
        lookups.Function(int(operator.inputs[0]), int(operator.outputs[0]), [operator])
        for operator in graph.subgraphs[0].operators
        if is_missing(graph, operator)
    ]
    for function in lookups.functions(graph, any_operator=True):
        before = graphs.neighbors(graph, function.source)[0]
        if before is None or graphs.operator_name(graph, before) != ENDS[0]:
            continue
        for after in graphs.neighbors(graph, function.result)[1]:
            if graphs.operator_name(graph, after) == ENDS[1]:
                chain = [before, *function.operators, after]
                found.append(lookups.Function(int(before.inputs[0]), int(after.outputs[0]), chain))
    tensors = graph.subgraphs[0].tensors
    return [
        function
        for function in found
        if not graphs.is_constant(graph, tensors[function.source])
        and {graphs.type_name(tensors[i]) for i in (function.source, function.result)} == {"int8"}
    ]


def is_missing(graph, operator):
    """Whether TFLM lacks an operator of one value in 8 bits, or computes something else."""
    tensors, name = graph.subgraphs[0].tensors, graphs.operator_name(graph, operator)
    ends = [*operator.inputs, *operator.outputs]
    if len(ends) != 2 or any(graphs.type_name(tensors[index]) != "int8" for index in ends):
        return False
    if graphs.shape_of(tensors[ends[0]]) != graphs.shape_of(tensors[ends[1]]):
        return False
    if name in BOUNDS:
        x, y = (graphs.describe(tensors[index]) for index in ends)
        return (x["scale"], x["zero_point"]) != (y["scale"], y["zero_point"])
    return name in ONE_VALUE and "int8" not in OPERATORS.get(name, ("", ()))[1]


# TFLM's kernel of the first bounds values, but does not rescale them; it has no others.
BOUNDS = ("RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")
ONE_VALUE = {"CEIL", "COS", "EXP", "FLOOR", "GELU", "LOG", "NEG", "ROUND", "SIGN", "SIN", "SQRT"}
ONE_VALUE |= {"SQUARE"}
