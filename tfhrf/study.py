"""A study of a corpus: train, fold, quantize, test on held-out speakers, resume, report.

Everything goes under one folder: a folder per fold, each complete or absent, the deployed model
(trained on all speakers), and `results.json`, which the fold folders make again at any time.
"""

import json
import pathlib
import time

import keras
import numpy as np

from tfhrf import micro
from tfhrf.accounting import summary
from tfhrf.evaluation import confusion_counts, save_confusion_picture
from tfhrf.features import LogMelConfig, extract
from tfhrf.files import replacing_folder, write_bytes, write_text
from tfhrf.folding import fold as fold_model
from tfhrf.folds import Fold
from tfhrf.progress import progress_bar
from tfhrf.report import DEPLOYED, collect
from tfhrf.tflite import to_tflite
from tfhrf.tflm import to_tflm
from tfhrf.training import compile_model, fit, inference, restart
from tfhrf.windows import test_windows, utterance_posteriors

HOP = 100  # frames between test windows, 1 s
CALIBRATION_WINDOWS = 200
TEST_UTTERANCES = 256  # whose windows are in memory at a time


class StudyError(ValueError):
    """A study cannot run as asked; the message is one line that names the culprit."""


def run(build, corpus, utterances, folds, training, settings, out, fold_numbers=None, config=None):
    """Trains and tests a backbone fold by fold, and trains the model to deploy on all utterances.

    Folds that are already under `out` are not trained again.

    Args:
        build: function of (input_shape, classes) that returns a new model.
        corpus: tfhrf.corpora.Corpus, for its classes and how they are scored.
        utterances: list of Utterance.
        folds: list of Fold of these utterances.
        training: TrainingSettings.
        settings: what the user asked for, a dict of plain values with at least "dataset",
            "model" and "seed"; a study under `out` must have been asked for with the same.
        out: folder of the study.
        fold_numbers: which folds to run, from 1; all of them and the deployed model if None.
        config: LogMelConfig; its default if None.

    Returns:
        The content of `results.json`.

    Raises:
        StudyError: `out` holds another study, or a fold number does not exist.
        AudioError: a recording cannot be used. Nothing is written then.
    """
    out = pathlib.Path(out)
    config = config or LogMelConfig()
    folds = _chosen(folds, fold_numbers)
    _check_same(out, settings)
    paths, spans = ([getattr(one, name) for one in utterances] for name in ("path", "span"))
    features = extract(paths, config, spans)

    write_text(out / "settings.json", json.dumps(settings, indent=2) + "\n")
    config.save(out / "front_end.json")
    if fold_numbers is None:
        folds.append(Fold(DEPLOYED, list(range(len(utterances))), [], []))
    missing = [fold for fold in folds if not (out / fold.name / "fold.json").exists()]
    if missing:
        _train_folds(missing, build, corpus, features, utterances, training, settings, out, config)
    results = collect(out, corpus)
    write_text(out / "results.json", json.dumps(results, indent=2) + "\n")
    for kind, score in results["scores"].items():
        title = f"{settings['dataset']}, {kind}: UA {score['ua']:.3f}"
        save_confusion_picture(
            out / f"confusion_{kind}.png", score["confusion"], corpus.labels, title
        )
    return results


def fold_numbers(texts):
    """Fold numbers from the texts of a flag; None stays None.

    Raises:
        StudyError: a text is not a number.
    """
    if texts is None:
        return None
    for text in texts:
        if not text.strip().isdecimal():
            raise StudyError(f"Folds are numbers from 1. Received: {text!r}")
    return [int(text) for text in texts]


def _chosen(folds, numbers):
    if numbers is None:
        return list(folds)
    for number in numbers:
        if not 1 <= number <= len(folds):
            raise StudyError(f"There are folds 1 to {len(folds)}. Received: fold {number}")
    return [folds[number - 1] for number in numbers]


def _check_same(out, settings):
    path = out / "settings.json"
    if not path.exists():
        return
    before = json.loads(path.read_text())
    for name in sorted({*before, *settings}):
        if before.get(name) != settings.get(name):
            raise StudyError(
                f"{out} holds a study with {name}={before.get(name)!r}; choose another folder. "
                f"Received: {name}={settings.get(name)!r}"
            )


def balance(indices, targets, seed):
    """Resamples utterances so that every class has as many as the largest.

    All utterances stay; those of smaller classes come again, each as often as any other of its
    class, give or take one.

    Args:
        indices: list of indices of utterances.
        targets: class index of every utterance of the corpus.
        seed: seed of which ones come once more.

    Returns:
        List of indices.
    """
    rng = np.random.default_rng(seed)
    classes = [
        [i for i in indices if targets[i] == target] for target in sorted({*targets[indices]})
    ]
    most = max(map(len, classes))
    return [
        index
        for members in classes
        for index in members * (most // len(members))
        + rng.permutation(members)[: most % len(members)].tolist()
    ]


def _train_folds(folds, build, corpus, features, utterances, training, settings, out, config):
    shape = (training.frames, config.mels)
    targets = np.array([corpus.labels.index(utterance.label) for utterance in utterances])
    # One number of steps for every fold: the graph is traced once.
    steps_per_epoch = max(1, len(features) // training.batch_size)

    seed = settings["seed"]
    keras.utils.set_random_seed(seed)
    model = build(shape, len(corpus.labels))
    initial = [variable.numpy() for variable in model.variables]
    compile_model(model, training, steps_per_epoch)
    predict = inference(model)
    print(f"Training {len(folds)} folds of {training.epochs} epochs")
    bar = progress_bar(len(folds) * training.epochs, "epoch")
    advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.add(1))
    for fold in folds:
        with replacing_folder(out / fold.name) as folder:
            clock = StepClock()
            start = time.perf_counter()
            restart(model, initial)
            board = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
            train = balance(fold.train, targets, seed) if corpus.balanced else fold.train
            fit(
                model,
                [features[i] for i in train],
                targets[train],
                training,
                steps_per_epoch,
                config,
                seed,
                [clock, advance, board],
            )
            seconds = {"training": time.perf_counter() - start, "steps": clock.seconds}
            start = time.perf_counter()
            chosen = [features[i] for i in fold.train]
            record, models = _export(
                model, predict, chosen, corpus, settings, config, folder, fold.name == DEPLOYED
            )
            seconds["folding and quantization"] = time.perf_counter() - start
            start = time.perf_counter()
            for side, indices in (("validation", fold.validation), ("test", fold.test)):
                if indices:
                    posteriors = _posteriors(
                        models, [features[i] for i in indices], training.frames, config
                    )
                    groups = [utterances[i].group for i in indices]
                    record[side] = _decide(posteriors, targets[indices], groups, corpus)
            seconds["test"] = time.perf_counter() - start
            record.update(fold=fold.name, seconds=seconds)
            write_text(folder / "fold.json", json.dumps(record) + "\n")


def _export(model, predict, train_features, corpus, settings, config, folder, deployed):
    """Folds and quantizes the trained model and writes its files.

    Returns:
        What to record, and the functions from windows to logits of each kind of model.
    """
    frames = model.input_shape[1]
    model.save(folder / "trained.keras")
    folded = fold_model(model)
    folded.save(folder / "folded.keras")
    calibration = _calibration_windows(train_features, frames, config)
    content = to_tflite(folded, calibration, "int8")
    write_bytes(folder / "int8.tflite", content)

    predict_folded = inference(folded)
    expected = predict(calibration)
    difference = np.abs(predict_folded(calibration) - expected).max()
    record = {
        "folding error": float(difference / np.abs(expected).max()),
        "int8 bytes": len(content),
        "parameters": {"trained": model.count_params(), "folded": folded.count_params()},
    }
    if deployed:
        name = f"{settings['dataset']}_{settings['model']}"
        record["tflm"] = to_tflm(content, folder / "tflm", name, list(corpus.labels))
        config.save(folder / "front_end.json")
        record["summary"] = str(summary(model))
    models = {"trained": predict, "folded": predict_folded}
    if micro.available():
        models["int8"] = lambda windows: micro.predict(content, windows)
    return record, models


def _calibration_windows(features, frames, config):
    """Windows evenly spaced among all test windows of some utterances, without making them all."""
    counts = [1 + max(0, -(-(len(one) - frames) // HOP)) for one in features]
    ends = np.cumsum(counts)
    picked = np.linspace(0, ends[-1] - 1, min(ends[-1], CALIBRATION_WINDOWS)).astype(int)
    places = np.searchsorted(ends, picked, side="right")
    return np.stack(
        [
            test_windows(features[place], frames, HOP, config)[pick - ends[place]]
            for pick, place in zip(picked, places, strict=True)
        ]
    )


def _posteriors(models, features, frames, config):
    """Posteriors of utterances by each kind of model, (utterances, classes), in bounded memory."""
    posteriors: dict[str, list] = {kind: [] for kind in models}
    for start in range(0, len(features), TEST_UTTERANCES):
        some = features[start : start + TEST_UTTERANCES]
        windows = [test_windows(one, frames, HOP, config) for one in some]
        counts = [len(one) for one in windows]
        for kind, predict in models.items():
            posteriors[kind].append(utterance_posteriors(predict(np.concatenate(windows)), counts))
    return {kind: np.concatenate(parts) for kind, parts in posteriors.items()}


def _decide(posteriors, targets, groups, corpus):
    """Decisions on one side of a fold: their counts and, where they may be kept, posteriors."""
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
        decided["posteriors"] = {kind: values.tolist() for kind, values in posteriors.items()}
    return decided


class StepClock(keras.callbacks.Callback):
    """Adds up the time of the training steps alone."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds += time.perf_counter() - self.start
