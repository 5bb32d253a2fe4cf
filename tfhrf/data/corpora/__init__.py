"""Corpora: one reader per corpus, all returning lists of Utterance, and how each is studied."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from tfhrf.data import folds
from tfhrf.data.corpora import cremad, daic_woz, emodb, iemocap, m3ed, ravdess, synthetic
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, of_speakers


class Corpus(NamedTuple):
    """A corpus and its task.

    Attributes:
        read: function of the corpus folder that returns a list of Utterance.
        labels: the classes in their order.
        protocols: functions of a list of Utterance that return a list of Fold, by name; the first
            one is the default.
        metrics: those of tfhrf.studies.metrics.Scores that the field reports.
        decisions: what a decision is made for, "utterances" or "participants": the groups.
        balanced: the utterances of training are resampled so that classes have as many.
        confidential: nothing is kept per utterance or participant.
    """

    read: Callable
    labels: tuple[str, ...]
    protocols: dict[str, Callable]
    metrics: tuple[str, ...] = ("wa", "ua")
    decisions: str = "utterances"
    balanced: bool = False
    confidential: bool = False


_FIVE = functools.partial(folds.speaker_folds, count=5)
_SPEAKERS = {"leave_one_speaker_out": folds.leave_one_speaker_out}

CORPORA = {
    "cremad": Corpus(cremad.read, tuple(cremad.LABELS.values()), {"speaker_5_fold": _FIVE}),
    "daic_woz": Corpus(
        daic_woz.read,
        daic_woz.LABELS,
        {"official": functools.partial(folds.official, validation="dev")},
        metrics=("wa", "ua", "f1_macro"),
        decisions="participants",
        balanced=True,
        confidential=True,
    ),
    "emodb": Corpus(
        emodb.read, tuple(sorted(emodb.LABELS.values())), {**_SPEAKERS, "speaker_5_fold": _FIVE}
    ),
    "iemocap": Corpus(
        iemocap.read,
        tuple(sorted(set(iemocap.LABELS.values()))),
        {
            "leave_one_session_out": folds.leave_one_group_out,
            "leave_one_speaker_out": folds.leave_one_of_pair_out,
        },
    ),
    "m3ed": Corpus(
        m3ed.read,
        m3ed.LABELS,
        {"official": functools.partial(folds.official, validation="val")},
        metrics=("wa", "ua", "f1_weighted"),
    ),
    "ravdess": Corpus(
        ravdess.read, tuple(ravdess.LABELS.values()), {"speaker_5_fold": _FIVE, **_SPEAKERS}
    ),
    "synthetic": Corpus(
        synthetic.read, tuple(sorted(synthetic.EMOTIONS)), {**_SPEAKERS, "speaker_5_fold": _FIVE}
    ),
}

__all__ = ["CORPORA", "Corpus", "CorpusError", "CorpusWarning", "Utterance", "of_speakers"]
