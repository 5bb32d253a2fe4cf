"""The optimizer of HRF layers: how far a step moves merged kernels, and what decays."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhrf.hrf.layers import HRFDense
from tfhrf.hrf.optimizer import HRFAdamW, HRFMuon, chains_of, orthogonal

RATE = 1e-3


def kernel_of(layer):
    return keras.ops.convert_to_numpy(layer.kernel).astype(float)


def networks(depth, expansion=4):
    """Two networks of the same function, plain and with HRF, and a batch."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((256, 24)), tf.float32)
    y = tf.constant(rng.standard_normal((256, 12)), tf.float32)
    keras.utils.set_random_seed(0)
    plain = keras.Sequential([keras.layers.Dense(48, activation="relu"), keras.layers.Dense(12)])
    hrf = keras.Sequential(
        [
            HRFDense(48, activation="relu", expansion=expansion, depth=depth),
            HRFDense(12, expansion=expansion, depth=depth),
        ]
    )
    for model in (plain, hrf):
        model.build(x.shape)
    for model in (plain, hrf):
        for layer, other in zip(model.layers, plain.layers, strict=True):
            if layer is not other:
                other.kernel.assign(layer.kernel)
    return plain, hrf, x, y


def train(model, optimizer, x, y, steps):
    """Trains on one batch.

    Returns:
        Per layer, by how much each step moved its kernel: root of the mean square over that of
        the kernel; (layers, steps).
    """
    moved = []
    optimizer.build(model.trainable_variables)
    for _ in range(steps):
        before = [kernel_of(layer) for layer in model.layers]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x) - y))
        optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]))
        changes = [kernel_of(layer) - old for layer, old in zip(model.layers, before, strict=True)]
        moved.append(
            [
                np.linalg.norm(c) / np.linalg.norm(old)
                for c, old in zip(changes, before, strict=True)
            ]
        )
    return np.array(moved).T


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("kind", [HRFAdamW, HRFMuon])
def test_a_step_moves_a_merged_kernel_as_far_as_a_plain_one(kind, depth):
    plain, hrf, x, y = networks(depth)
    expected = train(plain, kind(RATE, weight_decay=0.0), x, y, 30)
    found = train(hrf, kind(RATE, weight_decay=0.0), x, y, 30)
    ratio = found / expected
    # Steps of factors that have nothing in common add up as squares.
    assert ratio[:, 0].min() > (0.7 if kind is HRFAdamW else 0.95 * depth**-0.5)
    assert ratio[:, 0].max() < 1.3
    assert ratio.min() > 0.6
    assert ratio.max() < 1.5
    # The stock optimizer moves it much further.
    _, again, *_ = networks(depth)
    stock = train(again, keras.optimizers.AdamW(RATE, weight_decay=0.0), x, y, 1)
    assert (stock[:, 0] > 2 * expected[:, 0]).all()


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("kind", [HRFAdamW, HRFMuon])
def test_the_merged_kernel_decays_once(kind, depth):
    _, hrf, x, y = networks(depth)
    _, kept, *_ = networks(depth)
    decayed = kind(0.01, weight_decay=0.5)
    for model, optimizer in ((hrf, decayed), (kept, kind(0.01, weight_decay=0.0))):
        train(model, optimizer, x, y, 1)
    for layer, other in zip(hrf.layers, kept.layers, strict=True):
        start = kernel_of(other)
        np.testing.assert_allclose(
            kernel_of(layer) - start, -0.005 * start, atol=3e-3 * np.abs(start).max()
        )


def test_without_hrf_it_is_the_stock_optimizer():
    weights = []
    for kind in (HRFAdamW, keras.optimizers.AdamW):
        plain, _, x, y = networks(2)
        train(plain, kind(RATE, weight_decay=0.1), x, y, 5)
        weights.append(plain.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_muon_is_that_of_keras():
    parameters = inspect.signature(keras.optimizers.Muon).parameters
    if "rms_rate" not in parameters:
        pytest.skip("Keras's Muon is an older one")
    weights = []
    stock = keras.optimizers.Muon(RATE, weight_decay=0.1, adam_weight_decay=0.1)
    for optimizer in (HRFMuon(RATE, weight_decay=0.1), stock):
        plain, _, x, y = networks(2)
        train(plain, optimizer, x, y, 20)
        weights.append(plain.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_narrow_kernels_are_left_to_adam():
    inputs = keras.Input((40, 16))
    x = keras.layers.DepthwiseConv1D(9, name="depthwise")(inputs)
    x = keras.layers.Conv1D(12, 3, name="wide")(x)
    model = keras.Model(inputs, keras.layers.Dense(8, name="narrow")(x))
    start, after = model.get_weights(), []
    rng = np.random.default_rng(0)
    gradients = [tf.constant(rng.standard_normal(v.shape), tf.float32) for v in model.weights]
    for kind in (HRFMuon, HRFAdamW):
        model.set_weights(start)
        kind(RATE, weight_decay=0.0).apply(gradients, model.trainable_variables)
        after.append(model.get_weights())
    for variable, one, other in zip(model.weights, *after, strict=True):
        same = np.array_equal(one, other)
        assert same == (variable.path != "wide/kernel"), variable.path
    step = start[2] - after[0][2]
    assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2 * RATE, rel=0.2)


@pytest.mark.parametrize("shape", [(24, 48), (48, 24), (9, 200), (32, 32)])
def test_steps_are_nearly_orthogonal(shape):
    matrix = np.random.default_rng(0).standard_normal(shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(tf.constant(matrix, tf.float32)).numpy()
    along = np.diag(left.T @ found @ right.T)[values > 0.05 * values[0]]
    assert along.min() > 0.6
    assert along.max() < 1.3
    assert (
        np.abs(left.T @ found @ right.T - np.diag(np.diag(left.T @ found @ right.T))).max() < 1e-4
    )


@pytest.mark.parametrize("kind", [HRFAdamW, HRFMuon])
def test_it_is_saved_with_a_model_and_goes_on(kind, tmp_path):
    _, model, x, y = networks(2)
    model.compile(kind(RATE, weight_decay=0.1), "mse")
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is kind
    for one in (model, again):
        one.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("kind", [HRFAdamW, HRFMuon])
def test_a_gradient_of_zeros_moves_nothing(kind):
    layer = HRFDense(12)
    layer.build((None, 12))
    optimizer = kind(RATE, weight_decay=0.0)
    before = kernel_of(layer)
    optimizer.apply(
        [tf.zeros(v.shape) for v in layer.trainable_variables], layer.trainable_variables
    )
    np.testing.assert_array_equal(kernel_of(layer), before)


def test_factors_are_found_wherever_they_stand():
    one, other = HRFDense(12, depth=3, expansion=1), HRFDense(12)
    for layer in (one, other):
        layer.build((None, 12))
    first, second, third, bias = one.weights
    assert chains_of([*other.weights[::-1], third, bias, first, second]) == [[2, 1], [5, 6, 3]]
    # What is frozen between two factors parts them: their product is no kernel.
    assert chains_of([first, third, bias]) == [[0], [1]]
    assert chains_of([second, third]) == [[0, 1]]


def test_frozen_factors_stay_where_they_are():
    _, model, x, y = networks(3)
    model.layers[0].factors[0].trainable = False
    model.compile(HRFAdamW(RATE, weight_decay=0.1), "mse")
    before = [v.numpy() for v in model.layers[0].factors]
    model.fit(x, y, verbose=0)
    moved = [
        np.abs(v.numpy() - old).max()
        for v, old in zip(model.layers[0].factors, before, strict=True)
    ]
    assert moved[0] == 0
    assert min(moved[1:]) > 0


def test_factors_that_are_excluded_do_not_decay():
    layer = HRFDense(12)
    layer.build((None, 12))
    optimizer = HRFAdamW(RATE, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=layer.factors)
    before = kernel_of(layer)
    optimizer.apply([tf.zeros(v.shape) for v in layer.weights], layer.weights)
    np.testing.assert_array_equal(kernel_of(layer), before)


@pytest.mark.parametrize("kind", [HRFAdamW, HRFMuon])
def test_tensorflow_saves_it(kind, tmp_path):
    _, model, x, y = networks(2)
    model.compile(kind(RATE), "mse")
    model.fit(x, y, verbose=0)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(tmp_path / "checkpoint")


def test_a_gradient_too_small_to_be_squared_moves_nothing():
    matrix = np.full((16, 16), 1e-19, "f4")
    matrix[0, 0] = 2e-19  # 32 bits hold the square of this one alone
    np.testing.assert_array_equal(orthogonal(tf.constant(matrix)), 0)
