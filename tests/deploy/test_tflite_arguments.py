"""What to_tflite takes, models and examples, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from needs import needs_tflm
from tiny_models import chain, disturb, normal

from tfhrf import to_tflite
from tfhrf.deploy import runners
from tfhrf.deploy.tflite.interpreter import make_interpreter


@needs_tflm
@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_several_inputs_and_outputs_keep_their_order(as_dict, precision):
    # In alphabetical order the inputs would trade places.
    first, second = keras.Input((4, 3), name="z"), keras.Input((5,), name="a")
    outputs = [layers.Dense(2)(second), layers.Dense(3)(first)]
    model = keras.Model([first, second], outputs)
    disturb(model)
    data = [normal(20, 4, 3), 10 * normal(20, 5)]
    given = dict(zip(("z", "a"), data, strict=True)) if as_dict else data
    content = to_tflite(model, given, precision=precision)
    shapes = [tuple(x["shape"][1:]) for x in make_interpreter(content).get_input_details()]
    found = runners.predict(content, [data[[(4, 3), (5,)].index(shape)] for shape in shapes])
    for y, expected in zip(found, model(data, training=False), strict=True):
        assert np.abs(y - expected).max() < 0.03 * np.abs(expected).max()


def test_a_model_that_takes_a_dict_converts():
    inputs = {"left": keras.Input((3,), name="left"), "right": keras.Input((3,), name="right")}
    model = keras.Model(inputs, layers.Add()([inputs["left"], inputs["right"]]))
    left, right = normal(1, 3), 10 * normal(1, 3)
    content = to_tflite(model, precision="float32")
    (found,) = runners.run_reference(content, [left, right])
    np.testing.assert_allclose(found, left + right, rtol=1e-6)


@pytest.mark.parametrize(
    "rearranged",
    [
        lambda data: list(data),
        lambda data: [data[:7], data[7:]],
        lambda data: tf.data.Dataset.from_tensor_slices(data).batch(4),
        lambda data: (batch for batch in np.array_split(data, 3)),
        lambda data: data.astype("float64"),
        lambda data: lambda: ([one[None]] for one in data),
        lambda data: ([one] for one in data),
        lambda data: tf.data.Dataset.from_tensor_slices((data, np.zeros(len(data)))).batch(4),
        lambda data: tf.data.Dataset.from_tensor_slices((data, np.zeros(len(data)))),
    ],
)
def test_examples_may_come_in_batches_or_singly(rearranged):
    model = chain(layers.Dense(3))
    data = normal(20, 12, 8)
    assert to_tflite(model, rearranged(data)) == to_tflite(model, data)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def unknown_length():
    return chain(layers.Dense(2), shape=(None, 8))


def text_input():
    inputs = keras.Input((5,), dtype="string", name="words")
    return keras.Model(inputs, inputs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Subclassed, "subclassed"),
        (lambda: keras.Sequential([layers.Dense(2)]), "must be built first"),
        (lambda: "model.keras", "model is needed"),
        (
            unknown_length,
            r"Input 'x' must have fixed dimensions.*Received: shape=\(None, None, 8\)",
        ),
        (text_input, "Input 'words' must be float32 or of integers. Received: dtype=string"),
        (
            lambda: chain(layers.Lambda(lambda x: tf.pow(x, x[:, ::-1]), name="culprit")),
            "has no POW: .*operator POW. Received: tensor",
        ),
        (
            lambda: chain(layers.Lambda(lambda x: tf.math.igamma(x, x), name="culprit")),
            "(?s)layer 'culprit', operator Igamma: .*neither a custom op nor a flex op.*Received",
        ),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
def test_what_cannot_deploy_is_an_error_that_names_it(make, message, precision):
    with pytest.raises(ValueError, match=message):
        to_tflite(make(), normal(4, 12, 8), precision=precision)


def test_gelu_has_no_floats():
    model = chain(layers.Dense(4), layers.Dense(4, activation="gelu", name="culprit"))
    message = "has no GELU; use relu or silu: layer 'culprit', operator GELU"
    with pytest.raises(ValueError, match=message):
        to_tflite(model, precision="float32")


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`, which is deprecated")
def test_rms_scaling_is_refused():
    model = chain(layers.LayerNormalization(rms_scaling=True, name="culprit"))
    with pytest.raises(ValueError, match=r"'culprit'.*rms_scaling"):
        to_tflite(model, precision="float32")


def test_values_that_overflow_are_named():
    model = chain(layers.Dense(4, name="first"), layers.Dense(4, name="culprit"))
    for layer in model.layers[1:]:
        layer.kernel.assign(1e25 * layer.kernel)
    with pytest.raises(ValueError, match="not finite on the representative data: layer 'culprit'"):
        to_tflite(model, normal(4, 12, 8))


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "is required for precision 'int.*Received: None"),
        (np.zeros((0, 12, 8)), "at least one example"),
        ([], "at least one example"),
        (normal(4, 12, 9), r"shape \('examples', 12, 8\). Received: \(4, 12, 9\)"),
        (normal(12, 8), r"shape \('examples', 12, 8\). Received: \(12, 8\)"),
        ([normal(4, 12, 8), normal(5)], r"Received: \(5,\)"),
        (np.full((4, 12, 8), np.nan), "must be finite. Received: 384 values"),
        (np.where(normal(4, 12, 8) > 2, np.inf, 0.5), "must be finite"),
        (np.full((4, 12, 8), 0.5), "must not be constant. Received: only the value 0.5"),
        (np.full((4, 12, 8), "a"), "must consist of numeric arrays"),
        ([(normal(12, 8), 1)], "must consist of numeric arrays.*Received: tuple"),
        (7, "array or an iterable of arrays. Received: int"),
        ({"y": normal(4, 12, 8)}, r"must have the keys \['x'\]. Received: \['y'\]"),
    ],
)
def test_representative_data_is_checked(data, message, precision):
    with pytest.raises(ValueError, match=message):
        to_tflite(chain(layers.Dense(2)), data, precision=precision)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([normal(4, 3)], "an array for each of the inputs.*Received: list"),
        (normal(4, 3), r"Received: ndarray of shape \(4, 3\)"),
        ([normal(4, 3), normal(5, 2)], r"same number of examples.*Received: \[4, 5\]"),
        ({"a": normal(4, 3)}, r"must have the keys \['a', 'b'\]"),
    ],
)
def test_representative_data_of_several_inputs_is_checked(data, message):
    inputs = [keras.Input((3,), name="a"), keras.Input((2,), name="b")]
    model = keras.Model(inputs, layers.Concatenate()(inputs))
    with pytest.raises(ValueError, match=message):
        to_tflite(model, data)


def test_precision_is_checked():
    with pytest.raises(ValueError, match=r"`precision` must be one of .* Received: 'int4'"):
        to_tflite(chain(layers.Dense(2)), normal(4, 12, 8), precision="int4")


def test_lists_pairs_and_dicts_for_several_inputs():
    first, second = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([first, second], layers.Dense(2)(layers.Concatenate()([first, second])))
    a, b = normal(20, 4), 3 * normal(20, 3)
    expected = to_tflite(model, [a, b])
    dataset = tf.data.Dataset.from_tensor_slices
    for given in (
        lambda: ([x[None], y[None]] for x, y in zip(a, b, strict=True)),
        ([x, y] for x, y in zip(a, b, strict=True)),
        dataset(((a, b), np.zeros(20))).batch(7),
        dataset((a, b)).batch(7),
        dataset(({"a": a, "b": b}, np.zeros(20))),
    ):
        assert to_tflite(model, given) == expected
    with pytest.raises(ValueError, match=r"an array for each of 2 inputs\. Received: \[1\] arrays"):
        to_tflite(model, ([x] for x in a))
