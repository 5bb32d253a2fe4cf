"""Places in tables as inputs, as Embedding layers have them."""

import keras
import numpy as np
import pytest
from generated_c import compare, compile_c, needs_compiler
from keras import layers, ops
from needs import needs_tflm
from tiny_models import disturb, forward, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

COUNT = 50


def reader(dtype="int32"):
    tokens, sound = keras.Input((6,), dtype=dtype, name="tokens"), keras.Input((6, 4))
    x = layers.Concatenate()([layers.Embedding(COUNT, 4)(tokens), sound])
    x = layers.Conv1D(5, 3, activation="relu")(x + layers.Embedding(6, 8)(np.arange(6)))
    model = keras.Model([tokens, sound], layers.Dense(3)(layers.Flatten()(x)))
    disturb(model)
    return model


def examples(count=40):
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((count, 6, 4)).astype("float32")
    return [rng.integers(0, COUNT, (count, 6)), sound]


@needs_compiler
@needs_tflm
@pytest.mark.parametrize(
    ("dtype", "precision"),
    [("int32", "int8"), ("float32", "int8"), ("int64", "int16x8")],
)
def test_tokens_are_int32_inputs(dtype, precision, tmp_path):
    model, data = reader(dtype), examples()
    content = tfhrf.to_tflite(model, data, precision=precision)
    report = compare(content, tmp_path, 20)
    tokens = next(tensor for tensor in report["inputs"] if tensor["dtype"] == "int32")
    assert (tokens["tokens"], tokens["scale"]) == (COUNT, None)
    assert f"_TOKENS {COUNT}" in (tmp_path / "model.h").read_text()
    assert tfhrf.to_tflm(content, tmp_path / "tflm")["tflm_ran"]
    ordered = data if report["inputs"][0] is tokens else data[::-1]
    decibels = signal_to_noise(forward(model, data), runners.predict(content, ordered))
    # Measured: 37 and 45 dB.
    assert decibels > {"int8": 33, "int16x8": 41}[precision]


ENCODINGS = {
    "function": lambda tokens: layers.Flatten()(ops.one_hot(tokens, 5)),
    "layer": layers.CategoryEncoding(5, output_mode="one_hot"),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("name", ENCODINGS)
def test_one_of_many(name, precision, tmp_path):
    tokens, values = keras.Input((1,), dtype="int32"), keras.Input((4,))
    kind = ENCODINGS[name](tokens)
    model = keras.Model([tokens, values], layers.Dense(3)(layers.Concatenate()([kind, values])))
    disturb(model)
    rng = np.random.default_rng(0)
    data = [rng.integers(0, 5, (40, 1)), rng.standard_normal((40, 4)).astype("float32")]
    content = tfhrf.to_tflite(model, data, precision=precision)
    report = compare(content, tmp_path, 20)
    counts = [tensor.get("tokens") for tensor in report["inputs"]]
    assert {*counts} == {5, None}
    ordered = data if counts[0] else data[::-1]
    # Measured: 40 and 48 dB.
    decibels = signal_to_noise(forward(model, data), runners.predict(content, ordered))
    assert decibels > {"int8": 35, "int16x8": 42}[precision]


@needs_compiler
@needs_tflm
def test_a_place_outside_of_the_table_is_an_error_that_harms_nothing(tmp_path):
    tokens = keras.Input((6,), dtype="int32")
    model = keras.Model(tokens, layers.Embedding(COUNT, 4)(tokens))
    content = tfhrf.to_tflite(model, examples()[0])
    _, call = compile_c(content, tmp_path, ("-O1", "-fsanitize=undefined"))
    row = np.arange(6, dtype=np.int32)[None]
    (expected,) = call([row])
    for wrong in (-1, COUNT, 2**31 - 1, -(2**31)):
        row[0, 2] = wrong
        with pytest.raises(AssertionError):
            call([row])
    row[0, 2] = 2
    np.testing.assert_array_equal(call([row])[0], expected)


@pytest.mark.parametrize("wrong", [-1, COUNT, 0.5])
def test_examples_outside_of_the_table_are_an_error(wrong):
    tokens, sound = examples()
    tokens = tokens.astype("float32")
    tokens[3, 2] = wrong
    message = r"tokens must be integers from 0 to 49\. Received: values in \["
    with pytest.raises(ValueError, match=message):
        tfhrf.to_tflite(reader("float32"), [tokens, sound])


@needs_compiler
@needs_tflm
def test_integers_that_are_cast_are_values(tmp_path):
    pixels = keras.Input((4, 4, 1), dtype="uint8")
    x = layers.Conv2D(3, 3)(layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(x)))
    disturb(model)
    data = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype("uint8")
    content = tfhrf.to_tflite(model, data)
    (tensor,) = compare(content, tmp_path, 20)["inputs"]
    assert tensor["dtype"] == "int8"
    found = runners.predict(content, data.astype("float32"))
    assert signal_to_noise(forward(model, data), found) > 30
