"""The backbones: shapes, sizes, errors, folding, and the TFLite Micro budget of `light`."""

import dataclasses

import keras
import numpy as np
import pytest

import tfhrf
from tfhrf.deploy import runners
from tfhrf.models import (
    Conformer,
    ConvTransformer,
    SpeechFormer,
    conformer,
    conv_transformer,
    speech_former,
)
from tfhrf.models.blocks import pool
from tfhrf.models.conv_transformer import LIGHT

SHAPE, CLASSES = (300, 64), 4


@pytest.mark.parametrize(
    ("backbone", "module"),
    [(ConvTransformer, conv_transformer), (Conformer, conformer), (SpeechFormer, speech_former)],
)
def test_a_configuration_takes_the_place_of_a_preset(backbone, module):
    def weights(preset):
        keras.utils.set_random_seed(0)
        return backbone((40, 16), 3, preset).get_weights()

    for one, other in zip(weights("light"), weights(module.LIGHT), strict=True):
        np.testing.assert_array_equal(one, other)
    wide = dataclasses.replace(module.LIGHT, units=64)
    # ConvTransformer pools mean and deviation of each unit.
    width = {ConvTransformer: 2 * 64}.get(backbone, 64)
    assert backbone((40, 16), 3, wide).get_layer("logits").kernel.shape == (width, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        wide.units = 48
    with pytest.raises(TypeError, match="unitz"):
        dataclasses.replace(wide, unitz=48)
    with pytest.raises(ValueError, match=rf"or a {type(wide).__name__}. Received: preset={{"):
        backbone((40, 16), 3, dataclasses.asdict(wide))


@pytest.mark.parametrize("preset", ["tiny", "light", "large"])
@pytest.mark.parametrize("hrf", [2, 4, 8])
def test_folded_is_the_plain_model(preset, hrf):
    plain = ConvTransformer(SHAPE, CLASSES, preset)
    folded = tfhrf.fold(ConvTransformer(SHAPE, CLASSES, preset, hrf=hrf))
    assert [w.shape for w in folded.weights] == [w.shape for w in plain.weights]
    assert [layer.name for layer in folded.layers if layer.weights] == [
        layer.name for layer in plain.layers if layer.weights
    ]
    assert all(type(layer).__module__.startswith("keras.") for layer in folded.layers)


@pytest.mark.parametrize(("where", "count"), [("ffn", 8), ("attention", 4), ("all", 12)])
def test_where_chooses_the_hrf_layers(where, count):
    model = ConvTransformer(SHAPE, CLASSES, hrf=4, hrf_depth=3, where=where)
    layers = [layer for layer in model.layers if isinstance(layer, tfhrf.HRFDense)]
    assert len(layers) == count
    assert all(layer.depth == 3 for layer in layers)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("backbone", "preset", "count"),
    [
        *[(ConvTransformer, "light", 12), (Conformer, "light", 9)],
        *[(Conformer, dataclasses.replace(conformer.LIGHT, positions="relative"), 9)],
        *[(SpeechFormer, "light", 12)],
    ],
)
def test_parallel_kernels_train_and_fold(backbone, preset, count, masked, tmp_path):
    model = backbone((40, 16), 3, preset, parallel=2, where="all", masked=masked)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("ParallelDense") == count
    x = np.random.default_rng(0).normal(size=(4, 40, 16)).astype("f4")
    inputs = [x, np.arange(40) < np.array([[40], [32], [8], [20]])] if masked else x
    for _ in range(5):
        model(inputs, training=True)
    folded = tfhrf.fold(model)
    found, expected = folded(inputs).numpy(), model(inputs).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hrf": 2, "parallel": 3}, "Received: hrf=2, parallel=3"),
        ({"preset": "small"}, "Received: preset='small'"),
        ({"where": "everywhere"}, "Received: where='everywhere'"),
        (
            {"preset": dataclasses.replace(LIGHT, units=49)},
            "Received: units=49, heads=2",
        ),
        ({"input_shape": (299, 64)}, r"Received: input_shape=\(299, 64\)"),
    ],
)
def test_errors_end_with_what_was_received(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvTransformer(**{"input_shape": SHAPE, "classes": CLASSES, **arguments})


def test_light_is_small_and_fits_its_arena(tmp_path):
    folded = tfhrf.fold(ConvTransformer(SHAPE, CLASSES, hrf=4))
    large = ConvTransformer(SHAPE, CLASSES, "large")
    assert folded.count_params() <= min(60_000, large.count_params() / 8)
    windows = np.random.default_rng(0).standard_normal((8, *SHAPE)).astype("f4")
    content = tfhrf.to_tflite(folded, windows)
    assert len(content) <= 100_000
    report = tfhrf.to_tflm(content, tmp_path, labels=["a", "b", "c", "d"])
    if not runners.available():
        pytest.skip("tflite-micro has no wheel here: the arena is not measured")
    assert report["arena_bytes"] <= 64 * 1024


@pytest.mark.parametrize("masked", [False, True])
def test_pooling_is_the_mean_and_half_the_mean_absolute_deviation(masked):
    inputs, mask = keras.Input((7, 5)), keras.Input((7,)) if masked else None
    outputs = pool(inputs, mask, "pool", deviation=True)
    model = keras.Model([inputs, mask] if masked else inputs, outputs)
    x = np.random.default_rng(0).standard_normal((2, 7, 5)).astype("f4")
    real = 4 if masked else 7
    found = model([x, np.arange(7) < np.full((2, 1), 4)] if masked else x).numpy()
    mean = x[:, :real].mean(axis=1)
    deviation = np.abs(x[:, :real] - mean[:, None]).mean(axis=1) / 2
    np.testing.assert_allclose(found, np.concatenate([mean, deviation], axis=1), atol=1e-6)


def test_a_masked_model_ignores_padding_and_agrees_with_its_unmasked_twin():
    masked, plain = (ConvTransformer((80, 16), 3, masked=flag) for flag in (True, False))
    plain.set_weights(masked.get_weights())
    windows = np.random.default_rng(0).standard_normal((2, 80, 16)).astype("f4")
    mask = np.ones((2, 80), "f4")
    np.testing.assert_allclose(masked([windows, mask]), plain(windows), rtol=1e-5, atol=1e-6)
    mask[:, 60:] = 0
    before = masked([windows, mask]).numpy()
    windows[:, 68:] = 9.0  # beyond the reach of the convolutions of a real token
    np.testing.assert_allclose(masked([windows, mask]), before, rtol=1e-5, atol=1e-6)
    assert np.abs(plain(windows) - before).max() > 1e-3


def test_saved_model_loads_in_safe_mode(tmp_path):
    model = ConvTransformer((40, 16), 3, hrf=2)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    windows = np.random.default_rng(0).standard_normal((2, 40, 16)).astype("f4")
    np.testing.assert_array_equal(model(windows), loaded(windows))
