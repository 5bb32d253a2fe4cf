"""Metrics against hand-counted cases."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from tfhrf.evaluation import save_confusion_picture, scores

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


def test_picture_is_a_png(tmp_path):
    path = tmp_path / "confusion.png"
    save_confusion_picture(path, [[2, 0], [1, 3]], ["sad", "happy"], "title")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [path] == list(tmp_path.iterdir())
