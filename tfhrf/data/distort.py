"""Sound as users meet it: other levels, noise, a telephone, a room, clipping, coarse coders.

Each function takes mono samples in [-1, 1] and returns as many, float32; samples that leave the
range are clipped, as by a converter. What is random comes from a seed alone.
"""

import functools
import io
import subprocess
from collections.abc import Callable

import numpy as np
import scipy.signal

VERSION = 1  # of what the functions compute
GAINS = (-18, -12, -6, 6, 12)  # dB
RATIOS = (20, 10, 5, 0)  # of the signal to the noise, dB
TALKERS = 4  # in a babble
BAND = (300, 3400)  # Hz, of a telephone
REVERBERATION = 0.3  # seconds in which a small room's sound decays by 60 dB
DRIVE = 12  # dB above full scale, of a recording that was clipped
BITRATE = 32  # kbit/s, of MP3
# Of MP3 at a sampling rate from the first number, Hz: the lowest and the highest bit rate, kbit/s.
_BITRATES = {32_000: (32, 320), 16_000: (8, 160), 8_000: (8, 64)}


class Missing(ValueError):
    """A condition cannot be made here; the message is one line that says why."""


def gain(wave, decibels):
    """Another level.

    Args:
        wave: float32 array of shape (samples,).
        decibels: by how much it rises.
    """
    return _converted(wave * 10 ** (decibels / 20))


def add_noise(wave, noise, ratio):
    """A recording with noise.

    Args:
        wave: float32 array of shape (samples,); silence stays silence.
        noise: array of the same shape, of any level.
        ratio: of the power of the whole wave, pauses included, to that of the noise, dB.
    """
    level = _level(noise)
    if level == 0:
        return _converted(wave)
    return _converted(wave + noise * (_level(wave) / level * 10 ** (-ratio / 20)))


def white(samples, seed):
    """White noise, float64 of shape (samples,), its standard deviation 1."""
    return np.random.default_rng(seed).standard_normal(samples)


def babble(voices, samples, seed):
    """Some people who talk at once, equally loud.

    Args:
        voices: list of arrays of shape (their samples,), of which at most TALKERS are heard, each
            from anywhere and again from its start.
        samples: length of the result.
        seed: seed of who is heard and from where.

    Returns:
        float64 array of shape (samples,).

    Raises:
        Missing: there are no voices.
    """
    if not voices:
        raise Missing("no other speaker of the corpus is known")
    rng = np.random.default_rng(seed)
    total = np.zeros(samples)
    for place in rng.choice(len(voices), min(TALKERS, len(voices)), replace=False):
        voice = voices[place]
        start = int(rng.integers(len(voice)))
        total += np.resize(np.roll(voice, -start), samples) / max(_level(voice), 1e-9)
    return total


def telephone(wave, rate):
    """What passes a telephone's band.

    Args:
        wave: float32 array of shape (samples,).
        rate: Hz, more than twice the upper limit of BAND.
    """
    if rate <= 2 * BAND[1]:
        raise Missing(f"a band up to {BAND[1]} Hz is all there is at {rate} Hz")
    sections = scipy.signal.butter(8, BAND, "bandpass", fs=rate, output="sos")
    return _converted(scipy.signal.sosfilt(sections, wave))


def room(wave, rate, seed):
    """The sound at some distance in a small room, as loud as it was.

    The room's response is the direct sound and, 5 ms later, noise of the same energy that decays
    by 60 dB in REVERBERATION seconds.

    Args:
        wave: float32 array of shape (samples,).
        rate: Hz.
        seed: seed of the room.
    """
    times = np.arange(round(REVERBERATION * rate)) / rate
    tail = white(len(times), seed) * 10 ** (-3 * times / REVERBERATION)
    response = np.concatenate([[1.0], np.zeros(round(0.005 * rate)), tail / np.linalg.norm(tail)])
    heard = scipy.signal.fftconvolve(wave, response)[: len(wave)]
    return _converted(heard * (_level(wave) / max(_level(heard), 1e-9)))


def clip(wave, decibels):
    """A recording whose peaks were cut off, at the level that it had.

    Args:
        wave: float32 array of shape (samples,).
        decibels: by how much its highest peak was above full scale.
    """
    limit = np.abs(wave).max(initial=0) * 10 ** (-decibels / 20)
    return _converted(np.clip(wave, -limit, limit))


def eight_bit(wave):
    """Samples of 8 bits, without dither."""
    return _converted(np.clip(np.round(wave * 128), -128, 127) / 128)


def mp3(wave, rate):
    """What MP3 at a constant BITRATE leaves, not delayed.

    Args:
        wave: float32 array of shape (samples,).
        rate: Hz, one that MP3 has.

    Raises:
        Missing: neither soundfile nor ffmpeg writes MP3 of that rate here.
    """
    if rate < min(_BITRATES):
        raise Missing(f"MP3 has no rate below {min(_BITRATES):,} Hz. Received: {rate} Hz")
    try:
        coded = _coded_by_soundfile(wave, rate)
    except (ImportError, RuntimeError, TypeError, ValueError):  # not there, or too old for MP3
        coded = _coded_by_ffmpeg(wave, rate)
    # At low bit rates nothing in the file tells by how much the coder is late.
    coded = np.pad(coded, (0, max(0, len(wave) - len(coded))))
    start = int(np.argmax(scipy.signal.correlate(coded, wave, "valid", "fft")))
    return _converted(coded[start : start + len(wave)])


def _coded_by_soundfile(wave, rate):
    import soundfile

    lowest, highest = next(limits for least, limits in _BITRATES.items() if rate >= least)
    level = (highest - BITRATE) / (highest - lowest)  # of compression, from 0 to 1
    file = io.BytesIO()
    soundfile.write(
        file, wave, rate, format="MP3", compression_level=level, bitrate_mode="CONSTANT"
    )
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def _coded_by_ffmpeg(wave, rate):
    raw = ["-f", "f32le", "-ar", f"{rate}", "-ac", "1"]
    coded = _ffmpeg([*raw, "-i", "-", "-b:a", f"{BITRATE}k", "-f", "mp3", "-"], wave.tobytes())
    return np.frombuffer(_ffmpeg(["-f", "mp3", "-i", "-", *raw, "-"], coded), "<f4")


def _ffmpeg(arguments, content):
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", *arguments]
    try:
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise Missing("neither soundfile nor ffmpeg writes MP3 here") from None


def _level(wave):
    """Root of the mean power; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0


def _converted(wave):
    return np.clip(wave, -1, 1).astype(np.float32)


def _gained(wave, rate, seed, voices, decibels):
    return gain(wave, decibels)


def _noisy(wave, rate, seed, voices, ratio):
    return add_noise(wave, white(len(wave), seed), ratio)


def _babbled(wave, rate, seed, voices, ratio):
    return add_noise(wave, babble(voices(), len(wave), seed), ratio)


# Functions of (wave, rate, seed, function that returns others' voices) by what a table calls them.
CONDITIONS: dict[str, Callable] = {
    "clean": lambda wave, rate, seed, voices: wave,
    **{f"level {g:+d} dB": functools.partial(_gained, decibels=g) for g in GAINS},
    **{f"white noise, {r} dB": functools.partial(_noisy, ratio=r) for r in RATIOS},
    **{f"babble, {r} dB": functools.partial(_babbled, ratio=r) for r in RATIOS},
    "telephone band": lambda wave, rate, seed, voices: telephone(wave, rate),
    "small room": lambda wave, rate, seed, voices: room(wave, rate, seed),
    f"clipped by {DRIVE} dB": lambda wave, rate, seed, voices: clip(wave, DRIVE),
    "8-bit samples": lambda wave, rate, seed, voices: eight_bit(wave),
    f"MP3, {BITRATE} kbit/s": lambda wave, rate, seed, voices: mp3(wave, rate),
}
