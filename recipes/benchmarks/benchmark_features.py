"""Prints how quickly features are computed, and how much memory preparing and training take.

python recipes/benchmarks/benchmark_features.py --hours=1
python recipes/benchmarks/benchmark_features.py --hours=1 --rate=48000
python recipes/benchmarks/benchmark_features.py --what=memory   # 5 GB of disk, minutes

The audio is generated noise in the temporary folder. Where librosa is installed, its throughput
on the same files is printed too.
"""

import contextlib
import importlib.util
import io
import multiprocessing
import os
import pathlib
import shutil
import tempfile
import time

import keras
import measuring
import numpy as np
import soundfile
from absl import flags

from tfhrf.data import store
from tfhrf.data.sound_header import HIGHEST_RATE, LOWEST_RATE
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import cli
from tfhrf.studies.assess import calibration_windows, posteriors_of
from tfhrf.studies.training import TrainingSettings, compile_model, fit, inference

WHAT = flags.DEFINE_enum("what", "speed", ["speed", "memory"], "What is measured.")
RATE = flags.DEFINE_integer(
    "rate", 16_000, "Of the audio, Hz.", LOWEST_RATE, upper_bound=HIGHEST_RATE
)
HOURS = flags.DEFINE_float("hours", 1.0, "Of audio, to measure the speed.", lower_bound=0.01)

CONFIG = LogMelConfig()
SECONDS = 3.6  # of an utterance, IEMOCAP's median
MEMORY_HOURS = (1, 10, 50)


def main():
    with tempfile.TemporaryDirectory() as folder:
        {"speed": speed, "memory": memory}[WHAT.value](pathlib.Path(folder))


def speed(folder):
    paths = generate(folder / "audio", HOURS.value, RATE.value)
    hours = len(paths) * SECONDS / 3600
    sound = f"{hours:.2f} h of {RATE.value / 1000:g} kHz audio"
    print(f"{len(paths):,} files, {sound}, {os.cpu_count()} cores")
    for name in ("computed", "read again"):
        start = time.perf_counter()
        store.prepare(paths, CONFIG, root=folder / "features")
        say(name, hours, time.perf_counter() - start)
    if importlib.util.find_spec("librosa"):
        with multiprocessing.get_context("spawn").Pool() as pool:
            pool.map(librosa_frames, paths[: 4 * os.cpu_count()], chunksize=1)  # imports, compiles
            start = time.perf_counter()
            pool.map(librosa_frames, paths, chunksize=16)
            say("librosa", hours, time.perf_counter() - start)
    else:
        print("  librosa is not installed")


def say(name, hours, seconds):
    print(f"  {name:11}{seconds:7.1f} s, {60 * hours / seconds:8.1f} hours per minute")


def librosa_frames(path):
    """The features of a file by librosa; nothing is sent back."""
    import librosa

    wave, _ = librosa.load(path, sr=CONFIG.sample_rate)
    energies = librosa.feature.melspectrogram(
        y=wave,
        sr=CONFIG.sample_rate,
        n_fft=CONFIG.fft_length,
        win_length=CONFIG.frame_length,
        hop_length=CONFIG.hop,
        center=False,
        n_mels=CONFIG.mels,
        fmin=CONFIG.lower_hz,
        fmax=CONFIG.upper_hz,
        htk=True,
        norm=None,
    )
    frames = (np.log(np.maximum(energies.T, CONFIG.floor)) - CONFIG.mean) * CONFIG.scale
    assert frames.dtype == np.float32


def memory(folder):
    paths = generate(folder / "audio", 1, CONFIG.sample_rate)
    print("Peak resident memory, MiB: of one process after imports and preparation,")
    print("of another one after finding the features, an epoch, and calibration and test")
    for hours in MEMORY_HOURS:
        root = folder / f"features{hours}"
        for peaks in (peaks_of_preparation, peaks_of_training):
            found = measuring.in_own_process(peaks, paths * hours, root)
            print(f"  {hours:3} h:", *(f"{peak / 2**20:7.0f}" for peak in found))
        shutil.rmtree(root)


def peaks_of_preparation(paths, root):
    before = measuring.status_bytes("VmHWM")
    prepare(paths, root)
    return before, measuring.status_bytes("VmHWM")


def prepare(paths, root):
    """Without a progress bar between the figures."""
    with contextlib.redirect_stdout(io.StringIO()):
        return store.prepare(paths, CONFIG, root=root)


def peaks_of_training(paths, root):
    peaks = []

    def note():
        peaks.append(measuring.status_bytes("VmHWM"))

    features = prepare(paths, root)
    note()
    settings = TrainingSettings(epochs=1)
    model = keras.Sequential(
        [
            keras.Input((settings.frames, CONFIG.mels)),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(4),
        ]
    )
    steps = len(features) // settings.batch_size
    compile_model(model, settings, steps)
    fit(model, features, np.arange(len(features)) % 4, settings, steps, CONFIG, 0)
    note()
    calibration_windows(features, settings.frames, CONFIG)
    posteriors_of({"trained": inference(model)}, features, settings.frames, CONFIG)
    note()
    return peaks


def generate(folder, hours, rate):
    """Files of noise, of SECONDS each."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:06}.wav" for number in range(round(hours * 3600 / SECONDS))]
    for path in paths:
        noise = rng.uniform(-0.1, 0.1, round(SECONDS * rate)).astype("f4")
        soundfile.write(path, noise, rate, "PCM_16")
    return paths


if __name__ == "__main__":
    cli.run(main)
