"""Transpositions of more axes than TensorFlow Lite Micro has."""

import itertools

import numpy as np
import pytest
from generated_c import compare, needs_compiler
from keras import ops
from needs import needs_tflm
from tiny_models import chain, forward, normal

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite.fewer_axes import exchanges


def shuffled(x):
    """Pixels out of channels, as super resolution has them."""
    blocks = ops.reshape(x, (-1, 4, 5, 2, 2, 3))
    return ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4, 5)), (-1, 8, 10, 3))


def windows(x):
    """Tokens of the windows of a picture, as Swin has them."""
    blocks = ops.reshape(x, (-1, 2, 2, 5, 1, 12))
    return ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4, 5)), (-1, 20, 12))


def apart(x):
    """Of axes no two of which stay together."""
    return ops.transpose(ops.reshape(x, (-1, 2, 10, 2, 3, 2)), (0, 5, 3, 1, 4, 2))


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("change", [shuffled, windows, apart])
def test_six_axes(change, tmp_path):
    model, data = chain(change, shape=(4, 5, 12)), normal(10, 4, 5, 12)
    for precision, levels in (("int8", 127), ("int16x8", 32767)):
        content = tfhrf.to_tflite(model, data, precision=precision)
        compare(content, tmp_path / precision, 5)
        # Values only move; half a level is the rounding of the inputs.
        np.testing.assert_allclose(
            runners.predict(content, data),
            forward(model, data),
            atol=0.51 * np.abs(data).max() / levels,
        )


def test_any_order_is_made_of_exchanges():
    shape = (2, 3, 1, 4, 2)
    x = np.arange(48).reshape(shape)
    for order in itertools.permutations(range(5)):
        found = x
        for lengths, places in exchanges(shape, order):
            assert len(lengths) <= 4
            found = found.reshape(lengths).transpose(places)
        expected = x.transpose(order)
        np.testing.assert_array_equal(found.ravel(), expected.ravel())
