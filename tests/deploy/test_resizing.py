"""Bilinear resizing in 16 bits, which TensorFlow Lite Micro has not."""

import numpy as np
import pytest
import tensorflow as tf
from generated_c import compare, needs_compiler
from keras import layers
from needs import needs_tflm
from tiny_models import chain, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

RESIZED = {
    "twice": layers.UpSampling2D(2, interpolation="bilinear"),
    "odd": layers.Resizing(11, 4),
    "columns": layers.Resizing(8, 15),
    "corners": lambda x: tf.compat.v1.image.resize_bilinear(x, (13, 1), align_corners=True),
    "old": lambda x: tf.compat.v1.image.resize_bilinear(x, (3, 11)),
    "as it is": layers.Resizing(8, 6),
}


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("name", RESIZED)
def test_pictures_of_another_size(name, tmp_path):
    model, data = chain(RESIZED[name], shape=(8, 6, 3)), normal(20, 8, 6, 3)
    content = tfhrf.to_tflite(model, data, precision="int16x8")
    compare(content, tmp_path, 5)
    # Measured: at least 44 dB, which shares of 8 bits leave.
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > 42


def test_shares_are_steps_of_8_bits():
    model = chain(RESIZED["twice"], shape=(8, 6, 3))
    ramp = np.linspace(-1, 1, 8 * 6 * 3, dtype="float32").reshape(1, 8, 6, 3)
    flat = np.full_like(ramp, 0.5)
    data = np.concatenate([ramp, flat])
    found = runners.predict(tfhrf.to_tflite(model, data, precision="int16x8"), flat)
    # A picture of one color stays one: shares add up to 1. Two roundings to 16 bits.
    np.testing.assert_allclose(found, 0.5, atol=2 / 32767)
