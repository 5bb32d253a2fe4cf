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


def write_pcm_wav(path, samples, bits, extensible=False, sample_rate=16_000):
    """Integer WAV of 8 (unsigned), 16, 24 or 32 bits per sample."""
    zero = 128 if bits == 8 else 0
    integers = np.round(np.asarray(samples) * (2 ** (bits - 1) - 1)).astype("i8") + zero
    width = bits // 8
    data = b"".join(int(i).to_bytes(width, "little", signed=bits > 8) for i in integers)
    tag = 0xFFFE if extensible else 1
    form = struct.pack("<HHIIHH", tag, 1, sample_rate, sample_rate * width, width, bits)
    if extensible:
        guid = bytes.fromhex("0100000000001000800000aa00389b71")
        form += struct.pack("<HHI", 22, bits, 4) + guid
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
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
