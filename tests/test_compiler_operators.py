"""Each operator in C equals TensorFlow Lite Micro, over random shapes and quantizations."""

import numpy as np
import pytest
from generated_c import compare, needs_compiler, needs_tflm
from single_operators import Spec, constant, single
from tensorflow.lite.python import schema_py_generated as schema

pytestmark = [needs_compiler, needs_tflm]
SEEDS = range(3)


def options(name, **values):
    result = getattr(schema, f"{name}OptionsT")()
    for key, value in values.items():
        assert hasattr(result, key)
        setattr(result, key, value)
    return result


def scale(rng, low=-8.0, high=0.0):
    return (float(np.float32(2 ** rng.uniform(low, high))),)


def zero_point(rng):
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))


def tensor(rng, *shape):
    return Spec(shape, scale(rng), zero_point(rng))


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def axes(*values):
    return constant(np.array(values, np.int32))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"])
@pytest.mark.parametrize("kind", ["same", "row", "column", "scalar", "constant", "itself"])
def test_binary(name, kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 9, 2)
    x = tensor(rng, 1, rows, columns)
    other = {
        "same": lambda: tensor(rng, 1, rows, columns),
        "row": lambda: constant(int8(rng, columns), scale(rng), zero_point(rng)),
        "column": lambda: tensor(rng, 1, rows, 1),
        "scalar": lambda: constant(int8(rng, 1)[0], scale(rng), zero_point(rng)),
        "constant": lambda: constant(int8(rng, 1, rows, columns), scale(rng), zero_point(rng)),
        "itself": lambda: x,
    }[kind]()
    # ADD and SUB refuse to enlarge by 2**20.
    y = Spec((1, rows, columns), scale(rng, -8, 2), zero_point(rng))
    relu = int(rng.integers(0, 2)) if name != "SQUARED_DIFFERENCE" else 0
    word = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "SQUARED_DIFFERENCE": "SquaredDifference"}
    made = options(word[name], **({"fusedActivationFunction": relu} if relu else {}))
    compare(single(name, [x, other], [y], made), tmp_path, 20, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "y"),
    [
        ("LOGISTIC", Spec((1, 256), (1 / 256,), -128)),
        ("TANH", Spec((1, 256), (1 / 128,), 0)),
        ("RSQRT", None),
        ("RELU", None),
        ("LEAKY_RELU", None),
        ("HARD_SWISH", None),
        ("QUANTIZE", None),
    ],
)
def test_functions_of_one_value_on_all_values(name, y, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = Spec((1, 256), scale(rng, -8, -2), -128 if name == "RSQRT" else zero_point(rng))
    y = y or Spec((1, 256), scale(rng, -8, -2), zero_point(rng))
    made = None
    if name == "LEAKY_RELU":
        made = options("LeakyRelu", alpha=float(rng.uniform(0, 1)))
    values = np.arange(-128, 128).astype(np.int8)[None]
    compare(single(name, [x], [y], made), tmp_path, 1, examples=[[values]])


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax(seed, tmp_path):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(1, 40, 2))
    x = Spec(shape, scale(rng, -8, 1), zero_point(rng))
    y = Spec(shape, (1 / 256,), -128)
    compare(single("SOFTMAX", [x], [y], options("Softmax", beta=1.0)), tmp_path, 40, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("reduced", [(-1,), (1,), (2,), (1, 2)])
@pytest.mark.parametrize("name", ["MEAN", "REDUCE_MAX"])
def test_reductions(name, reduced, seed, tmp_path):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(1, 9, 3))
    x = tensor(rng, *shape)
    keep = bool(rng.integers(0, 2))
    gone = {axis % 4 for axis in reduced}
    left = [1 if i in gone else n for i, n in enumerate(shape) if keep or i not in gone]
    scales, zero = (x.scales, x.zero_point) if name == "REDUCE_MAX" else (scale(rng), zero_point(rng))
    y = Spec(tuple(left), scales, zero)
    content = single(name, [x, axes(*reduced)], [y], options("Reducer", keepDims=keep))
    compare(content, tmp_path, 20, seed)


@pytest.mark.parametrize("seed", range(6))
def test_batch_matmul(seed, tmp_path):
    rng = np.random.default_rng(seed)
    batch, rows, depth, columns = rng.integers(1, 12, 4)
    adj_x, adj_y = seed % 2 == 1 and seed > 2, seed % 3 != 0
    a = tensor(rng, 1, batch, *((depth, rows) if adj_x else (rows, depth)))
    b = tensor(rng, 1, batch, *((columns, depth) if adj_y else (depth, columns)))
    y = Spec((1, batch, rows, columns), scale(rng, -4, 2), zero_point(rng))
    made = options("BatchMatMul", adjX=adj_x, adjY=adj_y)
    compare(single("BATCH_MATMUL", [a, b], [y], made), tmp_path, 20, seed)


@pytest.mark.parametrize("seed", range(6))
def test_fully_connected(seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, depth, outputs = rng.integers(1, 40, 3)
    x = tensor(rng, 1, rows, depth)
    channels = outputs if seed % 2 else 1
    scales = tuple(float(s) for s in np.float32(2 ** rng.uniform(-9, -6, channels)))
    weights = constant(int8(rng, outputs, depth), scales)
    bias_scales = tuple(float(np.float32(x.scales[0]) * np.float32(s)) for s in scales)
    bias = constant(rng.integers(-9999, 9999, outputs).astype(np.int32), bias_scales)
    y = Spec((1, rows, outputs), scale(rng, -6, 0), zero_point(rng))
    made = options("FullyConnected", keepNumDims=True, fusedActivationFunction=seed % 2)
    inputs = [x, weights, bias if seed % 3 else None]
    compare(single("FULLY_CONNECTED", inputs, [y], made), tmp_path, 20, seed)


def out_length(length, kernel, stride, dilation, valid):
    reach = (kernel - 1) * dilation + 1
    return -(-(length - reach + 1) // stride) if valid else -(-length // stride)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_convolutions(name, seed, tmp_path):
    rng = np.random.default_rng(seed)
    height, width, channels = (1, 11, 3) if seed == 7 else rng.integers(5, 12, 3)
    kernel = (1, 3) if seed == 7 else tuple(int(n) for n in rng.integers(1, 4, 2))
    strides, valid = rng.integers(1, 3, 2), seed % 2
    dilations = rng.integers(1, 3, 2) if max(strides) == 1 else (1, 1)
    out = [
        out_length(*one, valid)
        for one in zip((height, width), kernel, strides, dilations, strict=True)
    ]
    x = tensor(rng, 1, height, width, channels)
    multiplier = int(rng.integers(1, 3))
    outputs = int(channels * multiplier if name != "CONV_2D" else rng.integers(1, 9))
    scales = tuple(float(s) for s in np.float32(2 ** rng.uniform(-9, -6, outputs)))
    if name == "CONV_2D":
        weights = constant(int8(rng, outputs, *kernel, channels), scales)
        made = options("Conv2D")
    else:
        weights = constant(int8(rng, 1, *kernel, outputs), scales, axis=3)
        made = options("DepthwiseConv2D", depthMultiplier=multiplier)
    bias_scales = tuple(float(np.float32(x.scales[0]) * np.float32(s)) for s in scales)
    bias = constant(rng.integers(-9999, 9999, outputs).astype(np.int32), bias_scales)
    made.padding, made.fusedActivationFunction = valid, seed % 2
    made.strideH, made.strideW = map(int, strides)
    made.dilationHFactor, made.dilationWFactor = map(int, dilations)
    y = Spec((1, *out, outputs), scale(rng, -6, 0), zero_point(rng))
    compare(single(name, [x, weights, bias], [y], made), tmp_path, 10, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools(name, seed, tmp_path):
    rng = np.random.default_rng(seed)
    height, width, channels = rng.integers(4, 9, 3)
    kernel, stride, valid = rng.integers(1, 4, 2), rng.integers(1, 3, 2), seed % 2
    x = tensor(rng, 1, height, width, channels)
    out = [
        out_length(*one, 1, valid) for one in zip((height, width), kernel, stride, strict=True)
    ]
    made = options("Pool2D", padding=valid, strideH=int(stride[0]), strideW=int(stride[1]))
    made.filterHeight, made.filterWidth = map(int, kernel)
    y = Spec((1, *out, channels), x.scales, x.zero_point)
    compare(single(name, [x], [y], made), tmp_path, 10, seed)


def movers():
    """{name: (inputs, output shapes, options)} of what only moves values."""
    x, other = Spec((1, 6, 4, 5), (0.1,), 3), Spec((1, 6, 4, 5), (0.1,), 3)
    strided = options("StridedSlice", shrinkAxisMask=2, beginMask=1, endMask=1)
    begins = [axes(0, 2, 3, 4), axes(1, 3, 0, 1), axes(1, 1, -1, -2)]
    return {
        "RESHAPE": ([x, axes(1, 4, 30)], [(1, 4, 30)], options("Reshape", newShape=[1, 4, 30])),
        "TRANSPOSE": ([x, axes(0, 3, 1, 2)], [(1, 5, 6, 4)], options("Transpose")),
        "SPLIT": ([axes(1), x], [(1, 3, 4, 5)] * 2, options("Split", numSplits=2)),
        "SLICE": ([x, axes(0, 1, 0, 2), axes(1, 4, -1, 3)], [(1, 4, 4, 3)], options("Slice")),
        "STRIDED_SLICE": ([x, *begins], [(1, 3, 2)], strided),
        "CONCATENATION": ([x, other], [(1, 12, 4, 5)], options("Concatenation", axis=1)),
        "PACK": ([x, other], [(1, 2, 6, 4, 5)], options("Pack", axis=1, valuesCount=2)),
        "PAD": ([x, constant(np.array([[0, 0], [1, 2], [0, 1], [3, 0]], np.int32))], [(1, 9, 5, 8)], options("Pad")),
        "GATHER": ([x, axes(3, 0, 3)], [(1, 3, 4, 5)], options("Gather", axis=1)),
    }


@pytest.mark.parametrize("name", list(movers()))
def test_movers(name, tmp_path):
    inputs, shapes, made = movers()[name]
    outputs = [Spec(shape, (0.1,), 3) for shape in shapes]
    compare(single(name, inputs, outputs, made), tmp_path, 5)
