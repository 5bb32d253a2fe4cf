"""Fixtures that several test modules use."""

import os
import platform

# Before TensorFlow is imported, which else says of what kind this machine is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf
from places import SHARED

# Why a test may be skipped where everything that can be installed is.
EXPECTED_SKIPS = ["Keras 3.12 ", "Linux's /proc"]
if tuple(map(int, tf.__version__.split(".")[:2])) > (2, 16):
    EXPECTED_SKIPS.append("tensorflow-model-optimization goes with")
if not SHARED.is_dir():
    EXPECTED_SKIPS.append("not beside th")
if platform.machine() != "x86_64":
    EXPECTED_SKIPS.append("tflite-micro has no wheel here")


# Modules of few tests that take minutes: they begin first, because a process that begins one last
# works on alone.
LONG = (
    *("test_workers", "test_recipes", "test_compress", "test_compiler", "test_compiler_trained"),
    *("test_study", "test_notebooks", "test_masks", "test_frontend", "test_resuming", "test_start"),
    *("test_shrink", "test_stress", "test_teachers", "test_dist", "test_minimal", "test_firmware"),
)


def pytest_collection_modifyitems(items):
    """Long modules first; the others in their order."""
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session):
    """With TFHRF_NO_SKIPS=1, tests skipped for want of a tool or a package are a failure."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("TFHRF_NO_SKIPS") == "1" and reporter is not None:
        reasons = {report.longrepr[2] for report in reporter.stats.get("skipped", ())}
        for reason in sorted(reasons):
            if not any(expected in reason for expected in EXPECTED_SKIPS):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
                reporter.write_line(f"\nTFHRF_NO_SKIPS: not to be {reason.lower()}", red=True)
    return result


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
