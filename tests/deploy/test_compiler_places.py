"""Places of largest values, unit vectors, blocks and batches: C equals TFLM bit for bit."""

import keras
import numpy as np
import pytest
from generated_c import compare, compile_c, needs_compiler, random_inputs
from keras import layers
from needs import needs_tflm
from single_operators import Spec, chained, constant, single
from test_compiler_operators import axes, int8, options, scale, tensor, zero_point
from tflite_graphs import expected_of, open_batch
from tiny_models import disturb

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.dilation import join_dilations
from tfhrf.deploy.tflite.schema import schema

pytestmark = [needs_compiler, needs_tflm]


def place_graph(name, shape, axis, dtype="int32"):
    x = Spec(shape, (0.1,), 3)
    kept = tuple(n for place, n in enumerate(shape) if place != axis % len(shape))
    word = "ArgMax" if name == "ARG_MAX" else "ArgMin"
    kind = {"int32": schema.TensorType.INT32, "int64": schema.TensorType.INT64}[dtype]
    y = Spec(kept, (), 0, dtype)
    return single(name, [x, constant(np.int32(axis))], [y], options(word, outputType=kind))


@pytest.mark.parametrize("name", ["ARG_MAX", "ARG_MIN"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((1, 7), 1), ((1, 4, 5), 1), ((1, 4, 5), -1), ((1, 3, 4, 5), 2)]
)
def test_places(name, shape, axis, tmp_path):
    """The extremes among the examples are ties: the first place counts."""
    report = compare(place_graph(name, shape, axis), tmp_path, 30)
    assert report["outputs"][0]["tokens"] == shape[axis]
    assert f"#define MODEL_OUTPUT_TOKENS {shape[axis]}" in (tmp_path / "model.h").read_text()


def test_places_of_64_bits_become_32(tmp_path):
    """TensorFlow's own type, which TensorFlow Lite Micro does not write."""
    report, call = compile_c(place_graph("ARG_MAX", (1, 4, 5), 2, "int64"), tmp_path)
    x = np.random.default_rng(0).integers(-128, 128, (1, 4, 5)).astype(np.int8)
    assert report["outputs"][0]["dtype"] == "int32"
    np.testing.assert_array_equal(call([x])[0], x.argmax(axis=2))


def test_labels_of_places(tmp_path):
    content = place_graph("ARG_MAX", (1, 3), 1)
    tfhrf.to_c(content, tmp_path, labels=["anger", "neutral", "sadness"])
    assert "MODEL_LABEL_COUNT 3" in (tmp_path / "model.h").read_text()
    with pytest.raises(ValueError, match=r"each of the 3 .* Received: 2 labels"):
        tfhrf.to_c(content, tmp_path, labels=["anger", "neutral"])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("columns", [1, 2, 7, 64, 9000])
def test_vectors_of_length_one(columns, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = tensor(rng, 1, 3, columns)
    y = Spec(x.shape, (1 / 128,), 0)
    content = single("L2_NORMALIZATION", [x], [y], options("L2Norm"))
    compare(content, tmp_path, 20, seed)
    # All zeros, one step, and the largest sum.
    for value in (x.zero_point, np.clip(x.zero_point + 1, -128, 127), -128, 127):
        compare(content, tmp_path, 1, examples=[[np.full(x.shape, value, np.int8)]])


def blocks(name, x, block, amounts, y):
    word = {"SPACE_TO_BATCH_ND": "SpaceToBatchND", "BATCH_TO_SPACE_ND": "BatchToSpaceND"}[name]
    amounts = constant(np.array(amounts, np.int32))
    return (name, [x, axes(*block), amounts], [y], options(word))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("shape", "block", "amounts"),
    [
        ((1, 4, 6, 3), (2, 3), ((0, 0), (0, 0))),
        ((1, 5, 7, 2), (2, 2), ((1, 2), (0, 1))),
        ((1, 9, 1, 4), (3, 1), ((2, 1), (0, 0))),
    ],
)
def test_blocks_as_batches_and_back(shape, block, amounts, seed, tmp_path):
    rng = np.random.default_rng(seed)
    scales, zero = scale(rng), zero_point(rng)
    x = Spec(shape, scales, zero)
    padded = np.add(shape[1:3], np.sum(amounts, axis=1))
    inner = (int(np.prod(block)), *(int(n) for n in padded // block), shape[3])
    batches, table = Spec(inner, scales, zero), Spec(inner, (1 / 128,), 0)
    y = Spec(shape, (1 / 128,), 0)
    content = chained(
        [
            blocks("SPACE_TO_BATCH_ND", x, block, amounts, batches),
            ("TANH", [batches], [table], None),
            blocks("BATCH_TO_SPACE_ND", table, block, amounts, y),
        ]
    )
    compare(content, tmp_path, 10, seed)


def equals_reference(content, folder, seed):
    """TensorFlow Lite Micro pads with other than the zero point: TensorFlow Lite is right."""
    report, call = compile_c(content, folder)
    for example in random_inputs(content, 10, seed):
        for found, expected in zip(call(example), expected_of(content, example), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert report["tflm_ran"]
    return report


@pytest.mark.parametrize("crops", [((0, 1), (0, 0)), ((2, 3), (0, 0))])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_dilated_convolution_over_batches(seed, depthwise, crops, tmp_path):
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 7))
    x = tensor(rng, 1, 11, 1, channels)
    batches = Spec((2, 8, 1, channels), x.scales, x.zero_point)
    count = channels if depthwise else 5
    shape = (1, 3, 1, channels) if depthwise else (5, 3, 1, channels)
    kernel = constant(int8(rng, *shape), scale(rng))
    sums = (float(np.float32(x.scales[0]) * np.float32(kernel.scales[0])),)
    bias = constant(rng.integers(-999, 999, count).astype(np.int32), sums)
    inner = Spec((2, 6, 1, count), scale(rng, -4, 2), zero_point(rng))
    y = Spec((1, 12 - sum(crops[0]), 1, count), inner.scales, inner.zero_point)
    made = options("DepthwiseConv2D" if depthwise else "Conv2D", strideH=1, strideW=1)
    made.dilationHFactor = made.dilationWFactor = 1
    made.padding = schema.Padding.VALID
    if depthwise:
        made.depthMultiplier = 1
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    operators = [
        blocks("SPACE_TO_BATCH_ND", x, (2, 1), ((2, 3), (0, 0)), batches),
        (name, [batches, kernel, bias], [inner], made),
        blocks("BATCH_TO_SPACE_ND", inner, (2, 1), crops, y),
    ]
    report = equals_reference(chained(operators), tmp_path, seed)
    assert "SPACE_TO_BATCH_ND" not in report["operators"]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: layers.Conv1D(4, 3, dilation_rate=2, padding="causal"), (20, 8)),
        (lambda: layers.Conv1D(4, 3, dilation_rate=3, padding="same"), (20, 8)),
        (lambda: layers.SeparableConv1D(5, 3, dilation_rate=4), (21, 6)),
        (lambda: layers.Conv2D(4, (3, 2), dilation_rate=(2, 3), padding="same"), (9, 8, 3)),
        (lambda: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"), (8, 9, 3)),
    ],
)
def test_dilated_layers_for_any_number_of_examples(layer, shape, tmp_path):
    model = keras.Sequential([keras.Input(shape), layer(), layers.Activation("tanh")])
    disturb(model)
    content = open_batch(model)
    assert "SPACE_TO_BATCH_ND" in graphs.operators_used(graphs.read(content))
    report = equals_reference(content, tmp_path / "c", 0)
    assert "SPACE_TO_BATCH_ND" not in report["operators"]
    assert tfhrf.to_tflm(content, tmp_path / "tflm")["operators"] == report["operators"]
    (example,) = random_inputs(content, 3)[2]
    (expected,) = expected_of(content, [example])
    joined = graphs.read(content)
    assert join_dilations(joined)
    np.testing.assert_array_equal(runners.invoke(graphs.write(joined), example), expected)


def test_blocks_that_stay_are_padded_with_the_zero_point(tmp_path):
    x = Spec((1, 5, 3, 2), (0.1,), 17)
    batches, y = Spec((2, 4, 3, 2), (0.1,), 17), Spec((2, 4, 3, 2), (1 / 128,), 0)
    joined = blocks("SPACE_TO_BATCH_ND", x, (2, 1), ((1, 2), (0, 0)), batches)
    equals_reference(chained([joined, ("TANH", [batches], [y], None)]), tmp_path, 0)


@pytest.mark.parametrize("shape", [(4, 8), (8,), (2, 3, 8), ()])
def test_graphs_of_several_examples_or_none(shape, tmp_path):
    """The first length of a file need not be the number of examples, or 1."""
    x, y = Spec(shape, (0.1,), 3), Spec(shape, (1 / 128,), 0)
    operators = [("TANH", [x], [y], None)]
    if shape:
        rng = np.random.default_rng(0)
        weights = constant(int8(rng, 3, 8), (0.02,))
        outputs = Spec((*(shape[:-1] or (1,)), 3), (0.2,), -4)
        made = options("FullyConnected", keepNumDims=len(shape) == 3)
        operators.append(("FULLY_CONNECTED", [y, weights, None], [outputs], made))
    content = chained(operators)
    report = compare(content, tmp_path / "c", 5)
    assert report["inputs"][0]["shape"] == list(shape)
    assert tfhrf.to_tflm(content, tmp_path / "tflm")["inputs"] == report["inputs"]
