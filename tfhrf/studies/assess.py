"""What becomes of a trained model: folded, quantized, tested on held-out speakers, recorded."""

import functools
import json
import shutil
import time

import keras
import numpy as np

from tfhrf.data.windows import evaluation_windows, training_batches, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.tflm_sources import to_tflm
from tfhrf.files import cleaning_up, finish_folder, write_bytes, write_text
from tfhrf.hrf.fold import fold
from tfhrf.hrf.summary import summary
from tfhrf.studies.metrics import confusion_counts
from tfhrf.studies.results import record_of
from tfhrf.studies.shrink import Calibration, measured, shrink, tuning_steps
from tfhrf.studies.study_files import CALIBRATION, FOLD, FOLDED, INT8, TRAINED
from tfhrf.studies.training import inference

CALIBRATION_WINDOWS = 200
TEST_WINDOWS = 1024  # in memory at a time, and those of one utterance more


def assess(advance, work, folder, record, calibration, sides, corpus, settings, config):
    """Folds, quantizes and tests the model of an unfinished fold folder, and completes the folder.

    If another process has completed the fold meanwhile, its folder stays.

    Args:
        advance: called with how many steps of training after the fold are done, utterances were
            tested, and with 1 when all is done.
        work: folder that `begin_folder` made; trained.keras lies in it.
        folder: what it becomes.
        record: dict with "fold" and "seconds"; what is found here is added.
        calibration: Calibration of the training utterances.
        sides: dict of ("validation", "test") to (features, targets, groups) of their utterances.
        corpus: tfhrf.data.corpora.Corpus, for its classes and how they are scored.
        settings: dict with "dataset" and "model", for names.
        config: LogMelConfig of the features.
    """
    with cleaning_up(work):
        _complete(advance, work, record, calibration, sides, corpus, settings, config)
        if record_of(folder):
            shutil.rmtree(work)
        else:
            finish_folder(work, folder)
    advance(1)


def _complete(advance, work, record, calibration, sides, corpus, settings, config):
    start = time.perf_counter()
    trained = keras.saving.load_model(work / TRAINED, compile=False)
    folded = fold(trained)
    folded.save(work / FOLDED)
    made = shrink(folded, calibration, settings, advance)
    content = [*made.values()][-1]
    write_bytes(work / INT8, content)
    if not corpus.confidential:
        write_text(work / CALIBRATION, json.dumps(calibration.clips) + "\n")
    models = {"trained": inference(trained), "folded": inference(folded)}
    expected = models["trained"](calibration.windows)
    difference = np.abs(models["folded"](calibration.windows) - expected).max()
    if runners.available():
        # The last step is what is deployed.
        kinds = [*(f"int8 {name}" for name in made)][:-1]
        for kind, graph in zip([*kinds, "int8"], made.values(), strict=True):
            models[kind] = functools.partial(runners.predict, graph)
    if len(made) > 1:
        record["steps"] = {name: measured(graph) for name, graph in made.items()}
    record |= {
        "folding error": float(difference / np.abs(expected).max()),
        "int8 bytes": len(content),
        "parameters": {"trained": trained.count_params(), "folded": folded.count_params()},
    }
    if not sides:
        name = f"{settings['dataset']}_{settings['model']}"
        record["tflm"] = to_tflm(content, work / "tflm", name=name, labels=list(corpus.labels))
        record["summary"] = str(summary(trained))
    for side, (features, targets, groups) in sides.items():
        posteriors = posteriors_of(models, features, trained.input_shape[1], config, advance)
        record[side] = decide(posteriors, targets, groups, corpus)
    record["seconds"]["folding, quantization and test"] = time.perf_counter() - start
    write_text(work / FOLD, json.dumps(record) + "\n")


def calibration_places(features, frames, config):
    """Windows evenly spaced among all test windows of some utterances.

    Returns:
        List of (place of the utterance, number of its window), at most CALIBRATION_WINDOWS.
    """
    counts = [1 + max(0, -(-(len(one) - frames) // config.hop_frames)) for one in features]
    ends = np.cumsum(counts)
    picked = np.linspace(0, ends[-1] - 1, min(ends[-1], CALIBRATION_WINDOWS)).astype(int)
    places = np.searchsorted(ends, picked, side="right")
    return [
        (int(place), int(pick - ends[place] + counts[place]))
        for pick, place in zip(picked, places, strict=True)
    ]


def calibration_windows(features, frames, config):
    """The windows of `calibration_places`, without making all.

    Returns:
        float32 array of shape (at most CALIBRATION_WINDOWS, frames, mels).
    """
    return np.stack(
        [
            evaluation_windows(features[place], frames, config.hop_frames, config)[number]
            for place, number in calibration_places(features, frames, config)
        ]
    )


def calibration_of(features, names, training, config, steps_per_epoch, seed):
    """The Calibration of training utterances.

    Args:
        features: of the utterances.
        names: of their recordings.
        training: TrainingSettings.
        config: LogMelConfig of the features.
        steps_per_epoch: of the training before the fold.
        seed: of what is random in training after it.
    """
    places = calibration_places(features, training.frames, config)
    # What trains after the fold learns from the folded model: labels count for nothing.
    labels = np.zeros(len(features), np.int64)
    return Calibration(
        calibration_windows(features, training.frames, config),
        [(names[place], number) for place, number in places],
        functools.partial(training_batches, features, labels, training, 1, config, seed),
        tuning_steps(training.averaged * training.epochs * steps_per_epoch),
    )


def posteriors_of(models, features, frames, config, advance=lambda utterances: None):
    """Posteriors of utterances by each kind of model, in bounded memory.

    Args:
        models: dict of functions from windows, (windows, frames, mels), to logits.
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames.
        frames: length of a window.
        config: LogMelConfig of the features.
        advance: called with how many utterances are done.

    Returns:
        Dict of float64 arrays of shape (utterances, classes).
    """
    posteriors: dict[str, list] = {kind: [] for kind in models}
    for windows in _parts(features, frames, config):
        counts = [len(one) for one in windows]
        for kind, predict in models.items():
            posteriors[kind].append(utterance_posteriors(predict(np.concatenate(windows)), counts))
        advance(len(windows))
    return {kind: np.concatenate(parts) for kind, parts in posteriors.items()}


def _parts(features, frames, config):
    """Windows of utterance after utterance, TEST_WINDOWS and those of the last utterance a part."""
    part: list = []
    for one in features:
        part.append(evaluation_windows(one, frames, config.hop_frames, config))
        if sum(map(len, part)) >= TEST_WINDOWS:
            yield part
            part = []
    if part:
        yield part


def decide(posteriors, targets, groups, corpus):
    """Decisions on one side of a fold: their counts and, where they may be kept, posteriors.

    Args:
        posteriors: of the utterances by kind of model, as of `posteriors_of`.
        targets: class index per utterance, an array.
        groups: group per utterance.
        corpus: tfhrf.data.corpora.Corpus, for what is decided on and whether it is confidential.

    Returns:
        Dict of plain values: "confusion" by kind of model; unless confidential, "targets", "groups"
        and "posteriors".
    """
    if corpus.decisions == "participants":
        names, first, places = np.unique(groups, return_index=True, return_inverse=True)
        targets = targets[first]
        posteriors = {
            kind: np.stack([values[places == place].mean(axis=0) for place in range(len(names))])
            for kind, values in posteriors.items()
        }
    decided: dict = {
        "confusion": {
            kind: confusion_counts(targets, values) for kind, values in posteriors.items()
        }
    }
    if not corpus.confidential:
        decided["targets"] = targets.tolist()
        decided["groups"] = list(groups)
        decided["posteriors"] = {kind: values.tolist() for kind, values in posteriors.items()}
    return decided
