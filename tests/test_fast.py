"""The fast layers against the stock ones that they fold into."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfhrf import fold
from tfhrf.fast import FastDropout, FastLayerNormalization


@pytest.mark.parametrize("shape", [(3, 7, 5), (4, 6), (2, 3, 4, 9)])
def test_layer_normalization_and_its_gradients_are_the_stock_layers(shape):
    rng = np.random.default_rng(0)
    stock, fast = layers.LayerNormalization(epsilon=1e-3), FastLayerNormalization(epsilon=1e-3)
    x = tf.constant(rng.normal(2.0, 3.0, shape), tf.float32)
    weigh = tf.constant(rng.standard_normal(shape), tf.float32)
    results = []
    for layer in (stock, fast):
        layer.build(shape)
        layer.set_weights([np.linspace(0.5, 2, shape[-1]), np.linspace(-1, 1, shape[-1])])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * weigh)
        results.append([y, *tape.gradient(loss, [x, *layer.trainable_variables])])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_layer_normalization_in_half_precision_and_without_gamma_is_the_stock_layer():
    x = np.random.default_rng(0).normal(2.0, 3.0, (3, 4, 6)).astype("f4")
    for arguments in ({"dtype": "mixed_bfloat16"}, {"scale": False}, {"axis": 1}):
        stock = layers.LayerNormalization(**arguments)(x)
        fast = FastLayerNormalization(**arguments)(x)
        np.testing.assert_array_equal(np.asarray(stock, "f4"), np.asarray(fast, "f4"))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_rate_and_the_mean(rate):
    layer = FastDropout(rate, seed=1)
    ones = np.ones((500, 3, 67), "f4")
    values = layer(ones, training=True).numpy()
    assert (values == 0).mean() == pytest.approx(rate, abs=0.01)
    assert values.mean() == pytest.approx(1.0, abs=0.02)
    assert len(np.unique(values)) == 2
    # Neighbors, whose decisions come out of one random word, are independent.
    dropped = (values == 0).reshape(-1, 67)
    both = (dropped[:, :-1] & dropped[:, 1:]).mean()
    assert both == pytest.approx(rate**2, abs=0.01)
    assert (layer(ones, training=True).numpy() != values).any()
    np.testing.assert_array_equal(layer(ones, training=False), ones)


def test_they_fold_into_the_stock_layers():
    inputs = keras.Input((5, 8))
    x = FastDropout(0.3, name="dropout")(FastLayerNormalization(name="norm")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    folded = fold(model)
    assert type(folded.get_layer("dropout")) is layers.Dropout
    assert folded.get_layer("dropout").rate == 0.3
    assert type(folded.get_layer("norm")) is layers.LayerNormalization
    for old, new in zip(model.get_weights(), folded.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
