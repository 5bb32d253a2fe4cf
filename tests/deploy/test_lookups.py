"""Functions of one value that TensorFlow Lite Micro has no integers for, as tables."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from generated_c import compare, needs_compiler
from keras import activations, layers, ops
from needs import needs_tflm
from tflite_graphs import operators
from tiny_models import chain, disturb, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import levels, runners
from tfhrf.deploy.tflite import graph as graphs

FUNCTIONS = {
    name: getattr(activations, name)
    for name in (
        *("elu", "selu", "softplus", "gelu", "mish", "exponential", "celu", "log_sigmoid"),
        *("softsign", "hard_shrink", "soft_shrink", "sparse_plus", "sparse_sigmoid"),
    )
} | {
    name: getattr(ops, name)
    for name in (
        *("sin", "cos", "expm1", "exp2", "sign", "floor", "ceil", "round"),
        *("erf", "arctan", "sinh", "cosh", "arcsinh"),
    )
}
FUNCTIONS |= {
    "tanh gelu": lambda x: activations.gelu(x, approximate=True),
    "erfc": tf.math.erfc,
    "arcsin": lambda x: ops.arcsin(x / 4),
    "arccos": lambda x: ops.arccos(x / 4),
    "arctanh": lambda x: ops.arctanh(x / 4),
    "arccosh": lambda x: ops.arccosh(ops.abs(x) + 1.1),
    "tan": lambda x: ops.tan(x / 3),
    "log": lambda x: ops.log(ops.abs(x) + 0.3),
    "reciprocal": lambda x: 1 / (ops.abs(x) + 0.5),
    "power": lambda x: ops.power(ops.abs(x) + 0.1, 1.7),
    "where": lambda x: ops.where(x > 0.2, x * x, -0.5),
}


def all_of(functions, shape=(12, 8)):
    """A model with an output for each of some functions or layers, and data for it."""
    x = keras.Input(shape)
    makes = [f if isinstance(f, keras.Layer) else layers.Lambda(f) for f in functions.values()]
    model = keras.Model(x, [make(x) for make in makes])
    disturb(model)
    return model


def decibels(model, content, data):
    """How near a graph comes to a model, for each output."""
    outputs = zip(model(data), runners.predict(content, data), strict=True)
    return [signal_to_noise(ops.convert_to_numpy(one), other) for one, other in outputs]


@needs_compiler
@needs_tflm
def test_each_level_becomes_the_nearest_one(tmp_path):
    model = all_of(FUNCTIONS, (256, 1))
    data = np.linspace(-3, 3, 2560, dtype="float32").reshape(10, 256, 1)
    content = tfhrf.to_tflite(model, data)
    assert operators(content) == ["CAST", "ADD", *["GATHER"] * len(FUNCTIONS)]
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 256, 1)
    compare(content, tmp_path, 1, examples=[[every]])
    assert (tmp_path / "model.c").read_text().count("tfhrf_table_rows(") == len(FUNCTIONS)
    (given,), made = graphs.interface(graphs.read(content))
    reals = levels.dequantize(every, given["scale"], given["zero_point"])
    outputs = zip(FUNCTIONS, made, model(reals), runners.invoke(content, every), strict=True)
    for name, tensor, values, found in outputs:
        exact = ops.convert_to_numpy(values) / tensor["scale"] + tensor["zero_point"]
        # Where a function jumps, TensorFlow and TensorFlow Lite may stand on either side.
        error = np.abs(np.clip(exact, -128, 127) - found)
        assert np.quantile(error, 0.97) < 0.51, name


@needs_compiler
@needs_tflm
def test_chains_share_their_places_and_join_their_neighbors(tmp_path):
    x = keras.Input((6, 4))
    hidden = layers.Dense(8)(x)
    parts = [ops.exp(ops.sin(hidden)), layers.Activation("gelu")(hidden)]
    y = layers.Add()([layers.Dense(2)(part) for part in parts])
    content = tfhrf.to_tflite(keras.Model(x, y), normal(40, 6, 4))
    assert operators(content).count("CAST") == 1
    assert operators(content).count("GATHER") == 2
    compare(content, tmp_path, 20)
    # GELU behind a Dense layer of its own needs no step.
    dense = chain(layers.Dense(8, activation="gelu"), layers.Dense(2), shape=(6, 4))
    compare(tfhrf.to_tflite(dense, normal(40, 6, 4)), tmp_path / "dense", 20)
    assert "tfhrf_table_rows(" not in (tmp_path / "dense/model.c").read_text()


ROOTS = {
    "root": lambda x: ops.sqrt(ops.abs(x) + 0.01),
    "over its root": lambda x: x * ops.rsqrt(x * x + 0.01),
    "of means": lambda x: ops.sqrt(ops.mean(x * x, -1)),
}


@needs_compiler
@needs_tflm
def test_roots_that_something_bends_are_tables(tmp_path):
    model, data = all_of(ROOTS), normal(40, 12, 8)
    content = tfhrf.to_tflite(model, data)
    compare(content, tmp_path, 10)
    assert "RSQRT" not in operators(content)
    # Measured: at least 32 dB.
    assert min(decibels(model, content, data)) > 30


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_no_integer_is_not_a_number(precision, tmp_path):
    model, data = chain(lambda x: ops.logaddexp(x, x[:, ::-1])), normal(40, 12, 8)
    content = tfhrf.to_tflite(model, data, precision=precision)
    compare(content, tmp_path, 10)
    # Measured: 37.7 and 68.8 dB.
    least = {"int8": 34, "int16x8": 62}[precision]
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > least


WIDE = {
    "gelu": activations.gelu,
    "elu": activations.elu,
    "hard_swish": activations.hard_swish,
    "prelu": layers.PReLU(shared_axes=[1]),
    "max": lambda x: ops.max(x, 1),
    "min": lambda x: ops.min(x, (1, 2)),
    "last max": lambda x: ops.max(x, -1),
    "unit length": lambda x: tf.math.l2_normalize(x, -1),
}


@needs_compiler
@needs_tflm
def test_what_16_bits_lack_is_written_with_what_they_have(tmp_path):
    model, data = all_of(WIDE), normal(40, 12, 8)
    content = tfhrf.to_tflite(model, data, precision="int16x8")
    compare(content, tmp_path, 10)
    # Measured: 71 dB and more.
    assert min(decibels(model, content, data)) > 65


GROWING = {
    "tile": lambda x: tf.tile(x, (1, 2, 3)),
    "many": lambda x: tf.tile(x[:, :1], (1, 37, 1)),
    "repeat": lambda x: ops.repeat(x, 3, axis=1),
    "upsampling": layers.UpSampling1D(2),
    "vector": lambda x: layers.RepeatVector(12)(x[:, 0]),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_repetitions(precision, tmp_path):
    model, data = all_of(GROWING), normal(40, 12, 8)
    content = tfhrf.to_tflite(model, data, precision=precision)
    compare(content, tmp_path, 10)
    assert min(decibels(model, content, data)) > {"int8": 38, "int16x8": 80}[precision]
