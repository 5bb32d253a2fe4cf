"""Small studies of a user's own recordings: noise of a few speakers, a network of one layer."""

import keras
import numpy as np
from sounds import write_wav

from tfhrf.data import folds
from tfhrf.data.corpora import Corpus, Utterance
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import study
from tfhrf.studies.training import TrainingSettings
from tfhrf.workers import Local

CORPUS = Corpus(None, ("a", "b"), {})
CONFIG = LogMelConfig(mels=8)
TRAINING = TrainingSettings(frames=20, epochs=1, batch_size=4)
SPEAKERS = ("Bob/x", ".x", "deployed")


def small(shape, classes):
    pooling = keras.layers.GlobalAveragePooling1D()
    return keras.Sequential([keras.Input(shape), pooling, keras.layers.Dense(classes)])


def larger(shape, classes):
    """With a kernel that is worth clustering."""
    pooling = keras.layers.GlobalAveragePooling1D()
    hidden = [keras.layers.Dense(64, "relu"), keras.layers.Dense(32, "relu")]
    return keras.Sequential([keras.Input(shape), pooling, *hidden, keras.layers.Dense(classes)])


def recordings(folder, speakers=SPEAKERS, takes=2):
    """Utterances of noise; the same arguments give the same bytes."""
    found = []
    folder.mkdir(exist_ok=True)
    for place, speaker in enumerate(speakers):
        for take in range(takes):
            wave = np.random.default_rng([place, take]).normal(0, 0.1, 4800)
            path = write_wav(folder / f"{place}-{take}.wav", wave)
            found.append(Utterance(path, "ab"[take % 2], speaker, speaker))
    return found


def run(out, utterances, settings=None, training=TRAINING, config=CONFIG, build=small, **given):
    settings = settings or {"model": "small", "dataset": "own", "seed": 0}
    one = study.Study(build, settings, out)
    held_out = folds.leave_one_speaker_out(utterances)
    (found,) = study.run(
        [one], CORPUS, utterances, held_out, training, config=config, engine=Local(1), **given
    )
    return found
