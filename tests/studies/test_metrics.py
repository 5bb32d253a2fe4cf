"""Metrics against hand-counted cases."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from sklearn import metrics

from tfhrf.studies.metrics import confusion_counts, scores_of_counts


def scores(labels, posteriors):
    return scores_of_counts(confusion_counts(labels, posteriors))


LABELS = [0, 0, 0, 1, 1, 2]
POSTERIORS = np.eye(3)[[0, 0, 1, 1, 2, 2]]


def test_scores_by_hand():
    found = scores(LABELS, POSTERIORS)
    assert found.confusion == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert found.wa == pytest.approx(4 / 6)
    assert found.ua == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_a_class_without_utterances_does_not_count():
    found = scores([0, 0, 1], np.eye(3)[[0, 2, 1]])
    assert found.ua == pytest.approx((1 / 2 + 1) / 2)


def test_f1_by_hand():
    found = scores(LABELS, POSTERIORS)
    # Precisions 1, 1/2, 1/2 and recalls 2/3, 1/2, 1, of 3, 2 and 1 utterances.
    f1 = [4 / 5, 1 / 2, 2 / 3]
    assert found.f1_macro == pytest.approx(sum(f1) / 3)
    assert found.f1_weighted == pytest.approx((3 * f1[0] + 2 * f1[1] + f1[2]) / 6)


def test_counts_say_as_much_as_decisions():
    rng = np.random.default_rng(0)
    labels, posteriors = rng.integers(7, size=200), rng.random((200, 7))
    decisions = posteriors.argmax(axis=1)
    found = scores(labels, posteriors)
    assert found.wa == pytest.approx(metrics.accuracy_score(labels, decisions))
    assert found.ua == pytest.approx(metrics.recall_score(labels, decisions, average="macro"))
    for average in ("macro", "weighted"):
        expected = metrics.f1_score(labels, decisions, average=average)
        assert getattr(found, f"f1_{average}") == pytest.approx(expected)


def test_one_class_decided_for_everybody():
    found = scores_of_counts([[9, 0], [3, 0]])
    assert (found.wa, found.ua) == (0.75, 0.5)
    assert found.f1_macro == pytest.approx((2 * 0.75 / 1.75 + 0) / 2)
