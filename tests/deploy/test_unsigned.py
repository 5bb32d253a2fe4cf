"""Graphs of uint8, TensorFlow's older form: C computes what TensorFlow Lite's kernels do."""

import numpy as np
import pytest
from generated_c import compile_c, needs_compiler
from needs import needs_tflm
from single_operators import Spec, chained, constant, single
from test_compiler_operators import axes, options, scale
from test_tflm_operators import graph_of
from tflite_graphs import expected_of

import tfhrf
from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.c.lower import LOWERINGS
from tfhrf.deploy.foreign.unsigned import OTHER
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.schema import schema
from tfhrf.deploy.tflite.tflm_operators import OPERATORS

pytestmark = [needs_compiler, needs_tflm]
SEEDS = range(2)


def byte(rng, *shape):
    zero = int(rng.choice([0, 255, 128, rng.integers(0, 256)]))
    return Spec(shape, scale(rng), zero, "uint8")


def same(content, folder, count=20, seed=0):
    """Asserts that C computes what TensorFlow Lite does, of bytes less by 128."""
    report, call = compile_c(content, folder)
    rng = np.random.default_rng(seed)
    for number in range(count):
        given = []
        for tensor in report["inputs"]:
            values = rng.normal(
                rng.uniform(0, 255), 255 * 2.0 ** -rng.integers(0, 6), tensor["shape"]
            )
            values = np.full(tensor["shape"], 255 * number) if number < 2 else values
            given.append(np.clip(np.round(values), 0, 255).astype(np.uint8))
        found = call([(one.astype(int) - 128).astype(np.int8) for one in given])
        for one, expected in zip(found, expected_of(content, given), strict=True):
            less = 128 if expected.dtype == np.uint8 else 0
            np.testing.assert_array_equal(one.astype(int) + less, expected)
    assert report["tflm_ran"]
    return report


def kernel(rng, shape, kind):
    """Weights with a zero point; `wide` ones do not fit 8 bits without it."""
    low, high, zero = {"plain": (1, 256, 128), "near": (40, 160, 100), "wide": (0, 256, 77)}[kind]
    values = rng.integers(low, high, shape)
    values.flat[0], values.flat[-1] = low, high - 1
    return constant(values.astype(np.uint8), scale(rng), zero)


def product(rng, name, x, weights, out, **settings):
    """A graph of a product with its bias."""
    count = weights.shape[3] if name == "DEPTHWISE_CONV_2D" else weights.shape[0]
    sums = (float(np.float32(x.scales[0]) * np.float32(weights.scales[0])),)
    bias = constant(rng.integers(-2000, 2000, count).astype(np.int32), sums)
    depth = int(np.prod(weights.shape)) // count
    y = byte(rng, *out)
    y.scales = (float(np.float32(sums[0] * 100 * depth**0.5)),)
    word = {
        "CONV_2D": "Conv2D",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
        "FULLY_CONNECTED": "FullyConnected",
    }[name]
    made = options(word, fusedActivationFunction=int(rng.choice([0, 1, 3])), **settings)
    return single(name, [x, weights, bias], [y], made)


@pytest.mark.parametrize("kind", ["plain", "near", "wide"])
@pytest.mark.parametrize("seed", range(4))
def test_dense(seed, kind, tmp_path):
    rng = np.random.default_rng(seed)
    x = byte(rng, *[(1, 13), (1, 2, 3, 4), (2, 9), (1, 5, 7)][seed])
    depth = int(np.prod(x.shape)) // (2 if seed == 2 else 5 if seed == 3 else 1)
    out = [(1, 6), (1, 6), (2, 6), (1, 5, 6)][seed]
    weights = kernel(rng, (6, depth), kind)
    same(product(rng, "FULLY_CONNECTED", x, weights, out, keepNumDims=seed == 3), tmp_path)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", ["plain", "near", "wide"])
@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_convolutions(name, kind, stride, padding, tmp_path):
    rng, size = np.random.default_rng(stride), {1: (9, 8), 2: (6, 11)}[stride]
    channels, deep = int(rng.integers(1, 6)), name == "DEPTHWISE_CONV_2D"
    shape = (1, 3, 3, 2 * channels) if deep else (5, 3, 3, channels)
    out = [-(-n // stride) if padding == "SAME" else (n - 3) // stride + 1 for n in size]
    settings = {"strideH": stride, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}
    if deep:
        settings["depthMultiplier"] = 2
    settings["padding"] = getattr(schema.Padding, padding)
    x, weights = byte(rng, 1, *size, channels), kernel(rng, shape, kind)
    y = (1, *out, shape[3] if deep else shape[0])
    same(product(rng, name, x, weights, y, **settings), tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_two_values(name, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x, other, y = (byte(rng, 1, 5, 9) for _ in range(3))
    y.scales = (float(np.float32(2.0 ** rng.uniform(-6, 0))),)
    made = options(name.capitalize(), fusedActivationFunction=seed % 2)
    same(single(name, [x, other], [y], made), tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize(("high", "wide"), [(2, 2), (3, 3), (2, 3), (7, 8), (4, 5), (1, 2)])
def test_pools(high, wide, name, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = byte(rng, 1, 8, 9, 5)
    # Of an even number of values below the zero point, int8 rounds halves down.
    x.zero_point = x.zero_point if high * wide % 2 else 0
    y = Spec((1, 8 // high, 9 // wide, 5), x.scales, x.zero_point, "uint8")
    steps = {"filterHeight": high, "filterWidth": wide, "strideH": high, "strideW": wide}
    made = options("Pool2D", padding=schema.Padding.VALID, **steps)
    same(single(name, [x], [y], made), tmp_path)


ONE_VALUE = {
    "LOGISTIC": (1 / 256, 0),
    "SOFTMAX": (1 / 256, 0),
    "TANH": (1 / 128, 128),
    "RELU": None,
    "RELU6": None,
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ONE_VALUE)
def test_functions(name, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = byte(rng, 1, 3, 16)
    x.scales = (float(np.float32(2.0 ** rng.uniform(-6, -3))),)
    fixed = ONE_VALUE[name]
    y = (
        Spec(x.shape, (fixed[0],), fixed[1], "uint8")
        if fixed
        else Spec(x.shape, x.scales, x.zero_point, "uint8")
    )
    made = options("Softmax", beta=1.0) if name == "SOFTMAX" else None
    same(single(name, [x], [y], made), tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
def test_means(seed, tmp_path):
    rng = np.random.default_rng(seed)
    same(
        single("MEAN", [byte(rng, 1, 3, 5, 4), axes(1, 2)], [byte(rng, 1, 4)], options("Reducer")),
        tmp_path,
    )


def as_bytes(content):
    """A graph of int8 as one of uint8."""
    graph = graphs.read(content)
    for tensor in graph.subgraphs[0].tensors:
        if graphs.type_name(tensor) == "int8":
            if graphs.is_constant(graph, tensor):
                values = np.frombuffer(bytes(graph.buffers[tensor.buffer].data), np.uint8) ^ 128
                graphs.make_constant(graph, graph.subgraphs[0].tensors.index(tensor), values)
            tensor.type = schema.TensorType.UINT8
            tensor.quantization.zeroPoint = np.asarray(tensor.quantization.zeroPoint) + 128
    return graphs.write(graph)


# With tests of their own, without C, or without kernels for uint8.
OTHERS = {"AVERAGE_POOL_2D", "CONV_2D", "QUANTIZE", "DEQUANTIZE", "SELECT_V2", "BROADCAST_TO"}
OTHERS |= {"ABS", "BATCH_MATMUL", "ELU", "RSQRT", "SUM"}


@pytest.mark.parametrize("name", sorted(LOWERINGS[INT8].keys() & OPERATORS.keys() - OTHER - OTHERS))
def test_every_other_operator(name, tmp_path):
    same(as_bytes(graph_of(name, "int8")), tmp_path)


@pytest.mark.parametrize("name", ["L2_NORMALIZATION", "RESIZE_BILINEAR"])
def test_what_int8_computes_otherwise_is_refused(name, tmp_path):
    with pytest.raises(
        ValueError, match=f"No int8 form of uint8 values: operator {name}. Received"
    ):
        tfhrf.to_c(as_bytes(graph_of(name, "int8")), tmp_path)


def test_wide_weights_with_gaps_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    x, weights = byte(rng, 1, 9, 9, 2), kernel(rng, (1, 3, 3, 2), "wide")
    settings = {"strideH": 1, "strideW": 1, "dilationHFactor": 2, "dilationWFactor": 2}
    settings |= {"depthMultiplier": 1, "padding": schema.Padding.VALID}
    content = product(rng, "DEPTHWISE_CONV_2D", x, weights, (1, 5, 5, 2), **settings)
    with pytest.raises(ValueError, match=r"too wide a range.*Received: \[-77, 178\]"):
        tfhrf.to_c(content, tmp_path)


@pytest.mark.parametrize("outside", ["uint8", "float32"])
def test_a_network(outside, tmp_path):
    """As TensorFlow 1 exported what it trained for integers; float32: with QUANTIZE around it."""
    rng = np.random.default_rng(1)
    x = Spec((1, 12, 12, 3), (0.03,), 128, "uint8")
    operators, shape = [], (12, 12)
    values = x
    for deep in (False, True, False):
        channels = values.shape[3]
        weights = kernel(rng, (1, 3, 3, channels) if deep else (8, 1, 1, channels), "wide")
        weights.scales = (0.01,)
        sums = (float(np.float32(values.scales[0]) * np.float32(0.01)),)
        count = channels if deep else 8
        bias = constant(rng.integers(-500, 500, count).astype(np.int32), sums)
        y = Spec((1, *shape, count), (6 / 255,), 0, "uint8")
        word = "DepthwiseConv2D" if deep else "Conv2D"
        made = options(word, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
        made.padding, made.fusedActivationFunction = schema.Padding.SAME, 3
        if deep:
            made.depthMultiplier = 1
        operators.append(
            ("DEPTHWISE_CONV_2D" if deep else "CONV_2D", [values, weights, bias], [y], made)
        )
        values = y
    pooled = Spec((1, 1, 1, 8), values.scales, 0, "uint8")
    steps = {"filterHeight": 12, "filterWidth": 12, "strideH": 12, "strideW": 12}
    made = options("Pool2D", padding=schema.Padding.VALID, **steps)
    operators.append(("AVERAGE_POOL_2D", [values], [pooled], made))
    scores = Spec((1, 5), (0.05,), 100, "uint8")
    weights = kernel(rng, (5, 8), "near")
    operators.append(
        ("FULLY_CONNECTED", [pooled, weights, None], [scores], options("FullyConnected"))
    )
    shares = Spec((1, 5), (1 / 256,), 0, "uint8")
    operators.append(("SOFTMAX", [scores], [shares], options("Softmax", beta=1.0)))
    if outside == "float32":
        before, after = Spec(x.shape, dtype="float32"), Spec(shares.shape, dtype="float32")
        operators = [("QUANTIZE", [before], [x], None), *operators]
        operators.append(("DEQUANTIZE", [shares], [after], None))
        report = tfhrf.to_c(chained(operators), tmp_path)
    else:
        report = same(chained(operators), tmp_path)
    assert report["inputs"][0]["zero_point"] == 0
    report = tfhrf.to_tflm(chained(operators), tmp_path / "tflm")
    assert report["inputs"][0]["dtype"] == {"uint8": "int8"}.get(outside, outside)
