"""Folders of trained models as the package has them: noise for weights, a few KB."""

import json

import keras
import numpy as np
from keras import layers
from tiny_models import disturb

import tfhrf
from tfhrf.log_mel import LogMelConfig

CONFIG = LogMelConfig(mels=8)
FRAMES = 60  # of a window, 0.6 s
LABELS = ("calm", "tense", "glad")
CARD = "# small\n\nCalm, tense, glad\nin noise.\n\n## Figures\n\nNone.\n"


def write_model(folder, config=CONFIG, labels=LABELS):
    """Writes a packaged model into a folder, and returns the folder."""
    keras.utils.set_random_seed(1)
    stack = [layers.Conv1D(8, 5, strides=4, activation="relu"), layers.GlobalAveragePooling1D()]
    stack.append(layers.Dense(8, "relu", name="hidden"))
    model = keras.Sequential(
        [keras.Input((FRAMES, config.mels)), *stack, layers.Dense(len(labels), name="logits")]
    )
    disturb(model)
    windows = np.random.default_rng(0).normal(0, 1, (32, FRAMES, config.mels)).astype("f4")
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    (folder / "int8.tflite").write_bytes(tfhrf.to_tflite(model, windows, precision="int8"))
    config.save(folder / "front_end.json")
    (folder / "labels.json").write_text(json.dumps(labels))
    (folder / "card.md").write_text(CARD)
    return folder
