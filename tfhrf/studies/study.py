"""Studies of a corpus: train, fold, quantize, test on held-out speakers, resume, report.

Everything of a study goes under one folder: a folder per fold, each complete or absent, the
deployed model (trained on all speakers), and `results.json`, which the fold folders make again at
any time. Folds run wherever tfhrf.workers runs them.
"""

import collections
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfhrf.data.folds import Fold, trained_on, without
from tfhrf.data.store import contents, prepare
from tfhrf.files import check_folder, write_text
from tfhrf.log_mel import LogMelConfig
from tfhrf.progress import progress_bar
from tfhrf.studies import record, shrink, study_page
from tfhrf.studies.defaults import window_for
from tfhrf.studies.pictures import CURVES, confusion_name, save_study
from tfhrf.studies.record import StudyError
from tfhrf.studies.results import KINDS, collect, complete
from tfhrf.studies.start import check_unheard
from tfhrf.studies.study_files import (
    DEPLOYED,
    FOLD,
    FRONT_END,
    MADE_OF,
    PAGE,
    RESULTS,
    SETTINGS,
    STRESS,
)
from tfhrf.studies.task import run_folds
from tfhrf.studies.teachers import check_teachers, soft_targets
from tfhrf.workers import Local, Task


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
    restart=False,
    bad=None,
    teachers=(),
    begun=None,
):
    """Trains and tests models fold by fold, and trains those to deploy on all utterances.

    Folds that are already in a study's folder are not trained again.

    Args:
        studies: list of Study.
        corpus: tfhrf.data.corpora.Corpus, for its classes and how they are scored.
        utterances: list of Utterance.
        folds: list of Fold of these utterances; of none where only the deployed model is wanted.
        training: TrainingSettings; if frames is None, the utterances' lengths decide.
        fold_numbers: which folds to run, from 1; all of them and the deployed model if None, the
            deployed model alone if there are none.
        config: LogMelConfig; its default if None.
        engine: what of tfhrf.workers computes features and runs folds; Local if None.
        strategy: a key of task.STRATEGIES.
        restart: whether what the studies' folders hold of earlier studies is removed before the
            new ones train.
        bad: None, or a dict to which utterances that cannot be used are added, as of `prepare`;
            the studies go on without them.
        teachers: folders of finished studies of the same data, whose models' posteriors are part
            of the targets.
        begun: Pretrained whose weights training starts from, or None. An equalizer makes each
            fold's levels the same as those of the recordings that trained it.

    Returns:
        The content of `results.json` of each study.

    Raises:
        StudyError: a folder holds another study, or one of other recordings, labels, folds or
            settings; a fold number does not exist; or what training starts from has heard what a
            fold tests.
        OSError: a folder cannot be made.
        AudioError: a recording cannot be used, and there is no `bad`. Nothing is written for any
            study then.
        FoldError: a fold has no recordings that can be used.
    """
    config = config or LogMelConfig()
    engine = engine or Local()
    folds = named(folds)
    features = None
    if bad is not None:
        utterances, folds, features = usable(utterances, folds, config, engine, bad)
    paths, spans = ([getattr(one, name) for one in utterances] for name in ("path", "span"))
    chosen = _chosen(folds, fold_numbers)
    checksums = contents(paths, config, spans)
    made_of = record.made_of(utterances, checksums, folds, corpus.labels, training, config)
    if not fold_numbers:
        chosen.append(Fold(DEPLOYED, list(range(len(utterances))), [], []))
    marks = record.marks(utterances, checksums)
    before = None
    if begun:
        check_unheard(begun, utterances, marks, chosen)
        before = {name: getattr(begun, name) for name in ("levels", "datasets", "heard")}
        if begun.levels is not None:
            made_of["levels"] = list(begun.levels)
    if teachers:
        made_of["teachers"] = check_teachers(teachers, chosen, made_of)
    for study in studies:
        check_folder(study.out)
        if not restart:
            record.check_same(study.out, SETTINGS, study.settings)
            record.check_same(study.out, MADE_OF, made_of)
    features = features or prepare(paths, config, spans, engine=engine)
    more = {"unit": unit_of(utterances, folds)}
    if bad is not None:
        more["left out"] = _left_out(corpus, bad)
    learned = trained_on(folds or chosen)
    if training.frames is None:
        frames = window_for([len(features[index]) for index in learned], config)
        training = dataclasses.replace(training, frames=frames)

    missing = []
    for study in studies:
        # Not before: what cannot run again shall not take away what has.
        if restart:
            _remove(study.out)
        record.write(study.out, SETTINGS, study.settings)
        record.write(study.out, MADE_OF, made_of)
        config.save(study.out / FRONT_END)
        there = {found["fold"] for found in complete(study.out).values()}
        missing.append([fold for fold in chosen if fold.name not in there])
    results = {
        place: _report(study, corpus, more)
        for place, study in enumerate(studies)
        if not missing[place]
    }
    if len(results) < len(studies):
        taught = [*{fold.name: fold for folds in missing for fold in folds}.values()]
        soft = soft_targets(teachers, taught, features, len(corpus.labels), config)
        steps = training.steps_per_epoch(len(learned))
        data = _shared(corpus, features, utterances, marks, training, steps, config, before, soft)
        for place in _train_missing(studies, missing, data, engine, strategy):
            results[place] = _report(studies[place], corpus, more)
    return [results[place] for place in range(len(studies))]


def usable(utterances, folds, config, engine, bad):
    """Utterances that can be used, their folds and features.

    Args:
        utterances, folds, config, engine, bad: as of `run`.

    Returns:
        Lists of Utterance, of Fold, whose indices count what remains, and of StoredFrames.
    """
    paths, spans = ([getattr(one, name) for one in utterances] for name in ("path", "span"))
    features = prepare(paths, config, spans, engine=engine, bad=bad)
    utterances, features = (
        [one for index, one in enumerate(every) if index not in bad]
        for every in (utterances, features)
    )
    return utterances, without(folds, bad), features


def named(folds):
    """Folds under the names that they have in a study: one may be called like what is deployed."""
    names = {DEPLOYED: f"{DEPLOYED} (tested)"}
    return [fold._replace(name=names.get(fold.name, fold.name)) for fold in folds]


def unit_of(utterances, folds):
    """What the groups of the tested utterances are: "speaker", or "group" if one ties speakers."""
    tested = {index for fold in folds for index in fold.test}
    alike = all(utterances[index].group == utterances[index].speaker for index in tested)
    return "speaker" if alike else "group"


def _shared(corpus, features, utterances, marks, training, steps_per_epoch, config, before, soft):
    """What all folds of all studies share, as `run_folds` takes it."""
    targets = np.array([corpus.labels.index(utterance.label) for utterance in utterances])
    groups = [utterance.group for utterance in utterances]
    names = [
        utterance.path.name if utterance.span is None else f"{utterance.path.name} {utterance.span}"
        for utterance in utterances
    ]
    return (
        corpus,
        features,
        targets,
        groups,
        names,
        marks,
        training,
        steps_per_epoch,
        config,
        before,
        soft,
    )


def _train_missing(studies, missing, data, engine, strategy):
    """Runs the missing folds of every study; yields the place of each study that is complete."""
    features, training, steps_per_epoch = data[1], data[6], data[7]
    sent, shards = engine.send(data), engine.send_folder(features[0].shard.parent)
    steps = training.averaged * training.epochs * steps_per_epoch
    places, tasks = [], []
    for place, study in enumerate(studies):
        for part in engine.runs(missing[place], sum(map(bool, missing))):
            arguments = (sent, shards, study.build, study.settings, strategy, part)
            small = shrink.trainings(study.settings) * shrink.tuning_steps(steps)
            units = sum(_units(fold, steps + small) for fold in part)
            tasks.append(Task(run_folds, arguments, pathlib.Path(study.out), units))
            places.append(place)
    times = f"{training.averaged} times " if training.averaged > 1 else ""
    print(f"Training {sum(map(len, missing))} folds of {times}{training.epochs} epochs")
    left = collections.Counter(places)
    bar = progress_bar(sum(task.units for task in tasks), "step")
    for index, _ in engine.map(tasks, bar.add):
        left[places[index]] -= 1
        if not left[places[index]]:
            yield places[index]


def _left_out(corpus, bad):
    """What is wrong with the recordings that were left out, or how many where nothing is kept."""
    reasons = list(dict.fromkeys(bad[index] for index in sorted(bad)))
    return len(bad) if corpus.confidential else reasons


def _report(study, corpus, more):
    """Writes what the complete folds found, and more."""
    results: dict = {"seconds": {}}
    # Another process may complete a fold of the same study meanwhile.
    while len(results["seconds"]) != len(complete(study.out)):
        results = {**collect(study.out, corpus), **more}
        write_text(study.out / RESULTS, json.dumps(results, indent=2) + "\n")
    save_study(pathlib.Path(study.out), results)
    study_page.write(study.out, results)
    return results


def _remove(out):
    """Removes what a study wrote into its folder, and nothing else."""
    for path in pathlib.Path(out).glob(f"*/{FOLD}"):
        shutil.rmtree(path.parent)
    written = [SETTINGS, MADE_OF, RESULTS, FRONT_END, PAGE, *STRESS]
    for name in [*written, CURVES, *map(confusion_name, KINDS)]:
        (pathlib.Path(out) / name).unlink(missing_ok=True)


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
    return [folds[number - 1] for number in dict.fromkeys(numbers)]


def _units(fold, steps):
    """By how much a fold moves the progress bar: steps, utterances to test, the fold itself."""
    return steps + len(fold.validation) + len(fold.test) + 1
