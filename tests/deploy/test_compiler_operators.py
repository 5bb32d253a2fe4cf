"""Each operator in C equals TensorFlow Lite Micro, over random shapes and quantizations."""

import numpy as np
import pytest
from generated_c import compare, needs_compiler
from needs import needs_tflm
from single_operators import Spec, chained, constant, single

from tfhrf.deploy.c.operators.softmax import interpolation_table
from tfhrf.deploy.tflite.schema import schema

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
    relu = int(rng.integers(0, 4)) if name != "SQUARED_DIFFERENCE" else 0
    word = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "SQUARED_DIFFERENCE": "SquaredDifference"}
    made = options(word[name], **({"fusedActivationFunction": relu} if relu else {}))
    compare(single(name, [x, other], [y], made), tmp_path, 20, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("kind", ["same", "row", "column", "scalar"])
def test_the_larger_and_the_smaller(kind, name, dtype, seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 9, 2)
    zero = zero_point(rng) if dtype == "int8" else 0
    x, y = (Spec((1, rows, columns), (0.1,), zero, dtype) for _ in range(2))
    shape = {"same": x.shape, "row": (1, 1, columns), "column": (1, rows, 1), "scalar": ()}[kind]
    other = Spec(shape, (0.1,), zero, dtype)
    if kind in ("row", "scalar"):
        other = constant(int8(rng, *shape).astype(dtype) * np.dtype(dtype).type(1), (0.1,), zero)
    compare(single(name, [x, other], [y], options("MaximumMinimum")), tmp_path, 10, seed)


@pytest.mark.parametrize("seed", range(8))
def test_quotients_of_all_pairs(seed, tmp_path):
    """Zero as divisor, and shifts by more than 31 bits, are among them."""
    rng = np.random.default_rng(seed)
    pairs = [grid.astype(np.int8)[None] for grid in np.mgrid[-128:128, -128:128]]
    x, other = (Spec((1, 256, 256), scale(rng), zero_point(rng)) for _ in range(2))
    # The last quantizations make all quotients large, or small.
    ratio = {6: 2.0**-20, 7: 2.0**8}.get(seed, 2.0 ** rng.uniform(-8, 3))
    y = Spec(x.shape, (float(np.float32(ratio * x.scales[0] / other.scales[0])),), zero_point(rng))
    made = options("Div", fusedActivationFunction=seed % 4)
    compare(single("DIV", [x, other], [y], made), tmp_path, 1, examples=[pairs])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["column", "row", "divisor", "dividend", "chain"])
def test_quotients(kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = tensor(rng, 1, 6, 256)
    y = Spec(x.shape, scale(rng), zero_point(rng))
    other = {
        "column": lambda: tensor(rng, 1, 6, 1),
        "row": lambda: constant(int8(rng, 256), scale(rng), zero_point(rng)),
    }.get(kind, lambda: constant(int8(rng, 1)[0], scale(rng), zero_point(rng)))()
    operands = [other, x] if kind == "dividend" else [x, other]
    operators = [("DIV", operands, [y], options("Div"))]
    if kind == "chain":
        z = Spec(x.shape, scale(rng), zero_point(rng))
        operators = [("DIV", [x, tensor(rng, 1, 6, 256)], [y], options("Div"))]
        operators.append(("RELU", [y], [z], None))
    compare(chained(operators), tmp_path, 10, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "y"),
    [
        ("ABS", None),
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
@pytest.mark.parametrize("name", ["MEAN", "REDUCE_MAX", "SUM"])
def test_reductions(name, reduced, seed, tmp_path):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(1, 9, 3))
    x = tensor(rng, *shape)
    keep = bool(rng.integers(0, 2))
    gone = {axis % 4 for axis in reduced}
    left = [1 if i in gone else n for i, n in enumerate(shape) if keep or i not in gone]
    scales, zero = (
        (x.scales, x.zero_point) if name == "REDUCE_MAX" else (scale(rng), zero_point(rng))
    )
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
    made = options("FullyConnected", keepNumDims=True, fusedActivationFunction=seed % 4)
    inputs = [x, weights, bias if seed % 3 else None]
    compare(single("FULLY_CONNECTED", inputs, [y], made), tmp_path, 20, seed)


@pytest.mark.parametrize("seed", range(4))
def test_fully_connected_with_computed_weights(seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, depth, outputs = rng.integers(1, 20, 3)
    x, given = tensor(rng, 1, rows, depth), tensor(rng, 1, outputs, depth)
    weights = Spec((outputs, depth), given.scales, given.zero_point)
    y = Spec((1, rows, outputs), scale(rng, -4, 2), zero_point(rng))
    made = options("FullyConnected", keepNumDims=True, fusedActivationFunction=seed % 4)
    flat = ("RESHAPE", [given, axes(outputs, depth)], [weights], options("Reshape"))
    product = ("FULLY_CONNECTED", [x, weights, None], [y], made)
    compare(chained([flat, product]), tmp_path, 20, seed)


def out_length(length, kernel, stride, dilation, valid):
    reach = (kernel - 1) * dilation + 1
    return -(-(length - reach + 1) // stride) if valid else -(-length // stride)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_convolutions(dtype, name, seed, tmp_path):
    rng = np.random.default_rng(seed)
    height, width, channels = (1, 11, 3) if seed == 7 else rng.integers(5, 12, 3)
    kernel = (1, 3) if seed == 7 else tuple(int(n) for n in rng.integers(1, 4, 2))
    strides, valid = rng.integers(1, 3, 2), seed % 2
    dilations = rng.integers(1, 3, 2) if max(strides) == 1 else (1, 1)
    out = [
        out_length(*one, valid)
        for one in zip((height, width), kernel, strides, dilations, strict=True)
    ]
    if seed == 6:
        channels = 4
    x = tensor(rng, 1, height, width, channels)
    multiplier = 1 if seed == 6 else int(rng.integers(1, 3))
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
    y = Spec((1, *out, outputs), scale(rng, -6, 0), zero_point(rng))
    if dtype == "int16":
        x = Spec(x.shape, x.scales, 0, "int16")
        # With a large bias sums need more than 32 bits.
        bias.data = bias.data.astype(np.int64) * (2**21 if seed in (2, 3) else 1)
        y = Spec(
            y.shape, (float(np.float32(bias_scales[0] * 2 ** rng.uniform(8, 10))),), 0, "int16"
        )
        bias.dtype = "int64"
    made.padding, made.fusedActivationFunction = valid, seed % 4
    made.strideH, made.strideW = map(int, strides)
    made.dilationHFactor, made.dilationWFactor = map(int, dilations)
    compare(single(name, [x, weights, bias], [y], made), tmp_path, 10, seed)


@pytest.mark.parametrize("taps", [2, 3, 8, 9, 32, 33])
@pytest.mark.parametrize("valid", [0, 1])
@pytest.mark.parametrize("across", [False, True])
def test_depthwise_convolutions_over_frames(across, valid, taps, tmp_path):
    rng = np.random.default_rng([taps, valid, across])
    frames, outputs = int(taps + rng.integers(0, 5)), int(4 * rng.integers(1, 4))
    turn = (lambda a, b: (b, a)) if across else (lambda a, b: (a, b))
    x = tensor(rng, 1, *turn(frames, 1), outputs)
    scales = tuple(float(s) for s in np.float32(2 ** rng.uniform(-9, -6, outputs)))
    weights = constant(int8(rng, 1, *turn(taps, 1), outputs), scales, axis=3)
    bias_scales = tuple(float(np.float32(x.scales[0]) * np.float32(s)) for s in scales)
    bias = constant(rng.integers(-9999, 9999, outputs).astype(np.int32), bias_scales)
    length = frames - taps + 1 if valid else frames
    y = Spec((1, *turn(length, 1), outputs), scale(rng, -6, 0), zero_point(rng))
    made = options("DepthwiseConv2D", depthMultiplier=1, padding=valid, strideH=1, strideW=1)
    made.dilationHFactor = made.dilationWFactor = 1
    made.fusedActivationFunction = int(rng.integers(0, 4))
    folder = compare(single("DEPTHWISE_CONV_2D", [x, weights, bias], [y], made), tmp_path, 10, taps)
    assert ("tfhrf_depthwise_frames_rows" in (tmp_path / "model.c").read_text()) == (taps < 33), (
        folder
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("name", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools(name, dtype, seed, tmp_path):
    rng = np.random.default_rng(seed)
    height, width, channels = rng.integers(4, 9, 3)
    kernel, stride, valid = rng.integers(1, 4, 2), rng.integers(1, 3, 2), seed % 2
    x = tensor(rng, 1, height, width, channels)
    if dtype == "int16":
        x = wide(rng, 1, height, width, channels)
    out = [out_length(*one, 1, valid) for one in zip((height, width), kernel, stride, strict=True)]
    made = options("Pool2D", padding=valid, strideH=int(stride[0]), strideW=int(stride[1]))
    made.filterHeight, made.filterWidth = map(int, kernel)
    made.fusedActivationFunction = int(rng.integers(0, 4))
    y = Spec((1, *out, channels), x.scales, x.zero_point, dtype)
    compare(single(name, [x], [y], made), tmp_path, 10, seed)


def movers():
    """{name: (inputs, output shapes, options)} of what only moves values."""
    x, other = Spec((1, 6, 4, 5), (0.1,), 3), Spec((1, 6, 4, 5), (0.1,), 3)
    narrow, deep = Spec((1, 6, 1, 5), (0.1,), 3), Spec((1, 3, 2, 12), (0.1,), 3)
    filler = constant(np.array(-77, np.int8), (0.1,), 3)
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
        "PAD": (
            [x, constant(np.array([[0, 0], [1, 2], [0, 1], [3, 0]], np.int32))],
            [(1, 9, 5, 8)],
            options("Pad"),
        ),
        "UNPACK": ([x], [(1, 6, 5)] * 4, options("Unpack", axis=2, num=4)),
        "SPLIT_V": (
            [x, axes(1, 3, 2), axes(1)],
            [(1, 1, 4, 5), (1, 3, 4, 5), (1, 2, 4, 5)],
            options("SplitV", numSplits=3),
        ),
        "SPLIT_V with the rest": (
            [x, axes(2, -1, 1), axes(-3)],
            [(1, 2, 4, 5), (1, 3, 4, 5), (1, 1, 4, 5)],
            options("SplitV", numSplits=3),
        ),
        "SQUEEZE": ([narrow], [(1, 6, 5)], options("Squeeze", squeezeDims=[2])),
        "EXPAND_DIMS": ([x, axes(1)], [(1, 1, 6, 4, 5)], options("ExpandDims")),
        "GATHER": ([x, axes(3, 0, 3)], [(1, 3, 4, 5)], options("Gather", axis=1)),
        "GATHER_ND": ([x, constant(np.array([[[0, 5], [0, 2]]], np.int32))], [(1, 2, 4, 5)], None),
        "REVERSE_V2": ([x, axes(2)], [x.shape], options("ReverseV2")),
        "BROADCAST_TO": ([narrow, axes(1, 6, 3, 5)], [(1, 6, 3, 5)], None),
        "MIRROR_PAD": (
            [x, constant(np.array([[0, 0], [2, 3], [0, 1], [4, 0]], np.int32))],
            [(1, 11, 5, 9)],
            options("MirrorPad", mode=0),
        ),
        "PADV2": (
            [x, constant(np.array([[0, 0], [1, 2], [0, 1], [3, 0]], np.int32)), filler],
            [(1, 9, 5, 8)],
            options("PadV2"),
        ),
        "DEPTH_TO_SPACE": ([deep], [(1, 6, 4, 3)], options("DepthToSpace", blockSize=2)),
        "SPACE_TO_DEPTH": ([x], [(1, 3, 2, 20)], options("SpaceToDepth", blockSize=2)),
    }


@pytest.mark.parametrize("name", list(movers()))
def test_movers(name, tmp_path):
    inputs, shapes, made = movers()[name]
    outputs = [Spec(shape, (0.1,), 3) for shape in shapes]
    compare(single(name.split()[0], inputs, outputs, made), tmp_path, 5)


def wide(rng, *shape):
    return Spec(shape, scale(rng, -16, -10), 0, "int16")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"])
@pytest.mark.parametrize("kind", ["same", "column", "constant"])
def test_binary_of_16_bits(name, kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 9, 2)
    x = wide(rng, 1, rows, columns)
    values = rng.integers(-32768, 32768, columns).astype(np.int16)
    other = {
        "same": lambda: wide(rng, 1, rows, columns),
        "column": lambda: wide(rng, 1, rows, 1),
        "constant": lambda: constant(values, scale(rng, -16, -10)),
    }[kind]()
    output = (
        x.scales[0] * other.scales[0] * 2**12
        if name == "MUL"
        else max(x.scales[0], other.scales[0])
    )
    if name == "SQUARED_DIFFERENCE":
        output = output**2 * 2**17
    # The first makes results larger: those need another kernel.
    factor = rng.uniform(0.1, 0.2) if seed == 0 else rng.uniform(1, 3)
    if name == "MUL" and seed == 0:
        factor = 2.0**-13
    y = Spec((1, rows, columns), (float(np.float32(output * factor)),), 0, "int16")
    word = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "SQUARED_DIFFERENCE": "SquaredDifference"}
    examples = None
    if name == "SQUARED_DIFFERENCE":
        # TFLM's own product overflows beyond 15 bits.
        shapes = [s.shape for s in (x, other) if s.data is None]
        examples = [
            [rng.integers(-9000, 9000, shape).astype(np.int16) for shape in shapes]
            for _ in range(20)
        ]
        if kind == "constant":
            other.data = (values // 4).astype(np.int16)
    made = options(word[name])
    if name != "SQUARED_DIFFERENCE":
        made.fusedActivationFunction = int(rng.integers(0, 4))
    compare(single(name, [x, other], [y], made), tmp_path, 20, seed, examples)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "name", ["LOGISTIC", "TANH", "RSQRT", "RELU", "RELU6", "LEAKY_RELU", "QUANTIZE"]
)
def test_functions_of_16_bits_on_all_values(name, seed, tmp_path, monkeypatch):
    # The golden input would have values below zero, where TFLM refuses RSQRT.
    zeros = np.zeros((1, 32768 if name == "RSQRT" else 65536), np.int16)
    monkeypatch.setattr("tfhrf.deploy.c.compile.golden_input", lambda tensor, seed: zeros)
    rng = np.random.default_rng(seed)
    values = np.arange(0 if name == "RSQRT" else -32768, 32768).astype(np.int16)[None]
    scales = [(2**-12,), (2**-11,), scale(rng, -13, -10)][seed]
    x = Spec(values.shape, scales, 0, "int16")
    y_scale = scale(rng, -10, -8) if name == "RSQRT" else (1 / 32768,)
    made = None
    if name in ("RELU", "RELU6", "LEAKY_RELU", "QUANTIZE"):
        y_scale = scale(rng, -14, -10)
    if name == "LEAKY_RELU":
        made = options("LeakyRelu", alpha=float(rng.uniform(0, 1)))
    y = Spec(values.shape, y_scale, 0, "int16")
    compare(single(name, [x], [y], made), tmp_path, 1, examples=[[values]])


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_of_16_bits(seed, tmp_path):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(2, 40, 2))
    x, y = Spec(shape, scale(rng, -14, -10), 0, "int16"), Spec(shape, (1 / 32768,), 0, "int16")
    compare(single("SOFTMAX", [x], [y], options("Softmax", beta=1.0)), tmp_path, 40, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("reduced", [(-1,), (1,), (1, 2)])
def test_mean_of_16_bits(reduced, seed, tmp_path):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(1, 9, 3))
    left = [n for i, n in enumerate(shape) if i not in {axis % 4 for axis in reduced}]
    y = wide(rng, *left)
    content = single("MEAN", [wide(rng, *shape), axes(*reduced)], [y], options("Reducer"))
    compare(content, tmp_path, 20, seed)


@pytest.mark.parametrize("wide_sums", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_products_of_16_bits(seed, wide_sums, tmp_path):
    rng = np.random.default_rng(seed)
    batch, rows, depth, columns = rng.integers(1, 12, 4)
    a = wide(rng, 1, batch, rows, depth)
    b = wide(rng, 1, batch, *((columns, depth) if seed % 2 else (depth, columns)))
    output = a.scales[0] * b.scales[0] * 2**14
    y = Spec((1, batch, rows, columns), (output,), 0, "int16")
    made = options("BatchMatMul", adjY=bool(seed % 2))
    compare(single("BATCH_MATMUL", [a, b], [y], made), tmp_path / "matmul", 20, seed)
    scales = scale(rng, -9, -6)
    weights = constant(int8(rng, columns, depth), scales)
    bias_scales = (float(np.float32(a.scales[0]) * np.float32(scales[0])),)
    bias = constant(rng.integers(-99999, 99999, columns), bias_scales)
    y = Spec((1, batch, rows, columns), (bias_scales[0] * 2**8,), 0, "int16")
    if wide_sums:
        bias.data = bias.data * 2**16
        y = Spec(y.shape, (bias_scales[0] * 2**18,), 0, "int16")
    made = options("FullyConnected", keepNumDims=True, fusedActivationFunction=seed % 4)
    content = single("FULLY_CONNECTED", [a, weights, bias if seed else None], [y], made)
    compare(content, tmp_path / "dense", 20, seed)


def test_probabilities_of_16_bits_sum_up_to_little_more_than_one():
    """What lets 32 bits hold their sums with 16-bit values: see `fits_attention`."""
    table = interpolation_table(lambda v: 1 / (1 + v), 0, 1)
    # Sums of exponentials, scaled to 16 bits and one: from 1 to 2.
    sums = np.arange(2**16, 2**17 + 1)
    centered = np.clip(sums - 0x18000, -32768, 32767)
    index, rest = 256 + (centered >> 7), centered & 0x7F
    factors = table[index] + ((np.diff(table)[index] * rest + 64) >> 7)
    assert ((sums + 0.5) / 2**16 * factors).max() < 32_900


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("extra", [(), ("MUL",), ("ADD",), ("MUL", "ADD")])
def test_attention_of_16_bits(extra, seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, keys, depth, width = (int(n) for n in rng.integers(1, 20, 4))
    query, key, value = (
        wide(rng, 1, 2, rows, depth),
        wide(rng, 1, 2, keys, depth),
        wide(rng, 1, 2, width, keys),
    )
    shape = (1, 2, rows, keys)
    scores = Spec(shape, (query.scales[0] * key.scales[0] * depth * 2**13,), 0, "int16")
    adjoint = options("BatchMatMul", adjY=True)
    operators = [("BATCH_MATMUL", [query, key], [scores], adjoint)]
    for name in extra:
        other = wide(rng, 1, 1, rows, keys)
        new = Spec(shape, (float(np.float32(max(scores.scales[0], other.scales[0]))),), 0, "int16")
        if name == "MUL":
            other = constant(rng.integers(1, 32768, 1).astype(np.int16)[0], (2**-15,))
            new = Spec(shape, scores.scales, 0, "int16")
        word = "Mul" if name == "MUL" else "Add"
        operators.append((name, [scores, other], [new], options(word)))
        scores = new
    shares = Spec(shape, (1 / 32768,), 0, "int16")
    operators.append(("SOFTMAX", [scores], [shares], options("Softmax", beta=1.0)))
    y = Spec(
        (1, 2, rows, width), (float(np.float32(value.scales[0] * rng.uniform(0.5, 1))),), 0, "int16"
    )
    operators.append(("BATCH_MATMUL", [shares, value], [y], adjoint))
    content = chained(operators)
    compare(content, tmp_path, 20, seed)
    assert "tfhrf_attention16_rows(" in (tmp_path / "model.c").read_text()
