"""The list of operators and types that TensorFlow Lite Micro has is what its wheel runs.

The table of docs/c.md is what C has of them; run as a program, this prints it.
"""

import unittest.mock

import numpy as np
import pytest
from needs import needs_tflm
from places import ROOT
from single_operators import Spec, chained, constant, single

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.schema import schema
from tfhrf.deploy.tflite.tflm_operators import ALL, OPERATORS

SHAPE = (1, 4, 4, 8)
SCALES = {"float32": (), "int8": (0.125,), "int16": (0.125,)}
ELEMENTWISE = "ABS CEIL COS ELU EXP FLOOR HARD_SWISH LEAKY_RELU LOG NEG QUANTIZE RELU RELU6 ROUND "
ELEMENTWISE += "RSQRT SIN SQRT SQUARE ZEROS_LIKE"
COMPARISONS = "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"
BINARY = "ADD DIV MAXIMUM MINIMUM MUL SQUARED_DIFFERENCE SUB"
# The scales of outputs that the kernels insist on: 8 bits, 16 bits.
FIXED = {
    "LOGISTIC": ((1 / 256, -128), (2.0**-15, 0)),
    "LOG_SOFTMAX": ((16 / 256, 127), (2.0**-15, 0)),
    "L2_NORMALIZATION": ((1 / 128, 0), (2.0**-15, 0)),
    "SOFTMAX": ((1 / 256, -128), (2.0**-15, 0)),
    "TANH": ((1 / 128, 0), (2.0**-15, 0)),
}
OPTIONS = {
    "BATCH_MATMUL": "BatchMatMul",
    "L2_NORMALIZATION": "L2Norm",
    "PADV2": "PadV2",
    "REDUCE_MAX": "Reducer",
    "REDUCE_MIN": "Reducer",
    "MEAN": "Reducer",
    "SUM": "Reducer",
    "MAXIMUM": "MaximumMinimum",
    "MINIMUM": "MaximumMinimum",
    "RESIZE_BILINEAR": "ResizeBilinear",
    "SPACE_TO_BATCH_ND": "SpaceToBatchND",
    "BATCH_TO_SPACE_ND": "BatchToSpaceND",
    "SPLIT_V": "SplitV",
    "REVERSE_V2": "ReverseV2",
    "SELECT_V2": "SelectV2",
    "ADD_N": "AddN",
    "CUMSUM": "Cumsum",
    "FULLY_CONNECTED": "FullyConnected",
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), ""),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), "Pool2D"),
}
OPTIONS |= {"SVDF": "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM"}
OPTIONS |= {"CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D"}


def ints(*values):
    return constant(np.array(values, np.int32))


def weights(dtype, *shape):
    if dtype == "float32":
        return constant(np.ones(shape, np.float32))
    return constant(np.ones(shape, np.int8), (0.5,))


def bias(dtype, count):
    kind = {"float32": np.float32, "int8": np.int32, "int16": np.int64}[dtype]
    return constant(np.zeros(count, kind), () if dtype == "float32" else (0.0625,))


def held(dtype, *shape):
    """What an operator keeps from one call to the next."""
    return Spec(shape, SCALES[dtype], 0, dtype, variable=True)


def svdf(dtype):
    wide = "float32" if dtype == "float32" else "int16"
    times = constant(np.ones((6, 4), wide), SCALES[wide])
    features = [Spec((1, 8), SCALES[dtype], 0, dtype), weights(dtype, 6, 8)]
    added = constant(np.zeros(3, np.int32), (0.125 * 0.125,)) if wide == "int16" else bias(dtype, 3)
    return [*features, times, added, held(wide, 1, 24)]


def lstm(dtype):
    wide = "float32" if dtype == "float32" else "int16"
    cell = held(wide, 1, 3)
    cell.scales = cell.scales and (2.0**-11,)
    gates = [weights(dtype, 3, 8) for _ in range(4)] + [weights(dtype, 3, 3) for _ in range(4)]
    biases = [bias(dtype, 3) for _ in range(4)]
    x = Spec((1, 4, 8), SCALES[dtype], 0, dtype)
    return [x, *gates, *[None] * 3, *biases, None, None, held(dtype, 1, 3), cell, *[None] * 4]


def graph_of(name, dtype):
    """Bytes of a graph of one operator."""

    # The 8-bit RSQRT of C takes no zero point that lets values below zero in.
    zero = -128 if (name, dtype) == ("RSQRT", "int8") else 0

    def value(*shape, of=dtype):
        return Spec(shape or SHAPE, SCALES.get(of, ()), zero, of)

    def cube(*values):
        return constant(np.array(values, np.int32).reshape(-1, 2))

    x, settings = value(), {}
    inputs, shapes = {
        "ADD_N": lambda: ([x, value(), value()], [SHAPE]),
        "ARG_MAX": lambda: ([x, ints(3)], [SHAPE[:3]]),
        "ARG_MIN": lambda: ([x, ints(3)], [SHAPE[:3]]),
        "AVERAGE_POOL_2D": lambda: ([x], [(1, 2, 2, 8)]),
        "MAX_POOL_2D": lambda: ([x], [(1, 2, 2, 8)]),
        "BATCH_MATMUL": lambda: ([value(1, 4, 8), value(1, 8, 3)], [(1, 4, 3)]),
        "BATCH_TO_SPACE_ND": lambda: (
            [value(4, 2, 2, 3), ints(2, 2), cube(0, 0, 0, 0)],
            [(1, 4, 4, 3)],
        ),
        "SPACE_TO_BATCH_ND": lambda: ([x, ints(2, 2), cube(0, 0, 0, 0)], [(4, 2, 2, 8)]),
        "CONCATENATION": lambda: ([x, value()], [(1, 4, 4, 16)]),
        "CONV_2D": lambda: ([x, weights(dtype, 3, 1, 1, 8), None], [(1, 4, 4, 3)]),
        "DEPTHWISE_CONV_2D": lambda: ([x, weights(dtype, 1, 1, 1, 8), bias(dtype, 8)], [SHAPE]),
        "TRANSPOSE_CONV": lambda: (
            [ints(1, 4, 4, 3), weights(dtype, 3, 1, 1, 8), x],
            [(1, 4, 4, 3)],
        ),
        "FULLY_CONNECTED": lambda: ([value(1, 8), weights(dtype, 3, 8), None], [(1, 3)]),
        "CUMSUM": lambda: ([x, ints(1)], [SHAPE]),
        "DEPTH_TO_SPACE": lambda: ([x], [(1, 8, 8, 2)]),
        "SPACE_TO_DEPTH": lambda: ([x], [(1, 2, 2, 32)]),
        "EXPAND_DIMS": lambda: ([x, ints(1)], [(1, 1, 4, 4, 8)]),
        "SQUEEZE": lambda: ([x], [(4, 4, 8)]),
        "GATHER": lambda: ([x, ints(0, 2)], [(1, 2, 4, 8)]),
        "GATHER_ND": lambda: ([x, constant(np.zeros((2, 2), np.int32))], [(2, 4, 8)]),
        **dict.fromkeys(
            ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), lambda: ([x, ints(1, 2)], [(1, 8)])
        ),
        "MIRROR_PAD": lambda: ([x, cube(0, 0, 1, 1, 0, 0, 0, 0)], [(1, 6, 4, 8)]),
        "PAD": lambda: ([x, cube(0, 0, 1, 1, 0, 0, 0, 0)], [(1, 6, 4, 8)]),
        "PADV2": lambda: ([x, cube(0, 0, 1, 1, 0, 0, 0, 0), filler(dtype)], [(1, 6, 4, 8)]),
        "PACK": lambda: ([x, value()], [(2, *SHAPE)]),
        "UNPACK": lambda: ([x], [(1, 4, 8)] * 4),
        "PRELU": lambda: ([x, filler(dtype, 1, 1, 8)], [SHAPE]),
        "BROADCAST_TO": lambda: ([value(1, 1, 4, 8), ints(1, 4, 4, 8)], [SHAPE]),
        "SVDF": lambda: (svdf(dtype), [(1, 3)]),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": lambda: (lstm(dtype), [(1, 4, 3)]),
        "RESHAPE": lambda: ([x, ints(1, 128)], [(1, 128)]),
        "RESIZE_BILINEAR": lambda: ([x, ints(8, 8)], [(1, 8, 8, 8)]),
        "RESIZE_NEAREST_NEIGHBOR": lambda: ([x, ints(8, 8)], [(1, 8, 8, 8)]),
        "REVERSE_V2": lambda: ([x, ints(1)], [SHAPE]),
        "SELECT_V2": lambda: ([constant(np.ones(SHAPE, bool)), x, value()], [SHAPE]),
        "SLICE": lambda: ([x, ints(0, 1, 0, 0), ints(1, 2, 4, 8)], [(1, 2, 4, 8)]),
        "SPLIT": lambda: ([ints(1), x], [(1, 2, 4, 8)] * 2),
        "SPLIT_V": lambda: ([x, ints(1, 3), ints(1)], [(1, 1, 4, 8), (1, 3, 4, 8)]),
        "STRIDED_SLICE": lambda: (
            [x, ints(0, 0, 0, 0), ints(1, 4, 4, 8), ints(1, 2, 1, 1)],
            [(1, 2, 4, 8)],
        ),
        "TRANSPOSE": lambda: ([x, ints(0, 3, 1, 2)], [(1, 8, 4, 4)]),
        "DEQUANTIZE": lambda: ([value(of="int8")], [SHAPE]),
        **dict.fromkeys(f"{BINARY} {COMPARISONS}".split(), lambda: ([x, value()], [SHAPE])),
    }.get(name, lambda: ([x], [SHAPE]))()
    settings = {
        "PACK": {"valuesCount": 2},
        "UNPACK": {"num": 4, "axis": 1},
        "SPLIT": {"numSplits": 2},
        "SPLIT_V": {"numSplits": 2},
        "CONCATENATION": {"axis": 3},
        "SQUEEZE": {"squeezeDims": [0]},
        "GATHER": {"axis": 1},
        "DEPTH_TO_SPACE": {"blockSize": 2},
        "SPACE_TO_DEPTH": {"blockSize": 2},
        "LEAKY_RELU": {"alpha": 0.5},
        "SOFTMAX": {"beta": 1.0},
        "DEPTHWISE_CONV_2D": {"depthMultiplier": 1},
        "SVDF": {"rank": 2, "fusedActivationFunction": 1},
        "UNIDIRECTIONAL_SEQUENCE_LSTM": {"fusedActivationFunction": 4},
        "ARG_MAX": {"outputType": 2},
        "ARG_MIN": {"outputType": 2},
    }.get(name, {})
    word = OPTIONS.get(name) or "".join(part.capitalize() for part in name.split("_"))
    made = getattr(schema, f"{word}OptionsT", schema.AddOptionsT)()
    if word == "Pool2D":
        settings = dict.fromkeys(("strideW", "strideH", "filterWidth", "filterHeight"), 2)
    if "CONV" in name:
        settings |= {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    for key, setting in settings.items():
        setattr(made, key, setting)
    scale, zero = FIXED.get(name, ((0.125, 0),) * 2)[dtype == "int16"]
    kind = "int32" if name.startswith("ARG_") else dtype
    kind = "bool" if name in COMPARISONS.split() else kind
    scales = (scale,) if kind in ("int8", "int16") else ()
    outputs = [Spec(s, scales, zero, kind) for s in shapes]
    if kind != "bool":
        return single(name, inputs, outputs, made)
    # Conditions are no outputs of C.
    choice = ("SELECT_V2", [*outputs, x, inputs[1]], [value()], schema.SelectV2OptionsT())
    return chained([(name, inputs, outputs, made), choice])


def filler(dtype, *shape):
    return constant(np.ones(shape, dtype), SCALES[dtype])


def runs(name, dtype):
    content = graph_of(name, dtype)
    subgraph = graphs.read(content).subgraphs[0]
    inputs = [subgraph.tensors[index] for index in subgraph.inputs]
    try:
        runners.invoke(content, [np.zeros(graphs.shape_of(x), graphs.type_name(x)) for x in inputs])
    except RuntimeError as error:
        return str(error)
    return ""


@needs_tflm
@pytest.mark.parametrize("name", list(OPERATORS))
def test_types_are_those_that_the_wheel_runs(name):
    found = {dtype: runs(name, dtype) for dtype in sorted(ALL)}
    assert {dtype for dtype, failure in found.items() if not failure} == OPERATORS[name][1], found


def in_c(name, dtype, folder):
    """Whether `to_c` takes a graph of one operator."""
    if dtype not in OPERATORS[name][1]:
        return False

    def zeros(tensor, seed):
        # RSQRT fails below zero.
        return np.zeros(tensor["shape"], tensor["dtype"])

    try:
        with unittest.mock.patch("tfhrf.deploy.c.compile.golden_input", zeros):
            tfhrf.to_c(graph_of(name, dtype), folder)
    except ValueError:
        return False
    return True


def table(folder):
    """Lines of the table of operators and types that have C code, and of those TFLM alone has."""
    marks = {True: "C", False: "TFLM"}
    lines = ["| operator | int8 | int16 |", "|---|---|---|"]
    for name in OPERATORS:
        kinds = [
            marks[in_c(name, dtype, folder)] if dtype in OPERATORS[name][1] else ""
            for dtype in ("int8", "int16")
        ]
        if any(kinds):
            lines.append(f"| {name} | {kinds[0]} | {kinds[1]} |")
    return lines


@needs_tflm
def test_the_table_of_the_documentation_is_what_there_is(tmp_path):
    assert "\n".join(table(tmp_path)) in (ROOT / "docs/c.md").read_text()


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(table(folder)))
