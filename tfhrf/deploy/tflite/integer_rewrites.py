"""Rewrites of float graphs whose operators have no, or no good, integer form."""

import numpy as np

from tfhrf.deploy.tflite.booleans import MASKED, count_booleans
from tfhrf.deploy.tflite.graph import (
    add_constant,
    constant_array,
    constant_values,
    drop_unused_codes,
    drop_unused_tensors,
    is_constant,
    make_operator,
    neighbors,
    operator_name,
    replace,
    shape_of,
    tensor_name,
)
from tfhrf.deploy.tflite.lookups import is_uniform
from tfhrf.deploy.tflite.pieces import binary, inverse_root, like, reshape
from tfhrf.deploy.tflite.schema import schema
from tfhrf.deploy.tflite.wide_rewrites import WIDE_REWRITES

# Their outputs have fixed scales.
FIXED_SCALES = {"LOGISTIC", "LOG_SOFTMAX", "L2_NORMALIZATION", "SOFTMAX", "TANH"}


def for_integers(graph, precision):
    """Rewrites a float graph in place before it is quantized."""
    count_booleans(graph, precision)
    subgraph = graph.subgraphs[0]
    for operator in list(subgraph.operators):
        name = operator_name(graph, operator)
        rewrite = REWRITES.get(name)
        new = None if rewrite is None else rewrite(graph, operator, precision)
        if precision == "int16x8" and name in WIDE_REWRITES:
            new = WIDE_REWRITES[name](graph, operator)
        if new is not None:
            replace(graph, operator, new)
    drop_unused_tensors(graph)
    drop_unused_codes(graph)


def square(graph, operator, precision):
    """The product with itself, before a RESHAPE: the quantizer would move it, but no ranges."""
    (x,), (y,) = operator.inputs, operator.outputs
    producer = neighbors(graph, x)[0]
    if producer is None or operator_name(graph, producer) != "RESHAPE":
        return [binary(graph, "MUL", x, x, y)]
    source = int(producer.inputs[0])
    squares = like(graph, y, "squares", shape_of(graph.subgraphs[0].tensors[source]))
    return [binary(graph, "MUL", source, source, squares), reshape(graph, squares, y)]


def average_all(graph, operator, precision):
    """A MEAN for a pool over all lines, columns or both: a pool has the scale of the pixels."""
    (x,), (y,) = operator.inputs, operator.outputs
    options, tensors = operator.builtinOptions, graph.subgraphs[0].tensors
    before, after = (shape_of(tensors[index]) for index in (x, y))
    window = {1: options.filterHeight, 2: options.filterWidth}
    axes = [axis for axis in window if window[axis] == before[axis] and after[axis] == 1]
    others = [axis for axis in window if axis not in axes]
    apart = all(window[axis] == 1 and before[axis] == after[axis] for axis in others)
    if precision != "int8" or not axes or not apart or options.fusedActivationFunction:
        return None
    made = schema.ReducerOptionsT()
    made.keepDims = True
    inputs = [x, add_constant(graph, np.array(axes, np.int32), "axes")]
    return [make_operator(graph, "MEAN", made, inputs, [y])]


def negate(graph, operator, precision):
    return [binary(graph, "MUL", operator.inputs[0], -1.0, operator.outputs[0])]


def root(graph, operator, precision):
    """x times the inverse of its root."""
    (x,), (y,) = operator.inputs, operator.outputs
    inverse = like(graph, y, "inverse")
    return [*inverse_root(graph, x, inverse), binary(graph, "MUL", x, inverse, y)]


def divide(graph, operator, precision):
    """x times the inverse of what divides it: TensorFlow Lite's quantizer has no division."""
    (x, y), (result,) = operator.inputs, operator.outputs
    activation = operator.builtinOptions.fusedActivationFunction
    tensors = graph.subgraphs[0].tensors
    if is_constant(graph, tensors[y]):
        return [binary(graph, "MUL", x, 1 / constant_array(graph, y), result, activation)]
    if precision == "int8" and is_constant(graph, tensors[x]) and is_uniform(graph, x):
        return None  # a table
    inverse = like(graph, y, "inverse")
    if precision == "int8":
        new = [binary(graph, "DIV", 1.0, y, inverse)]
    else:
        # y / y², of which only the root has an inverse.
        square, root, share = (like(graph, inverse, part) for part in ("square", "root", "share"))
        new = [
            binary(graph, "MUL", y, y, square),
            *inverse_root(graph, square, root),
            binary(graph, "MUL", y, root, share),
            binary(graph, "MUL", share, root, inverse),
        ]
    return [*new, binary(graph, "MUL", x, inverse, result, activation)]


def add_up(graph, operator, precision):
    """The mean times the number of values: the 16-bit SUM has the scale of its input."""
    if precision != "int16x8":
        return None
    x, axes = operator.inputs
    shape, y = shape_of(graph.subgraphs[0].tensors[x]), operator.outputs[0]
    count = np.prod([shape[axis] for axis in {int(a) for a in constant_values(graph, axes)}])
    mean = like(graph, y, "mean")
    return [
        make_operator(graph, "MEAN", operator.builtinOptions, [x, axes], [mean]),
        binary(graph, "MUL", mean, float(count), y),
    ]


def add_all(graph, operator, precision):
    """Two at a time: TensorFlow Lite's quantizer has no sums of many."""
    total, *others = operator.inputs
    (y,) = operator.outputs
    new = []
    for place, x in enumerate(others, start=1):
        last = y if place == len(others) else like(graph, y, f"sum{place}")
        new.append(binary(graph, "ADD", total, x, last))
        total = last
    return new or None


def accumulate(graph, operator, precision):
    """The product with a triangle of ones: TensorFlow Lite's quantizer has no sums of this kind."""
    x, axis = operator.inputs
    tensors, options = graph.subgraphs[0].tensors, operator.builtinOptions
    if not is_constant(graph, tensors[axis]):
        return None
    order = list(range(len(shape_of(tensors[x]))))
    axis = order[int(constant_values(graph, axis)[0])]
    order[axis], order[-1] = order[-1], order[axis]
    shape = [shape_of(tensors[x])[i] for i in order]
    ones = np.tri(shape[-1], k=-1 if options.exclusive else 0, dtype=np.float32)
    weights = add_constant(graph, ones.T if options.reverse else ones, "ones")
    made = schema.FullyConnectedOptionsT()
    made.keepNumDims = True
    (y,) = operator.outputs
    if axis == len(order) - 1:
        return [make_operator(graph, "FULLY_CONNECTED", made, [x, weights, -1], [y])]
    across, sums = like(graph, x, "across", shape), like(graph, y, "sums", shape)
    places = add_constant(graph, np.array(order, np.int32), "order")
    turn = schema.TransposeOptionsT()
    return [
        make_operator(graph, "TRANSPOSE", turn, [x, places], [across]),
        make_operator(graph, "FULLY_CONNECTED", made, [across, weights, -1], [sums]),
        make_operator(graph, "TRANSPOSE", turn, [sums, places], [y]),
    ]


def choose_larger(graph, operator, precision):
    """b + relu(a - b), or a - relu(a - b), where operands have scales that cannot be shared."""
    a, b = operator.inputs
    producers = [neighbors(graph, index)[0] for index in (a, b)]
    if not any(p is not None and operator_name(graph, p) in FIXED_SCALES for p in producers):
        return None
    y = operator.outputs[0]
    over = like(graph, y, "over")
    relu = schema.ActivationFunctionType.RELU
    larger = operator_name(graph, operator) == "MAXIMUM"
    end = binary(graph, "ADD", b, over, y) if larger else binary(graph, "SUB", a, over, y)
    return [binary(graph, "SUB", a, b, over, relu), end]


def choose_by_constant(graph, operator, precision):
    """x times zeros and ones, plus what stands where a constant condition does not hold.

    In 8 bits only where one of both values is constant.

    Where a condition is computed, scores that it excludes from a softmax get a penalty added.
    """
    condition, x, other = operator.inputs
    tensors = graph.subgraphs[0].tensors
    shapes = [shape_of(tensors[index]) for index in (other, operator.outputs[0])]
    producer = neighbors(graph, condition)[0]
    if producer is not None and is_not_a_number(graph, producer) and shapes[0] == shapes[1]:
        return [reshape(graph, other, operator.outputs[0])]
    fixed, y = [i for i in (x, other) if is_constant(graph, tensors[i])], operator.outputs[0]
    if not fixed and precision == "int16x8" and is_constant(graph, tensors[condition]):
        return mix(graph, constant_array(graph, condition), x, other, y)
    if len(fixed) != 1:
        return None
    varying = x if fixed[0] == other else other
    values = constant_array(graph, fixed[0])
    if not is_constant(graph, tensors[condition]):
        if fixed[0] == x or not (values <= MASKED).all():
            return None
        penalty = like(graph, y, "penalty", shape_of(tensors[condition]))
        ends = [add_constant(graph, np.array(end, np.float32), "penalty") for end in (0.0, MASKED)]
        options = schema.SelectV2OptionsT()
        return [
            make_operator(graph, "SELECT_V2", options, [condition, *ends], [penalty]),
            binary(graph, "ADD", varying, penalty, y),
        ]
    holds = constant_array(graph, condition)
    chosen = holds if fixed[0] == other else ~holds
    added = np.where(chosen, np.float32(0), values).astype(np.float32)
    if (values <= MASKED).all():
        return [binary(graph, "ADD", varying, added, y)]
    kept = like(graph, y, "kept")
    return [
        binary(graph, "MUL", varying, chosen.astype(np.float32), kept),
        binary(graph, "ADD", kept, added, y),
    ]


def is_not_a_number(graph, operator):
    """Whether an operator asks of values whether they are not themselves, which no integer is."""
    return operator_name(graph, operator) == "NOT_EQUAL" and len({*map(int, operator.inputs)}) == 1


def mix(graph, holds, x, other, y):
    """x where a constant condition holds, and other values elsewhere."""
    ends = []
    for part, index, chosen in (("kept", x, holds), ("other", other, ~holds)):
        lengths = np.broadcast_shapes(shape_of(graph.subgraphs[0].tensors[index]), holds.shape)
        ends.append((index, chosen.astype(np.float32), like(graph, y, part, list(lengths))))
    new = [binary(graph, "MUL", *end) for end in ends]
    return [*new, binary(graph, "ADD", ends[0][2], ends[1][2], y)]


def unpack(graph, operator, precision):
    return parts(graph, operator, operator.inputs[0], operator.builtinOptions.axis, 1, True)


def split(graph, operator, precision):
    axis, whole = operator.inputs
    tensors = graph.subgraphs[0].tensors
    part = shape_of(tensors[operator.outputs[0]])
    # Slices have four axes; with more, reshaping around them would take memory.
    if not is_constant(graph, tensors[axis]) or len(part) > 4:
        return None
    axis = int(constant_values(graph, axis)[0])
    return parts(graph, operator, whole, axis, part[axis], False)


def parts(graph, operator, whole, axis, length, drop):
    """Strided slices for the outputs of an operator that something reads, one behind the other.

    TensorFlow Lite's quantizer leaves some of many outputs in float, not always the same.
    """
    subgraph = graph.subgraphs[0]
    shape = shape_of(subgraph.tensors[whole])
    axis %= len(shape)
    new = []
    for number, index in enumerate(operator.outputs):
        if not neighbors(graph, index)[1] and index not in subgraph.outputs:
            continue
        begin, end = [0] * len(shape), list(shape)
        begin[axis], end[axis] = number * length, (number + 1) * length
        name = tensor_name(subgraph.tensors[index])
        bounds = [
            add_constant(graph, np.array(ends, np.int32), name)
            for ends in (begin, end, [1] * len(shape))
        ]
        options = schema.StridedSliceOptionsT()
        options.shrinkAxisMask = drop << axis
        new.append(make_operator(graph, "STRIDED_SLICE", options, [whole, *bounds], [index]))
    return new


REWRITES = {
    "ADD_N": add_all,
    "AVERAGE_POOL_2D": average_all,
    "CUMSUM": accumulate,
    "DIV": divide,
    "MAXIMUM": choose_larger,
    "MINIMUM": choose_larger,
    "NEG": negate,
    "SELECT_V2": choose_by_constant,
    "SPLIT": split,
    "SQRT": root,
    "SQUARE": square,
    "SUM": add_up,
    "UNPACK": unpack,
}
