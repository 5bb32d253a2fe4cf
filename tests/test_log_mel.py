"""The log-mel front end against its definition, and its frozen configuration."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from sounds import sine, write_wav

from tfhrf.data.decode import AudioError
from tfhrf.data.extract import extract
from tfhrf.log_mel import LogMelConfig, log_mel, log_mel_numpy, mel_filters
from tfhrf.models.devices import DEVICES

CONFIG = LogMelConfig()


def definition(wave, config):
    """Frame by frame in float64, straight from the docstring."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.frame_length) / config.frame_length)
    rows = []
    for start in range(0, len(wave) - config.frame_length + 1, config.hop):
        frame = wave[start : start + config.frame_length].astype(np.float64) * window
        power = np.abs(np.fft.rfft(frame, config.fft_length)) ** 2
        energies = np.maximum(power @ mel_filters(config).astype(np.float64), config.floor)
        rows.append((np.log(energies) - config.mean) * config.scale)
    return np.array(rows)


def test_equals_its_definition():
    wave = np.random.default_rng(0).normal(0, 0.1, 16_000).astype("f4") + sine(300, 1.0)
    wave = wave.astype("f4")
    frames = log_mel(wave, CONFIG).numpy()
    assert frames.shape == (CONFIG.frames(1.0), CONFIG.mels) == (98, 64)
    np.testing.assert_allclose(frames, definition(wave, CONFIG), atol=2e-4)


def test_numpy_computes_the_same_frames(monkeypatch):
    monkeypatch.setattr("tfhrf.log_mel.TOGETHER", 40)
    wave = np.random.default_rng(0).normal(0, 0.1, 16_100).astype("f4")
    wave[4000:6000] = 0
    odd = dataclasses.replace(CONFIG, frame_length=401)
    for config in (CONFIG, DEVICES["tiny"]["config"], odd):
        frames = log_mel_numpy(wave, config)
        assert frames.dtype == np.float32
        np.testing.assert_allclose(frames, log_mel(wave, config).numpy(), atol=2e-4)
    assert log_mel_numpy(wave[:400], CONFIG).shape == (1, CONFIG.mels)


def test_silence_is_the_floor():
    frames = log_mel(np.zeros(4000, "f4"), CONFIG).numpy()
    np.testing.assert_allclose(
        frames, (np.log(CONFIG.floor) - CONFIG.mean) * CONFIG.scale, rtol=1e-6
    )
    np.testing.assert_allclose(frames, CONFIG.silence, rtol=1e-6)


def test_windows_begin_every_second():
    assert CONFIG.hop_frames == 100
    assert dataclasses.replace(CONFIG, sample_rate=11_025, hop=111).hop_frames == 99
    assert dataclasses.replace(CONFIG, hop=40_000).hop_frames == 1


def test_a_tone_excites_its_own_band():
    bands = [
        int(np.argmax(log_mel(sine(hertz, 0.5).astype("f4"), CONFIG).numpy().mean(axis=0)))
        for hertz in (200, 1000, 4000)
    ]
    centres = 700 * (10 ** (np.linspace(*mel_range(), CONFIG.mels + 2)[1:-1] / 2595) - 1)
    for band, hertz in zip(bands, (200, 1000, 4000), strict=True):
        assert band == int(np.argmin(np.abs(centres - hertz)))


def mel_range():
    return [2595 * np.log10(1 + hertz / 700) for hertz in (CONFIG.lower_hz, CONFIG.upper_hz)]


def test_every_filter_covers_a_bin():
    assert (mel_filters(CONFIG).max(axis=0) > 0.2).all()


def test_configuration_is_frozen_and_saved(tmp_path):
    path = tmp_path / "front_end.json"
    config = dataclasses.replace(CONFIG, mels=40)
    config.save(path)
    assert LogMelConfig.load(path) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.mels = 41
    values = json.loads(path.read_text())
    values.pop("trim")
    path.write_text(json.dumps(values))
    assert LogMelConfig.load(path) == config
    path.write_text(json.dumps({"mels": 40, "melz": 1}))
    with pytest.raises(ValueError, match=r"Received: \['mels', 'melz'\] in .*front_end.json"):
        LogMelConfig.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sample_rate", value) for value in (0, "16000", 16_000.0, True, None)),
        *(("hop", 0), ("mels", -1), ("floor", 0.0), ("scale", float("nan")), ("trim", 1)),
        *(("lower_hz", 8000.0), ("upper_hz", "7600")),
    ],
)
def test_a_field_out_of_range_is_named(tmp_path, name, value):
    with pytest.raises(ValueError, match=rf"`{name}`.* Received: "):
        dataclasses.replace(CONFIG, **{name: value})
    path = tmp_path / "front_end.json"
    path.write_text(json.dumps(CONFIG.values | {name: value}))
    with pytest.raises(ValueError, match=rf"`{name}`.* Received: .* in .*front_end\.json"):
        LogMelConfig.load(path)


def test_an_equalizer_takes_from_each_mel_what_it_says(tmp_path):
    decibels = np.round(np.linspace(0, -20, CONFIG.mels), 2)
    config = dataclasses.replace(CONFIG, equalizer=tuple(decibels.tolist()))
    wave = tf.constant(0.1 * np.random.default_rng(0).standard_normal(16_000), tf.float32)
    lower = (log_mel(wave, CONFIG) - log_mel(wave, config)).numpy() / CONFIG.scale
    expected = np.broadcast_to(-decibels * np.log(10) / 10, lower.shape)
    np.testing.assert_allclose(lower, expected, atol=1e-5)
    np.testing.assert_allclose(
        log_mel_numpy(wave.numpy(), config), log_mel(wave, config), atol=1e-5
    )
    np.testing.assert_allclose(log_mel(tf.zeros(400), config), config.silence, atol=1e-6)
    config.save(tmp_path / "front_end.json")
    assert LogMelConfig.load(tmp_path / "front_end.json") == config
    for wrong in ((0.0,), (0.1,) * 64, (-91.0,) * 64, (float("nan"),) * 64):
        with pytest.raises(ValueError, match=r"must have 64 values from -90 to 0\. Received: \("):
            dataclasses.replace(CONFIG, equalizer=wrong)


def test_extract_names_a_file_shorter_than_a_frame(tmp_path):
    good = write_wav(tmp_path / "good.wav", sine(200, 0.5))
    short = write_wav(tmp_path / "short.wav", sine(200, 0.02))
    (features,) = extract([good], CONFIG)
    assert features.shape == (48, 64)
    with pytest.raises(AudioError, match=r"320 samples\)\. Received: .*short\.wav$"):
        extract([good, short], CONFIG)


def test_silence_at_the_ends_is_cut_if_the_front_end_says_so(tmp_path):
    # Longer than what is computed at a time. A tone that never pauses would be noise.
    loud = 10 ** (0.5 * np.sin(2 * np.pi * 3 * np.arange(800_000) / 16_000) - 0.5)
    spoken = sine(300, 50.0) * loud.astype("f4")
    silence = np.zeros(16_000, "f4")
    path = write_wav(tmp_path / "a.wav", np.concatenate([silence, spoken, silence]))
    (whole,) = extract([path], CONFIG)
    (cut,) = extract([path], dataclasses.replace(CONFIG, trim=True))
    assert whole.shape[0] == CONFIG.frames(52.0)
    # Ten frames on either side are kept.
    first = np.flatnonzero(whole.max(axis=1) > CONFIG.silence + 0.1)[0]
    assert CONFIG.frames(50.0) < len(cut) <= CONFIG.frames(50.0) + 20
    start = next(i for i in range(first - 12, first) if (whole[i : i + len(cut)] == cut).all())
    assert first - start == 8


def test_extract_cuts_spans(tmp_path):
    path = write_wav(tmp_path / "a.wav", sine(200, 1.0))
    (whole,) = extract([path], CONFIG)
    part, every = extract([path, path], CONFIG, [(0.5, 1.0), None])
    # 0.5 s is 50 hops.
    np.testing.assert_allclose(part, whole[50:], atol=1e-5)
    np.testing.assert_array_equal(every, whole)
    with pytest.raises(AudioError, match=r"from 0.5 to 0.51 s is shorter than one frame.*a\.wav"):
        extract([path], CONFIG, [(0.5, 0.51)])
