"""Convolutions and pools of three dimensions, by those of two."""

import numpy as np
import pytest
from generated_c import compare, needs_compiler
from keras import layers
from needs import needs_tflm
from tiny_models import chain, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

VOLUMES = {
    "same": lambda: layers.Conv3D(3, 3, padding="same", activation="relu"),
    "strides": lambda: layers.Conv3D(3, (2, 3, 1), strides=(2, 1, 3), padding="same"),
    "valid": lambda: layers.Conv3D(3, (3, 1, 2), use_bias=False),
    "largest": lambda: layers.MaxPooling3D((3, 2, 1), strides=(1, 2, 1)),
    "means": lambda: layers.AveragePooling3D(2, padding="same"),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("name", VOLUMES)
def test_volumes(name, tmp_path):
    shape = (6, 5, 4, 2)
    model, data = chain(VOLUMES[name](), shape=shape), normal(30, *shape)
    expected = forward(model, data)
    exact = runners.predict(tfhrf.to_tflite(model, precision="float32"), data)
    np.testing.assert_allclose(exact, expected, atol=1e-5)
    # Measured: at least 29 and 46 dB.
    for precision, least in (("int8", 27), ("int16x8", 44)):
        content = tfhrf.to_tflite(model, data, precision=precision)
        compare(content, tmp_path / precision, 5)
        assert signal_to_noise(expected, runners.predict(content, data)) > least
