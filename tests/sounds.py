"""Audio files for tests: good ones and one of each kind of broken ones."""

import struct
import wave

import numpy as np


def write_wav(path, samples, sample_rate=16_000, channels=1):
    """16-bit WAV from floats in [-1, 1]; channels repeat the samples."""
    frames = np.repeat(np.round(np.asarray(samples) * 32767).astype("<i2"), channels)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(frames.tobytes())
    return path


def write_float_wav(path, samples, sample_rate=16_000):
    """32-bit float WAV, which can hold values that are not finite."""
    data = np.asarray(samples, "<f4").tobytes()
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16)
    form = struct.pack("<HHIIHH", 3, 1, sample_rate, 4 * sample_rate, 4, 32)
    path.write_bytes(head + form + struct.pack("<4sI", b"data", len(data)) + data)
    return path


def sine(hertz, seconds, sample_rate=16_000, amplitude=0.5):
    return amplitude * np.sin(
        2 * np.pi * hertz * np.arange(int(seconds * sample_rate)) / sample_rate
    )


def write_broken(folder, kind):
    """A file that cannot be used: "empty", "junk", "zero seconds", "cut" or "not finite"."""
    path = folder / f"{kind}.wav"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "junk":
        path.write_bytes(b"this is not audio " * 100)
    elif kind == "zero seconds":
        write_wav(path, [])
    elif kind == "cut":
        write_wav(path, sine(200, 1.0))
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "not finite":
        samples = sine(200, 1.0)
        samples[100] = np.nan
        write_float_wav(path, samples)
    return path
