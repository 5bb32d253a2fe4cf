import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tfhrf.hrf.factors import factorize
from tfhrf.hrf.layers import HRFDense

# Keras 3.15 turns its variables into arrays in a way that NumPy 2 warns about.
keras_numpy = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def values(layer):
    return [weight.numpy() for weight in layer.weights]


def randomize(layer, seed=0):
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.standard_normal(weight.shape) / np.sqrt(weight.shape[0]))
    return layer


def explicit(layer, x):
    """The products the layer stands for, one after the other."""
    inner = [*layer.inner_biases] or [0.0] * (layer.depth - 1)
    for factor, bias in zip(layer.factors[:-1], inner, strict=True):
        x = ops.matmul(x, factor) + bias
    x = ops.matmul(x, layer.factors[-1])
    return layer.activation(x if layer.bias is None else x + layer.bias)


def relative(found, expected):
    found, expected = (ops.convert_to_numpy(ops.cast(x, "float64")) for x in (found, expected))
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_signature_is_that_of_dense():
    ours = list(inspect.signature(HRFDense).parameters.values())
    theirs = list(inspect.signature(layers.Dense).parameters.values())

    def described(parameters):
        return [(one.name, one.kind, one.default) for one in parameters]

    by_position = [one for one in ours if one.kind is one.POSITIONAL_OR_KEYWORD]
    # Behind these Keras has what is for LoRA and quantization, in each version more.
    assert by_position[-1].name == "bias_constraint"
    assert described(by_position) == described(theirs[: len(by_position)])
    own = [(one.name, one.default) for one in ours if one.kind is one.KEYWORD_ONLY]
    assert own == [("expansion", 4), ("depth", 2), ("use_inner_bias", False)]
    assert len(by_position) + len(own) + 1 == len(ours)
    assert described(ours[-1:]) == described(theirs[-1:])


def test_arguments_by_position_are_those_of_dense():
    assert HRFDense(64, "relu").activation is keras.activations.relu
    ours, theirs = (kind(64, "relu", False, "he_normal") for kind in (HRFDense, layers.Dense))
    config = ours.get_config()
    shared = config.keys() & theirs.get_config().keys() - {"name"}
    assert {name: config[name] for name in shared} == {
        name: value for name, value in theirs.get_config().items() if name in shared
    }


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("use_inner_bias", [False, True])
@pytest.mark.parametrize(("input_dim", "units"), [(5, 3), (3, 5)])
def test_output_and_gradients_are_those_of_the_explicit_products(
    depth, use_inner_bias, input_dim, units
):
    layer = HRFDense(units, "tanh", expansion=2, depth=depth, use_inner_bias=use_inner_bias)
    layer.build((None, input_dim))
    randomize(layer)
    x = tf.constant(np.random.default_rng(1).standard_normal((4, 6, input_dim)), tf.float32)
    outputs, gradients = [], []
    for call in (layer, lambda x: explicit(layer, x)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = call(x)
            loss = ops.sum(ops.sin(output))
        outputs.append(output)
        gradients.append(tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)]))
    assert relative(*outputs) < 1e-5
    assert len(gradients[0]) == 2 + depth + (depth - 1 if use_inner_bias else 0)
    for ours, theirs in zip(*gradients, strict=True):
        assert relative(ours, theirs) < 1e-5


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_merges_in_float32(policy):
    layer = randomize_built(HRFDense(4, dtype=policy, use_inner_bias=True), 6)
    x = np.random.default_rng(1).standard_normal((3, 6)).astype("float32")
    with tf.GradientTape() as tape:
        output = layer(x)
        loss = ops.sum(ops.cast(output, "float32") ** 2)
    gradients = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    assert output.dtype == layer.compute_dtype
    assert all(weight.dtype == "float32" for weight in layer.weights)
    half = ops.convert_to_numpy(ops.cast(ops.cast(layer.kernel, layer.compute_dtype), "float32"))
    bias = layer.fold().bias.numpy()
    # A sum of six products in half precision loses a few of its 8 (bfloat16) bits.
    precision = {"mixed_float16": 2**-11, "mixed_bfloat16": 2**-8}[policy]
    assert relative(ops.cast(output, "float32"), x @ half + bias) < 4 * precision
    with tf.GradientTape() as tape:
        loss = ops.sum(explicit(layer, x) ** 2)
    wanted = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    for ours, theirs in zip(gradients, wanted, strict=True):
        assert ours.dtype == tf.float32
        assert relative(ours, theirs) < 16 * precision


def randomize_built(layer, input_dim):
    layer.build((None, input_dim))
    return randomize(layer)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize(("input_dim", "units"), [(7, 3), (3, 7)])
def test_starts_as_dense_starts(depth, input_dim, units):
    ours = HRFDense(
        units,
        expansion=2,
        depth=depth,
        kernel_initializer=keras.initializers.HeNormal(seed=3),
    )
    theirs = layers.Dense(units, kernel_initializer=keras.initializers.HeNormal(seed=3))
    ours.build((None, input_dim))
    theirs.build((None, input_dim))
    assert relative(ours.kernel, theirs.kernel) < 1e-6
    first, *_, last = values(ours)[:depth]
    assert np.linalg.norm(first) == pytest.approx(np.linalg.norm(last), rel=1e-5)


def test_seeded_start_repeats():
    def build():
        keras.utils.set_random_seed(5)
        layer = HRFDense(3)
        layer.build((None, 4))
        return values(layer)

    for one, other in zip(build(), build(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_factorize_of_zeros_is_trainable():
    first, last = factorize(np.zeros((3, 4), np.float32), 8)
    assert not (first @ last).any()
    assert first.any()


def test_config_round_trip():
    layer = HRFDense(
        3,
        expansion=2,
        depth=3,
        activation="relu",
        use_bias=False,
        kernel_initializer="he_normal",
        bias_initializer="ones",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l1",
        bias_constraint="non_neg",
        use_inner_bias=True,
        name="hrf",
        trainable=False,
        dtype="mixed_bfloat16",
    )
    config = layer.get_config()
    again = HRFDense.from_config(config)
    assert again.get_config() == config
    assert again.inner_units == 6
    defaults = HRFDense(1).get_config()
    differing = {name for name in config if config[name] != defaults[name]}
    assert differing == config.keys()


@keras_numpy
def test_saves_and_loads_in_safe_mode(tmp_path):
    model = keras.Sequential([layers.Input((4,)), HRFDense(3, depth=3, use_inner_bias=True)])
    randomize(model)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    assert type(loaded.layers[0]) is HRFDense
    for one, other in zip(values(model), values(loaded), strict=True):
        np.testing.assert_array_equal(one, other)


def test_mask_passes_through():
    x = layers.Embedding(5, 4, mask_zero=True)(np.array([[1, 2, 0], [3, 0, 0]]))
    mask = HRFDense(2)(x)._keras_mask
    np.testing.assert_array_equal(mask, [[True, True, False], [True, False, False]])


def test_trains_in_an_unbuilt_subclassed_model():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = HRFDense(6, depth=3, activation="relu", use_inner_bias=True)
            self.out = HRFDense(1)

        def call(self, inputs):
            return self.out(self.hidden(inputs))

    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).standard_normal((64, 4)).astype("float32")
    model = Model()
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    losses = model.fit(x, x[:, :1] * 2, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4
    assert all(weight.any() for weight in values(model))


def test_kernel_regularizer_sees_the_merged_kernel_once():
    hrf = HRFDense(3, kernel_regularizer=keras.regularizers.L2(0.1), bias_regularizer="l2")
    randomize_built(hrf, 3)
    dense = hrf.fold()
    hrf(hrf(np.ones((2, 3), np.float32)))
    assert len(hrf.losses) == len(dense.losses) == 2
    for ours, theirs in zip(hrf.losses, dense.losses, strict=True):
        assert relative(ours, theirs) < 1e-5
    hrf.trainable = False
    assert hrf.losses == []


def test_kernel_regularizer_trains_the_factors():
    model = keras.Sequential([layers.Input((3,)), HRFDense(3, kernel_regularizer="l2")])
    model.compile(keras.optimizers.SGD(1.0), lambda y_true, y_pred: 0.0 * ops.sum(y_pred))
    before = np.linalg.norm(model.layers[0].kernel)
    model.fit(np.ones((4, 3)), np.ones((4, 3)), epochs=40, verbose=0)
    assert np.linalg.norm(model.layers[0].kernel) < before / 2


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("use_inner_bias", [False, True])
def test_fold_is_the_same_function(depth, use_bias, use_inner_bias):
    layer = HRFDense(
        3, "relu", use_bias, expansion=2, depth=depth, use_inner_bias=use_inner_bias, name="ff"
    )
    randomize_built(layer, 300)
    dense = layer.fold()
    assert type(dense) is layers.Dense
    assert dense.name == "ff"
    assert dense.use_bias == (use_bias or use_inner_bias)
    x = np.random.default_rng(1).standard_normal((4, 300)).astype("float32")
    assert relative(dense(x), layer(x)) < 1e-5


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [("float64", 2**-52), ("float32", 2**-23), ("bfloat16", 2**-7), ("float16", 2**-10)],
)
def test_fold_rounds_once(dtype, precision):
    layer = randomize_built(HRFDense(5, depth=3, dtype=dtype), 4)
    exact = np.linalg.multi_dot(
        [ops.convert_to_numpy(ops.cast(factor, "float64")) for factor in layer.factors]
    )
    kernel = layer.fold().kernel
    assert kernel.dtype == dtype
    error = np.abs(ops.convert_to_numpy(ops.cast(kernel, "float64")) - exact)
    # Half a unit in the last place, and for float64 the rounding of the sums themselves.
    bound = precision * (np.abs(exact) / 2 if dtype != "float64" else 20 * np.abs(exact).max())
    assert (error <= bound).all()


def test_fold_keeps_an_activation_that_has_weights():
    layer = HRFDense(3, activation=layers.PReLU())
    x = np.random.default_rng(1).standard_normal((4, 5)).astype("float32")
    layer(x)
    randomize(layer)
    assert relative(layer.fold()(x), layer(x)) < 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be an integer of at least 1. Received: units=0"),
        ({"units": 2.5}, "Received: units=2.5"),
        ({"units": 2, "expansion": 0}, "`expansion` must be .* Received: expansion=0"),
        ({"units": 2, "expansion": True}, "Received: expansion=True"),
        ({"units": 2, "depth": 1}, "`depth` must be an integer of at least 2. Received: depth=1"),
        ({"units": 2, "kernel_constraint": "max_norm"}, "Received: kernel_constraint='max_norm'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        HRFDense(**arguments)


def test_integers_may_be_those_of_numpy():
    layer = HRFDense(np.int64(3), expansion=np.int32(2), depth=np.int64(3))
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    assert layer.inner_units == 6


def test_unbuilt_layer_has_no_kernel_and_does_not_fold():
    with pytest.raises(AttributeError, match="build the layer"):
        _ = HRFDense(2).kernel
    with pytest.raises(ValueError, match=r"'later' must be built before it folds. Received"):
        HRFDense(2, name="later").fold()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fold_refuses_weights_that_are_not_finite(value):
    layer = randomize_built(HRFDense(3, name="ff"), 4)
    layer.bias.assign([1.0, value, 1.0])
    with pytest.raises(ValueError, match=r"merged weights of layer 'ff' are not finite. Received"):
        layer.fold()


def test_fold_refuses_weights_that_overflow():
    layer = HRFDense(2, expansion=1, name="ff", dtype="float16")
    layer.build((None, 2))
    for factor in layer.factors:
        factor.assign(np.full((2, 2), 1000.0))
    with pytest.raises(ValueError, match="'ff' are not finite"):
        layer.fold()
