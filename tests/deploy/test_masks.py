"""Masks of padded frames run on a device: to_tflite's graphs equal Keras, C equals TFLM."""

import keras
import numpy as np
import pytest
from generated_c import compare, needs_compiler
from keras import layers, ops
from needs import needs_tflm
from tiny_models import disturb, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

FRAMES, MELS = 3, 4


def attention(x, **arguments):
    return layers.MultiHeadAttention(2, 3)(x, x, **arguments)


BEHIND_A_MASK = {
    "lstm": layers.LSTM(5),
    "gru, backwards": layers.GRU(5, go_backwards=True),
    "two": lambda x: layers.LSTM(3)(layers.LSTM(5, return_sequences=True)(x)),
    "both ways": layers.Bidirectional(layers.LSTM(3)),
    "frames, both ways": layers.Bidirectional(layers.GRU(3, return_sequences=True)),
    "attention": attention,
    "causal attention": lambda x: attention(x, use_causal_mask=True),
    "mean": layers.GlobalAveragePooling1D(),
}


def padded(data):
    """Examples of 1 to FRAMES frames, which zeros follow."""
    for number, example in enumerate(data):
        example[FRAMES - number % FRAMES :] = 0
    return data


def masked(name):
    keras.utils.set_random_seed(0)
    x = keras.Input((FRAMES, MELS))
    model = keras.Model(x, BEHIND_A_MASK[name](layers.Masking()(x)))
    disturb(model)
    return model, padded(normal(40, FRAMES, MELS))


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("name", BEHIND_A_MASK)
def test_masked_frames_do_not_count(name, tmp_path):
    model, data = masked(name)
    expected = forward(model, data)
    exact = runners.predict(tfhrf.to_tflite(model, precision="float32"), data)
    np.testing.assert_allclose(exact, expected, atol=2e-5)
    content = tfhrf.to_tflite(model, data)
    compare(content, tmp_path, 10)
    # Measured: 24.2 dB with two layers of LSTM, 30 and more otherwise.
    assert signal_to_noise(expected, runners.predict(content, data)) > 22


@needs_compiler
@needs_tflm
@pytest.mark.parametrize(
    "name", ["lstm", "gru, backwards", "attention", "causal attention", "mean"]
)
def test_token_0_does_not_count(name, tmp_path):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((FRAMES,), dtype="int32")
    embedded = layers.Embedding(23, MELS, keras.initializers.RandomNormal(0, 1), mask_zero=True)(
        tokens
    )
    behind = BEHIND_A_MASK[name](embedded)
    # What attention makes of padded frames, which are not zero here, is for nobody to read.
    read = layers.GlobalAveragePooling1D()(behind) if "attention" in name else behind
    model = keras.Model(tokens, read)
    disturb(model)
    data = padded(np.random.default_rng(0).integers(1, 23, (40, FRAMES)).astype(np.int32))
    expected = forward(model, data)
    exact = runners.predict(tfhrf.to_tflite(model, precision="float32"), data)
    np.testing.assert_allclose(exact, expected, atol=2e-5)
    content = tfhrf.to_tflite(model, data)
    compare(content, tmp_path, 10)
    assert signal_to_noise(expected, runners.predict(content, data)) > 22


CHOSEN = {
    "and": lambda x: ops.where(ops.logical_and(x > -0.5, x[:, ::-1] < 0.5), x, 0.0),
    "or": lambda x: ops.where(ops.logical_or(x > 1, x[:, ::-1] < 0.5), x, -1.0),
    "above the mean": lambda x: x * ops.cast(x - 0.04 > ops.mean(x, 1, keepdims=True), "float32"),
    "one of a frame": lambda x: ops.where(ops.any(x > 1.0, 2, keepdims=True), x, 0.5),
    "all of a frame": lambda x: x * ops.cast(ops.all(x > -1.0, 2, keepdims=True), "float32"),
    "one and the other": lambda x: ops.where(np.eye(FRAMES, MELS) > 0, x, ops.tanh(x)),
    "excluded scores": lambda x: layers.Attention(use_scale=True)([x, x], use_causal_mask=True),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("name", CHOSEN)
def test_conditions(name, precision, tmp_path):
    x = keras.Input((FRAMES, MELS))
    # Far enough from all bounds for 8 bits to tell.
    model, data = keras.Model(x, CHOSEN[name](x)), normal(60, FRAMES, MELS).round(0) + 0.25
    content = tfhrf.to_tflite(model, data, precision=precision)
    compare(content, tmp_path, 10)
    # Measured: at least 38 and 76 dB.
    least = {"int8": 36, "int16x8": 70}[precision]
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > least


@needs_compiler
@needs_tflm
@pytest.mark.parametrize(
    ("name", "precision"), [("attention", "int8"), ("mean", "int8"), ("lstm", "int16x8")]
)
def test_frames_of_another_value_than_zero(name, precision, tmp_path):
    keras.utils.set_random_seed(0)
    x = keras.Input((FRAMES, MELS))
    model = keras.Model(x, BEHIND_A_MASK[name](layers.Masking(-1.0)(x)))
    disturb(model)
    data = normal(40, FRAMES, MELS)
    for number, example in enumerate(data):
        example[FRAMES - number % FRAMES :] = -1
    content = tfhrf.to_tflite(model, data, precision=precision)
    compare(content, tmp_path, 10)
    # Measured: at least 33 and 46 dB.
    least = {"int8": 30, "int16x8": 42}[precision]
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > least
