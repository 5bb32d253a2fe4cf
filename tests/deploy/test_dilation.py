"""Dilated convolutions that share the blocks the converter makes of their input."""

import keras
import numpy as np
import pytest
from generated_c import compare, needs_compiler
from keras import layers, ops
from needs import needs_tflm
from single_operators import Spec, chained, constant
from test_compiler_operators import int8, options
from test_compiler_places import blocks, equals_reference
from tflite_graphs import open_batch, operators
from tiny_models import disturb, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

BLOCKS = {"BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"}


def frames(layer=layers.Conv1D, *arguments, **settings):
    """A function that makes a layer over frames, dilated by two."""
    return lambda: layer(*(arguments or (6, 3)), dilation_rate=2, **settings)


def images(layer=layers.Conv2D, *arguments, **settings):
    return frames(layer, *arguments, **{"padding": "same", **settings})


def normalized():
    """A convolution of six, normalized."""
    convolution = layers.Conv1D(6, 3, dilation_rate=2, padding="same", use_bias=False)
    return keras.Sequential([convolution, layers.BatchNormalization(), layers.ReLU()])


def doubled():
    """A function that adds what a convolution makes to itself."""
    convolution = layers.Conv1D(6, 3, dilation_rate=2, padding="same", use_bias=False)

    def call(x):
        y = convolution(x)
        return layers.Add()([y, y])

    return call


def squared():
    """A function that squares what a convolution makes, which something else reads, too."""
    convolution = layers.Conv1D(6, 3, dilation_rate=2, padding="same")

    def call(x):
        y = convolution(x)
        return layers.Concatenate()([layers.Activation("tanh")(y), ops.square(y)])

    return call


SHARED = {
    "same": ((24, 5), [frames(padding="same"), frames(padding="same")]),
    "valid": ((23, 5), [frames(), frames(layers.Conv1D, 6, 3, activation="relu")]),
    "a gate": (
        (29, 8),
        [frames(layers.Conv1D, 8, 2, padding="causal", activation=a) for a in ("tanh", "sigmoid")],
    ),
    "and more behind them": (
        (24, 5),
        [
            frames(padding="same", activation="relu6"),
            frames(padding="same", use_bias=False),
            normalized,
            doubled,
        ],
    ),
    "squares": ((24, 5), [frames(padding="same"), squared]),
    "depthwise": (
        (24, 5),
        [
            frames(layers.SeparableConv1D, 6, 3, padding="same"),
            frames(layers.DepthwiseConv1D, 3, padding="same"),
        ],
    ),
    "images": ((9, 10, 3), [images(activation="relu"), images()]),
    "images of groups": ((9, 10, 4), [images(groups=2), images(layers.DepthwiseConv2D, 3)]),
}


def beside(shape, parts):
    """A model of layers that read the same values, none below zero."""
    x = keras.Input(shape)
    mixed = (layers.Conv1D if len(shape) == 2 else layers.Conv2D)(shape[-1], 1, activation="relu")
    y = mixed(x)
    model = keras.Model(x, layers.Concatenate()([part()(y) for part in parts]))
    disturb(model)
    return model


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("name", SHARED)
def test_dilated_layers_on_one_input(name, precision, tmp_path):
    model = beside(*SHARED[name])
    data = normal(40, *SHARED[name][0])
    content = tfhrf.to_tflite(model, data, precision=precision)
    assert not BLOCKS & {*operators(content)}
    assert not {"ADD", "RELU"} & {*operators(content)} or name == "and more behind them"
    decibels = signal_to_noise(forward(model, data), runners.predict(content, data))
    assert decibels > {"int8": 28, "int16x8": 38}[precision]
    compare(content, tmp_path, 5)


@needs_tflm
@pytest.mark.parametrize("name", SHARED)
def test_dilated_layers_on_one_input_in_floats(name):
    """TFLM pads with what its memory happens to hold, whatever the type."""
    model = beside(*SHARED[name])
    data = normal(5, *SHARED[name][0])
    content = tfhrf.to_tflite(model, precision="float32")
    assert not BLOCKS & {*operators(content)}
    np.testing.assert_allclose(runners.predict(content, data), forward(model, data), atol=1e-5)


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("name", sorted({*SHARED} - {"squares"}))
def test_files_with_shared_blocks(name, tmp_path):
    content = open_batch(beside(*SHARED[name]))
    assert operators(content).count("SPACE_TO_BATCH_ND") == 1
    report = equals_reference(content, tmp_path / "c", 0)
    assert not BLOCKS & {*report["operators"]}
    assert tfhrf.to_tflm(content, tmp_path / "tflm")["operators"] == report["operators"]


@needs_compiler
@needs_tflm
def test_blocks_that_something_else_reads_stay(tmp_path):
    rng = np.random.default_rng(0)
    x, batches = Spec((1, 11, 1, 4), (0.1,), 17), Spec((2, 8, 1, 4), (0.1,), 17)
    kernel = constant(int8(rng, 5, 3, 1, 4), (0.01,))
    bias = constant(rng.integers(-999, 999, 5).astype(np.int32), (float(np.float32(0.1 * 0.01)),))
    inner, y = Spec((2, 6, 1, 5), (0.2,), 3), Spec((1, 11, 1, 5), (0.2,), 3)
    table = Spec((2, 8, 1, 4), (1 / 128,), 0)
    made = options("Conv2D", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, padding=1)
    operators = [
        blocks("SPACE_TO_BATCH_ND", x, (2, 1), ((2, 3), (0, 0)), batches),
        ("CONV_2D", [batches, kernel, bias], [inner], made),
        ("TANH", [batches], [table], None),
        blocks("BATCH_TO_SPACE_ND", inner, (2, 1), ((0, 1), (0, 0)), y),
    ]
    content = chained(operators, [y, table])
    report = equals_reference(content, tmp_path, 0)
    assert "SPACE_TO_BATCH_ND" in report["operators"]
    assert "BATCH_TO_SPACE_ND" not in report["operators"]
