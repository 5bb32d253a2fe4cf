"""Metrics of speech emotion recognition, from scikit-learn."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score


class Scores(NamedTuple):
    """Scores of decisions, all of them made from counts `confusion[true][predicted]`.

    `wa` is the accuracy ("weighted"), `ua` the mean recall of the classes that occur. `f1_macro`
    and `f1_weighted` are scikit-learn's averages over classes.
    """

    wa: float
    ua: float
    f1_macro: float
    f1_weighted: float
    confusion: list[list[int]]


def confusion_counts(labels, posteriors):
    """Counts of decisions made by the highest posterior, `confusion[true][predicted]`.

    Args:
        labels: class indices, (utterances,).
        posteriors: (utterances, classes).

    Returns:
        Lists of integers, (classes, classes).
    """
    classes = np.shape(posteriors)[1]
    decisions = np.argmax(posteriors, axis=1)
    return confusion_matrix(labels, decisions, labels=range(classes)).tolist()


def recall(counts):
    """Unweighted average recall of confusions, (..., classes, classes) to (...)."""
    totals = counts.sum(axis=-1)
    rights = np.diagonal(counts, axis1=-2, axis2=-1)
    present = totals > 0
    recalls = np.where(present, rights / np.maximum(totals, 1), 0.0)
    return recalls.sum(axis=-1) / present.sum(axis=-1)


def scores_of_counts(confusion):
    """Scores of a confusion matrix, of one fold or the sum of several.

    Args:
        confusion: counts, `confusion[true][predicted]`, (classes, classes), not all zero.

    Returns:
        Scores.
    """
    counts = np.asarray(confusion)
    true, predicted = np.nonzero(counts)
    weights = counts[true, predicted]
    f1_macro, f1_weighted = (
        f1_score(true, predicted, average=average, sample_weight=weights, zero_division=0)
        for average in ("macro", "weighted")
    )
    return Scores(
        float(np.trace(counts) / counts.sum()),
        float(recall(counts)),
        float(f1_macro),
        float(f1_weighted),
        counts.tolist(),
    )
