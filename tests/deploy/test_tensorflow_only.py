"""Functions that TensorFlow Lite has not, in terms of those it has."""

import numpy as np
import pytest
import tensorflow as tf

from tfhrf.deploy.tflite.tensorflow_only import SPELLED_OUT

FIRST = {"Acosh": 1.0, "Acos": -1.0, "Asin": -1.0, "Atanh": -0.999, "Tan": -1.5}
LAST = {"Acos": 1.0, "Asin": 1.0, "Atanh": 0.999, "Tan": 1.5}


@pytest.mark.parametrize("name", SPELLED_OUT)
def test_values_are_those_of_tensorflow(name):
    x = np.linspace(FIRST.get(name, -8), LAST.get(name, 8), 4001, dtype=np.float32)
    exact = getattr(tf.raw_ops, name)(**{"features" if name == "Softsign" else "x": x}).numpy()
    found = SPELLED_OUT[name](tf.constant(x)).numpy()
    assert np.abs(found - exact).max() <= 1e-6 * max(1, np.abs(exact).max())
