"""What integers are looked up for: functions of one value, and rows of 16-bit tables.

TensorFlow Lite Micro (TFLM) has no integer EXP, LOG, GELU and so on. Of a chain of operators that
makes one value of one other, GATHER can look up what becomes of each of the 256 levels. While a
graph is quantized, LEAKY_RELU stands for such a chain, its slope for the chain's number.
"""

import copy
import dataclasses

import numpy as np

from tfhrf.deploy import levels
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter
from tfhrf.deploy.tflite.schema import schema

# Operators of which TFLM has no integers, or TensorFlow Lite's quantizer none.
FLOAT_NAMES = """
    ATAN2 CAST CEIL COS DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GELU GREATER GREATER_EQUAL LESS
    LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR NOT_EQUAL POW ROUND SELECT SELECT_V2 SIGN SIN
"""
OTHER_NAMES = """
    ABS ADD HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MINIMUM MUL NEG RELU RELU6 RELU_0_TO_1
    RELU_N1_TO_1 RSQRT SQRT SQUARE SQUARED_DIFFERENCE SUB TANH
"""
FLOAT_ONLY = frozenset(FLOAT_NAMES.split())
ELEMENTWISE = frozenset(OTHER_NAMES.split()) | FLOAT_ONLY
# No layer has such a slope.
FIRST_SLOPE = -1024.0
COUNT = 256
LEVELS = np.arange(-128, 128)


@dataclasses.dataclass
class Function:
    """A chain of float operators: tensors from which and to which it leads, and the operators."""

    source: int
    result: int
    operators: list


def stand_in(graph, count=COUNT):
    """Has a LEAKY_RELU stand, in a float graph, for each function that TFLM has no integers for.

    Returns:
        List of functions from `count` float32 values to as many, in the order of the slopes.
    """
    found = functions(graph, roots=count == COUNT)
    evaluated = [evaluator(graph, function, count) for function in found]
    for number, function in enumerate(found):
        options = schema.LeakyReluOptionsT()
        options.alpha = FIRST_SLOPE - number
        new = graphs.make_operator(
            graph, "LEAKY_RELU", options, [function.source], [function.result]
        )
        graphs.replace(graph, function.operators[-1], [new])
    graphs.drop_unread(graph)
    return evaluated


def functions(graph, any_operator=False, roots=True):
    """The Functions of a float graph that TFLM has no integers for, as long as can be.

    With `any_operator` those that it has integers for as well; with `roots` those of which some
    operator takes an inverse root and another one bends: each would round to 8 bits.
    """
    subgraph = graph.subgraphs[0]
    tensors = subgraph.tensors
    # What each tensor is a function of, by which operators, and whether one of them is FLOAT_ONLY.
    known: dict[int, tuple[int, list, bool]] = {}
    for operator in subgraph.operators:
        if graphs.operator_name(graph, operator) not in ELEMENTWISE:
            continue
        inputs, output = [int(index) for index in operator.inputs], int(operator.outputs[0])
        varying = [i for i in inputs if not graphs.is_constant(graph, tensors[i])]
        parts = [known.get(i, (i, [], False)) for i in varying]
        scalars = all(is_uniform(graph, i) for i in {*inputs} - {*varying})
        if not scalars or len({source for source, _, _ in parts}) != 1:
            continue
        source = parts[0][0]
        same = graphs.shape_of(tensors[source]) == graphs.shape_of(tensors[output])
        if not same or graphs.type_name(tensors[source]) != "float32":
            continue
        chain = {id(op): op for _, operators, _ in parts for op in operators} | {
            id(operator): operator
        }
        missing = graphs.operator_name(graph, operator) in FLOAT_ONLY or any(p[2] for p in parts)
        if roots and not missing:
            missing = is_bent_root(graph, chain.values())
        known[output] = (source, list(chain.values()), missing)
    found = []
    for result, (source, operators, missing) in known.items():
        readers = graphs.neighbors(graph, result)[1]
        ends = result in subgraph.outputs or any(int(op.outputs[0]) not in known for op in readers)
        if (missing or any_operator) and ends and graphs.type_name(tensors[result]) == "float32":
            found.append(Function(source, result, operators))
    return found


def is_bent_root(graph, operators):
    """Whether there is an inverse root, and more than sums and products with constants beside."""
    names = [graphs.operator_name(graph, operator) for operator in operators]
    return "RSQRT" in names and not all(
        name == "RSQRT" or is_linear(graph, operator)
        for name, operator in zip(names, operators, strict=True)
    )


def is_linear(graph, operator):
    """Whether an operator adds a constant, or multiplies by one."""
    if graphs.operator_name(graph, operator) not in ("ADD", "MUL", "SUB"):
        return False
    tensors = [graph.subgraphs[0].tensors[index] for index in operator.inputs]
    constant = any(graphs.is_constant(graph, tensor) for tensor in tensors)
    return constant and not operator.builtinOptions.fusedActivationFunction


def is_uniform(graph, index):
    """Whether all values of a constant are the same."""
    values = graphs.constant_array(graph, index)
    return bool((values == values.flat[0]).all())


def evaluator(graph, function, count=COUNT):
    """A function from `count` float32 values to as many, as TensorFlow Lite computes them."""
    alone, subgraph = copy.copy(graph), copy.copy(graph.subgraphs[0])
    subgraph.tensors = list(subgraph.tensors)
    made = [int(operator.outputs[0]) for operator in function.operators]
    read = {int(index) for operator in function.operators for index in operator.inputs}
    for index in {function.source, *made, *read}:
        tensor = subgraph.tensors[index] = copy.copy(subgraph.tensors[index])
        if index not in made and index != function.source:
            # The first of its values, which are all the same.
            buffer = copy.copy(alone.buffers[tensor.buffer])
            first = buffer.data[: np.dtype(graphs.type_name(tensor)).itemsize]
            buffer.data = np.tile(first, count)
            alone.buffers, tensor.buffer = [*alone.buffers, buffer], len(alone.buffers)
        tensor.shape = np.array([count], np.int32)
        tensor.shapeSignature = None
    subgraph.operators = [copy.copy(operator) for operator in function.operators]
    subgraph.inputs, subgraph.outputs = [function.source], [function.result]
    alone.subgraphs, alone.signatureDefs = [subgraph], []
    graphs.drop_unused_tensors(alone)
    content = graphs.write(alone)

    def evaluate(values):
        interpreter = make_interpreter(content)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()

    return evaluate


def stands_for(graph, operator):
    """The number of the function that an operator stands for, or None."""
    slope = getattr(operator.builtinOptions, "alpha", 0.0)
    if graphs.operator_name(graph, operator) != "LEAKY_RELU" or slope > FIRST_SLOPE:
        return None
    return round(FIRST_SLOPE - slope)


def look_up(graph, evaluated):
    """Puts tables in the place of what stands for functions in an 8-bit graph."""
    subgraph = graph.subgraphs[0]
    places: dict[int, int] = {}
    for operator in list(subgraph.operators):
        number = stands_for(graph, operator)
        if number is None:
            continue
        (x,), (y,) = operator.inputs, operator.outputs
        tensors = [graphs.describe(subgraph.tensors[index]) for index in (x, y)]
        (_, _, scale, zero), (_, kind, out_scale, out_zero) = (t.values() for t in tensors)
        results = evaluated[number](levels.dequantize(LEVELS, scale, zero))
        ends = levels.dequantize(LEVELS[[0, -1]], out_scale, out_zero)
        results = np.clip(np.where(np.isnan(results), 0, results), *ends)
        name = graphs.tensor_name(subgraph.tensors[y])
        table = graphs.add_constant(
            graph, levels.quantize(results, out_scale, out_zero, kind), f"{name}/table"
        )
        subgraph.tensors[table].quantization = subgraph.tensors[y].quantization
        new = [] if x in places else to_places(graph, x, places)
        new.append(
            graphs.make_operator(graph, "GATHER", schema.GatherOptionsT(), [table, places[x]], [y])
        )
        graphs.replace(graph, operator, new)
    graphs.drop_unused_codes(graph)


def to_places(graph, x, places):
    """Operators that make places in tables of an 8-bit tensor, entered into `places`."""
    tensor = graph.subgraphs[0].tensors[x]
    shape, name, int32 = (
        graphs.shape_of(tensor),
        graphs.tensor_name(tensor),
        schema.TensorType.INT32,
    )
    level = graphs.add_tensor(graph, shape, int32, f"{name}/level")
    places[x] = graphs.add_tensor(graph, shape, int32, f"{name}/place")
    first = graphs.add_constant(graph, np.array(128, np.int32), f"{name}/first")
    cast = schema.CastOptionsT()
    cast.inDataType, cast.outDataType = schema.TensorType.INT8, int32
    return [
        graphs.make_operator(graph, "CAST", cast, [x], [level]),
        graphs.make_operator(graph, "ADD", schema.AddOptionsT(), [level, first], [places[x]]),
    ]


def narrow_tables(graph):
    """Has 8-bit rows looked up and rescaled where TFLM has no GATHER: in a 16-bit graph."""
    subgraph = graph.subgraphs[0]
    for gather in [op for op in subgraph.operators if graphs.operator_name(graph, op) == "GATHER"]:
        table, (y,) = subgraph.tensors[gather.inputs[0]], gather.outputs
        result = subgraph.tensors[y]
        if graphs.type_name(result) != "int16" or not graphs.is_constant(graph, table):
            continue
        wide = graphs.constant_array(graph, gather.inputs[0])
        factor = max(1, np.abs(wide.astype(np.int32)).max()) / 127
        narrow = np.round(wide / factor).astype(np.int8)
        name = graphs.tensor_name(result)
        rows = graphs.add_tensor(
            graph, graphs.shape_of(result), schema.TensorType.INT8, f"{name}/rows"
        )
        gather.inputs[0] = graphs.add_constant(graph, narrow, f"{name}/table")
        quantization = copy.copy(result.quantization)
        quantization.scale = np.array([quantization.scale[0] * factor], np.float32)
        for index in (rows, gather.inputs[0]):
            subgraph.tensors[index].quantization = quantization
        gather.outputs = [rows]
        new = graphs.make_operator(graph, "QUANTIZE", schema.QuantizeOptionsT(), [rows], [y])
        subgraph.operators.insert(graphs.position(subgraph, gather) + 1, new)
    graphs.drop_unused_tensors(graph)
