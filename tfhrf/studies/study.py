"""Studies of a corpus: train, fold, quantize, test on held-out speakers, resume, report.

Everything of a study goes under one folder: a folder per fold, each complete or absent, the
deployed model (trained on all speakers), and `results.json`, which the fold folders make again at
any time. Folds run wherever tfhrf.workers runs them.
"""

import collections
import contextlib
import dataclasses
import functools
import json
import pathlib
import pickle
import time
import zlib
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfhrf.data.folds import Fold
from tfhrf.data.store import prepare
from tfhrf.files import begin_folder, cleaning_up, write_text
from tfhrf.log_mel import LogMelConfig
from tfhrf.progress import progress_bar
from tfhrf.studies.assess import assess, calibration_windows
from tfhrf.studies.pictures import save_study
from tfhrf.studies.results import DEPLOYED, collect
from tfhrf.studies.training import compile_model, fit, restart
from tfhrf.workers import Local, Task, beside

# How a training uses the devices of one machine: none of TensorFlow's strategies, or all GPUs.
STRATEGIES = {"none": tf.distribute.get_strategy, "mirrored": tf.distribute.MirroredStrategy}


class StudyError(ValueError):
    """A study cannot run as asked; the message is one line that names the culprit."""


class Study(NamedTuple):
    """A model of some options with a seed.

    Attributes:
        build: function of (input_shape, classes) that returns a new model; it must pickle.
        settings: what the user asked for, a dict of plain values with at least "dataset",
            "model" and "seed"; a study under `out` must have been asked for with the same.
        out: folder of the study.
    """

    build: Callable
    settings: dict
    out: pathlib.Path


def run(
    studies,
    corpus,
    utterances,
    folds,
    training,
    fold_numbers=None,
    config=None,
    engine=None,
    strategy="none",
):
    """Trains and tests models fold by fold, and trains those to deploy on all utterances.

    Folds that are already in a study's folder are not trained again.

    Args:
        studies: list of Study.
        corpus: tfhrf.data.corpora.Corpus, for its classes and how they are scored.
        utterances: list of Utterance.
        folds: list of Fold of these utterances.
        training: TrainingSettings.
        fold_numbers: which folds to run, from 1; all of them and the deployed model if None.
        config: LogMelConfig; its default if None.
        engine: what of tfhrf.workers computes features and runs folds; Local if None.
        strategy: a key of STRATEGIES.

    Returns:
        The content of `results.json` of each study.

    Raises:
        StudyError: a folder holds another study, or a fold number does not exist.
        AudioError: a recording cannot be used. Nothing is written for any study then.
    """
    config = config or LogMelConfig()
    engine = engine or Local()
    folds = _chosen(folds, fold_numbers)
    for study in studies:
        _check_same(study.out, study.settings)
    paths, spans = ([getattr(one, name) for one in utterances] for name in ("path", "span"))
    features = prepare(paths, config, spans, engine=engine)

    if fold_numbers is None:
        folds.append(Fold(DEPLOYED, list(range(len(utterances))), [], []))
    missing = []
    for study in studies:
        write_text(study.out / "settings.json", json.dumps(study.settings, indent=2) + "\n")
        config.save(study.out / "front_end.json")
        missing.append([fold for fold in folds if fold.name not in _complete(study.out)])
    results = {
        place: _report(study, corpus) for place, study in enumerate(studies) if not missing[place]
    }
    if len(results) < len(studies):
        targets = np.array([corpus.labels.index(utterance.label) for utterance in utterances])
        groups = [utterance.group for utterance in utterances]
        data = engine.send((corpus, features, targets, groups, training, config))
        shards = engine.send_folder(features[0].shard.parent)
        places, tasks = [], []
        for place, study in enumerate(studies):
            for part in engine.runs(missing[place], len(studies) - len(results)):
                arguments = (data, shards, study.build, study.settings, strategy, part)
                units = sum(_units(fold, training, len(features)) for fold in part)
                tasks.append(Task(run_folds, arguments, pathlib.Path(study.out), units))
                places.append(place)
        print(f"Training {sum(map(len, missing))} folds of {training.epochs} epochs")
        left = collections.Counter(places)
        bar = progress_bar(sum(task.units for task in tasks), "step")
        for index, _ in engine.map(tasks, bar.add):
            left[places[index]] -= 1
            if not left[places[index]]:
                results[places[index]] = _report(studies[places[index]], corpus)
    return [results[place] for place in range(len(studies))]


def _complete(out):
    """Names of the folds that are complete."""
    return {path.parent.name for path in pathlib.Path(out).glob("[!.]*/fold.json")}


def _report(study, corpus):
    """Writes what the complete folds found."""
    results: dict = {"seconds": {}}
    # Another process may complete a fold of the same study meanwhile.
    while results["seconds"].keys() != _complete(study.out):
        results = collect(study.out, corpus)
        write_text(study.out / "results.json", json.dumps(results, indent=2) + "\n")
    save_study(pathlib.Path(study.out), results)
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


def run_folds(folder, advance, data, shards, build, settings, strategy, folds):
    """The task: trains, folds, quantizes and tests folds of a study.

    Every fold becomes a folder in `folder`, complete or absent.

    Args:
        folder: of the study, or one from which the folds' folders get there.
        advance: called with how many steps of training are done, utterances tested, and folds
            complete.
        data: function that returns what all studies share: corpus, features (StoredFrames),
            class indices and groups of all utterances, TrainingSettings, LogMelConfig.
        shards: function that returns the folder in which the features' shards are here.
        build, settings: of the Study.
        strategy: a key of STRATEGIES.
        folds: list of Fold.
    """
    corpus, features, targets, groups, training, config = data()
    here = shards()
    features = [dataclasses.replace(one, shard=here / one.shard.name) for one in features]
    seed, shape = settings["seed"], (training.frames, config.mels)
    steps_per_epoch = _steps_per_epoch(training, len(features))
    model, initial, scope = _compiled(
        pickle.dumps((build, shape, len(corpus.labels), training, steps_per_epoch, seed, strategy))
    )
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: advance(steps_per_epoch))

    def side(indices):
        some = [features[i] for i in indices]
        return some, targets[indices], [groups[i] for i in indices]

    with _assessing(len(folds) > 1, advance) as assess_later:
        for fold in folds:
            work = begin_folder(folder / fold.name)
            with cleaning_up(work):
                clock = StepClock()
                start = time.perf_counter()
                board = keras.callbacks.TensorBoard(work / "tensorboard", write_graph=False)
                train = balance(fold.train, targets, seed) if corpus.balanced else fold.train
                with scope():
                    restart(model, initial)
                    history = fit(
                        model,
                        [features[i] for i in train],
                        targets[train],
                        training,
                        steps_per_epoch,
                        config,
                        seed_of(seed, fold),
                        [clock, count, board],
                        side(fold.validation)[:2] if fold.validation else None,
                    )
                model.save(work / "trained.keras")
                record = {
                    "fold": fold.name,
                    "seconds": {"training": time.perf_counter() - start, "steps": clock.seconds},
                    "history": history,
                }
            chosen = [features[i] for i in fold.train]
            sides = {"validation": fold.validation, "test": fold.test}
            assess_later(
                work,
                folder / fold.name,
                record,
                calibration_windows(chosen, training.frames, config),
                {name: side(indices) for name, indices in sides.items() if indices},
                corpus,
                settings,
                config,
            )


def _steps_per_epoch(training, utterances):
    """One number for every fold: the graph is traced once."""
    return max(1, utterances // training.batch_size)


def _units(fold, training, utterances):
    """By how much a fold moves the progress bar: steps, utterances to test, the fold itself."""
    steps = training.epochs * _steps_per_epoch(training, utterances)
    return steps + len(fold.validation) + len(fold.test) + 1


def seed_of(seed, fold):
    """The seed of a fold's shuffling, cropping and augmentation.

    Every fold has its own, so that the luck of one is not that of all.

    Args:
        seed: of the study.
        fold: Fold.

    Returns:
        int of 31 bits.
    """
    return zlib.crc32(f"{seed} {fold.name}".encode()) >> 1


@functools.lru_cache(maxsize=1)
def _compiled(pickled):
    """The model of a study, compiled: a process that runs fold after fold traces it once.

    Args:
        pickled: build, shape, classes, training, steps per epoch, seed and strategy, pickled so
            that equal ones are found.

    Returns:
        The model, the initial values of its variables, the scope to use it in.
    """
    build, shape, classes, training, steps_per_epoch, seed, strategy = pickle.loads(pickled)
    # Frees the model of the study before, and names layers as in a new process.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    scope = STRATEGIES[strategy]().scope
    with scope():
        model = build(shape, classes)
        compile_model(model, training, steps_per_epoch)
    return model, [variable.numpy() for variable in model.variables], scope


@contextlib.contextmanager
def _assessing(apart, advance):
    """The function `assess` but for its first argument, called beside this process or in it.

    While one fold is folded, quantized and tested, the next one trains. At the end of the block
    all folds are complete; an exception of theirs is raised there.
    """
    if not apart:
        yield functools.partial(assess, advance)
        return
    with beside(1, advance) as (submit, completed):
        calls = [submit(_leave_gpus)]
        yield lambda *arguments: calls.append(submit(assess, *arguments))
        for call in completed(calls):
            call.result()


def _leave_gpus(advance):
    """The training has taken all memory of the GPUs."""
    tf.config.set_visible_devices([], "GPU")


class StepClock(keras.callbacks.Callback):
    """Adds up the time of the training steps alone."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds += time.perf_counter() - self.start
