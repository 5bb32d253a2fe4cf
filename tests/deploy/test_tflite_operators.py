"""Each operator that to_tflite lets through runs in TensorFlow Lite Micro; others are refused."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from generated_c import compare, needs_compiler
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops
from needs import needs_tflm
from tflite_graphs import operators
from tiny_models import chain, disturb, forward, normal, signal_to_noise, sounds

from tfhrf import to_tflite
from tfhrf.deploy import runners
from tfhrf.deploy.tflite.integer_rewrites import REWRITES
from tfhrf.deploy.tflite.lookups import FLOAT_ONLY
from tfhrf.deploy.tflite.tflm_operators import OPERATORS
from tfhrf.deploy.tflite.wide_rewrites import WIDE_REWRITES

OPERATIONS = {
    "ABS": tf.abs,
    "ADD": lambda x: x + tf.sigmoid(x),
    "ADD_N": lambda x: tf.add_n([x, tf.sigmoid(x), tf.tanh(x)]),
    "AVERAGE_POOL_2D": layers.AveragePooling1D(2),
    "BATCH_MATMUL": lambda x: tf.matmul(x, x, transpose_b=True),
    "CONCATENATION": lambda x: tf.concat([x, tf.nn.relu(x)], 1),
    "CONV_2D": layers.Conv2D(3, 3),
    "CUMSUM": lambda x: tf.cumsum(x, 1),
    "DEPTHWISE_CONV_2D": layers.DepthwiseConv1D(3, padding="same"),
    "DIV": lambda x: x / (tf.sigmoid(x) + 1),
    "EXP": tf.exp,
    "FULLY_CONNECTED": layers.Dense(5),
    "GATHER": lambda x: tf.gather(x, [3, 1, 5], axis=1),
    "HARD_SWISH": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "LEAKY_RELU": tf.nn.leaky_relu,
    "L2_NORMALIZATION": lambda x: tf.math.l2_normalize(x, -1),
    "LOGISTIC": tf.sigmoid,
    "LOG_SOFTMAX": tf.nn.log_softmax,
    "MAX_POOL_2D": layers.MaxPooling1D(2),
    "MEAN": layers.GlobalAveragePooling1D(),
    "MUL": lambda x: x * tf.sigmoid(x),
    "MAXIMUM": lambda x: tf.maximum(x, 0.3),
    "MINIMUM": lambda x: tf.minimum(x, 3 * tf.tanh(x)),
    "MIRROR_PAD": lambda x: tf.pad(x, [[0, 0], [2, 2], [0, 0]], "REFLECT"),
    "NEG": tf.negative,
    "PACK": lambda x: tf.stack([x, x], 1),
    "PAD": layers.ZeroPadding1D((2, 1)),
    "PADV2": lambda x: tf.pad(x, [[0, 0], [2, 0], [0, 1]], constant_values=1.5),
    "PRELU": layers.PReLU(shared_axes=[1]),
    "QUANTIZE": lambda x: tf.concat([tf.sigmoid(x), x], 1),
    "REDUCE_MAX": layers.GlobalMaxPooling1D(),
    "REDUCE_MIN": lambda x: tf.reduce_min(x, 1),
    "RELU": tf.nn.relu,
    "RESHAPE": layers.Reshape((8, 12)),
    "RESIZE_BILINEAR": lambda x: tf.image.resize(x[..., None], (24, 16)),
    "RESIZE_NEAREST_NEIGHBOR": lambda x: tf.image.resize(x[..., None], (24, 16), "nearest"),
    "REVERSE_V2": lambda x: tf.reverse(x, [1]),
    "RSQRT": lambda x: tf.math.rsqrt(tf.reduce_mean(x * x, 2) + 1),
    "SLICE": lambda x: tf.slice(x, (0, 2, 0), (-1, 5, 8)),
    "SOFTMAX": layers.Softmax(),
    "SPLIT": lambda x: tf.split(x, 2, 2)[0] * tf.split(x, 2, 2)[1],
    "SELECT_V2": lambda x: tf.where(np.arange(8) % 3 > 0, x, 0.5),
    "SQRT": lambda x: tf.sqrt(tf.nn.relu(x) + 0.5),
    "SQUARE": tf.square,
    "SQUARED_DIFFERENCE": lambda x: tf.math.squared_difference(
        x, tf.reduce_mean(x, 2, keepdims=True)
    ),
    "STRIDED_SLICE": lambda x: x[:, 1::2],
    "SUB": lambda x: x - tf.sigmoid(x),
    "SUM": lambda x: tf.reduce_sum(x, 1),
    "TANH": tf.tanh,
    "TRANSPOSE": layers.Permute((2, 1)),
    "TRANSPOSE_CONV": layers.Conv1DTranspose(4, 3, strides=2),
    "UNPACK": lambda x: tf.unstack(x, axis=1)[3] + tf.unstack(x, axis=1)[2],
}
PRECISION_OF = {"float32": "float32", "int8": "int8", "int16": "int16x8"}
# What is written otherwise.
REWRITTEN = set(itertools.product(REWRITES, ("int8", "int16")))
REWRITTEN |= set(itertools.product(WIDE_REWRITES, ("int16",)))
REWRITTEN |= set(itertools.product(FLOAT_ONLY, ("int8", "int16")))


@needs_tflm
@pytest.mark.parametrize(
    ("operator", "dtype"),
    [
        (operator, dtype)
        for operator in OPERATIONS
        for dtype in PRECISION_OF
        if dtype in OPERATORS[operator][1] or (operator, dtype) in REWRITTEN
        if (operator, dtype) != ("QUANTIZE", "float32")
    ],
)
def test_every_operator_allowed_runs_in_tflm(operator, dtype):
    shape = (12, 8, 2) if operator == "CONV_2D" else (12, 8)
    model = chain(OPERATIONS[operator], shape=shape)
    data = normal(30, *shape)
    content = to_tflite(model, data, precision=PRECISION_OF[dtype])
    assert operator in operators(content) or (operator, dtype) in REWRITTEN
    expected, found = forward(model, data), runners.predict(content, data)
    # Measured: at most 2.8 % of the largest value (RSQRT) and 0.5 % (8-bit weights).
    tolerance = {"float32": 1e-5, "int8": 0.04, "int16": 0.01}[dtype]
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


MISSING = {
    "CONV_3D_TRANSPOSE": lambda x: layers.Conv3DTranspose(2, 2)(x[..., None, None]),
    "REDUCE_PROD": lambda x: ops.prod(x, 1),
    "TOPK_V2": lambda x: ops.top_k(x, 2)[0],
}


@pytest.mark.parametrize("precision", PRECISION_OF.values())
@pytest.mark.parametrize("operator", MISSING)
def test_an_operator_that_is_missing_is_refused(operator, precision):
    x = keras.Input((12, 8))
    model = keras.Model(x, MISSING[operator](x))
    with pytest.raises(ValueError, match=rf"^[^\n]*has no {operator}\b[^\n]*Received: [^\n]*$"):
        to_tflite(model, normal(10, 12, 8), precision=precision)


PLACES = np.random.default_rng(0).integers(0, 12, (12, 8))
TAKEN = {
    "one": lambda x: tf.gather(x, 4, axis=1),
    "up and down": lambda x: tf.gather(x, [0, 1, 2, 7, 6, 5, 5, 5, 6, 9], axis=1),
    "the last axis": lambda x: tf.gather(x, [7, 0, 3], axis=-1),
    "scattered": lambda x: tf.gather(x, [*range(0, 12, 2), *range(1, 12, 2)] * 2, axis=1),
    "around two axes": lambda x: tf.pad(x, [[0, 0], [3, 1], [0, 2]], "REFLECT"),
    "with the edge": lambda x: tf.pad(x, [[0, 0], [2, 5], [0, 0]], "SYMMETRIC"),
    "places of each frame": lambda x: ops.take_along_axis(x, PLACES[None] % 8, 2),
    "places of each channel": lambda x: ops.take_along_axis(x, PLACES[None, ::-1], 1),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_from_constant_places_stays_as_it_is(name, precision, tmp_path):
    model = chain(TAKEN[name])
    data = normal(20, 12, 8)
    content = to_tflite(model, data, precision=precision)
    compare(content, tmp_path, 5)
    # Half a level, of 8 bits a little more for the zero point.
    level = np.abs(data).max() / {"int8": 127, "int16x8": 32767}[precision]
    np.testing.assert_allclose(
        runners.predict(content, data), forward(model, data), atol=0.501 * level
    )


LAYERS = st.sampled_from(
    [
        lambda: layers.Dense(6),
        lambda: layers.Dense(7, activation="relu"),
        lambda: layers.Dense(5, activation="silu", use_bias=False),
        lambda: layers.Conv1D(6, 3, strides=2, padding="same", activation="tanh"),
        lambda: layers.Conv1D(6, 3, padding="causal", dilation_rate=2),
        lambda: layers.DepthwiseConv1D(3, padding="same"),
        lambda: layers.BatchNormalization(),
        lambda: layers.LayerNormalization(),
        lambda: layers.Activation("sigmoid"),
        lambda: layers.Softmax(),
        lambda: layers.Dropout(0.5),
        lambda: layers.ReLU(),
    ]
)


@needs_tflm
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    stack=st.lists(LAYERS, min_size=1, max_size=5), seed=st.integers(0, 9), residual=st.booleans()
)
def test_random_models_run_in_tflm(stack, seed, residual):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((16, 6))
    x = inputs
    for make in stack:
        y = make()(x)
        x = layers.Add()([x, y]) if residual and y.shape == x.shape else y
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))
    disturb(model, seed)
    data = sounds(40, 16, 6, seed)
    expected = forward(model, data)
    scale = np.abs(expected).max()
    # Measured in 50 models: at most 6.3 % and 2.6 %.
    for precision, tolerance in (("float32", 1e-5), ("int8", 0.12), ("int16x8", 0.05)):
        found = runners.predict(to_tflite(model, data, precision=precision), data)
        if precision == "int8" and any("normalization" in layer.name for layer in model.layers):
            # 8 bits cannot hold tokens of which ReLU has left next to nothing.
            continue
        assert np.abs(found - expected).max() < tolerance * scale


QUOTIENTS = {
    "weighted mean": lambda x: (
        tf.reduce_sum(x * tf.sigmoid(x), 1) / tf.reduce_sum(tf.sigmoid(x), 1)
    ),
    "negative divisor": lambda x: x / (-1.5 - tf.sigmoid(x[:, ::-1])),
    "constant divisor": lambda x: tf.divide(x, np.arange(1, 9, dtype="float32")),
    "constant dividend": lambda x: tf.divide(np.arange(8, dtype="float32"), 1.5 + tf.sigmoid(x)),
    "bounded": lambda x: tf.nn.relu6(x / (tf.sigmoid(x[:, ::-1]) + 0.5)),
}


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("quotient", QUOTIENTS)
def test_integer_division_runs_in_tflm(quotient, precision):
    model, data = chain(QUOTIENTS[quotient]), normal(40, 12, 8)
    found = runners.predict(to_tflite(model, data, precision=precision), data)
    # Measured: at least 29.8 and 63 dB.
    assert signal_to_noise(forward(model, data), found) > {"int8": 28, "int16x8": 60}[precision]


CONSTANTS = {
    "triangle": lambda x: ops.tril(x),
    "sum of exponentials": lambda x: ops.logsumexp(x, axis=-1),
    "zeros": lambda x: tf.concat([x, tf.zeros_like(x)], 1),
}


@needs_tflm
@pytest.mark.parametrize("name", CONSTANTS)
def test_what_depends_on_constants_alone_is_computed_beforehand(name):
    model, data = chain(CONSTANTS[name]), normal(40, 12, 8)
    content = to_tflite(model, data)
    assert not {"LOGICAL_AND", "ZEROS_LIKE"} & {*operators(content)}
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > 30


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_parts_of_five_axes(precision):
    shape = (2, 3, 4, 5)

    def swapped(x):
        halves, rows = tf.split(x, 2, 3), tf.unstack(x, axis=3)
        return tf.concat(halves[::-1], 3) * tf.stack(rows[::-1], 3)

    model = chain(swapped, shape=shape)
    data = normal(20, *shape)
    found = runners.predict(to_tflite(model, data, precision=precision), data)
    # Measured: at least 34.8 dB.
    assert signal_to_noise(forward(model, data), found) > 32
