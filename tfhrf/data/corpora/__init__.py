"""Corpora: one reader per corpus, all returning lists of Utterance, and how each is studied."""

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

from tfhrf.data import folds
from tfhrf.data.corpora import (
    cremad,
    daic_woz,
    emodb,
    iemocap,
    m3ed,
    nemo,
    ravdess,
    savee,
    synthetic,
    tess,
)
from tfhrf.data.corpora.classes import class_per_label
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, of_speakers


class Corpus(NamedTuple):
    """A corpus and its task.

    Attributes:
        read: function of the corpus folder that returns a list of Utterance.
        classes: of the task, in their order: the labels that the reader gives that belong to each.
        protocols: functions of a list of Utterance that return a list of Fold, by name; the first
            one is the default.
        metrics: those of tfhrf.studies.metrics.Scores that the field reports.
        decisions: what a decision is made for, "utterances" or "participants": the groups.
        balanced: the utterances of training are resampled so that classes have as many.
        confidential: nothing is kept per utterance or participant.
        names: pattern of the recordings' names, without suffix, where these tell the corpus.
    """

    read: Callable
    classes: dict[str, tuple[str, ...]]
    protocols: dict[str, Callable]
    metrics: tuple[str, ...] = ("wa", "ua")
    decisions: str = "utterances"
    balanced: bool = False
    confidential: bool = False
    names: re.Pattern | None = None

    @property
    def labels(self):
        """Names of the classes in their order."""
        return tuple(self.classes)


_FIVE: dict[str, Callable] = {"speaker_5_fold": functools.partial(folds.speaker_folds, count=5)}
_KEPT: dict[str, Callable] = {"kept_speakers": folds.kept_speakers}
_SPEAKERS: dict[str, Callable] = {"leave_one_speaker_out": folds.leave_one_speaker_out}

CORPORA = {
    "cremad": Corpus(
        cremad.read, class_per_label(cremad.LABELS.values()), _FIVE | _KEPT, names=cremad.NAME
    ),
    "daic_woz": Corpus(
        daic_woz.read,
        class_per_label(daic_woz.LABELS),
        {"official": functools.partial(folds.official, validation="dev")},
        metrics=("wa", "ua", "f1_macro"),
        decisions="participants",
        balanced=True,
        confidential=True,
    ),
    "emodb": Corpus(emodb.read, class_per_label(emodb.FOUR), _SPEAKERS | _FIVE, names=emodb.NAME),
    "iemocap": Corpus(
        iemocap.read,
        iemocap.FOUR,
        {
            "leave_one_session_out": folds.leave_one_group_out,
            "leave_one_speaker_out": folds.leave_one_of_pair_out,
        },
    ),
    "m3ed": Corpus(
        m3ed.read,
        class_per_label(m3ed.LABELS),
        {"official": functools.partial(folds.official, validation="val")},
        metrics=("wa", "ua", "f1_weighted"),
    ),
    "nemo": Corpus(nemo.read, class_per_label(nemo.LABELS), _SPEAKERS | _FIVE),
    "ravdess": Corpus(ravdess.read, class_per_label(ravdess.LABELS.values()), _FIVE | _SPEAKERS),
    "savee": Corpus(savee.read, class_per_label(savee.LABELS.values()), _SPEAKERS),
    "synthetic": Corpus(
        synthetic.read, class_per_label(sorted(synthetic.EMOTIONS)), _SPEAKERS | _FIVE
    ),
    "tess": Corpus(tess.read, class_per_label(tess.LABELS.values()), _SPEAKERS),
}

__all__ = ["CORPORA", "Corpus", "CorpusError", "CorpusWarning", "Utterance", "of_speakers"]
