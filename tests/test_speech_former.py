"""SpeechFormer against its published structure, its attention against an oracle, `light`."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tiny_models import disturb, signal_to_noise, sounds

import tfhrf
from tfhrf import micro
from tfhrf.backbones import SpeechFormer
from tfhrf.backbones.attention import windowed_self_attention

SHAPE, CLASSES = (300, 64), 4


@pytest.mark.parametrize(
    ("mels", "widen", "published"),
    [
        (128, (1, 1, 1), 1_059_428),
        (160, (1, 1, 1), 1_650_044),
        (512, (1, 1, 1), 16_746_884),
        (128, (1, 1, 2), 2_095_300),
        (160, (1, 1, 2), 3_266_804),
        (512, (1, 1, 2), 33_252_100),
    ],
)
def test_parameters_are_the_published_ones(mels, widen, published):
    model = SpeechFormer((101, mels), CLASSES, "large", widen=widen)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == published


def test_tokens_of_each_stage():
    model = SpeechFormer((651, 128), CLASSES, "large")
    stages = [model.get_layer(f"stage{stage}_norm").output.shape[1] for stage in (1, 2, 3, 4)]
    assert stages == [651, 131, 27, 7]


def attention_model(frames, units, heads, window, masked):
    x = keras.Input((frames, units))
    mask = keras.Input((frames,)) if masked else None
    y = windowed_self_attention(x, heads, window, layers.Dense, "attention", mask=mask)
    return keras.Model([x, mask] if masked else x, y)


def oracle(model, x, mask, heads, window):
    """Each token by itself: softmax over the real tokens of its window."""
    qkv, qkv_bias = model.get_layer("attention_qkv").get_weights()
    kernel, bias = model.get_layer("attention_output").get_weights()
    batch, frames, units = x.shape
    depth = units // heads
    query, key, value = np.split((x @ qkv + qkv_bias).reshape(batch, frames, 3 * units), 3, axis=2)
    y = np.zeros_like(x)
    for b in range(batch):
        for i in range(frames):
            reach = frames if window is None else window // 2
            near = [j for j in range(max(0, i - reach), min(frames, i + reach + 1)) if mask[b, j]]
            for h in range(heads):
                part = slice(h * depth, (h + 1) * depth)
                scores = key[b, near, part] @ query[b, i, part] / depth**0.5
                weights = np.exp(scores - scores.max())
                y[b, i, part] = weights @ value[b, near, part] / weights.sum()
    return y @ kernel + bias


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("frames", "window"), [(40, 3), (41, 5), (37, 9), (4, 9), (2, 3), (12, None)]
)
def test_windowed_attention_equals_the_oracle(frames, window, masked):
    rng = np.random.default_rng(frames)
    model = attention_model(frames, 8, 2, window, masked)
    x = rng.standard_normal((2, frames, 8)).astype("f4")
    mask = np.ones((2, frames), "f4")
    real = frames
    if masked:
        real = max(1, frames - 3)
        mask[:, real:] = 0
    found = model([x, mask] if masked else x).numpy()
    expected = oracle(model, x[:, :real].astype("f8"), mask, 2, window)
    np.testing.assert_allclose(found[:, :real], expected, rtol=1e-5, atol=1e-5)


def test_windowed_attention_has_the_gradients_of_masked_full_attention():
    rng = np.random.default_rng(0)
    windowed = attention_model(30, 8, 2, 5, masked=False)
    qkv, output = windowed.get_layer("attention_qkv"), windowed.get_layer("attention_output")
    x = tf.constant(rng.standard_normal((2, 30, 8)), tf.float32)
    weigh = tf.constant(rng.standard_normal((2, 30, 8)), tf.float32)
    band = np.abs(np.arange(30)[:, None] - np.arange(30)) > 2

    def full(x):
        query, key, value = tf.unstack(tf.reshape(qkv(x), (2, 30, 3, 2, 4)), axis=2)
        scores = tf.einsum("bihd,bjhd->bhij", query, key) / 2.0 - 1e9 * band
        y = tf.einsum("bhij,bjhd->bihd", tf.nn.softmax(scores), value)
        return output(tf.reshape(y, (2, 30, 8)))

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(function(x) * weigh)
        return tape.gradient(loss, [x, *windowed.trainable_variables])

    for found, expected in zip(gradients(windowed), gradients(full), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_memory_of_windowed_attention_grows_linearly():
    def sizes(frames):
        """Elements of the largest tensor, and of all, for one example."""
        model = attention_model(frames, 16, 4, 9, masked=False)
        outputs = [node.outputs for layer in model.layers for node in layer._inbound_nodes]
        elements = [int(np.prod(tensor.shape[1:])) for some in outputs for tensor in some]
        return max(elements), sum(elements)

    largest, total = zip(*[sizes(frames) for frames in (300, 600, 1200, 2400)], strict=True)
    for measured in (largest, total):
        for one, twice in itertools.pairwise(measured):
            assert 1.9 < twice / one < 2.1
    assert max(largest) < 2400 * 2400 / 10


@pytest.mark.parametrize("window", [1, 4])
def test_windows_that_have_no_center_are_refused(window):
    with pytest.raises(ValueError, match=f"odd.*Received: window={window}"):
        attention_model(10, 8, 2, window, masked=False)


@pytest.mark.parametrize("preset", ["light", "large"])
@pytest.mark.parametrize("hrf", [2, 8])
def test_folded_is_the_plain_model(preset, hrf):
    build = functools.partial(SpeechFormer, (120, 32), CLASSES, preset, where="all")
    plain, trained = build(), build(hrf=hrf)
    folded = tfhrf.fold(trained)
    assert [w.shape for w in folded.weights] == [w.shape for w in plain.weights]
    assert all(type(layer).__module__.startswith("keras.") for layer in folded.layers)
    windows = np.random.default_rng(0).standard_normal((4, 120, 32)).astype("f4")
    expected = trained(windows).numpy()
    assert np.abs(folded(windows) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("preset", ["light", "large"])
def test_a_masked_model_ignores_padding_and_agrees_with_its_unmasked_twin(preset):
    keras.utils.set_random_seed(0)
    masked, plain = (SpeechFormer((120, 32), 3, preset, masked=flag) for flag in (True, False))
    plain.set_weights(masked.get_weights())
    windows = np.random.default_rng(0).standard_normal((2, 120, 32)).astype("f4")
    mask = np.ones((2, 120), "f4")
    np.testing.assert_allclose(masked([windows, mask]), plain(windows), rtol=1e-4, atol=1e-5)
    mask[:, 60:] = 0
    before = masked([windows, mask]).numpy()
    windows[:, 68:] = 9.0  # beyond the reach of the convolutions of a real token
    np.testing.assert_allclose(masked([windows, mask]), before, rtol=1e-4, atol=1e-5)
    assert np.abs(plain(windows) - before).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "tiny"}, "Received: preset='tiny'"),
        ({"where": "everywhere"}, "Received: where='everywhere'"),
        ({"windows": (9, None)}, r"Received: blocks=\(1, 1, 1\), windows=\(9, None\)"),
        ({"units": 30}, "Received: units=30, heads=4"),
        ({"input_shape": (299, 64)}, r"Received: input_shape=\(299, 64\)"),
    ],
)
def test_errors_end_with_what_was_received(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpeechFormer(**{"input_shape": SHAPE, "classes": CLASSES, **arguments})


def test_light_is_small_fits_its_arena_and_keeps_its_logits_in_int8(tmp_path):
    light = SpeechFormer(SHAPE, CLASSES, hrf=4)
    disturb(light)
    folded = tfhrf.fold(light)
    large = SpeechFormer(SHAPE, CLASSES, "large")
    assert folded.count_params() <= min(60_000, large.count_params() / 8)
    windows = sounds(24, *SHAPE)
    content = tfhrf.to_tflite(folded, windows)
    assert len(content) <= 100_000
    report = tfhrf.to_tflm(content, tmp_path)
    if not micro.available():
        pytest.skip("tflite-micro has no wheel here: the arena is not measured")
    assert report["arena_bytes"] <= 96 * 1024
    assert signal_to_noise(folded(windows).numpy(), micro.predict(content, windows)) > 15


def test_saved_model_loads_in_safe_mode(tmp_path):
    model = SpeechFormer((160, 16), 3, hrf=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    windows = np.random.default_rng(0).standard_normal((2, 160, 16)).astype("f4")
    np.testing.assert_array_equal(model(windows), loaded(windows))
