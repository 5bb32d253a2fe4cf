"""Decoding: formats, rates, channels, and every kind of broken file."""

import numpy as np
import pytest

pytest.importorskip("tensorflow_io", reason="tensorflow-io does not load with this TensorFlow")

from sounds import sine, write_broken, write_float_wav, write_wav

from tfhrf.audio import AudioError, decode


def test_decodes_16_bit_exactly_and_in_order(tmp_path):
    waves = [sine(hertz, 0.3) for hertz in (100, 500, 900)]
    paths = [write_wav(tmp_path / f"{i}.wav", wave) for i, wave in enumerate(waves)]
    for decoded, wave in zip(decode(paths), waves, strict=True):
        assert decoded.dtype == np.float32
        np.testing.assert_array_equal(decoded, np.round(wave * 32767).astype("f4") / 32768)


def test_decodes_float_wav(tmp_path):
    wave = sine(300, 0.2).astype("f4")
    (decoded,) = decode([write_float_wav(tmp_path / "a.wav", wave)])
    np.testing.assert_array_equal(decoded, wave)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_resamples_to_16_khz(tmp_path, rate):
    (decoded,) = decode([write_wav(tmp_path / "a.wav", sine(440, 1.0, rate), rate)])
    assert abs(len(decoded) - 16_000) <= 2
    # Away from the edges, the same tone: its spectrum peaks at 440 Hz with the same power.
    middle = decoded[2000:-2000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 16_000))
    assert abs(int(np.argmax(spectrum)) - 440) <= 1
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.02)


def test_averages_channels(tmp_path):
    (mono,) = decode([write_wav(tmp_path / "mono.wav", sine(200, 0.1))])
    (stereo,) = decode([write_wav(tmp_path / "stereo.wav", sine(200, 0.1), channels=2)])
    np.testing.assert_array_equal(mono, stereo)


@pytest.mark.parametrize("kind", ["empty", "junk", "zero seconds", "cut", "not finite"])
def test_broken_file_is_named(tmp_path, kind):
    good = write_wav(tmp_path / "good.wav", sine(200, 0.2))
    broken = write_broken(tmp_path, kind)
    with pytest.raises(AudioError) as caught:
        list(decode([good, broken]))
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"does not exist: .*nowhere\.wav"):
        list(decode([tmp_path / "nowhere.wav"]))
