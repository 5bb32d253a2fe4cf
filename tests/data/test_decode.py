"""Decoding: formats, rates, channels, and every kind of broken file."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from sounds import sine, write_broken, write_float_wav, write_pcm_wav, write_wav

from tfhrf.data import decode as decoding
from tfhrf.data.decode import AudioError, decode, decode_spans


def test_decodes_16_bit_exactly_and_in_order(tmp_path):
    waves = [sine(hertz, 0.3) for hertz in (100, 500, 900)]
    paths = [write_wav(tmp_path / f"{i}.wav", wave) for i, wave in enumerate(waves)]
    for decoded, wave in zip(decode(paths), waves, strict=True):
        assert decoded.dtype == np.float32
        np.testing.assert_array_equal(decoded, np.round(wave * 32767).astype("f4") / 32768)


def test_parallel_files_are_not_mixed_up(tmp_path):
    frequencies = range(50, 2050, 5)
    paths = [write_wav(tmp_path / f"{hz}.wav", sine(hz, 0.1 + hz % 7 / 10)) for hz in frequencies]
    for hz, wave in zip(frequencies, decode(paths), strict=True):
        expected = np.round(sine(hz, 0.1 + hz % 7 / 10) * 32767).astype("f4") / 32768
        np.testing.assert_array_equal(wave, expected)


def test_decodes_float_wav(tmp_path):
    wave = sine(300, 0.2).astype("f4")
    (decoded,) = decode([write_float_wav(tmp_path / "a.wav", wave)])
    np.testing.assert_array_equal(decoded, wave)


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_decodes_integer_wav_of_any_width(tmp_path, bits, extensible):
    wave = sine(300, 0.2)
    (decoded,) = decode([write_pcm_wav(tmp_path / "a.wav", wave, bits, extensible)])
    assert np.abs(decoded - wave).max() <= 2.0 ** (1 - bits) + 1e-6


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_decodes_flac(tmp_path, bits):
    wave = sine(300, 0.2)
    soundfile.write(tmp_path / "a.flac", wave, 16_000, "PCM_S8" if bits == 8 else f"PCM_{bits}")
    (decoded,) = decode([tmp_path / "a.flac"])
    assert np.abs(decoded - wave).max() <= 2.0 ** (1 - bits) + 1e-6


def test_formats_may_be_mixed(tmp_path):
    wave = sine(300, 0.2)
    paths = [
        write_wav(tmp_path / "a.wav", wave),
        write_pcm_wav(tmp_path / "b.wav", wave, 24),
        write_float_wav(tmp_path / "c.wav", wave),
        write_wav(tmp_path / "d.wav", wave, channels=2),
    ]
    for decoded in decode(paths):
        assert np.abs(decoded - wave).max() < 1e-4


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


def test_a_file_that_resampling_leaves_nothing_of_is_named(tmp_path):
    path = write_wav(tmp_path / "a.wav", [0.5], 48_000)
    with pytest.raises(
        AudioError, match=r"holds no sample at 16,000 Hz, it is too short. Received: .*a\.wav"
    ):
        list(decode([path]))


@pytest.mark.parametrize("kind", ["empty", "junk", "zero seconds", "cut", "not finite"])
def test_broken_file_is_named(tmp_path, kind):
    good = write_wav(tmp_path / "good.wav", sine(200, 0.2))
    broken = write_broken(tmp_path, kind)
    with pytest.raises(AudioError) as caught:
        list(decode([good, broken]))
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"does not exist. Received: .*nowhere\.wav"):
        list(decode([tmp_path / "nowhere.wav"]))


def test_spans_are_cut_and_a_file_is_decoded_once(tmp_path, monkeypatch):
    first, second = (write_wav(tmp_path / f"{hz}.wav", sine(hz, 1.0)) for hz in (100, 300))
    decoded = []
    open_sound = decoding.open_sound
    monkeypatch.setattr(
        decoding, "open_sound", lambda path: (decoded.append(path), open_sound(path))[1]
    )
    paths = [first, first, second, second]
    spans = [(0.25, 0.5), (0.0, 1.0), None, (0.1, 0.10625)]
    waves = list(decode_spans(paths, spans))
    assert decoded == [str(first), str(second)]
    whole = dict(zip((first, second), decode([first, second]), strict=True))
    for path, span, wave in zip(paths, spans, waves, strict=True):
        start, end = span or (0, 1)
        np.testing.assert_array_equal(wave, whole[path][round(start * 16e3) : round(end * 16e3)])
    assert [len(wave) for wave in waves] == [4000, 16_000, 16_000, 100]


def test_spans_are_in_seconds_whatever_the_rate(tmp_path):
    path = write_wav(tmp_path / "a.wav", sine(440, 1.0, 48_000), 48_000)
    tail, last = decode_spans([path, path], [(0.5, 0.75), (0.5, 1.0)])
    assert len(tail) == 4000
    assert abs(len(last) - 8000) <= 2


@pytest.mark.parametrize("span", [(0.5, 1.1), (1.0, 1.2), (-0.1, 0.5), (0.5, 0.5), (0.6, 0.5)])
def test_a_span_outside_its_file_is_named(tmp_path, span):
    path = write_wav(tmp_path / "a.wav", sine(200, 1.0))
    with pytest.raises(AudioError, match=r"within the 1 s .*a\.wav. Received: "):
        list(decode_spans([path], [span]))


@pytest.mark.parametrize("ending", ["", "waves.close()", "raise ValueError"])
def test_waves_that_nobody_takes_hold_nothing_up(tmp_path, ending):
    """A script ends whatever it was in the middle of, and so do its threads."""
    paths = [str(write_wav(tmp_path / f"{i}.wav", sine(100, 100.0))) for i in range(8)]
    script = f"""
import threading
from tfhrf.data import decode
waves = decode.decode_blocks({paths}, [None] * 8)
blocks = next(waves)
next(blocks)
{ending}
"""
    if ending == "waves.close()":
        script += "assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert done.returncode == ("raise" in ending)
