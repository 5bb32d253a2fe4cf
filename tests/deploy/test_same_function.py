"""A graph computes what its model does, where Keras, converter or quantizer would break it."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from generated_c import compare, needs_compiler
from keras import layers, ops
from needs import needs_tflm
from random_models import random_model
from tiny_models import (
    chain,
    convert,
    disturb,
    forward,
    given_to,
    normal,
    recurrent,
    signal_to_noise,
)

import tfhrf
from tfhrf.deploy import runners
from tfhrf.hrf.rebuild import walk

PRECISIONS = ["int8", "int16x8"]


def keyed(*shapes):
    """A decorator: a model of a function of so many inputs."""

    def make(function):
        inputs = [keras.Input(shape) for shape in shapes]
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], function(*inputs))

    return make


def attentive(x):
    """Scores of frames, that sum to 1."""
    return ops.softmax(layers.Flatten()(layers.Dense(1)(x)))


# The converter merges the only row of a product with the reshapes around it, and then fails.
OF_ONE_ROW = {
    "vectors": lambda: keyed((8,), (8,))(lambda x, y: layers.Dot(1)([x, y])),
    "cosine": lambda: keyed((8,), (8,))(lambda x, y: layers.Dot(1, normalize=True)([x, y])),
    "query": lambda: keyed((8,), (5, 8))(lambda x, y: layers.Dot((1, 2))([x, y])),
    "pooling": lambda: keyed((5, 8))(lambda x: layers.Dot((1, 1))([attentive(x), x])),
    "pooling by einsum": lambda: keyed((5, 8))(lambda x: ops.einsum("bt,btd->bd", attentive(x), x)),
    "a matrix by einsum": lambda: keyed((5,), (4, 5, 3))(
        lambda x, y: ops.einsum("bt,bctd->bdc", x, y)
    ),
    "beside a full product": lambda: keyed((5, 8))(
        lambda x: layers.Dot((1, 1))([attentive(x), layers.Attention()([x, x])])
    ),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("name", OF_ONE_ROW)
def test_a_vector_times_a_matrix(name, tmp_path):
    model = OF_ONE_ROW[name]()
    disturb(model)
    given = given_to(model)
    exact = runners.predict(tfhrf.to_tflite(model, precision="float32"), given)
    np.testing.assert_allclose(exact, forward(model, given), atol=1e-5)
    content = tfhrf.to_tflite(model, given)
    compare(content, tmp_path, 10)
    assert signal_to_noise(forward(model, given), runners.predict(content, given)) > 25


@keras.saving.register_keras_serializable(package="tests")
class Turned(layers.Layer):
    """A layer of a function, which no config holds."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


class Block(layers.Layer):
    """A Transformer block as tutorials write it: it makes its layers itself, without a config."""

    def __init__(self, units):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, units // 2)
        self.norms = [layers.LayerNormalization(), layers.LayerNormalization()]
        self.network = keras.Sequential([layers.Dense(2 * units, "relu"), layers.Dense(units)])

    def call(self, x):
        x = self.norms[0](x + self.attention(x, x))
        return self.norms[1](x + self.network(x))


@needs_tflm
@pytest.mark.parametrize("precision", ["float32", *PRECISIONS])
def test_blocks_that_make_their_normalizations_themselves(precision):
    x = keras.Input((6, 8))
    inner = keras.Model(y := keras.Input((6, 8)), Block(8)(y))
    model = keras.Model(x, layers.Dense(3)(Turned(ops.tanh)(inner(Block(8)(x)))))
    before = [one.call for one in walk(model)]
    found = runners.predict(convert(model, precision), given := given_to(model))
    assert [one.call for one in walk(model)] == before
    # Measured: 137, 19 and 37; two blocks of weights that nobody trained.
    least = {"float32": 100, "int8": 17, "int16x8": 30}
    assert signal_to_noise(forward(model, given), found) > least[precision]


# As many frames as channels: of a batch of one, Keras takes some of these for a bias of channels.
FOR_EACH_FRAME = {
    "dense": lambda: keyed((5, 5))(lambda x: x + layers.Dense(1)(x)),
    "mean": lambda: keyed((5, 5))(lambda x: x + ops.mean(x, 2, keepdims=True)),
    "vector": lambda: keyed((5, 5), (5,))(lambda x, y: x + y[:, :, None]),
    "image": lambda: keyed((4, 4, 4))(lambda x: x + ops.mean(x, (2, 3), keepdims=True)),
}


@needs_tflm
@pytest.mark.parametrize("precision", ["float32", *PRECISIONS])
@pytest.mark.parametrize("name", FOR_EACH_FRAME)
def test_what_is_added_to_frames_is_no_bias(name, precision):
    model = FOR_EACH_FRAME[name]()
    found = runners.predict(convert(model, precision), given := given_to(model))
    expected = forward(model, given)
    # Measured: at most 1.0 % of the largest value, in 8 bits.
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize(
    "mixed", [lambda x: x - ops.mean(x, 0), lambda x: ops.squeeze(x), lambda x: ops.flip(x, 0)]
)
def test_a_graph_that_is_not_the_models_is_refused(mixed):
    with pytest.raises(ValueError, match=r"^Output 0 .* not the model's.*Received: layer '\w+'$"):
        convert(keyed((5, 1))(mixed))


def summed(*parts):
    return layers.Dense(4)(layers.Add()(parts))


# The converter makes biases of what is added to products.
COMPUTED_BIASES = {
    "residual": lambda: keyed((10,))(lambda x: summed(x, layers.Dense(10)(x))),
    "two products": lambda: keyed((10,), (7,))(
        lambda x, y: summed(layers.Dense(8)(x), layers.Dense(8)(y))
    ),
    "one for all units": lambda: keyed((10,))(lambda x: summed(x, layers.Dense(1)(x))),
    "one for all units of a frame": lambda: keyed((6, 5))(lambda x: summed(x, layers.Dense(1)(x))),
    "with activation": lambda: keyed((10,), (4,))(
        lambda x, y: ops.relu(layers.Dense(4, use_bias=False)(x) + y)
    ),
    "of a convolution": lambda: keyed((6, 10), (4,))(
        lambda x, y: layers.Conv1D(4, 3, use_bias=False)(x) + y[:, None]
    ),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", COMPUTED_BIASES)
def test_computed_biases_are_added(name, precision, tmp_path):
    model = COMPUTED_BIASES[name]()
    content = convert(model, precision)
    compare(content, tmp_path, 10)
    given = given_to(model)
    assert signal_to_noise(forward(model, given), runners.predict(content, given)) > 30


def twice(layer, *shape):
    """A layer called twice, of inputs that differ by much."""
    return keyed(shape, shape)(lambda x, y: [layer(x), layer(30.0 * y)])


# What the 16-bit quantizer writes once, or not at all.
BIASES = {
    "dense": lambda: twice(layers.Dense(8), 6),
    "convolution": lambda: twice(layers.Conv1D(8, 3), 6, 4),
    "of one row": lambda: keyed((6, 8))(
        lambda x: x + layers.Dense(8)(x) * layers.Embedding(1, 8)(np.zeros((1,), "int32"))
    ),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("name", BIASES)
def test_each_product_has_a_bias_of_its_own(name, tmp_path):
    model = BIASES[name]()
    content = convert(model, "int16x8")
    compare(content, tmp_path, 10)
    given = given_to(model)
    found = runners.predict(content, given)
    ends = ([y] if len(model.outputs) == 1 else y for y in (model(given), found))
    # Measured: at least 47 dB, which 8-bit weights leave.
    for expected, values in zip(*ends, strict=True):
        assert signal_to_noise(ops.convert_to_numpy(expected), values) > 42


@needs_tflm
def test_squares_behind_a_reshape():
    unit = keyed((4, 8))(lambda x: ops.normalize(layers.Flatten()(ops.tanh(x))))
    given = given_to(unit)
    found = runners.predict(convert(unit), given)
    # Measured: 39 dB.
    assert signal_to_noise(forward(unit, given), found) > 36


ZEROS = {
    "a frame of gru": lambda: recurrent(lambda: layers.GRU(3), frames=1)(),
    "a frame of lstm": lambda: recurrent(lambda: layers.LSTM(3), frames=1)(),
    "a frame, both ways": lambda: recurrent(
        lambda: layers.Bidirectional(layers.GRU(3)), frames=1
    )(),
    "sum": lambda: chain(lambda x: tf.nn.relu(x + np.zeros(8, "f4"))),
    "difference": lambda: chain(lambda x: np.zeros(8, "f4") - x),
    "product": lambda: chain(lambda x: tf.concat([x, x * np.zeros(8, "f4")], 1)),
    "matrix": lambda: chain(lambda x: tf.concat([x, tf.matmul(x, tf.zeros((1, 8, 3)))], 2)),
    "larger": lambda: chain(lambda x: tf.maximum(x, np.zeros((12, 8), "f4"))),
    "kernel": lambda: chain(lambda x: tf.concat([x, tf.matmul(x, tf.zeros((8, 3)))], 2)),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ZEROS)
def test_constants_of_zeros(name, precision, tmp_path):
    model = ZEROS[name]()
    content = convert(model, precision)
    compare(content, tmp_path, 10)
    data = given_to(model)
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > 30


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
def test_constants_of_the_same_bytes(precision, tmp_path):
    # Where the slice begins and the bias are three zeros of four bytes each.
    model = chain(lambda x: x[:, :2], layers.DepthwiseConv1D(1, use_bias=False), shape=(4, 3))
    content = convert(model, precision)
    compare(content, tmp_path, 10)
    given = given_to(model)
    assert signal_to_noise(forward(model, given), runners.predict(content, given)) > 30


@pytest.mark.slow
@needs_compiler
@needs_tflm
@pytest.mark.parametrize("seed", range(24))
def test_random_models(seed, tmp_path):
    for precision in PRECISIONS:
        with warnings.catch_warnings():
            # Of what 8 bits lose of squares of squares.
            warnings.filterwarnings("ignore", message="Quantization leaves output")
            content = convert(random_model(seed), precision)
        compare(content, tmp_path / precision, 5)


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("size", [(25, 5), (25, 1), (1, 5)])
def test_an_average_of_all_lines_or_columns_has_a_scale_of_its_own(size, tmp_path):
    model = chain(
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.AveragePooling2D(size),
        layers.Flatten(),
        layers.Dense(4),
        shape=(25, 5, 3),
    )
    x = normal(64, 25, 5, 3)
    content = tfhrf.to_tflite(model, x)
    compare(content, tmp_path, 10)
    # Measured: 23.2, 30.5 and 34.2 dB; 18.5, 27.4 and 32.4 in the scale of the pixels.
    bar = {(25, 5): 22, (25, 1): 29.5, (1, 5): 33.5}[size]
    assert signal_to_noise(forward(model, x), runners.predict(content, x)) > bar


SUMS = {
    "last axis": lambda x: ops.cumsum(x, axis=-1),
    "frames": lambda x: ops.cumsum(x, axis=1),
    "frames, from behind": lambda x: ops.flip(ops.cumsum(ops.flip(x, 1), axis=1), 1),
    "of three": lambda x: OfTensorFlow(tf.add_n)([x, ops.tanh(x), ops.flip(x, 1)]),
    "of one": lambda x: OfTensorFlow(tf.add_n)([x]) - 1.0,
    "exclusive, reverse": lambda x: OfTensorFlow(tf.cumsum, 1, exclusive=True, reverse=True)(x),
}


class OfTensorFlow(layers.Layer):
    """A function of TensorFlow in a model."""

    def __init__(self, function, *arguments, **named):
        super().__init__()
        self.function = lambda x: function(x, *arguments, **named)

    def call(self, x):
        return self.function(x)


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", SUMS)
def test_sums(name, precision, tmp_path):
    model = keyed((5, 4))(lambda x: SUMS[name](layers.Dense(3)(x)))
    content = convert(model, precision)
    compare(content, tmp_path, 10)
    given = given_to(model)
    found = runners.predict(content, given)
    assert signal_to_noise(forward(model, given), found) > {"int8": 25, "int16x8": 40}[precision]


PLACES = {
    "argmax": (ops.argmax, np.argmax, -1),
    "argmin": (ops.argmin, np.argmin, -1),
    "frames": (ops.argmax, np.argmax, 1),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("name", PLACES)
def test_outputs_that_are_places(name, alone, tmp_path):
    find, expected, axis = PLACES[name]
    x = keras.Input((5, 4))
    scores = layers.Dense(6)(x)
    outputs = [scores, find(scores, axis, keepdims=True)]
    model = keras.Model(x, outputs[1] if alone else outputs)
    disturb(model)
    given = given_to(model)
    for precision in ("float32", "int8"):
        content = tfhrf.to_tflite(model, given, precision=precision)
        scored = tfhrf.to_tflite(keras.Model(x, scores), given, precision=precision)
        found, values = runners.predict(content, given), runners.predict(scored, given)
        places = found if alone else found[1]
        assert places.dtype == np.int32
        np.testing.assert_array_equal(places, expected(values, axis, keepdims=True))
    report = compare(content, tmp_path, 10)
    assert report["outputs"][-1]["tokens"] == (5 if axis == 1 else 6)


@pytest.mark.parametrize(
    "function", [lambda x: ops.cast(x, "int32"), lambda x: ops.argmax(ops.cast(x, "int32"), -1) > 2]
)
def test_other_outputs_of_integers_are_refused(function):
    model = keyed((5, 4))(lambda x: function(layers.Dense(3)(x)))
    with pytest.raises(ValueError, match=r"Output .* argmax .*Received: dtype="):
        convert(model)


def test_a_place_among_all_examples_is_refused():
    model = keyed((5, 4))(lambda x: ops.argmax(layers.Dense(3)(x)))
    with pytest.raises(ValueError, match=r"Output 0 .*examples are mixed"):
        convert(model)


def test_what_tensorflow_cannot_call_is_one_line():
    x = keras.Input((4, 3))
    model = keras.Model(x, ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="edge"))
    with pytest.raises(ValueError, match=r"^TensorFlow cannot call .*mode.*Received: .*'$"):
        convert(model)
    # Several examples are not what one of them is.
    model = keyed((5, 4))(lambda x: ops.reshape(x, (1, 20)))
    message = r"^TensorFlow cannot call the model on its examples: Input to .*Received: .*'$"
    with pytest.raises(ValueError, match=message):
        convert(model)
