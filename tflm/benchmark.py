"""Prints what 3 s of sound cost on each emulated board, by an untrained light ConvTransformer.

    python tflm/benchmark.py

Needs arm-none-eabi-gcc and qemu-system-arm (`make tools`). Instructions, not cycles.
"""

import pathlib
import tempfile

import emulator
import keras
import numpy as np
import tensorflow as tf

import tfhrf
from tfhrf.backbones import ConvTransformer
from tfhrf.corpora import synthetic
from tfhrf.features import LogMelConfig, log_mel
from tfhrf.windows import test_windows

SAMPLES = 48_000
FRAMES, CLASSES = 300, 4  # one window


def main():
    config = LogMelConfig()
    wave = sound()
    keras.utils.set_random_seed(0)
    model = ConvTransformer((FRAMES, config.mels), CLASSES)
    features = log_mel(tf.constant(wave, tf.float32), config).numpy()
    content = tfhrf.to_tflite(tfhrf.fold(model), test_windows(features, FRAMES, 1, config))
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "int8.tflite").write_bytes(content)
        config.save(folder / "front_end.json")
        synthetic.write_wav(folder / "sound.wav", wave)
        print("millions of instructions; bytes")
        for board in emulator.BOARDS:
            answer = emulator.run(board, folder, folder / "sound.wav", folder / "build")
            counts, sizes = answer["instructions"], answer["bytes"]
            print(
                f"  {board:14}"
                + ", ".join(f"{part} {count / 1e6:.2f}" for part, count in counts.items())
                + "; "
                + ", ".join(f"{part} {size:,}" for part, size in sizes.items())
            )


def sound():
    """Synthetic speech of several voices."""
    parts = [
        synthetic.utterance(speaker, label, np.random.default_rng(speaker))
        for speaker, label in enumerate(synthetic.EMOTIONS)
    ]
    return np.concatenate(parts)[:SAMPLES]


if __name__ == "__main__":
    main()
