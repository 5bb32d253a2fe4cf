"""What TensorFlow Lite Micro has, and whether a graph has nothing else.

The tests find the same operators by running each in its wheel.
"""

from tfhrf.deploy.tflite.graph import (
    any_batch,
    is_constant,
    locate,
    operator_name,
    shape_of,
    tensor_name,
    type_name,
)

ALL = frozenset({"float32", "int8", "int16"})
EIGHT_BITS = frozenset({"float32", "int8"})
FLOAT = frozenset({"float32"})
QUANTIZED = frozenset({"int8", "int16"})

# The resolver's method for each operator, and the types of the operator's first output.
OPERATORS = {
    "ABS": ("AddAbs", ALL),
    "ADD": ("AddAdd", ALL),
    "ADD_N": ("AddAddN", EIGHT_BITS),
    "ARG_MAX": ("AddArgMax", EIGHT_BITS),
    "ARG_MIN": ("AddArgMin", EIGHT_BITS),
    "AVERAGE_POOL_2D": ("AddAveragePool2D", ALL),
    "BATCH_MATMUL": ("AddBatchMatMul", ALL),
    "BATCH_TO_SPACE_ND": ("AddBatchToSpaceNd", EIGHT_BITS),
    "BROADCAST_TO": ("AddBroadcastTo", ALL),
    "CAST": ("AddCast", ALL),
    "CEIL": ("AddCeil", FLOAT),
    "CONCATENATION": ("AddConcatenation", ALL),
    "CONV_2D": ("AddConv2D", ALL),
    "COS": ("AddCos", FLOAT),
    "CUMSUM": ("AddCumSum", EIGHT_BITS),
    "DEPTHWISE_CONV_2D": ("AddDepthwiseConv2D", ALL),
    "DEPTH_TO_SPACE": ("AddDepthToSpace", EIGHT_BITS),
    "DEQUANTIZE": ("AddDequantize", FLOAT),
    "DIV": ("AddDiv", EIGHT_BITS),
    "ELU": ("AddElu", EIGHT_BITS),
    "EQUAL": ("AddEqual", EIGHT_BITS),
    "EXP": ("AddExp", FLOAT),
    "EXPAND_DIMS": ("AddExpandDims", ALL),
    "FLOOR": ("AddFloor", FLOAT),
    "FULLY_CONNECTED": ("AddFullyConnected", ALL),
    "GATHER": ("AddGather", EIGHT_BITS),
    "GATHER_ND": ("AddGatherNd", EIGHT_BITS),
    "GREATER": ("AddGreater", ALL),
    "GREATER_EQUAL": ("AddGreaterEqual", EIGHT_BITS),
    "HARD_SWISH": ("AddHardSwish", EIGHT_BITS),
    "L2_NORMALIZATION": ("AddL2Normalization", EIGHT_BITS),
    "LEAKY_RELU": ("AddLeakyRelu", ALL),
    "LESS": ("AddLess", EIGHT_BITS),
    "LESS_EQUAL": ("AddLessEqual", EIGHT_BITS),
    "LOG": ("AddLog", FLOAT),
    "LOGISTIC": ("AddLogistic", ALL),
    "LOG_SOFTMAX": ("AddLogSoftmax", EIGHT_BITS),
    "MAXIMUM": ("AddMaximum", ALL),
    "MAX_POOL_2D": ("AddMaxPool2D", ALL),
    "MEAN": ("AddMean", ALL),
    "MINIMUM": ("AddMinimum", ALL),
    "MIRROR_PAD": ("AddMirrorPad", EIGHT_BITS),
    "MUL": ("AddMul", ALL),
    "NEG": ("AddNeg", FLOAT),
    "NOT_EQUAL": ("AddNotEqual", EIGHT_BITS),
    "PACK": ("AddPack", ALL),
    "PAD": ("AddPad", ALL),
    "PADV2": ("AddPadV2", ALL),
    "PRELU": ("AddPrelu", EIGHT_BITS),
    "QUANTIZE": ("AddQuantize", QUANTIZED),
    "REDUCE_MAX": ("AddReduceMax", EIGHT_BITS),
    "REDUCE_MIN": ("AddReduceMin", EIGHT_BITS),
    "RELU": ("AddRelu", ALL),
    "RELU6": ("AddRelu6", ALL),
    "RESHAPE": ("AddReshape", ALL),
    "RESIZE_BILINEAR": ("AddResizeBilinear", EIGHT_BITS),
    "RESIZE_NEAREST_NEIGHBOR": ("AddResizeNearestNeighbor", ALL),
    "REVERSE_V2": ("AddReverseV2", ALL),
    "ROUND": ("AddRound", FLOAT),
    "RSQRT": ("AddRsqrt", ALL),
    "SELECT_V2": ("AddSelectV2", ALL),
    "SIN": ("AddSin", FLOAT),
    "SLICE": ("AddSlice", ALL),
    "SOFTMAX": ("AddSoftmax", ALL),
    "SPACE_TO_BATCH_ND": ("AddSpaceToBatchNd", EIGHT_BITS),
    "SPACE_TO_DEPTH": ("AddSpaceToDepth", EIGHT_BITS),
    "SPLIT": ("AddSplit", ALL),
    "SPLIT_V": ("AddSplitV", ALL),
    "SQRT": ("AddSqrt", FLOAT),
    "SQUARE": ("AddSquare", FLOAT),
    "SQUARED_DIFFERENCE": ("AddSquaredDifference", ALL),
    "SQUEEZE": ("AddSqueeze", ALL),
    "STRIDED_SLICE": ("AddStridedSlice", ALL),
    "SUB": ("AddSub", ALL),
    "SUM": ("AddSum", ALL),
    "SVDF": ("AddSvdf", EIGHT_BITS),
    "TANH": ("AddTanh", ALL),
    "TRANSPOSE": ("AddTranspose", ALL),
    "TRANSPOSE_CONV": ("AddTransposeConv", ALL),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("AddUnidirectionalSequenceLSTM", ALL),
    "UNPACK": ("AddUnpack", ALL),
    "ZEROS_LIKE": ("AddZerosLike", EIGHT_BITS),
}
# `lookups.narrow_tables` writes this one otherwise.
LOOKED_UP = ("GATHER", "int16")
HINTS = {
    "GELU": "; use relu or silu",
    "RFFT2D": "; leave spectra to the front end (tfhrf.deploy.frontend writes one in C)",
}


def check_supported(graph, integer, name_layer=lambda name: "", becomes=None):
    """Raises ValueError naming operator and tensor unless TFLM can run the graph.

    Args:
        graph: ModelT.
        integer: whether all values must be integers.
        name_layer: maps a tensor's name to words that say which layer it belongs to.
        becomes: type that the floats of the graph are going to be quantized to, or None.
    """
    if len(graph.subgraphs) != 1:
        raise ValueError(
            "TensorFlow Lite Micro graphs made here have one subgraph, no control flow. "
            f"Received: {len(graph.subgraphs)} subgraphs"
        )
    for operator in graph.subgraphs[0].operators:
        # What stands between DEQUANTIZE and QUANTIZE is to be named, not these.
        if integer and operator_name(graph, operator) != "DEQUANTIZE":
            check_integer(graph, operator, name_layer)
    for operator in graph.subgraphs[0].operators:
        check_operator(graph, operator, name_layer, becomes)
        if integer:
            check_integer(graph, operator, name_layer)


def check_integer(graph, operator, name_layer):
    where, received = locate(graph, operator, name_layer)
    if any("float" in type_name(graph.subgraphs[0].tensors[i]) for i in operator.outputs):
        raise ValueError(f"A float is left in an integer graph: {where}. {received}")


def check_operator(graph, operator, name_layer, becomes):
    subgraph = graph.subgraphs[0]
    name = operator_name(graph, operator)
    where, received = locate(graph, operator, name_layer)
    if name not in OPERATORS:
        raise ValueError(
            f"TensorFlow Lite Micro has no {name}{HINTS.get(name, '')}: {where}. {received}"
        )
    kind = type_name(subgraph.tensors[operator.outputs[0]])
    wanted = becomes if becomes and kind == "float32" else kind
    if wanted in ALL and wanted not in OPERATORS[name][1] and (name, becomes) != LOOKED_UP:
        raise ValueError(f"TensorFlow Lite Micro has no {name} for {wanted}: {where}. {received}")
    for index in (*operator.inputs, *operator.outputs):
        tensor = subgraph.tensors[index]
        if index >= 0 and type_name(tensor) == "float16":
            raise ValueError(
                f"TensorFlow Lite Micro has no {name} for float16: {where}. {received}"
            )
        # At the end of a graph DEQUANTIZE makes floats of values, elsewhere of weights.
        weights = name != "DEQUANTIZE" or is_constant(graph, tensor)
        if index >= 0 and kind == "float32" and type_name(tensor) == "int8" and weights:
            raise ValueError(
                f"TensorFlow Lite Micro has no 8-bit weights with float values: {where}. {received}"
            )
        signature = [] if tensor.shapeSignature is None else list(tensor.shapeSignature)
        # TFLM goes by the shape alone, which has one example where files leave their number open.
        lengths = [*shape_of(tensor), *signature[any_batch(graph) :]]
        if index >= 0 and min(lengths, default=1) < 1:
            raise ValueError(
                f"A shape is not static: {where}. Received: tensor '{tensor_name(tensor)}' of "
                f"shape {shape_of(tensor)}"
            )
