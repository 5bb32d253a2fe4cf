"""quantization_report: where an integer graph loses what, and that its figures are TFLM's."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from needs import needs_tflm
from tiny_models import chain, disturb, encoder, forward, normal, signal_to_noise, sounds

import tfhrf
from tfhrf.deploy import runners


@pytest.fixture(scope="module")
def model():
    return encoder(blocks=1)


@pytest.fixture(scope="module")
def content(model):
    return tfhrf.to_tflite(model, sounds(64))


@pytest.fixture(scope="module")
def report(model, content):
    x = sounds(40, seed=1)
    return tfhrf.quantization_report(model, content, x, labels=forward(model, x).argmax(axis=1))


@needs_tflm
def test_steps_are_what_tflm_computes(model, content, report):
    x = sounds(40, seed=1)
    steps = {step.name: step for step in report.steps}
    found, expected = runners.predict(content, x), forward(model, x)
    step = steps["int8 in TensorFlow Lite Micro"]
    agreement = np.mean(found.argmax(axis=1) == expected.argmax(axis=1))
    assert step.agreement == step.accuracy == agreement
    assert step.decibels == pytest.approx(signal_to_noise(expected, found), abs=0.05)
    assert steps["as given (float32)"].accuracy == 1
    # Either alone loses less than both, and 16 bits less than 8.
    alone = [steps[f"{name} of 8 bits alone"].decibels for name in ("kernels", "activations")]
    assert min(alone) > step.decibels - 0.5
    both = -10 * np.log10(sum(10 ** (-decibels / 10) for decibels in alone))
    assert both == pytest.approx(step.decibels, abs=3)
    assert steps["int16x8 in TensorFlow Lite Micro"].decibels > step.decibels + 3


def test_layers_are_named_in_order_and_none_is_clipped(report):
    names = [layer.name for layer in report.layers]
    assert names[0] == "stem"
    assert names[-1] == "classifier"
    assert {"attention_norm_0", "hidden_0", "shrink_0"} <= {*names}
    for layer in report.layers:
        assert layer.low <= layer.high
        assert layer.levels > 0.5
        assert layer.decibels > 5
        assert (layer.weight_decibels is None) == (layer.weight_peak is None)
    text = str(report)
    assert all(name in text for name in names)
    assert "int8 in" in text


def test_an_outlier_is_seen_where_it_is():
    model = chain(layers.Dense(64, name="first"), layers.Dense(4, name="second"))
    kernel = model.get_layer("second").kernel
    values = np.array(kernel)
    # In every output, because some converters give each a scale of its own.
    values[3] = 40 * np.abs(values).max()
    kernel.assign(values)
    x = normal(64, 12, 8)
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    first, second = report.layers
    assert first.weight_peak < 4 < second.weight_peak
    assert first.weight_decibels > second.weight_decibels + 10


def test_a_model_that_can_be_folded_has_a_step_more(tmp_path):
    plain = chain(layers.Dense(16), layers.LayerNormalization(), layers.Dense(4))
    model = tfhrf.expand(plain, expansion=2)
    x = normal(64, 12, 8)
    content = tfhrf.to_tflite(tfhrf.fold(model), x)
    report = tfhrf.quantization_report(model, content, x)
    steps = {step.name: step.decibels for step in report.steps}
    assert list(steps)[:2] == ["as given (float32)", "folded (float32)"]
    assert steps["folded (float32)"] > 90
    assert report.steps[0].accuracy is None
    pytest.importorskip("matplotlib")
    report.draw(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def bent_root(x):
    return x / ops.sqrt(x * x + 1.0)


@pytest.mark.parametrize("activation", ["gelu", "softplus", bent_root])
def test_a_function_of_one_value_is_a_layer(activation):
    # GELU has operators called mul, below the layer that it belongs to.
    model = chain(layers.Dense(16, activation, name="first"), layers.Dense(4, name="mul"))
    x = normal(64, 12, 8)
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    assert [(layer.name, layer.operator) for layer in report.layers] == [
        ("first", "FULLY_CONNECTED"),
        ("first", "GATHER"),
        ("mul", "FULLY_CONNECTED"),
    ]
    assert min(layer.decibels for layer in report.layers) > 25
    given, kernels, activations, integers, wide = report.steps
    assert given.decibels > 90
    both = -10 * np.log10(sum(10 ** (-step.decibels / 10) for step in (kernels, activations)))
    assert both == pytest.approx(integers.decibels, abs=3)
    assert wide.decibels > integers.decibels


def test_functions_that_share_their_places_are_told_apart():
    model = chain(
        layers.Dense(6, name="first"),
        lambda x: ops.concatenate([ops.gelu(x), ops.where(x > 0, x, 0.2 * x - 1), x], axis=-1),
        layers.Dense(4, name="second"),
    )
    x = normal(64, 12, 8)
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    assert [layer.operator for layer in report.layers].count("GATHER") == 2
    assert all(step.decibels > 20 for step in report.steps)


def test_operators_that_the_quantizer_puts_in_another_order_are_found():
    inputs = keras.Input((4, 6))
    model = keras.Model(inputs, layers.Dense(3, name="last")(layers.LSTM(5)(inputs)))
    disturb(model)
    x = normal(40, 4, 6)
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    assert report.layers[-1].name == "last"
    assert min(layer.decibels for layer in report.layers) > 15


def test_operators_that_only_reshape_need_no_twin():
    x = normal(40, 12, 8)
    model = chain(lambda x: x[:, None, :, None] * 2.0, layers.Dense(3, name="last"))
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    assert [layer.name for layer in report.layers][-1] == "last"
    assert min(layer.decibels for layer in report.layers) > 25
    # As many values in another order are no reshape.
    turned = chain(lambda x: x[:, ::-1] * 2.0, layers.Dense(3, name="last"))
    report = tfhrf.quantization_report(turned, tfhrf.to_tflite(turned, x), x)
    assert min(step.decibels for step in report.steps) > 25


def test_a_single_head_needs_no_transposition():
    # The quantizer makes a RESHAPE of one that moves nothing but axes of length one.
    attend = layers.MultiHeadAttention(1, 8)
    model = chain(lambda x: attend(x, x), layers.Dense(3), shape=(6, 8))
    x = normal(40, 6, 8)
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    assert min(layer.decibels for layer in report.layers) > 20


def test_masks_are_no_layers():
    inputs, mask = keras.Input((12, 8)), keras.Input((12,))
    frames = np.arange(12)
    window = np.where(abs(frames[:, None] - frames) < 4, 0.0, -1e9).astype("f4")
    scores = layers.Dense(12)(inputs) + ((1.0 - mask) * -1e9)[:, None] + window
    y = ops.matmul(layers.Softmax()(scores), inputs)
    model = keras.Model([inputs, mask], layers.Dense(3)(y))
    disturb(model)
    data = [normal(40, 12, 8), np.tile(frames < 9, (40, 1)).astype("f4")]
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, data), data)
    kinds = ["FULLY_CONNECTED", "ADD", "ADD", "SOFTMAX", "BATCH_MATMUL", "FULLY_CONNECTED"]
    assert [layer.operator for layer in report.layers] == kinds
    assert min(layer.decibels for layer in report.layers) > 25


def test_graphs_that_take_tokens_are_of_8_bits():
    inputs = keras.Input((5,), dtype="int32")
    model = keras.Model(inputs, layers.Dense(3, name="last")(layers.Embedding(10, 8)(inputs)))
    disturb(model)
    x = np.random.default_rng(0).integers(0, 10, (40, 5)).astype("int32")
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x)
    assert [layer.name for layer in report.layers] == ["last"]
    assert all(step.decibels > 25 for step in report.steps)
    wide = tfhrf.to_tflite(model, x, precision="int16x8")
    with pytest.raises(ValueError, match=r"must be int8.*Received: "):
        tfhrf.quantization_report(model, wide, x)


def test_places_of_extremes_agree_where_they_are_the_same():
    model = chain(layers.Dense(6), lambda x: ops.argmax(x[:, 0], axis=-1))
    x = normal(40, 12, 8)
    labels = model.predict(x, verbose=0)
    report = tfhrf.quantization_report(model, tfhrf.to_tflite(model, x), x, labels=labels)
    assert report.layers[-1].operator != "ARG_MAX"
    assert report.steps[0].accuracy == 1
    assert 0.5 < report.steps[-1].agreement == report.steps[-1].accuracy


def test_what_does_not_go_together_is_refused(model, content):
    x = sounds(8)
    with pytest.raises(ValueError, match=r"as many as the 8 examples.*Received: 2"):
        tfhrf.quantization_report(model, content, x, labels=[1, 2])
    with pytest.raises(ValueError, match=r"a class's number for each.*Received: shape \(8, 4\)"):
        tfhrf.quantization_report(model, content, x, labels=np.eye(4)[[0] * 8])
    other = encoder(blocks=2)
    disturb(other)
    with pytest.raises(ValueError, match=r"not made of this model.*Received: "):
        tfhrf.quantization_report(other, content, x)
    wide = tfhrf.to_tflite(model, x, precision="int16x8")
    with pytest.raises(ValueError, match=r"must be int8.*Received: "):
        tfhrf.quantization_report(model, wide, x)
