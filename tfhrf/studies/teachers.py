"""Distillation: what the models of finished studies say of a fold's training utterances.

A fold's teachers have been trained on the same utterances as its students: a test speaker reaches
neither.
"""

import hashlib
import pathlib

import keras
import numpy as np

from tfhrf.files import safe_name
from tfhrf.progress import progress_bar
from tfhrf.studies import record
from tfhrf.studies.assess import posteriors_of
from tfhrf.studies.level import as_heard, front_end_of
from tfhrf.studies.record import StudyError
from tfhrf.studies.results import record_of
from tfhrf.studies.study_files import DEPLOYED, FOLDED, SETTINGS
from tfhrf.studies.training import inference

# What a teacher's study and its students' have in common.
SAME = ("recordings", "labels", "speakers", "folds", "classes", "front end")


def check_teachers(runs, folds, made_of):
    """Raises StudyError unless studies can teach what another one is about to learn.

    Args:
        runs: folders of studies.
        folds: list of Fold, those that are asked for.
        made_of: what the students are made of, as of `record.made_of`.

    Returns:
        Checksum of the teachers of these folds.
    """
    found = hashlib.sha256()
    for run in runs:
        record.check_data(run, {key: made_of[key] for key in SAME})
        for fold in folds:
            place = _place(run, fold)
            if not record_of(place):
                raise StudyError(
                    f"A teacher has no complete fold {fold.name}. Received: --teacher={run}"
                )
            found.update((place / FOLDED).read_bytes())
    return found.hexdigest()[: record.LENGTH]


def name_teachers(runs):
    """What taught, in one word for the settings of the students."""
    told = [record.read(run, SETTINGS) for run in runs]
    names = [
        f"{one['model']} {one['variant']} hrf {one['hrf']} seed {one['seed']}"
        + (f" by {one['teacher']}" if "teacher" in one else "")
        for one in told
    ]
    return " & ".join(sorted(names))


def soft_targets(runs, folds, features, classes, config):
    """Posteriors of folds' training utterances, the mean over their teachers, with a progress bar.

    Args:
        runs: folders of studies that `check_teachers` accepts; there may be none.
        folds: list of Fold.
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames, of
            all utterances.
        classes: number of classes.
        config: LogMelConfig of the features.

    Returns:
        Dict by the folds' names of float32 arrays of shape (utterances, classes), NaN where the
        fold does not train; empty without teachers.
    """
    if not runs:
        return {}
    bar = progress_bar(len(runs) * sum(len(fold.train) for fold in folds), "utterance")
    return {fold.name: _taught(runs, fold, features, classes, config, bar.add) for fold in folds}


def _taught(runs, fold, features, classes, config, advance):
    some = [features[index] for index in fold.train]
    sums = np.zeros((len(some), classes))
    for run in runs:
        place = _place(run, fold)
        model = keras.saving.load_model(place / FOLDED, compile=False)
        own = front_end_of(place, config)
        heard = as_heard(some, config, own)
        models, frames = {"": inference(model)}, model.input_shape[1]
        sums += posteriors_of(models, heard, frames, own, advance)[""]
    taught = np.full((len(features), classes), np.nan, np.float32)
    taught[fold.train] = sums / len(runs)
    return taught


def _place(run, fold):
    """The folder of a fold in a study's."""
    return pathlib.Path(run) / (safe_name(fold.name) if fold.tests else DEPLOYED)
