"""Metrics of speech emotion recognition, from scikit-learn, and the picture of a confusion."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix, f1_score

from tfhrf.files import replacing


class Scores(NamedTuple):
    """Scores of decisions, all of them made from confusion[true][predicted] counts.

    `wa` is the accuracy ("weighted"), `ua` the mean recall of the classes that occur. `f1_macro`
    and `f1_weighted` are scikit-learn's averages over classes.
    """

    wa: float
    ua: float
    f1_macro: float
    f1_weighted: float
    confusion: list[list[int]]


def scores(labels, posteriors):
    """Scores decisions made by the highest posterior.

    Args:
        labels: class indices, (utterances,).
        posteriors: (utterances, classes).

    Returns:
        Scores.
    """
    return scores_of_counts(confusion_counts(labels, posteriors))


def confusion_counts(labels, posteriors):
    """Counts of decisions made by the highest posterior, confusion[true][predicted].

    Args:
        labels: class indices, (utterances,).
        posteriors: (utterances, classes).

    Returns:
        Lists of integers, (classes, classes).
    """
    classes = np.shape(posteriors)[1]
    decisions = np.argmax(posteriors, axis=1)
    return confusion_matrix(labels, decisions, labels=range(classes)).tolist()


def scores_of_counts(confusion):
    """Scores of a confusion matrix, of one fold or the sum of several.

    Args:
        confusion: counts, confusion[true][predicted], (classes, classes), not all zero.

    Returns:
        Scores.
    """
    counts = np.asarray(confusion)
    occurrences = counts.sum(axis=1)
    recalls = np.diagonal(counts)[occurrences > 0] / occurrences[occurrences > 0]
    true, predicted = np.nonzero(counts)
    weights = counts[true, predicted]
    f1_macro, f1_weighted = (
        f1_score(true, predicted, average=average, sample_weight=weights, zero_division=0)
        for average in ("macro", "weighted")
    )
    return Scores(
        float(np.trace(counts) / counts.sum()),
        float(np.mean(recalls)),
        float(f1_macro),
        float(f1_weighted),
        counts.tolist(),
    )


def save_confusion_picture(path, confusion, labels, title):
    """Draws a confusion matrix, row by row in shares of the true class, to a PNG file."""
    # Without pyplot: no display, no global state.
    from matplotlib.figure import Figure

    counts = np.asarray(confusion)
    figure = Figure(figsize=(1.6 + len(labels), 1.4 + len(labels)), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    ConfusionMatrixDisplay(shares, display_labels=labels).plot(
        ax=axes, cmap="Blues", values_format=".2f", colorbar=False
    )
    axes.set_title(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
