"""Values that hardly vary, or vary too much, end no process: graphs run, and C equals them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from generated_c import compare, needs_compiler
from keras import layers, ops
from needs import needs_tflm
from single_operators import Spec, single
from tiny_models import chain, disturb, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

pytestmark = [needs_compiler, needs_tflm]
PRECISIONS = ["int8", "int16x8"]


def scores_of(x):
    query, key, value = (layers.Dense(8)(x) for _ in range(3))
    return ops.matmul(query, ops.transpose(key, (0, 2, 1))), value


def attention(mask_of):
    """Attention with a mask that is made of nothing, of an input, or both."""
    x, mask = keras.Input((6, 8)), keras.Input((6,))
    scores, value = scores_of(x)
    added = mask_of(mask)
    outputs = ops.matmul(layers.Softmax()(scores + added), value)
    return keras.Model([x, mask] if isinstance(added, keras.KerasTensor) else x, outputs)


def check(model, examples, precision, folder):
    """Compares C with TFLM, and TFLM with Keras."""
    content = tfhrf.to_tflite(model, examples, precision=precision)
    compare(content, folder, 20)
    found, expected = runners.predict(content, examples), model(examples, training=False)
    # Measured: at least 29.5 and 40.6 dB.
    assert signal_to_noise(np.asarray(expected), found) > {"int8": 26, "int16x8": 37}[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [-1e4, -1e7, -1e8, -1e9, -3e38])
def test_a_mask_of_large_negative_numbers(value, precision, tmp_path):
    causal = np.where(np.tri(6) > 0, 0, value).astype("float32")
    model = attention(lambda _: causal)
    disturb(model)
    check(model, normal(40, 6, 8), precision, tmp_path)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "mask_of",
    [
        lambda mask: ops.reshape((1.0 - mask) * -1e9, (-1, 1, 6)),
        lambda mask: ops.expand_dims(1.0 - mask, 1) * -1e8,
        lambda mask: ops.relu(ops.reshape(ops.relu(1.0 - mask), (-1, 1, 6)) * 1e9) * -0.5,
    ],
)
def test_a_mask_that_is_computed(mask_of, precision, tmp_path):
    mask = (np.random.default_rng(0).uniform(size=(40, 6)) < 0.7).astype("float32")
    mask[:, 0] = 1
    model = attention(mask_of)
    disturb(model)
    check(model, [normal(40, 6, 8), mask], precision, tmp_path)


def of_a_constant(function, factor):
    return lambda: chain(lambda x: function(factor * x))


HARDLY = {
    "head": lambda: chain(layers.Dense(4, "softmax", kernel_initializer="zeros")),
    "small head": lambda: keras.Sequential(
        [
            keras.Input((12, 8)),
            layers.Dense(4, "softmax", kernel_initializer=keras.initializers.RandomNormal(0, 1e-8)),
        ]
    ),
    "normalization of one": lambda: chain(layers.Dense(1), layers.LayerNormalization()),
    "difference": lambda: chain(lambda x: (x - x) * x + (x - x) * 1e6),
    "cancelled": lambda: chain(lambda x: (x * 1e9 + x) - x * 1e9),
    "below a fixed scale": lambda: chain(lambda x: 1e-3 * x - tf.tanh(1e-3 * x)),
    "below a fixed step": lambda: chain(lambda x: (tf.sigmoid(1e-4 * x) - 0.5) * 1e-6),
    "squares": lambda: chain(lambda x: tf.math.squared_difference(1e4 * x + 1e-3, 1e4 * x)),
    "branches": lambda: chain(lambda x: tf.concat([x, 1e9 * x, 1e-9 * x], 2)),
    **{
        f"{name} of {factor}": of_a_constant(function, factor)
        for factor in (1e-12, 1e-30, 1e4)
        for name, function in {
            "softmax": tf.nn.softmax,
            "tanh": tf.tanh,
            "sigmoid": tf.sigmoid,
            "silu": tf.nn.silu,
            "leaky relu": tf.nn.leaky_relu,
            "square": lambda x: x * x,
            "inverse root": lambda x: tf.math.rsqrt(x * x + 1e-30),
        }.items()
    },
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", list(HARDLY))
def test_values_that_hardly_vary(name, precision, tmp_path):
    model = HARDLY[name]()
    data = normal(20, 12, 8)
    content = tfhrf.to_tflite(model, data, precision=precision)
    compare(content, tmp_path, 10)


def dead():
    """A model with a layer whose ReLU lets nothing through, and what reads it."""
    x = keras.Input((12, 8))
    nothing = layers.Dense(8, "relu")(x)
    sums = layers.Dense(3)(layers.LayerNormalization()(nothing)) + layers.Dense(3)(nothing)
    model = keras.Model(x, sums + layers.Dense(3)(x))
    disturb(model)
    model.layers[1].set_weights([np.zeros((8, 8)), -np.ones(8)])
    return model


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_layer_that_is_dead(precision, tmp_path):
    check(dead(), normal(30, 12, 8), precision, tmp_path)


@pytest.mark.parametrize("name", ["TANH", "LOGISTIC"])
@pytest.mark.parametrize("scale", [1e-40, 1e-16, 6.0, 1e12])
def test_16_bit_arguments_that_tflm_cannot_scale_are_refused(name, scale, tmp_path):
    x, y = Spec((1, 4), (scale,), 0, "int16"), Spec((1, 4), (2.0**-15,), 0, "int16")
    with pytest.raises(ValueError, match=f"operator {name}: its input's scale is too"):
        tfhrf.to_c(single(name, [x], [y]), tmp_path)


@pytest.mark.parametrize("name", ["TANH", "LOGISTIC"])
@pytest.mark.parametrize("scale", [1e-12, 1e-10, 1.3e-9, 2e-9, 1e-3, 5.0])
def test_16_bit_arguments_near_the_bounds(name, scale, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tfhrf.deploy.c.compile.golden_input", lambda tensor, _: np.zeros((1, 65536), np.int16)
    )
    values = np.arange(-32768, 32768).astype(np.int16)[None]
    x = Spec(values.shape, (float(np.float32(scale)),), 0, "int16")
    y = Spec(values.shape, (2.0**-15,), 0, "int16")
    compare(single(name, [x], [y]), tmp_path, 1, examples=[[values]])
