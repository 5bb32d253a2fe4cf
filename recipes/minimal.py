"""A whole training to be read from top to bottom: recordings in, C sources out.

python recipes/minimal.py                  # synthetic speech, made on the spot
python recipes/minimal.py PATH/TO/emodb    # EMO-DB

One speaker is held out, once, and nothing is augmented. Figures to report come from train_*.py,
which do the same for every speaker in turn.
"""

import tfhrf.quiet  # before what loads TensorFlow

# isort: split
import argparse
import pathlib
import sys

import keras
import numpy as np

import tfhrf
from tfhrf.data.corpora import CorpusError, emodb, synthetic
from tfhrf.data.decode import AudioError
from tfhrf.data.extract import extract
from tfhrf.data.folds import leave_one_speaker_out
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.log_mel import LogMelConfig
from tfhrf.models import ConvTransformer

CONFIG = LogMelConfig()  # 16 kHz, 64 mels, a frame every 10 ms
FRAMES = 200  # of a window, 2 s
TRAIN_HOP = 20  # frames between windows to train on; to test on, they begin every second
EXPANSION = 4  # how many times wider the inner matrices of HRF are
EPOCHS = 15  # fixed in advance: the held-out speaker chooses nothing
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
SEED = 0
OUT = pathlib.Path("runs", "minimal")


def main(data_dir=None):
    keras.utils.set_random_seed(SEED)

    # A corpus is a list of utterances, each with its path, label and speaker.
    utterances = emodb.read(data_dir) if data_dir else synthetic.read("runs/corpora")
    labels = sorted({utterance.label for utterance in utterances})
    targets = np.array([labels.index(utterance.label) for utterance in utterances])
    fold = leave_one_speaker_out(utterances)[0]

    # Recordings to log-mel frames, (frames, mels) each, and these to windows of one length.
    features = extract([utterance.path for utterance in utterances], CONFIG)
    train, train_counts = cut([features[i] for i in fold.train], TRAIN_HOP)
    test, test_counts = cut([features[i] for i in fold.test], CONFIG.hop_frames)

    # While it trains, each Dense layer of the feed-forward networks is a product of matrices.
    model = ConvTransformer((FRAMES, CONFIG.mels), len(labels), hrf=EXPANSION)
    model.compile(
        keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    train_targets = np.repeat(targets[fold.train], train_counts)
    model.fit(train, train_targets, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=2)

    # The product is multiplied out: stock Keras layers, the same function, the plain model's size.
    folded = tfhrf.fold(model)

    # 8-bit integers, their ranges measured on windows that the model trained on; then C99.
    content = tfhrf.to_tflite(folded, train[::10], precision="int8")
    report = tfhrf.to_c(content, OUT, name="emotion", labels=labels)
    CONFIG.save(OUT / "front_end.json")

    logits = {
        "as trained": model.predict(test, verbose=0),
        "folded": folded.predict(test, verbose=0),
    }
    if runners.available():  # TensorFlow Lite Micro itself, on x86-64 Linux
        logits["int8"] = runners.predict(content, test)
    print(f"\nUA of {len(fold.test)} utterances, {fold.name} held out")
    for name, values in logits.items():
        print(f"{name:20} {unweighted_recall(values, test_counts, targets[fold.test]):.3f}")
    print(f"{'parameters':20} {model.count_params():,} trained, {folded.count_params():,} folded")
    print(f"{'int8 file':20} {len(content):,} bytes")
    print(f"{'RAM of the C code':20} {report['arena_bytes']:,} bytes")
    print(f"\nWritten to {OUT}: {', '.join(report['files'])}")


def cut(features, hop):
    """Windows of utterances, a short one padded with silence.

    Args:
        features: list of arrays, (frames, mels).
        hop: frames between the starts of two windows.

    Returns:
        (windows, FRAMES, mels), and how many windows each utterance has.
    """
    windows = [evaluation_windows(frames, FRAMES, hop, CONFIG) for frames in features]
    return np.concatenate(windows), [len(one) for one in windows]


def unweighted_recall(logits, counts, targets):
    """Mean recall of the classes (UA); the windows of an utterance decide together."""
    decided = utterance_posteriors(logits, counts).argmax(axis=1)
    return np.mean([np.mean(decided[targets == target] == target) for target in set(targets)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A whole training: recordings in, C sources out.")
    parser.add_argument("data_dir", nargs="?", help="the EMO-DB folder; synthetic if not given")
    try:
        main(parser.parse_args().data_dir)
    except (AudioError, CorpusError, OSError) as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("Error: Stopped")
