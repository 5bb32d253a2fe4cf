"""The task of a study: trains, folds, quantizes and tests folds, wherever tfhrf.workers runs it."""

import contextlib
import dataclasses
import functools
import json
import pickle
import time
import zlib

import keras
import numpy as np
import tensorflow as tf

from tfhrf.files import begin_folder, cleaning_up, safe_name, write_text
from tfhrf.recognition.packaged import FRONT_END, TRAINED_ON
from tfhrf.studies.assess import assess, calibration_of
from tfhrf.studies.level import as_heard, equalized, mel_levels
from tfhrf.studies.study_files import DEPLOYED, TRAINED
from tfhrf.studies.training import compile_model, fit_averaged
from tfhrf.workers import worker_pool

# How a training uses the devices of one machine: none of TensorFlow's strategies, or all GPUs.
STRATEGIES = {"none": tf.distribute.get_strategy, "mirrored": tf.distribute.MirroredStrategy}


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
            class indices, groups, names and marks of all utterances, TrainingSettings, batches
            per epoch, LogMelConfig, None or a dict of what is known of whom the model has heard
            that training starts from ("levels", "datasets" and "heard" of Pretrained), and soft
            targets of each fold by its name, as of `soft_targets`, if there are teachers.
        shards: function that returns the folder in which the features' shards are here.
        build, settings: of the Study.
        strategy: a key of STRATEGIES.
        folds: list of Fold.
    """
    corpus, stored, targets, groups, names, marks, *trained_by = data()
    training, steps_per_epoch, base, before, soft = trained_by
    here = shards()
    stored = [dataclasses.replace(one, shard=here / one.shard.name) for one in stored]
    seed, shape = settings["seed"], (training.frames, base.mels)
    model, initial, scope = _compiled(
        pickle.dumps((build, shape, len(corpus.labels), training, steps_per_epoch, seed, strategy))
    )
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: advance(steps_per_epoch))

    def side(features, indices):
        some = [features[i] for i in indices]
        return some, targets[indices], [groups[i] for i in indices]

    with _assessing(len(folds) > 1, advance) as assess_later:
        for fold in folds:
            features, config = _heard(stored, base, before and before["levels"], fold)
            done = folder / (safe_name(fold.name) if fold.tests else DEPLOYED)
            work = begin_folder(done)
            with cleaning_up(work):
                clock = StepClock()
                start = time.perf_counter()
                board = keras.callbacks.TensorBoard(work / "tensorboard", write_graph=False)
                train = balance(fold.train, targets, seed) if corpus.balanced else fold.train
                with scope():
                    history = fit_averaged(
                        model,
                        initial,
                        [features[i] for i in train],
                        _mixed(targets, soft.get(fold.name), training.taught, corpus)[train],
                        training,
                        steps_per_epoch,
                        config,
                        [seed_of(seed, fold, part) for part in range(training.averaged)],
                        callbacks=[clock, count, board],
                        validation=side(features, fold.validation)[:2] if fold.validation else None,
                    )
                trained_on = _trained_on(fold, features, marks, corpus, settings, before)
                _save(work, model, config, trained_on)
                record = {
                    "fold": fold.name,
                    "seconds": {"training": time.perf_counter() - start, "steps": clock.seconds},
                    "history": history,
                }
            sides = {"validation": fold.validation, "test": fold.test}
            assess_later(
                work,
                done,
                record,
                calibration_of(
                    [features[i] for i in fold.train],
                    [names[i] for i in fold.train],
                    training,
                    config,
                    steps_per_epoch,
                    seed_of(seed, fold),
                ),
                {name: side(features, indices) for name, indices in sides.items() if indices},
                corpus,
                settings,
                config,
            )


def _heard(stored, config, levels, fold):
    """The features of a fold and the front end that computes them."""
    if levels is None:
        return stored, config
    own = equalized(config, [stored[i] for i in fold.train], levels)
    return as_heard(stored, config, own), own


def _save(work, model, config, trained_on):
    model.save(work / TRAINED)
    config.save(work / FRONT_END)
    if trained_on:
        write_text(work / TRAINED_ON, json.dumps(trained_on) + "\n")


def _trained_on(fold, features, marks, corpus, settings, before):
    """What a deployed model says of what trained it and its start; None of a fold's model."""
    if fold.tests:
        return None
    # Of confidential recordings nothing is said by which they could be known again.
    heard = set() if corpus.confidential else {marks[i] for i in fold.train}
    return {
        "recordings": len(fold.train),
        "levels": mel_levels([features[i] for i in fold.train]).round(4).tolist(),
        "datasets": sorted({settings["dataset"], *(before["datasets"] if before else ())}),
        "heard": "".join(sorted(heard.union(before["heard"] if before else ()))),
    }


def _mixed(targets, soft, share, corpus):
    """Shares of the classes for every utterance: of its label, and of what teachers say."""
    hard = np.eye(len(corpus.labels), dtype=np.float32)[targets]
    return hard if soft is None else (1.0 - share) * hard + share * soft


def seed_of(seed, fold, part=0):
    """The seed of a fold's shuffling, cropping and augmentation.

    Every fold has its own, so that the luck of one is not that of all.

    Args:
        seed: of the study.
        fold: Fold.
        part: which training of the fold it is.

    Returns:
        int of 31 bits.
    """
    return zlib.crc32(f"{seed} {fold.name}{f' {part}' if part else ''}".encode()) >> 1


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
    with worker_pool(1, advance) as (submit, completed):
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
