"""Metrics of speech emotion recognition, from scikit-learn, and the picture of a confusion."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from tfhrf.files import replacing


class Scores(NamedTuple):
    """Weighted accuracy, unweighted average recall, and confusion[true][predicted] counts."""

    wa: float
    ua: float
    confusion: list[list[int]]


def scores(labels, posteriors):
    """Scores decisions made by the highest posterior.

    Args:
        labels: class indices, (utterances,).
        posteriors: (utterances, classes).

    Returns:
        Scores. `wa` is the accuracy; `ua` the mean recall of the classes that occur in `labels`.
    """
    classes = np.shape(posteriors)[1]
    confusion = confusion_matrix(labels, np.argmax(posteriors, axis=1), labels=range(classes))
    occurrences = confusion.sum(axis=1)
    recalls = np.diagonal(confusion)[occurrences > 0] / occurrences[occurrences > 0]
    wa = np.trace(confusion) / confusion.sum()
    return Scores(float(wa), float(np.mean(recalls)), confusion.tolist())


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
