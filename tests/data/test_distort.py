"""Distortions against what their names promise: levels, ratios, bands, decay, coders."""

import subprocess
import sys
import types

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy comes with the recipes")

from sounds import sine

from tfhrf.data import distort
from tfhrf.data.distort import CONDITIONS, Missing

RATE = 16_000
VOICES = [sine(hertz, 0.7).astype("f4") for hertz in (200, 300, 500, 700, 900)]


def noise(seconds=1.0, level=0.05, seed=0):
    samples = np.random.default_rng(seed).normal(0, level, round(seconds * RATE))
    return samples.astype("f4")


def decibels(power, reference):
    return 10 * np.log10(np.mean(np.square(power)) / np.mean(np.square(reference)))


def made(name, wave, seed=3, voices=VOICES):
    return CONDITIONS[name](wave, RATE, seed, lambda: voices)


@pytest.fixture(params=list(CONDITIONS))
def name(request):
    return request.param


@pytest.mark.parametrize("samples", [400, 16_001])
def test_every_condition_keeps_length_and_range(name, samples):
    wave = noise(3.0, 0.5)[:samples]
    before = wave.copy()
    changed = made(name, wave)
    assert changed.shape == wave.shape
    assert changed.dtype == np.float32
    assert name == "clean" or np.abs(changed).max() <= 1
    assert (name == "clean") == np.array_equal(changed, wave)
    np.testing.assert_array_equal(wave, before)
    np.testing.assert_array_equal(made(name, wave), changed)


def test_silence_stays_finite(name):
    changed = made(name, np.zeros(2000, "f4"), voices=[np.zeros(100, "f4")])
    assert changed.shape == (2000,)
    assert np.abs(changed).max() < 1e-3


def test_the_asked_conditions_are_there():
    assert len(CONDITIONS) == 1 + 5 + 4 + 4 + 5
    assert next(iter(CONDITIONS)) == "clean"


@pytest.mark.parametrize("change", distort.GAINS)
def test_a_level_is_exact(change):
    wave = noise()
    louder = made(f"level {change:+d} dB", wave)
    np.testing.assert_allclose(louder, wave * 10 ** (change / 20), rtol=1e-6)


def test_what_leaves_the_range_is_clipped():
    wave = sine(100, 0.1).astype("f4")  # up to 0.5
    louder = made("level +12 dB", wave)
    assert louder.max() == 1
    assert louder.min() == -1
    inside = np.abs(wave) < 0.25
    np.testing.assert_allclose(louder[inside], wave[inside] * 10**0.6, rtol=1e-6)


@pytest.mark.parametrize("kind", ["white noise", "babble"])
@pytest.mark.parametrize("ratio", distort.RATIOS)
def test_noise_has_the_asked_ratio(kind, ratio):
    wave = sine(440, 1.0, amplitude=0.1).astype("f4")
    added = made(f"{kind}, {ratio} dB", wave) - wave
    assert decibels(wave, added) == pytest.approx(ratio, abs=0.1)
    other = made(f"{kind}, {ratio} dB", wave, seed=4) - wave
    assert abs(np.corrcoef(added, other)[0, 1]) < 0.9


def test_white_noise_is_flat():
    power = np.abs(np.fft.rfft(distort.white(RATE, 0))) ** 2
    bands = power[1:8001].reshape(8, 1000).mean(axis=1)
    assert bands.max() / bands.min() < 1.3


def test_four_others_babble_equally_loud():
    loud = [VOICES[0], 0.1 * VOICES[1], *VOICES[2:]]
    power = np.abs(np.fft.rfft(distort.babble(loud, RATE, seed=1))) ** 2
    heard = sorted(power[[200, 300, 500, 700, 900]])
    # A voice that begins again within the second has a seam.
    assert heard[0] < 0.05 * heard[1]
    assert heard[1] > 0.3 * heard[4]
    with pytest.raises(Missing, match="no other speaker"):
        distort.babble([], RATE, seed=1)


def test_a_telephone_passes_its_band_alone():
    wave = noise()
    before, after = (
        np.abs(np.fft.rfft(w * np.hanning(len(w)))) ** 2
        for w in (wave, made("telephone band", wave))
    )
    change = 10 * np.log10([after[a:b].mean() / before[a:b].mean() for a, b in BANDS])
    assert max(change[[0, 3]]) < -40
    assert np.abs(change[[1, 2]]).max() < 1
    with pytest.raises(Missing, match="6800 Hz"):
        distort.telephone(wave, 6800)
    with pytest.raises(Missing, match=r"below 8,000 Hz\. Received: 6800 Hz"):
        distort.mp3(wave, 6800)


BANDS = ((0, 120), (400, 1500), (1500, 3200), (5000, 8000))


def test_a_room_decays_by_60_db_in_its_time():
    pulse = np.zeros(RATE, "f4")
    pulse[0] = 0.5
    heard = made("small room", pulse).astype(float)
    assert decibels(heard, pulse) == pytest.approx(0, abs=0.01)
    energy = np.cumsum(heard[::-1] ** 2)[::-1]  # that is still to come
    assert energy[1] / heard[0] ** 2 == pytest.approx(1, abs=0.01)
    start = 100
    # What is still to come of an exponential decays like it.
    later = 10 * np.log10(energy[start + 800] / energy[start])  # in 50 ms
    assert later == pytest.approx(-60 * 0.05 / distort.REVERBERATION, abs=1.5)
    assert not np.array_equal(made("small room", pulse, seed=4), heard)


def test_clipping_cuts_the_peaks_alone():
    wave = noise()
    changed = made("clipped by 12 dB", wave)
    limit = np.abs(wave).max() * 10**-0.6
    np.testing.assert_allclose(np.abs(changed).max(), limit, rtol=1e-6)
    inside = np.abs(wave) < limit
    np.testing.assert_array_equal(changed[inside], wave[inside])
    assert 0 < inside.mean() < 0.9


def test_8_bits_have_256_values():
    wave = np.linspace(-1.1, 1.1, 5000, dtype="f4")
    changed = made("8-bit samples", wave)
    assert len(np.unique(changed)) == 256
    inside = np.abs(wave) <= 127 / 128
    assert np.abs(changed - wave)[inside].max() <= 1 / 256 + 1e-6


def tones(seconds=2.0):
    """A melody, so that a shift shows."""
    parts = [sine(hertz, seconds / 10, amplitude=0.3) for hertz in range(200, 2200, 200)]
    return np.concatenate(parts).astype("f4")


def test_mp3_is_close_and_not_delayed():
    wave = tones()
    try:
        changed = made("MP3, 32 kbit/s", wave)
    except Missing as error:
        pytest.skip(str(error))
    assert 0 < decibels(changed - wave, wave) + 60 < 48


def test_mp3_has_the_asked_rate():
    soundfile = pytest.importorskip("soundfile", reason="soundfile comes with the recipes")
    if "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile has no MP3")
    sizes = []
    read = soundfile.read

    def counting(file, **given):
        sizes.append(len(file.getvalue()))
        return read(file, **given)

    soundfile.read = counting
    try:
        for rate in (8_000, 16_000, 44_100):
            distort.mp3(np.resize(noise(), 10 * rate), rate)
            assert 8 * sizes[-1] / 10 / 1000 == pytest.approx(distort.BITRATE, rel=0.05)
    finally:
        soundfile.read = read


def test_ffmpeg_writes_mp3_where_soundfile_does_not(monkeypatch):
    def refuse(*arguments, **given):
        raise RuntimeError("no such format")

    monkeypatch.setitem(sys.modules, "soundfile", types.SimpleNamespace(write=refuse))
    wave = tones()
    try:
        changed = made("MP3, 32 kbit/s", wave)
    except Missing:
        pytest.skip("no ffmpeg with MP3 is installed (the package ffmpeg brings it)")
    assert 0 < decibels(changed - wave, wave) + 60 < 48


def test_where_nothing_writes_mp3_the_reason_is_told(monkeypatch):
    def refuse(*arguments, **given):
        raise FileNotFoundError("ffmpeg")

    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(Missing, match="neither soundfile nor ffmpeg"):
        made("MP3, 32 kbit/s", tones())
