"""Marks of tests that need what is not everywhere."""

import pytest

from tfhrf.deploy import runners

needs_tflm = pytest.mark.skipif(not runners.available(), reason="tflite-micro has no wheel here")
