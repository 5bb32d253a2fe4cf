"""The fast layers: the stock layers' functions, gradients and folding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tiny_models import normal

import tfhrf
from tfhrf.hrf.fast import FastDense, FastDropout, FastLayerNormalization
from tfhrf.models import ConvTransformer


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate):
    keras.utils.set_random_seed(0)
    y = FastDropout(rate)(np.ones((64, 101, 103), "f4"), training=True).numpy()
    dropped = round(rate * 256) / 256
    # 666 thousand values: four standard deviations.
    margin = 4 * (dropped * (1 - dropped) / y.size) ** 0.5
    assert abs((y == 0).mean() - dropped) < margin
    assert abs(dropped - rate) <= 1 / 512
    np.testing.assert_allclose(y[y != 0], 1 / (1 - dropped), rtol=1e-6)
    # No two positions and no two calls share their fate.
    flat = (y == 0).reshape(-1).astype("f8") - dropped
    for step in (1, 2, 3, 4, 103):
        assert abs((flat[step:] * flat[:-step]).mean()) < 5 * dropped * (1 - dropped) / y.size**0.5


def test_dropout_differs_from_call_to_call_and_repeats_with_the_seed():
    x = np.ones((2, 30, 5), "f4")
    layer, again = FastDropout(0.5, seed=3), FastDropout(0.5, seed=3)
    first, second = layer(x, training=True), layer(x, training=True)
    assert np.any(first != second)
    np.testing.assert_array_equal(first, again(x, training=True))


@pytest.mark.parametrize("shape", [(5,), (4, 3, 1), (2, 8)])
def test_dropout_passes_gradients_where_it_keeps(shape):
    layer = FastDropout(0.5, seed=1)
    x = tf.constant(normal(*shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    np.testing.assert_allclose(tape.gradient(y, x) * x, y, rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "training", "noise_shape", "expected"),
    [(0.3, False, None, "same"), (0.0, True, None, "same"), (1.0, True, None, "zero"),
     (0.5, True, (3, 1), "rows")],
)  # fmt: skip
def test_dropout_does_what_the_stock_layer_does_otherwise(rate, training, noise_shape, expected):
    x = np.ones((3, 40), "f4")
    y = FastDropout(rate, noise_shape=noise_shape)(x, training=training).numpy()
    if expected == "rows":
        assert (y == y[:, :1]).all()
    else:
        np.testing.assert_array_equal(y, x if expected == "same" else 0 * x)


def gradients(layer, x, weight):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * weight)
    return tape.gradient(loss, [x, *layer.trainable_variables])


@pytest.mark.parametrize("shape", [(7, 5), (2, 9, 6), (2, 3, 4, 8)])
def test_normalization_and_its_gradients_are_those_of_the_stock_layer(shape):
    fast, stock = FastLayerNormalization(), layers.LayerNormalization()
    x, weight = 3 * normal(*shape) + 2, normal(*shape, seed=1)
    for layer in (fast, stock):
        layer.build(shape)
    fast.set_weights([normal(shape[-1], seed=2), normal(shape[-1], seed=3)])
    stock.set_weights(fast.get_weights())
    np.testing.assert_allclose(fast(x), stock(x), rtol=0, atol=1e-5)
    for one, other in zip(gradients(fast, x, weight), gradients(stock, x, weight), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(
    "options",
    [{"axis": 1}, {"axis": [1, 2]}, {"scale": False}, {"center": False}, {"dtype": "float16"}],
)
def test_normalization_does_what_the_stock_layer_does_otherwise(options):
    fast, stock = FastLayerNormalization(**options), layers.LayerNormalization(**options)
    x = normal(2, 6, 4)
    np.testing.assert_array_equal(fast(x), stock(x))


@pytest.mark.parametrize("shape", [(5, 3), (2, 7, 6)])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_dense_and_its_gradients_are_those_of_the_stock_layer(shape, activation):
    fast, stock = (kind(4, activation=activation) for kind in (FastDense, layers.Dense))
    x, weight = normal(*shape), normal(*shape[:-1], 4, seed=1)
    for layer in (fast, stock):
        layer.build(shape)
        layer.set_weights([normal(shape[-1], 4, seed=2), normal(4, seed=3)])
    np.testing.assert_array_equal(fast(x), stock(x))
    for one, other in zip(gradients(fast, x, weight), gradients(stock, x, weight), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{"use_bias": False}, {"dtype": "mixed_float16"}])
def test_dense_does_what_the_stock_layer_does_otherwise(options):
    fast, stock = FastDense(4, **options), layers.Dense(4, **options)
    x = normal(2, 6, 3)
    for layer in (fast, stock):
        layer.build(x.shape)
    fast.set_weights(stock.get_weights())
    np.testing.assert_array_equal(fast(x), stock(x))


def test_a_plain_backbone_of_fast_layers_expands_and_folds_into_stock_ones():
    model = ConvTransformer((40, 16), 3)
    wide = tfhrf.expand(model, where="*_ffn_*")
    assert sum(isinstance(layer, tfhrf.HRFDense) for layer in wide.layers) == 2
    folded = tfhrf.fold(wide)
    assert not any(isinstance(layer, FastDense) for layer in folded.layers)
    x = normal(2, 40, 16)
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-4, atol=1e-5)


def test_weights_that_are_frozen_alone_stay_so():
    model = keras.Sequential([keras.Input((4,)), FastDense(3), FastLayerNormalization()])
    model.layers[0].bias.trainable = model.layers[1].gamma.trainable = False
    folded = tfhrf.fold(model)
    assert [v.name for v in folded.trainable_variables] == ["kernel", "beta"]


def test_all_fold_into_the_stock_layers_and_are_saved(tmp_path):
    inputs = keras.Input((6, 4))
    y = FastLayerNormalization(epsilon=0.01, name="norm")(inputs)
    y = FastDense(4, "tanh", name="dense")(y)
    model = keras.Model(inputs, FastDropout(0.25, name="dropout")(y))
    model.get_layer("norm").set_weights([normal(4), normal(4, seed=1)])
    x = normal(3, 6, 4)
    folded = tfhrf.fold(model)
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-5, atol=1e-5)
    assert type(folded.get_layer("norm")) is layers.LayerNormalization
    assert type(folded.get_layer("dense")) is layers.Dense
    assert type(folded.get_layer("dropout")) is layers.Dropout
    assert folded.get_layer("norm").epsilon == 0.01
    assert folded.get_layer("dropout").rate == 0.25
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), model(x))
