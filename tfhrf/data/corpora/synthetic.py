"""A synthetic corpus of acted emotions: a source-filter synthesizer, no download.

Synthetic speech is for trying the tools; results on it say nothing about people, and every
output that comes from it carries the corpus name. Speakers differ in pitch, vocal-tract length
and voice quality; emotions shift pitch, pitch range, speaking rate, loudness, jitter and
spectral tilt in the directions of the literature (Scherer 2003), by less than speakers and
utterances scatter, so that no single number gives the emotion away.
"""

import pathlib
import wave
from typing import NamedTuple

import numpy as np
import soxr

from tfhrf.data.corpora.utterance import CorpusError, Utterance
from tfhrf.files import check_folder, replacing_folder
from tfhrf.progress import progress_bar

SAMPLE_RATE = 16_000
SPEAKERS = 8
UTTERANCES = 5  # per speaker and emotion
SECONDS = (1.6, 2.6)
ROOM = 0.002  # of full scale, between the utterances of a conversation
# Changes with the corpus: another version never reads this one's files.
VERSION = "synthetic-1"


class Emotion(NamedTuple):
    """Mean shifts against the speaker's neutral voice."""

    pitch: float  # semitones
    pitch_range: float  # factor
    rate: float  # factor, syllables per second
    loudness: float  # dB
    jitter: float  # factor
    tilt: float  # dB per octave
    contour: float  # semitones from start to end of the utterance


EMOTIONS = {
    "anger": Emotion(3.0, 1.5, 1.15, 4.0, 1.6, 2.5, -3.0),
    "happiness": Emotion(3.5, 1.8, 1.05, 2.0, 1.0, 1.2, 1.5),
    "neutral": Emotion(0.0, 1.0, 1.0, 0.0, 1.0, 0.0, -2.0),
    "sadness": Emotion(-0.5, 0.6, 0.8, -3.0, 1.4, -2.0, -3.0),
}
# How much one utterance scatters around its emotion's mean: about as much as emotions differ.
SCATTER = Emotion(1.8, 0.35, 0.12, 2.5, 0.3, 1.2, 1.5)

# First three formants of five vowels, Hz, for a vocal tract of average length.
VOWELS = np.array(
    [[750, 1250, 2550], [480, 1900, 2550], [300, 2250, 3000], [500, 900, 2450], [320, 800, 2300]]
)
BANDWIDTHS = np.array([80.0, 110.0, 160.0])  # Hz


def read(data_dir):
    """Reads the corpus from `data_dir`, generating it there first if it is not there yet.

    Returns:
        List of Utterance, sorted by file name; SPEAKERS speakers, UTTERANCES per emotion.

    Raises:
        CorpusError: the folder exists and holds something other than this corpus.
        OSError: the folder cannot be made.
    """
    folder = pathlib.Path(data_dir) / VERSION
    if not folder.exists():
        generate(folder)
    names = [
        (f"speaker{speaker}_{label}_{take}.wav", label, f"speaker{speaker}")
        for speaker in range(1, SPEAKERS + 1)
        for label in sorted(EMOTIONS)
        for take in range(1, UTTERANCES + 1)
    ]
    for name, _, _ in names:
        if not (folder / name).is_file():
            raise CorpusError(
                "The synthetic corpus lacks a file; remove the folder. "
                f"Received: no {folder / name}"
            )
    return [Utterance(folder / name, label, speaker, speaker) for name, label, speaker in names]


def generate(folder):
    """Writes the corpus as 16-bit WAV files into `folder`, all of it or nothing."""
    check_folder(folder)
    print(f"Generating the synthetic corpus in {folder}")
    bar = progress_bar(SPEAKERS * len(EMOTIONS) * UTTERANCES, "utterance")
    with replacing_folder(folder) as unfinished:
        for speaker in range(1, SPEAKERS + 1):
            for index, label in enumerate(sorted(EMOTIONS)):
                for take in range(1, UTTERANCES + 1):
                    rng = np.random.default_rng([speaker, index, take])
                    samples = utterance(speaker, label, rng)
                    write_wav(unfinished / f"speaker{speaker}_{label}_{take}.wav", samples)
                    bar.add(1)


def utterance(speaker, label, rng):
    """One utterance: float64 samples at 16 kHz, (samples,), within [-1, 1].

    Args:
        speaker: number of the speaker, whose voice is drawn from this number alone.
        label: a key of EMOTIONS.
        rng: numpy random Generator of the utterance.
    """
    voice = np.random.default_rng([7, speaker])
    female = speaker % 2 == 0
    base_pitch = (205 if female else 118) * 2 ** (voice.normal(0, 1.5) / 12)
    tract = (1.12 if female else 0.98) * np.exp(voice.normal(0, 0.04))
    base_rate = 4.5 * np.exp(voice.normal(0, 0.08))
    base_tilt = -9.0 + voice.normal(0, 1.0)
    base_level = voice.normal(0, 1.5)

    emotion = Emotion(*(np.array(EMOTIONS[label]) + np.array(SCATTER) * rng.standard_normal(7)))
    seconds = rng.uniform(*SECONDS)
    samples = int(seconds * SAMPLE_RATE)
    time = np.arange(samples) / SAMPLE_RATE

    # Syllables: a vowel and a loudness bump each, a pitch accent on some.
    syllables = max(3, round(seconds * base_rate * max(0.5, emotion.rate)))
    centres = (np.arange(syllables) + 0.5 + rng.uniform(-0.2, 0.2, syllables)) * seconds / syllables
    width = 0.35 * seconds / syllables
    strength = rng.uniform(0.5, 1.0, syllables)
    bumps = np.exp(-0.5 * ((time[:, None] - centres) / width) ** 2)
    envelope = bumps @ strength
    accents = bumps @ rng.normal(0, 2.2 * max(0.2, emotion.pitch_range), syllables)
    semitones = emotion.pitch + accents + emotion.contour * (time / seconds - 0.5)

    periods = rng.standard_normal(samples // 80 + 2) * 0.012 * max(0.2, emotion.jitter)
    wobble = np.interp(np.arange(samples), np.arange(len(periods)) * 80, periods)
    pitch = np.clip(base_pitch * 2 ** (semitones / 12) * (1 + wobble), 60, 600)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE

    # Harmonic amplitudes every 10 ms: glottal tilt times the formants' resonances.
    step = SAMPLE_RATE // 100
    knots = np.arange(0, samples + step, step)
    vowels = VOWELS[rng.integers(len(VOWELS), size=syllables)] * tract
    formants = np.stack([np.interp(knots / SAMPLE_RATE, centres, column) for column in vowels.T])
    knot_pitch = np.interp(knots, np.arange(samples), pitch)
    voiced = np.zeros(samples)
    for harmonic in range(1, int(7600 / pitch.min()) + 1):
        frequency = harmonic * knot_pitch
        decibels = (base_tilt + emotion.tilt) * np.log2(frequency / 100)
        gain = 10 ** (decibels / 20) * resonances(frequency, formants) * (frequency < 7600)
        voiced += np.interp(np.arange(samples), knots, gain) * np.sin(harmonic * phase)

    noise = np.diff(rng.standard_normal(samples + 1))
    level = 10 ** ((base_level + emotion.loudness + rng.normal(0, 2)) / 20)
    speech = envelope * (voiced / np.sqrt(np.mean(voiced**2)) + 0.01 * noise)
    room = 10 ** (rng.uniform(-62, -52) / 20) * rng.standard_normal(samples)
    return np.clip(0.05 * level * speech + room, -1, 1)


def conversation(speaker=SPEAKERS + 1, labels=("anger", "neutral", "sadness"), sample_rate=None):
    """Utterances of a voice that is not in the corpus, a second of its room after each.

    Returns:
        float64 samples, (samples,): at 16 kHz, within [-1, 1], or resampled to a rate.
    """
    parts = []
    for number, label in enumerate(labels):
        rng = np.random.default_rng([speaker, number])
        parts += [utterance(speaker, label, rng), ROOM * rng.standard_normal(SAMPLE_RATE)]
    samples = np.clip(np.concatenate(parts), -1, 1)
    return samples if sample_rate is None else soxr.resample(samples, SAMPLE_RATE, sample_rate)


def resonances(frequency, formants):
    """Gain of formants, (3, knots) in Hz, at a frequency per knot, (knots,)."""
    detuning = (frequency - formants) / BANDWIDTHS[:, None]
    return 0.02 + np.sum(np.array([[1.0], [0.6], [0.35]]) / np.sqrt(1 + detuning**2), axis=0)


def write_wav(path, samples, sample_rate=SAMPLE_RATE):
    """Writes samples within [-1, 1] as a 16-bit WAV file of one channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
