"""Fixtures of the tests of studies."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from tfhrf.studies import study_page


@pytest.fixture(autouse=True)
def no_pages(monkeypatch, request):
    """Studies in this process write no pages, a second each, but where pages are tested."""
    if request.module.__name__ != "test_page":
        monkeypatch.setattr(study_page, "write", lambda out, results: None)
