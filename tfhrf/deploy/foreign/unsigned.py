"""Graphs of bytes without a sign, TensorFlow's older form, as graphs of int8.

Values, zero points and weights become less by 128, which changes no sum. Weights have a zero point
of their own there, but none in int8: it is taken from them. Where they do not fit 8 bits then, they
are the sum of two that do, and are multiplied with every value twice.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.pieces import like_values, pad, reshape
from tfhrf.deploy.tflite.schema import schema

# Their int8 kernels compute other values, as tests find, or there are none for uint8.
OTHER = {
    "L2_NORMALIZATION",
    "RESIZE_BILINEAR",
    "SQUARED_DIFFERENCE",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
}
LEAST, MOST = -127, 127
# Weights of averages: sums are rounded twice, the first time to so small a part of a level.
FINE = 64


def to_signed(graph):
    """Makes int8 of uint8 in a ModelT, in place; whether there was any.

    Raises:
        ValueError: an operator computes something else of int8, or weights of a kind that does not
            take two for one have too wide a range.
    """
    subgraph = graph.subgraphs[0]
    touched = [
        op
        for op in subgraph.operators
        if any(is_unsigned(graph, index) for index in (*op.inputs, *op.outputs))
    ]
    if not touched:
        return False
    for operator in touched:
        if graphs.operator_name(graph, operator) in OTHER:
            where, received = graphs.locate(graph, operator, lambda name: "")
            raise ValueError(f"No int8 form of uint8 values: {where}. {received}")
    products = [op for op in touched if has_weights(graph, op)]
    zeros = [subgraph.tensors[op.inputs[1]].quantization.zeroPoint for op in products]
    offsets = [int(zero[0]) - 128 for zero in zeros]
    for tensor in subgraph.tensors:
        if graphs.type_name(tensor) == "uint8" and tensor.quantization is not None:
            take_sign(graph, tensor)
    for operator, offset in zip(products, offsets, strict=True):
        center(graph, operator, offset)
    for operator in touched:
        if graphs.operator_name(graph, operator) == "AVERAGE_POOL_2D":
            round_up(graph, operator)
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)
    return True


def has_weights(graph, operator):
    """Whether an operator multiplies by constants of uint8."""
    if graphs.operator_name(graph, operator) not in (*graphs.PRODUCTS, "TRANSPOSE_CONV"):
        return False
    index = int(operator.inputs[1])
    constant = graphs.is_constant(graph, graph.subgraphs[0].tensors[index])
    return constant and is_unsigned(graph, index)


def is_unsigned(graph, index):
    return index >= 0 and graphs.type_name(graph.subgraphs[0].tensors[index]) == "uint8"


def take_sign(graph, tensor):
    """Makes int8 of a uint8 tensor."""
    if graphs.is_constant(graph, tensor):
        # A buffer may be shared.
        values = np.frombuffer(bytes(graph.buffers[tensor.buffer].data), np.uint8) ^ 128
        tensor.buffer = len(graph.buffers)
        graph.buffers.append(schema.BufferT())
        graph.buffers[-1].data = values
    tensor.type = schema.TensorType.INT8
    tensor.quantization.zeroPoint = np.asarray(tensor.quantization.zeroPoint, np.int64) - 128


def center(graph, operator, offset):
    """Takes the zero point from the weights of a product."""
    subgraph, index = graph.subgraphs[0], int(operator.inputs[1])
    old = subgraph.tensors[index]
    values = graphs.constant_array(graph, index).astype(int) - offset
    new = like_values(graph, index, graphs.shape_of(old))
    subgraph.tensors[new].quantization.zeroPoint = np.zeros(1, np.int64)
    operator.inputs[1] = new
    if values.min() >= LEAST and values.max() <= MOST:
        graphs.make_constant(graph, new, values.astype(np.int8))
        return
    name = graphs.operator_name(graph, operator)
    gaps = name == "DEPTHWISE_CONV_2D" and operator.builtinOptions.dilationWFactor > 1
    if gaps or name not in TWICE:
        where, _ = graphs.locate(graph, operator, lambda name: "")
        raise ValueError(
            f"Weights have too wide a range without their zero point: {where}. "
            f"Received: [{values.min()}, {values.max()}]"
        )
    halves = [values >> 1, values - (values >> 1)]
    weights = TWICE[name](graph, operator, halves).astype(np.int8)
    subgraph.tensors[new].shape = np.array(weights.shape, np.int32)
    graphs.make_constant(graph, new, weights)


def channels_twice(graph, operator, halves):
    """Has a CONV_2D read each channel twice; weights for that."""
    shape = graphs.shape_of(graph.subgraphs[0].tensors[operator.inputs[0]])
    read_instead(graph, operator, twice(graph, operator.inputs[0], shape, 3))
    return np.concatenate(halves, axis=3)


def rows_twice(graph, operator, halves):
    """Has a FULLY_CONNECTED read each row twice; weights for that."""
    x, depth = int(operator.inputs[0]), halves[0].shape[1]
    shape = graphs.shape_of(graph.subgraphs[0].tensors[x])
    flat = [int(np.prod(shape)) // depth, depth]
    rows = shape if operator.builtinOptions.keepNumDims else flat
    read_instead(graph, operator, twice(graph, x, rows, len(rows) - 1))
    return np.concatenate(halves, axis=1)


def columns_twice(graph, operator, halves):
    """Has a DEPTHWISE_CONV_2D read each column twice; weights for that."""
    options, x = operator.builtinOptions, int(operator.inputs[0])
    tensor = graph.subgraphs[0].tensors[x]
    if options.dilationWFactor > 1:
        where, received = graphs.locate(graph, operator, lambda name: "")
        raise ValueError(
            f"Weights with gaps between them have too wide a range: {where}. {received}"
        )
    new, shape = [], graphs.shape_of(tensor)
    if options.padding == schema.Padding.SAME:
        steps = (options.strideH, options.strideW)
        reach = [(halves[0].shape[1] - 1) * options.dilationHFactor + 1, halves[0].shape[2]]
        missing = [
            max((-(-n // step) - 1) * step + long - n, 0)
            for n, step, long in zip(shape[1:3], steps, reach, strict=True)
        ]
        amounts = np.array([(0, 0), *((n // 2, n - n // 2) for n in missing), (0, 0)], np.int32)
        shape = [int(n) for n in np.add(shape, amounts.sum(axis=1))]
        padded = like_values(graph, x, shape)
        new.append(pad(graph, x, amounts, padded))
        x = padded
        options.padding = schema.Padding.VALID
    batch, height, width, depth = shape
    made = twice(graph, x, [batch, height, width, 1, depth], 3)
    wide = like_values(graph, x, [batch, height, 2 * width, depth])
    made.append(reshape(graph, made[-1].outputs[0], wide))
    read_instead(graph, operator, new + made)
    options.strideW *= 2
    return np.stack(halves, axis=3).reshape(*halves[0].shape[:2], -1, halves[0].shape[3])


TWICE = {
    "CONV_2D": channels_twice,
    "DEPTHWISE_CONV_2D": columns_twice,
    "FULLY_CONNECTED": rows_twice,
}


def twice(graph, x, shape, axis):
    """Operators that put a tensor, of another shape, behind itself."""
    new = []
    if graphs.shape_of(graph.subgraphs[0].tensors[x]) != list(shape):
        flat = like_values(graph, x, shape)
        new.append(reshape(graph, x, flat))
        x = flat
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    whole = like_values(graph, x, [n * (1 + (i == axis)) for i, n in enumerate(shape)])
    new.append(graphs.make_operator(graph, "CONCATENATION", options, [x, x], [whole]))
    return new


def read_instead(graph, operator, new):
    """Puts operators before another, which reads what the last one makes."""
    operator.inputs[0] = new[-1].outputs[0]
    graphs.replace(graph, operator, [*new, operator])


def round_up(graph, operator):
    """Makes a DEPTHWISE_CONV_2D of an average whose halves int8 would round down.

    uint8 rounds halves up, int8 away from zero: of values that are none below the zero point,
    products do the same.
    """
    subgraph, options = graph.subgraphs[0], operator.builtinOptions
    tensor = subgraph.tensors[operator.inputs[0]]
    count = options.filterHeight * options.filterWidth
    bottom = int(tensor.quantization.zeroPoint[0]) == -128
    if count % 2 or count > FINE or not bottom or options.padding != schema.Padding.VALID:
        return
    depth = graphs.shape_of(tensor)[3]
    shape = (1, options.filterHeight, options.filterWidth, depth)
    weights = graphs.add_constant(graph, np.full(shape, FINE, np.int8), "weights")
    bias = graphs.add_constant(graph, np.zeros(depth, np.int32), "zeros")
    scale = float(tensor.quantization.scale[0])
    for index, value in ((weights, 1 / count / FINE), (bias, scale / count / FINE)):
        subgraph.tensors[index].quantization = quantization = schema.QuantizationParametersT()
        quantization.scale = np.array([value], np.float32)
        quantization.zeroPoint = np.zeros(1, np.int64)
    made = schema.DepthwiseConv2DOptionsT()
    made.strideH, made.strideW = options.strideH, options.strideW
    made.dilationHFactor = made.dilationWFactor = made.depthMultiplier = 1
    made.padding = schema.Padding.VALID
    made.fusedActivationFunction = options.fusedActivationFunction
    inputs = [operator.inputs[0], weights, bias]
    graphs.replace(
        graph,
        operator,
        [graphs.make_operator(graph, "DEPTHWISE_CONV_2D", made, inputs, list(operator.outputs))],
    )
