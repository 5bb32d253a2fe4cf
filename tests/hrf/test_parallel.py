"""ParallelDense against the branches that it stands for, written with stock layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tfhrf
from tfhrf.hrf.parallel import ParallelDense


def settled(units, input_dim=6, steps=3, **arguments):
    """A model of one layer, gammas and biases at random, that has seen batches; and a batch."""
    rng = np.random.default_rng(0)
    inputs = keras.Input((7, input_dim))
    layer = ParallelDense(units, name="parallel", **arguments)
    model = keras.Model(inputs, layer(inputs))
    for weight in layer.trainable_weights:
        weight.assign(weight + 0.5 * rng.normal(size=weight.shape))
    x = (3 * rng.normal(size=(4, 7, input_dim)) + 2).astype("float32")
    for _ in range(steps):
        model(x, training=True)
    return model, layer, x


def branches(layer, training):
    """The same function of stock layers: a product and a normalization for each kernel."""

    def call(x):
        parts = [x @ part.numpy() for part in layer.kernel_parts]
        gammas = list(np.split(layer.gammas.numpy(), layer.kernels))
        if layer.gamma_input is not None:
            parts.append(x)
            gammas.append(layer.gamma_input.numpy())
        total = layer.bias.numpy() if layer.use_bias else 0.0
        for part, gamma in zip(parts, gammas, strict=True):
            norm = layers.BatchNormalization(epsilon=layer.epsilon)
            norm.build(part.shape)
            norm.gamma.assign(gamma)
            total = total + norm(part, training=training)
        return total if layer.activation is None else layer.activation(total)

    return call


@pytest.mark.parametrize("units", [6, 5, 1])
@pytest.mark.parametrize("kernels", [1, 3])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_it_trains_as_its_branches_do(units, kernels, activation):
    model, layer, x = settled(units, kernels=kernels, activation=activation)
    weights = tf.constant(np.random.default_rng(1).normal(size=(4, 7, units)), tf.float32)

    def gradients(call):
        given = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(given)
            found = call(given)
            loss = tf.reduce_sum(found * weights)
        return found, tape.gradient(loss, given)

    ours = gradients(lambda given: model(given, training=True))
    theirs = gradients(branches(layer, training=True))
    for one, other in zip(ours, theirs, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-5)


def test_gradients_of_weights_are_those_of_differences():
    model, layer, x = settled(6)
    weights = np.random.default_rng(1).normal(size=(4, 7, 6))

    def loss():
        return float(np.sum(np.asarray(model(x, training=True), "float64") * weights))

    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(x, training=True) * tf.constant(weights, tf.float32))
    for weight, gradient in zip(
        layer.trainable_weights,
        tape.gradient(total, [one.value for one in layer.trainable_weights]),
        strict=True,
    ):
        direction = np.random.default_rng(2).normal(size=weight.shape).astype("float32")
        before, step = weight.numpy(), 3e-3
        weight.assign(before + step * direction)
        above = loss()
        weight.assign(before - step * direction)
        below = loss()
        weight.assign(before)
        expected = np.sum(gradient.numpy() * direction)
        assert (above - below) / (2 * step) == pytest.approx(expected, rel=0.02, abs=0.05)


@pytest.mark.parametrize("units", [6, 5, 1])
@pytest.mark.parametrize("arguments", [{}, {"activation": "relu"}, {"use_bias": False}])
def test_fold_is_the_function_at_inference(units, arguments):
    model, _, x = settled(units, kernels=4, **arguments)
    folded = tfhrf.fold(model)
    (layer,) = [one for one in folded.layers if one.weights]
    assert type(layer) is layers.Dense
    assert layer.name == "parallel"
    expected = model(x, training=False).numpy()
    np.testing.assert_allclose(folded(x), expected, atol=1e-5 * np.abs(expected).max())


def test_inference_is_normalized_by_what_training_saw():
    model, _, x = settled(6, steps=150)
    trained, used = (np.asarray(model(x, training=flag)) for flag in (True, False))
    np.testing.assert_allclose(used, trained, atol=1e-3 * np.abs(trained).max())


def test_masked_rows_do_not_count():
    model, layer, x = settled(6)
    mask = np.arange(7)[None] < np.array([7, 3, 5, 1])[:, None]
    junk = np.where(mask[..., None], x, 1e3).astype("float32")
    expected = layer(x, training=True, mask=mask)
    found = layer(junk, training=True, mask=mask)
    np.testing.assert_allclose(found[mask], expected[mask], atol=2e-5)
    rows = layer(x[mask], training=True)
    np.testing.assert_allclose(rows, np.asarray(expected)[mask], atol=2e-5)
    del model


def test_a_mask_is_gone_after_folding():
    inputs, mask = keras.Input((7, 6)), keras.Input((7,))
    model = keras.Model([inputs, mask], ParallelDense(4)(inputs, mask=mask) * mask[..., None])
    x, kept = np.ones((2, 7, 6), "float32"), np.ones((2, 7), "float32")
    np.testing.assert_allclose(tfhrf.fold(model)([x, kept]), model([x, kept]), atol=1e-6)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model, _, x = settled(6, activation="relu")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.get_layer("parallel").get_config() == model.get_layer("parallel").get_config()


def test_inputs_may_be_integers():
    layer = ParallelDense(3)
    x = np.random.default_rng(0).integers(0, 5, (8, 4))
    for training in (True, False):
        y = layer(x, training=training)
        assert y.dtype == "float32"
        assert y.shape == (8, 3)
    np.testing.assert_allclose(y, layer(x.astype("float32")), atol=1e-6)


def test_half_precision():
    model, _, x = settled(6, dtype="mixed_float16")
    found = model(x, training=True)
    assert found.dtype == "float16"
    folded = tfhrf.fold(model)
    assert folded.get_layer("parallel").dtype_policy.name == "mixed_float16"


@pytest.mark.parametrize("name", ["units", "kernels"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, None])
def test_arguments_out_of_range_are_named(name, value):
    arguments = {"units": 4, name: value}
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}="):
        ParallelDense(**arguments)


def test_what_is_not_built_does_not_fold():
    with pytest.raises(ValueError, match="must be built before it folds"):
        ParallelDense(4).fold()
