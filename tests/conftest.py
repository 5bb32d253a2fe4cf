"""Fixtures that several test modules use."""

import keras
import pytest
from places import SHARED


@pytest.fixture(scope="session")
def emodb_dir():
    """The EMO-DB recordings beside a development checkout."""
    folder = SHARED / "data" / "emodb"
    if not folder.is_dir():
        pytest.skip("the EMO-DB recordings are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def seeded():
    """Initial weights are random: the same ones in every run of a test."""
    keras.utils.set_random_seed(0)
