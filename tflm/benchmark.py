"""Prints what sound costs on each emulated board, by untrained ConvTransformers: 3 s by `light`,
which are its one window, and 2 s by `tiny`, which are one window as well.

    python tflm/benchmark.py

Needs arm-none-eabi-gcc and qemu-system-arm (`make tools`). Instructions, not cycles.
"""

import commandline

import tfhrf.quiet  # before what loads TensorFlow

# isort: split
import pathlib
import tempfile

import emulator
import keras
import numpy as np
import tensorflow as tf

import tfhrf
from tfhrf.data.corpora import synthetic
from tfhrf.data.windows import evaluation_windows
from tfhrf.log_mel import LogMelConfig, log_mel
from tfhrf.models import ConvTransformer
from tfhrf.models.devices import DEVICES

CLASSES = 4
# Front end, frames of the window, boards.
MODELS = {
    "light": (LogMelConfig(), 300, [name for name in emulator.BOARDS if name[:5] != "stm32"]),
    "tiny": (DEVICES["tiny"]["config"], DEVICES["tiny"]["frames"], emulator.BOARDS),
}


def main():
    commandline.parser_of(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print("millions of instructions; bytes")
        for preset, (config, frames, boards) in MODELS.items():
            folder = pathlib.Path(scratch) / preset
            folder.mkdir()
            deploy(folder, preset, config, frames)
            for board in boards:
                sound_file, build = folder / "sound.wav", folder / "build"
                answer = emulator.run(board, folder, sound_file, build, endpoint=False)
                counts, sizes = answer["instructions"], answer["bytes"]
                print(
                    f"  {preset:6}{board:17}"
                    + ", ".join(f"{part} {count / 1e6:.2f}" for part, count in counts.items())
                    + "; "
                    + ", ".join(f"{part} {size:,}" for part, size in sizes.items())
                )


def deploy(folder, preset, config, frames):
    """Writes an untrained model and the sound of one window."""
    wave = sound()[: frames * config.hop + config.frame_length - config.hop]
    keras.utils.set_random_seed(0)
    model = ConvTransformer((frames, config.mels), CLASSES, preset)
    features = log_mel(tf.constant(wave, tf.float32), config).numpy()
    content = tfhrf.to_tflite(tfhrf.fold(model), evaluation_windows(features, frames, 1, config))
    (folder / "int8.tflite").write_bytes(content)
    config.save(folder / "front_end.json")
    synthetic.write_wav(folder / "sound.wav", wave, config.sample_rate)


def sound():
    """Synthetic speech of several voices."""
    parts = [
        synthetic.utterance(speaker, label, np.random.default_rng(speaker))
        for speaker, label in enumerate(synthetic.EMOTIONS)
    ]
    return np.concatenate(parts)


if __name__ == "__main__":
    commandline.run(main)
