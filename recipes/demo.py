"""Shows what a model says of a sound in Keras and on an emulated microcontroller.

python recipes/demo.py
python recipes/demo.py --model_dir=runs/STUDY/deployed --wav=sound.wav --board=netduinoplus2

Any WAV or FLAC file; a synthetic utterance if none is given. Needs arm-none-eabi-gcc and
qemu-system-arm (`make tools`).
"""

import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
from absl import flags

from tfhrf import assessment, commands, study
from tfhrf.audio import decode
from tfhrf.corpora import synthetic
from tfhrf.features import LogMelConfig, extract
from tfhrf.files import replacing
from tfhrf.training import inference
from tfhrf.windows import test_windows, utterance_posteriors

MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "A study's folder `deployed`; that of `make train` if not given."
)
WAV = flags.DEFINE_string("wav", None, "The sound; a synthetic utterance if not given.")
BOARD = flags.DEFINE_string("board", "mps2-an386", "One of those that tflm/Makefile lists.")

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFAULT_MODEL = "runs/conv_transformer-synthetic-light-*/deployed"
EMOTION = "anger"
SOUND = pathlib.Path("runs/demo/sound.wav")  # as the board reads it: 16 bits, one channel


def main():
    folder = model_dir()
    config = LogMelConfig.load(folder / "front_end.json")
    if WAV.value:
        (wave,) = decode([WAV.value], config.sample_rate)
        source = WAV.value
    else:
        # A voice that is not in the corpus.
        speaker = synthetic.SPEAKERS + 1
        wave = synthetic.utterance(speaker, EMOTION, np.random.default_rng(speaker))
        source = f"a synthetic voice that the model has not heard, {EMOTION}"
    with replacing(SOUND) as path:
        synthetic.write_wav(path, wave, config.sample_rate)
    board = on_board(folder)
    posteriors = {
        "Keras, float32": in_keras(folder, config),
        f"{BOARD.value}, int8": np.array([float(part) for part in board["posterior"]]),
    }
    print(f"\n{len(wave) / config.sample_rate:.2f} s of sound: {source}\n")
    labels = board["label"]
    print(" " * 20 + "".join(f"{label:>12}" for label in labels))
    for kind, posterior in posteriors.items():
        values = "".join(f"{value:12.3f}" for value in posterior)
        print(f"{kind:20}{values}   {labels[posterior.argmax()]}")
    print("\n" + "\n".join(board["cost"]))


def model_dir():
    if MODEL_DIR.value:
        folder = pathlib.Path(MODEL_DIR.value)
        if not (folder / "trained.keras").is_file():
            raise study.StudyError(
                f"A folder with trained.keras, int8.tflite and front_end.json is needed. "
                f"Received: {folder}"
            )
        return folder
    folders = sorted(pathlib.Path().glob(DEFAULT_MODEL))
    if not folders:
        raise study.StudyError(f"`make train` has not made a model: no {DEFAULT_MODEL} is here")
    return folders[0]


def in_keras(folder, config):
    """Mean posterior of the sound's windows by the model as trained."""
    model = keras.saving.load_model(folder / "trained.keras", compile=False)
    (features,) = extract([SOUND], config)
    windows = test_windows(features, model.input_shape[1], assessment.HOP, config)
    return utterance_posteriors(inference(model)(windows), [len(windows)])[0]


def on_board(folder):
    """What the emulated board prints: posteriors and labels, in lists, and lines of its cost."""
    arguments = [f"BOARD={BOARD.value}", f"PYTHON={sys.executable}"]
    arguments += [f"MODEL={folder.resolve()}", f"WAV={SOUND.resolve()}"]
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(ROOT / "tflm"), *arguments, "run"],
        capture_output=True,
        text=True,
        check=False,
        # Not the variables that another make was started with.
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
    )
    # QEMU writes what a program says to standard error.
    printed = done.stdout + done.stderr
    if done.returncode != 0:
        raise study.StudyError(f"The board did not answer. Received: {printed}")
    found = re.findall(r"^posterior: (\S+) (.*)$", printed, re.MULTILINE)
    return {
        "posterior": [posterior for posterior, _ in found],
        "label": [label for _, label in found],
        "cost": re.findall(r"^(?:instructions|stack|RAM|flash): .*$", printed, re.MULTILINE),
    }


if __name__ == "__main__":
    commands.run(main)
