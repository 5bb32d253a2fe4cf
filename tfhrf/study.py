"""A study of a corpus: train, fold, quantize, test on held-out speakers, resume, report.

Everything goes under one folder: a folder per fold, each complete or absent, the deployed model
(trained on all speakers), and `results.json`, which the fold folders make again at any time.
"""

import concurrent.futures
import contextlib
import json
import multiprocessing
import pathlib
import time

import keras
import numpy as np

from tfhrf.assessment import assess, calibration_windows
from tfhrf.cache import prepare
from tfhrf.features import LogMelConfig
from tfhrf.files import begin_folder, cleaning_up, write_text
from tfhrf.folds import Fold
from tfhrf.pictures import save_study
from tfhrf.progress import progress_bar
from tfhrf.results import DEPLOYED, collect
from tfhrf.training import compile_model, fit, restart


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
        AudioError: a recording cannot be used. Nothing is written under `out` then.
    """
    out = pathlib.Path(out)
    config = config or LogMelConfig()
    folds = _chosen(folds, fold_numbers)
    _check_same(out, settings)
    paths, spans = ([getattr(one, name) for one in utterances] for name in ("path", "span"))
    features = prepare(paths, config, spans)

    write_text(out / "settings.json", json.dumps(settings, indent=2) + "\n")
    config.save(out / "front_end.json")
    if fold_numbers is None:
        folds.append(Fold(DEPLOYED, list(range(len(utterances))), [], []))
    missing = [fold for fold in folds if not (out / fold.name / "fold.json").exists()]
    if missing:
        _train_folds(missing, build, corpus, features, utterances, training, settings, out, config)
    results = collect(out, corpus)
    write_text(out / "results.json", json.dumps(results, indent=2) + "\n")
    save_study(out, results)
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
    print(f"Training {len(folds)} folds of {training.epochs} epochs")
    bar = progress_bar(len(folds) * training.epochs, "epoch")
    advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.add(1))

    def side(indices):
        groups = [utterances[i].group for i in indices]
        return [features[i] for i in indices], targets[indices], groups

    with _beside(len(folds) > 1) as assess_later:
        for fold in folds:
            with cleaning_up(out / fold.name):
                folder = begin_folder(out / fold.name)
                clock = StepClock()
                start = time.perf_counter()
                restart(model, initial)
                board = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
                train = balance(fold.train, targets, seed) if corpus.balanced else fold.train
                watched = side(fold.validation)[:2] if fold.validation else None
                history = fit(
                    model,
                    [features[i] for i in train],
                    targets[train],
                    training,
                    steps_per_epoch,
                    config,
                    seed,
                    [clock, advance, board],
                    watched,
                )
                model.save(folder / "trained.keras")
                record = {
                    "fold": fold.name,
                    "seconds": {"training": time.perf_counter() - start, "steps": clock.seconds},
                    "history": history,
                }
            chosen = [features[i] for i in fold.train]
            sides = {"validation": fold.validation, "test": fold.test}
            assess_later(
                assess,
                out / fold.name,
                record,
                calibration_windows(chosen, training.frames, config),
                {name: side(indices) for name, indices in sides.items() if indices},
                corpus,
                settings,
                config,
            )


@contextlib.contextmanager
def _beside(apart):
    """A function that calls another one in a process beside this one, or at once in this one.

    While one fold is folded, quantized and tested, the next one trains. At the end of the block
    all calls are done; an exception of theirs is raised there.
    """
    if not apart:
        yield lambda function, *arguments: function(*arguments)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        calls = []
        yield lambda function, *arguments: calls.append(pool.submit(function, *arguments))
        for call in calls:
            call.result()


class StepClock(keras.callbacks.Callback):
    """Adds up the time of the training steps alone."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds += time.perf_counter() - self.start
