"""Windows, augmentation and the average over windows."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhrf.data.augment import (
    AMONG,
    BELOW,
    CLIP,
    CLIPS,
    GAIN,
    MASKS,
    MEL_MASK,
    RANGE,
    SHIFT,
    STRETCH,
    TIME_MASK,
    VOICES_BELOW,
    WIDE_GAIN,
    add_noise,
    add_voices,
    augment,
    change_range,
    change_voice,
    decibel,
    other_voices,
)
from tfhrf.data.windows import (
    evaluation_windows,
    training_batches,
    utterance_posteriors,
    validation_batches,
)
from tfhrf.log_mel import LogMelConfig, log_mel
from tfhrf.studies.training import TrainingSettings

CONFIG = LogMelConfig(mels=8)
SETTINGS = TrainingSettings(frames=30, batch_size=2)
QUIET = CONFIG.silence


def ramp(frames):
    return np.tile(np.arange(frames, dtype="f4")[:, None], (1, CONFIG.mels))


def test_windows_step_and_end_flush():
    windows = evaluation_windows(ramp(25), 10, 6, CONFIG)
    assert windows.shape == (4, 10, 8)
    np.testing.assert_array_equal(windows[:, 0, 0], [0, 6, 12, 15])


@pytest.mark.parametrize("frames", [10, 16])
def test_windows_that_fit_exactly_come_once(frames):
    windows = evaluation_windows(ramp(frames), 10, 6, CONFIG)
    np.testing.assert_array_equal(windows[:, 0, 0], [0, 6][: 1 + (frames > 10)])


def test_short_utterance_is_padded_with_silence():
    (window,) = evaluation_windows(ramp(5), 10, 6, CONFIG)
    np.testing.assert_array_equal(window[:, 0], [QUIET] * 2 + [0, 1, 2, 3, 4] + [QUIET] * 3)


def test_silence_is_what_the_front_end_says():
    assert pytest.approx((np.log(CONFIG.floor) - CONFIG.mean) * CONFIG.scale) == QUIET


def test_posteriors_are_averaged_per_utterance():
    logits = np.log([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
    np.testing.assert_allclose(utterance_posteriors(logits, [2, 1]), [[0.6, 0.4], [0.2, 0.8]])


def batches(seed, count=3, settings=SETTINGS):
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(n, 8)).astype("f4") for n in (12, 40, 80, 33)]
    keras.utils.set_random_seed(7)
    dataset = training_batches(features, [0, 1, 2, 1], settings, 3, CONFIG, seed)
    return list(dataset.take(count).as_numpy_iterator())


def test_training_batches_have_the_stated_shapes_and_repeat_with_the_seed():
    first, again, other = batches(1), batches(1), batches(2)
    for (windows, labels), (windows_again, labels_again) in zip(first, again, strict=True):
        assert windows.shape == (2, 30, 8)
        assert windows.dtype == np.float32
        assert labels.sum(axis=1).tolist() == [1, 1]
        np.testing.assert_array_equal(windows, windows_again)
        np.testing.assert_array_equal(labels, labels_again)
    assert any((a[0] != b[0]).any() for a, b in zip(first, other, strict=True))


def test_an_epoch_sees_every_utterance_once():
    labels = np.concatenate([labels for _, labels in batches(3, count=2)])
    assert labels.sum(axis=0).tolist() == [1, 2, 1]


def test_batches_depend_on_their_seed_alone():
    expected = batches(1)
    tf.random.uniform(())
    for (windows, _), (again, _) in zip(expected, batches(1), strict=True):
        np.testing.assert_array_equal(windows, again)
    seen = np.concatenate([windows for windows, _ in batches(1, count=40)])
    assert len(np.unique(seen.reshape(len(seen), -1), axis=0)) == len(seen)


def test_validation_windows_are_the_middle_ones():
    settings = TrainingSettings(frames=10, batch_size=2)
    some = [ramp(frames) for frames in (25, 5, 10)]
    dataset = validation_batches(some, [0, 2, 1], settings, 3, CONFIG)
    (first, labels), (last, last_labels) = dataset.as_numpy_iterator()
    np.testing.assert_array_equal(first[0, :, 0], np.arange(7, 17))
    np.testing.assert_array_equal(first[1], evaluation_windows(some[1], 10, 1, CONFIG)[0])
    np.testing.assert_array_equal(last, [some[2]])
    np.testing.assert_array_equal(np.concatenate([labels, last_labels]), np.eye(3)[[0, 2, 1]])


def varied(mels, number, voices=None, **config):
    config = LogMelConfig(mels=mels.shape[1], **config)
    return augment(tf.constant(mels), [0, number], config, voices).numpy()


@pytest.mark.parametrize("bands", [32, 64])
def test_voice_changes_within_bounds(bands):
    mels = np.tile(np.arange(bands, dtype="f4"), (200, 1))
    lengths, shifts = [], []
    for rate, shift in np.random.default_rng(0).random((50, 2)).astype("f4"):
        changed = change_voice(tf.constant(mels), -9.0, rate, shift).numpy()
        lengths.append(len(changed))
        shifts.append(changed[0, bands // 2] - bands // 2)
    assert 200 / (1 + STRETCH) - 1 <= min(lengths) < 190
    assert 210 < max(lengths) <= 200 / (1 - STRETCH) + 1
    assert np.abs(shifts).max() <= SHIFT * bands
    assert np.abs(shifts).max() > SHIFT * bands / 2


@pytest.mark.parametrize(("bands", "hop"), [(64, 160), (32, 400)])
def test_masks_are_no_larger_than_stated_and_reach_everywhere(bands, hop):
    masked_mels, masked_frames = [], []
    for number in range(200):
        masked = varied(np.ones((200, bands), "f4"), number, hop=hop) == 0
        masked_mels.append(masked.all(axis=0))
        masked_frames.append(masked.all(axis=1))
    sizes = [[one.sum() for one in some] for some in (masked_mels, masked_frames)]
    mel_mask, frame_mask = MEL_MASK * bands - 1, TIME_MASK * CONFIG.sample_rate / hop
    assert MASKS * mel_mask * 0.8 < max(sizes[0]) <= MASKS * mel_mask
    assert MASKS * frame_mask * 0.8 < max(sizes[1]) <= MASKS * frame_mask
    assert min(sizes[0]) < mel_mask / 2
    # As published, a mask starts before the last place that it would fit.
    assert np.any(masked_mels, axis=0)[:-1].all()
    assert np.mean(sizes[0]) == pytest.approx(MASKS * mel_mask / 2, rel=0.15)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_the_shortest_utterances_are_augmented_too(frames):
    for number in range(20):
        assert np.isfinite(varied(np.ones((frames, 8), "f4"), number)).all()


@pytest.mark.parametrize(("wide", "bounds"), [(False, GAIN), (True, WIDE_GAIN)])
def test_the_level_changes_within_bounds_and_never_below_silence(wide, bounds, monkeypatch):
    monkeypatch.setattr("tfhrf.data.augment.NOISY", 0.0)
    monkeypatch.setattr("tfhrf.data.augment.AMONG", 0.0)
    loud = np.full((200, 64), 5, "f4")
    voices = other_voices([loud], LogMelConfig(), 0) if wide else None
    found = [varied(loud, number, voices).max() - 5 for number in range(50)]
    changes = np.array(found) / decibel(LogMelConfig())
    assert bounds[0] <= min(changes) < bounds[0] + 4
    assert bounds[1] - 4 < max(changes) <= bounds[1]
    least = LogMelConfig().silence
    silent = np.full((200, 64), least, "f4")
    assert all((varied(silent, number, voices) >= least).all() for number in range(5))


def test_the_dynamic_range_changes_within_bounds_and_means_stay():
    mels = np.random.default_rng(0).normal(0, 0.2, (100, 8)).astype("f4")
    factors = []
    for number in range(50):
        changed = change_range(tf.constant(mels), -9.0, [0, number]).numpy()
        np.testing.assert_allclose(changed.mean(axis=0), mels.mean(axis=0), atol=1e-6)
        factor = changed.std(axis=0) / mels.std(axis=0)
        np.testing.assert_allclose(factor, factor[0], rtol=1e-4)
        factors.append(np.log(factor[0]))
    assert RANGE[0] <= min(factors) < RANGE[0] + 0.1
    assert RANGE[1] - 0.1 < max(factors) <= RANGE[1]
    deep = change_range(tf.constant(mels), mels.min(), [0, 3]).numpy()
    assert deep.min() >= mels.min()


def test_wide_augmentation_is_that_of_the_settings():
    usual = batches(1, count=1)
    wide = batches(1, count=1, settings=dataclasses.replace(SETTINGS, augmentation="wide"))
    assert (usual[0][1] == wide[0][1]).all()
    assert (usual[0][0] != wide[0][0]).any()


@pytest.mark.parametrize("below", [0.0, 0.5, 1.0])
def test_noise_is_as_loud_as_stated_and_adds_to_the_recording(below):
    config = LogMelConfig()
    mels = np.random.default_rng(0).normal(0, 1, (300, 64)).astype("f4")
    noisy = add_noise(tf.constant(mels), below, 0.7, [0, 1], config).numpy()
    assert (noisy >= mels - 1e-5).all()
    before, after = (np.exp(one / config.scale + config.mean).sum() for one in (mels, noisy))
    decibels = -10 * np.log10((after - before) / before)
    assert decibels == pytest.approx(BELOW[0] + below * (BELOW[1] - BELOW[0]), abs=1.5)


def test_noise_has_the_spectrum_of_noise_in_a_recording():
    config = LogMelConfig()
    wave = np.random.default_rng(0).normal(0, 0.1, 16_000).astype("f4")
    white = log_mel(wave, config).numpy().mean(axis=0)
    flat = np.full((500, 64), -5.0, "f4")
    noisy = add_noise(tf.constant(flat), 0.0, 2 / 3, [0, 1], config).numpy()
    energies = [np.exp(one / config.scale).mean(axis=0) for one in (noisy, flat)]
    added = np.log(energies[0] - energies[1]) * config.scale
    # Filters of a few bins vary more, and so do the means of their logarithms.
    assert np.ptp((white - added)[8:]) < 3 * decibel(config)


def power(mels, config):
    """Mean power of frames, summed over mels."""
    return np.exp(np.float64(mels) / config.scale + config.mean).sum(axis=1).mean()


def test_other_voices_are_those_of_the_utterances_and_equally_loud():
    config = LogMelConfig()
    rng = np.random.default_rng(0)
    # Each utterance sounds in mels of its own, the later ones louder.
    features = [np.full((length, 64), config.silence) for length in (30, 500, 90)]
    for place, one in enumerate(features):
        one[:, 20 * place : 20 * place + 10] = rng.normal(place, 0.3, (len(one), 10))
    voices = other_voices(features, config, 1)
    assert voices.shape == (CLIPS, CLIP, 64)
    assert voices.dtype == np.float32
    energies = np.exp(np.float64(voices))
    np.testing.assert_allclose(energies.sum(axis=2).mean(axis=1), 1, rtol=1e-5)
    heard = energies.mean(axis=1).reshape(CLIPS, 64)
    assert heard[:, 50:].max() < 1e-3
    shares = [heard[:, 20 * place : 20 * place + 10].sum(axis=1) for place in range(3)]
    assert all(0.2 < share.mean() < 0.5 for share in shares)
    assert (voices == other_voices(features, config, 1)).all()
    assert (voices != other_voices(features, config, 2)).any()


def test_other_voices_are_as_loud_as_stated_and_not_always_there():
    config = LogMelConfig()
    rng = np.random.default_rng(0)
    mels = rng.normal(0, 1, (CLIP, 64)).astype("f4")
    voices = other_voices([rng.normal(-1, 1, (70, 64))], config, 0)
    decibels = []
    for number in range(200):
        found = add_voices(tf.constant(mels), voices, [0, number], config).numpy()
        assert (found >= mels - 1e-5).all()
        if (found != mels).any():
            added = power(found, config) / power(mels, config) - 1
            decibels.append(-10 * np.log10(added))
    assert len(decibels) == pytest.approx(200 * AMONG, abs=20)
    assert VOICES_BELOW[0] - 0.1 < min(decibels) < VOICES_BELOW[0] + 3
    assert VOICES_BELOW[1] - 3 < max(decibels) < VOICES_BELOW[1] + 1.5


def test_some_utterances_stay_clean(monkeypatch):
    def same(number):
        monkeypatch.undo()
        found = varied(np.ones((100, 64), "f4"), number)
        monkeypatch.setattr("tfhrf.data.augment.NOISY", 0.0)
        return (found == varied(np.ones((100, 64), "f4"), number)).all()

    assert 10 < sum(same(number) for number in range(40)) < 30
