import os
import pathlib
import subprocess
import sys

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops, tree

from tfhrf.hrf.expand import expand
from tfhrf.hrf.fold import fold
from tfhrf.hrf.layers import HRFDense
from tfhrf.hrf.parallel import ParallelDense
from tfhrf.hrf.rebuild import walk
from tfhrf.hrf.same_function import compare

# The newest Keras for Python 3.10.
KERAS_3_12 = keras.__version__.startswith("3.12.")

# Keras 3.15 turns its variables into arrays in a way that NumPy 2 warns about.
keras_numpy = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        scale = np.sqrt(weight.shape[0]) if len(weight.shape) == 2 else 2
        value = rng.standard_normal(weight.shape) / scale
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return model


def draw(*shape):
    return np.random.default_rng(7).standard_normal(shape).astype("float32")


def outputs(model, inputs):
    return [
        ops.convert_to_numpy(ops.cast(x, "float64"))
        for x in tree.flatten(model(inputs, training=False))
    ]


def assert_same_function(one, other, inputs, tolerance=1e-5):
    for expected, found in zip(outputs(one, inputs), outputs(other, inputs), strict=True):
        assert np.abs(expected - found).max() <= tolerance * np.abs(expected).max()


def assert_same_variables(one, other):
    for old, new in zip(one.variables, other.variables, strict=True):
        assert old.dtype == new.dtype
        np.testing.assert_array_equal(old.numpy(), new.numpy())


def names(model):
    return [(layer.name, type(layer).__name__) for layer in model._flatten_layers()]


def chain(*layers_, width=4, **kwargs):
    return randomize(keras.Sequential([keras.Input((width,)), *layers_], **kwargs))


# Laws


WIDTHS = st.integers(2, 6)
STACKABLE = ("dense", "timed", "norm", "dropout")
BLOCKS = (*STACKABLE, "skip", "twice", "nested", "nested twice")


def grow(x, block, units):
    """One block of a random model behind `x`, without two linear layers in a row."""

    def dense(units):
        return layers.Dense(units, activation="tanh")

    width = x.shape[-1]
    if block == "skip":
        return layers.Add()([x, dense(width)(x)])
    if block == "twice":
        shared = dense(width)
        return shared(shared(x))
    if block == "nested":
        return keras.Sequential([keras.Input(x.shape[1:]), dense(units), dense(3)])(x)
    if block == "nested twice":
        shared, inner = dense(width), keras.Input(x.shape[1:])
        nested = keras.Model(inner, layers.Add()([inner, dense(width)(shared(inner))]))
        return nested(shared(nested(x)))
    return stackable(block, units)(x)


def stackable(block, units):
    """A block that is a single layer."""
    if block == "dense":
        return layers.Dense(units, activation="tanh")
    if block == "timed":
        return layers.TimeDistributed(layers.Dense(units, activation="tanh"))
    return layers.BatchNormalization() if block == "norm" else layers.Dropout(0.5)


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(
    widths=st.tuples(WIDTHS, WIDTHS),
    blocks=st.lists(st.tuples(st.sampled_from(BLOCKS), WIDTHS), max_size=4),
    heads=st.integers(1, 2),
    expansion=st.integers(1, 4),
    depth=st.integers(2, 3),
)
def test_fold_undoes_expand(widths, blocks, heads, expansion, depth):
    inputs = keras.Input((3, widths[0]))
    x = layers.Dense(widths[1], activation="relu")(inputs)
    for block in blocks:
        x = grow(x, *block)
    x = [layers.Dense(2, activation="softmax")(x) for _ in range(heads)]
    check_fold_undoes_expand(keras.Model(inputs, x), expansion, depth)


@hypothesis.settings(max_examples=10, deadline=None, derandomize=True)
@hypothesis.given(
    width=WIDTHS,
    blocks=st.lists(st.tuples(st.sampled_from(STACKABLE), WIDTHS), max_size=3),
    expansion=st.integers(1, 4),
    depth=st.integers(2, 3),
)
def test_fold_undoes_expand_in_sequential_models(width, blocks, expansion, depth):
    stack = [keras.Input((3, width)), layers.Dense(width, activation="relu")]
    stack += [stackable(*block) for block in blocks]
    check_fold_undoes_expand(keras.Sequential([*stack, layers.Dense(2)]), expansion, depth)


def check_fold_undoes_expand(model, expansion, depth):
    randomize(model)
    expanded = expand(model, expansion, depth=depth)
    folded = fold(expanded)
    x = draw(4, *model.input_shape[1:])
    assert_same_function(model, expanded, x)
    assert_same_function(model, folded, x)
    assert type(folded) is type(model)
    assert names(folded) == names(model)
    for old, new in zip(model.weights, folded.weights, strict=True):
        assert old.path == new.path
        old, new = old.numpy(), new.numpy()
        assert np.abs(old - new).max() <= 1e-6 * np.abs(old).max()
    again = fold(folded)
    assert names(again) == names(folded)
    assert_same_variables(folded, again)


# What folds


def test_trained_model_folds_and_is_left_as_it_was():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            HRFDense(8, depth=3, activation="relu", use_inner_bias=True, name="ff"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            HRFDense(1, name="out"),
        ],
        name="net",
    )
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    model.fit(draw(32, 4), draw(32, 4)[:, 0], epochs=3, verbose=0)
    before = [v.numpy() for v in model.variables]
    config = model.get_config()
    calls = [(len(op._inbound_nodes), len(op._outbound_nodes)) for op in model.layers]
    folded = fold(model)
    assert not folded.compiled
    assert folded.name == "net"
    assert all(type(layer).__module__.startswith("keras.") for layer in folded.layers)
    assert_same_function(model, folded, draw(16, 4))
    assert model.get_config() == config
    assert calls == [(len(op._inbound_nodes), len(op._outbound_nodes)) for op in model.layers]
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert not {id(v) for v in folded.variables} & {id(v) for v in model.variables}


def test_layer_shared_between_outer_and_nested_models_stays_one():
    shared = HRFDense(4, activation="tanh", name="shared")
    inner = keras.Input((4,))
    nested = keras.Model(inner, shared(inner), name="nested")
    inputs = keras.Input((4,))
    timed = layers.TimeDistributed(shared, name="timed")
    x = timed(layers.RepeatVector(3)(nested(shared(shared(inputs)))))
    model = randomize(keras.Model(inputs, x))
    folded = fold(model)
    one = folded.get_layer("shared")
    assert type(one) is layers.Dense
    assert folded.get_layer("nested").get_layer("shared") is one
    assert folded.get_layer("timed").layer is one
    assert folded.count_params() == 4 * 4 + 4
    assert_same_function(model, folded, draw(5, 4))


def test_layer_used_twice_in_a_sequential_model_stays_one():
    layer = HRFDense(4, activation="tanh")
    model = chain(layer, layer)
    folded = fold(model)
    assert len(folded.layers) == 2
    assert folded.layers[0] is folded.layers[1]
    assert_same_function(model, folded, draw(5, 4))


@pytest.mark.skipif(KERAS_3_12, reason="Keras 3.12 refuses inputs that reach no output")
def test_structured_inputs_and_outputs():
    inputs = {
        "a": keras.Input((4,), name="a"),
        "b": [keras.Input((3,), name="b0"), (keras.Input((), dtype="int32", name="b1"),)],
    }
    inputs["unused"] = keras.Input((2,), name="unused")
    embedded = layers.Embedding(2, 3)(inputs["b"][1][0])
    x = HRFDense(3, activation="relu", name="x")(inputs["a"]) + inputs["b"][0] * embedded
    y = HRFDense(2, name="y")(x)
    model = randomize(keras.Model(inputs, {"z": (y, [x]), "y": y}))
    folded = fold(model)
    values = {"a": draw(2, 4), "b": [draw(2, 3), (np.array([0, 1]),)], "unused": draw(2, 2)}
    assert_same_function(model, folded, values)
    tree.assert_same_structure(folded(values), model(values))
    assert [x.name for x in folded.inputs] == [x.name for x in model.inputs]


def test_inputs_keep_their_properties():
    inputs = [
        keras.Input((None, 4), batch_size=3, dtype="float16", name="x"),
        keras.Input((4,), batch_size=3, name="bias", optional=True),
    ]
    x = HRFDense(4, activation="relu")(inputs[0])
    folded = fold(keras.Model(inputs, layers.Add()([x, layers.Reshape((1, 4))(inputs[1])])))
    config = [layer.get_config() for layer in folded.layers[:4] if "Input" in type(layer).__name__]
    assert sorted(config, key=lambda c: c["name"], reverse=True) == [
        x._keras_history.operation.get_config() for x in inputs
    ]


def test_model_made_from_inner_tensors():
    inputs = keras.Input((4,))
    x = HRFDense(5, activation="relu", name="one")(inputs)
    y = HRFDense(3, activation="relu", name="two")(x)
    whole = keras.Model(inputs, y)
    randomize(whole)
    part = keras.Model(x, y)
    folded = fold(part)
    assert_same_function(part, folded, draw(2, 5))
    assert [layer.name for layer in folded.layers[1:]] == ["two"]


def test_operations_with_constants_and_masks():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(2, 4, mask_zero=True)(inputs)
    x = HRFDense(4, activation="relu")(x)
    x = ops.matmul(x, ops.transpose(x, (0, 2, 1))) @ ops.ones((5, 3)) + x[:, :, :3]
    pooled = layers.GlobalAveragePooling1D()(x)
    x = layers.Lambda(lambda t: t * 2.0)(layers.LSTM(3)(layers.Masking()(x)))
    model = randomize(keras.Model(inputs, layers.Concatenate()([x, pooled])))
    folded = fold(model)
    assert [op.name for op in folded.operations] == [op.name for op in model.operations]
    assert_same_function(model, folded, np.array([[1, 0, 1, 1, 0], [1, 1, 1, 0, 0]]))


def test_mixed_precision_and_frozen_layers():
    model = chain(
        HRFDense(6, activation="relu", dtype="mixed_bfloat16", name="a"),
        HRFDense(5, activation="relu", dtype="float64", name="b", trainable=False),
        layers.Dense(3, activation="relu", name="c"),
        name="net",
    )
    model.get_layer("c").trainable = False
    folded = fold(model)
    for name in "abc":
        old, new = model.get_layer(name), folded.get_layer(name)
        assert old.dtype_policy == new.dtype_policy
        assert old.trainable == new.trainable
    assert_same_function(model, folded, draw(8, 4), tolerance=2**-7)
    model.trainable = False
    assert fold(model).trainable_variables == []


def test_trainable_flags_of_nested_models():
    """Flags of inner models are kept apart from those of their layers."""
    nested = keras.Sequential(
        [keras.Input((4,)), HRFDense(4, activation="relu"), layers.Dense(4, activation="relu")]
    )
    inputs = keras.Input((4,))
    model = keras.Model(inputs, HRFDense(2)(nested(inputs)))
    nested.trainable = False
    nested.layers[1].trainable = True
    folded = fold(model)
    flags = [layer.trainable for layer in folded._flatten_layers()]
    assert flags == [layer.trainable for layer in model._flatten_layers()]
    assert [v.path for v in folded.trainable_variables] == [
        v.path.replace("factor_1", "kernel")
        for v in model.trainable_variables
        if "factor_2" not in v.path
    ]


def test_other_state_stays_bit_for_bit():
    inputs = keras.Input((4,))
    x = HRFDense(4, activation="relu")(layers.GaussianNoise(0.1)(inputs))
    x = layers.BatchNormalization()(layers.Dropout(0.4)(x), training=True)
    x = layers.Dropout(0.4)(x, training=True)
    x = layers.SpectralNormalization(layers.Dense(3))(x)
    model = randomize(keras.Model(inputs, x))
    others = [v for v in model.variables if "hrf" not in v.path]
    before = [v.numpy() for v in others]
    folded = fold(model)
    kept = [v for v in folded.variables if "hrf" not in v.path]
    assert any("seed" in v.path for v in kept)
    for old, given, new in zip(before, others, kept, strict=True):
        np.testing.assert_array_equal(old, given.numpy())
        np.testing.assert_array_equal(old, new.numpy())


def test_words_and_recurrent_states_stay():
    words = layers.StringLookup()
    words.adapt([["one", "two", "four"]])
    inputs = keras.Input(batch_shape=(2, 3), dtype="string")
    x = layers.Embedding(4, 4)(words(inputs))
    x = HRFDense(4)(layers.LSTM(3, stateful=True)(x))
    model = randomize(keras.Model(inputs, x))
    given = tf.constant([["four", "two", "three"]] * 2)
    model(given)
    folded = fold(model)
    assert folded.layers[1].get_vocabulary() == words.get_vocabulary()
    # Each call goes on where the one before ended.
    for _ in range(2):
        assert_same_function(model, folded, given)


@keras.saving.register_keras_serializable(package="tests")
class Both(layers.Layer):
    """A wrapper of several layers that takes them from its config."""

    def __init__(self, branches, named, **kwargs):
        super().__init__(**kwargs)
        self.branches = branches
        self.named = named
        self.scale = layers.Rescaling(2.0)

    def build(self, input_shape):
        for layer in (*self.branches, *self.named.values()):
            if not layer.built:
                layer.build(input_shape)

    def call(self, inputs):
        return self.scale(sum(layer(inputs) for layer in (*self.branches, *self.named.values())))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        config = {"branches": serialize(self.branches), "named": serialize(self.named)}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config):
        revive = keras.saving.deserialize_keras_object
        config["branches"] = [revive(layer) for layer in config["branches"]]
        config["named"] = {name: revive(layer) for name, layer in config["named"].items()}
        return cls(**config)


def test_hrf_layers_inside_wrappers():
    inputs = keras.Input((3, 4))
    nested = keras.Sequential([keras.Input((4,)), HRFDense(4, activation="relu"), layers.Dense(4)])
    x = layers.TimeDistributed(nested, name="timed")(inputs)
    plain, hrf = layers.Dense(5), HRFDense(5, activation="tanh", name="hrf")
    x = Both([plain, hrf], {"c": HRFDense(5)}, name="both")(x)
    x = layers.TimeDistributed(layers.TimeDistributed(HRFDense(2)))(layers.Reshape((3, 1, 5))(x))
    model = randomize(keras.Model(inputs, x))
    folded = fold(model)
    assert "HRFDense" not in dict(names(folded)).values()
    assert type(folded.get_layer("both").branches[1]) is layers.Dense
    assert_same_function(model, folded, draw(2, 3, 4))
    assert_same_variables(fold(folded), folded)


@keras.saving.register_keras_serializable(package="tests")
class Cell(layers.Layer):
    """A recurrent cell around a layer."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.state_size = self.output_size = layer.units

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build((None, input_shape[-1] + self.state_size))

    def call(self, inputs, states):
        state = self.layer(ops.concatenate([inputs, states[0]], axis=-1))
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("layer")), **config)


def test_hrf_cell_inside_bidirectional_rnn():
    cell = Cell(HRFDense(3, activation="tanh"), name="cell")
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layers.Bidirectional(layers.RNN(cell))(inputs))
    randomize(model)
    folded = fold(model)
    assert "HRFDense" not in dict(names(folded)).values()
    assert folded.count_params() == 2 * (7 * 3 + 3)
    assert_same_function(model, folded, draw(2, 5, 4))


@keras.saving.register_keras_serializable(package="tests")
class Doubled(layers.Layer):
    """A third party's layer that folds: y = x (2 W)."""

    def __init__(self, units, broken=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.broken = broken

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units))

    def call(self, inputs):
        return 2.0 * inputs @ self.kernel

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def fold(self):
        dense = layers.Dense(self.units, use_bias=False, name=self.name)
        if self.broken == "unbuilt":
            return dense
        if self.broken in ("self", "none"):
            return self if self.broken == "self" else None
        if self.broken == "folds again":
            dense = Doubled(self.units, name=self.name)
        dense.build((None, self.kernel.shape[0]))
        dense.set_weights([self.kernel * (3.0 if self.broken == "wrong" else 2.0)])
        return dense


def test_third_party_layers_take_part():
    inputs = keras.Input((5, 4))
    x = layers.TimeDistributed(Doubled(6, name="inner"))(inputs)
    x = layers.LayerNormalization()(Doubled(3, name="outer")(layers.ReLU()(x)))
    model = randomize(keras.Model(inputs, x))
    folded = fold(model)
    assert "Doubled" not in dict(names(folded)).values()
    assert_same_function(model, folded, draw(2, 5, 4))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("unbuilt", r"'d': fold\(\) must return a new, built Keras layer. Received: <Dense"),
        ("self", r"'d': fold\(\) must return a new, built Keras layer. Received: <Doubled"),
        ("none", r"'d': fold\(\) must return a new, built Keras layer. Received: None"),
        ("folds again", "Layer 'd' can still be folded after folding. Received: <Doubled"),
        ("wrong", r"Output 0 of model 'net' changed by 5.0e-01 of its .* 1e-04 is allowed"),
    ],
)
def test_third_party_layers_are_checked(broken, message):
    model = chain(Doubled(3, broken, name="d"), layers.ReLU(), name="net")
    if broken == "wrong":
        model.get_layer("d").kernel.assign(np.ones((4, 3)))
    with pytest.raises(ValueError, match=message):
        fold(model)


# Pairs of Dense layers


def test_a_method_fold_that_takes_a_signal_is_another_one():
    class Frames(layers.Layer):
        def call(self, inputs):
            return self.fold(inputs, 2)

        def fold(self, signal, width):
            return ops.reshape(signal, (-1, signal.shape[1] // width, width))

    model = chain(Frames(), HRFDense(3))
    assert_same_function(model, fold(model), draw(2, 4))


def merged(model):
    """Folds and checks; returns {name: (input_dim, units)} of the Dense layers left."""
    folded = fold(model)
    assert_same_function(model, folded, draw(6, *model.input_shape[1:]))
    again = fold(folded)
    assert names(again) == names(folded)
    assert_same_variables(again, folded)
    return {
        layer.name: tuple(layer.kernel.shape)
        for layer in folded._flatten_layers()
        if type(layer) is layers.Dense
    }


@pytest.mark.parametrize("first", [layers.Dense, HRFDense])
@pytest.mark.parametrize("second", [layers.Dense, HRFDense])
@pytest.mark.parametrize("biases", [(False, False), (False, True), (True, False), (True, True)])
def test_a_pair_merges(first, second, biases):
    model = chain(
        first(16, use_bias=biases[0], name="inserted"),
        second(3, activation="relu", use_bias=biases[1], name="ffn", kernel_regularizer="l2"),
    )
    model.get_layer("inserted").trainable = False
    assert merged(model) == {"ffn": (4, 3)}
    dense = fold(model).get_layer("ffn")
    assert dense.use_bias == any(biases)
    assert dense.trainable
    assert dense.activation is keras.activations.relu
    assert type(dense.kernel_regularizer) is keras.regularizers.L2


def test_a_pair_merges_exactly():
    model = chain(layers.Dense(512, name="a"), layers.Dense(3, name="b"), width=300)
    (kernel_a, bias_a), (kernel_b, bias_b) = (
        [w.numpy().astype(np.float64) for w in layer.weights] for layer in model.layers
    )
    dense = fold(model).get_layer("b")
    for found, exact in (
        (dense.kernel, kernel_a @ kernel_b),
        (dense.bias, bias_a @ kernel_b + bias_b),
    ):
        assert (np.abs(found.numpy() - exact) <= 2.0**-24 * np.abs(exact) * 1.001).all()


def test_a_frozen_second_layer_stays_frozen():
    model = chain(layers.Dense(9), layers.Dense(3, name="b", trainable=False))
    assert fold(model).trainable_variables == []


def test_pairs_merge_in_branches_and_nested_models():
    inner = keras.Input((4,))
    nested = keras.Model(inner, layers.Dense(4, name="n2")(layers.Dense(8, name="n1")(inner)))
    inputs = keras.Input((4,))
    x = layers.ReLU()(nested(inputs))
    left = layers.Dense(3, name="l2")(layers.Dense(8, name="l1")(x))
    right = layers.Dense(3, name="r2")(layers.Dense(8, name="r1")(x))
    model = randomize(keras.Model(inputs, [left, left + right]))
    assert merged(model) == {"n2": (4, 4), "l2": (4, 3), "r2": (4, 3)}


def test_chains_merge_completely():
    stack = [layers.Dense(units, name=f"d{i}") for i, units in enumerate((7, 5, 9, 6, 8))]
    assert merged(chain(*stack, layers.Dense(3, "relu", name="end"))) == {"end": (4, 3)}
    # (10, 1, 10) stays by itself but vanishes once the last pair is one layer.
    stack = [layers.Dense(units, name=f"d{i}") for i, units in enumerate((1, 10, 1))]
    assert merged(chain(*stack, width=10)) == {"d2": (10, 1)}


def test_a_bottleneck_stays():
    model = chain(layers.Dense(2, name="down"), layers.Dense(6, name="up"), width=6)
    assert merged(model) == {"down": (6, 2), "up": (2, 6)}
    equal = chain(layers.Dense(3, name="down"), layers.Dense(6, name="up"), width=6)
    assert merged(equal) == {"up": (6, 6)}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"activation": "relu"}, {}),
        ({"activity_regularizer": "l2"}, {}),
        ({"kernel_constraint": "max_norm"}, {}),
        ({"bias_constraint": "non_neg"}, {}),
        ({}, {"kernel_constraint": "max_norm"}),
        ({"dtype": "mixed_bfloat16"}, {}),
    ],
)
def test_pairs_that_stay(first, second):
    model = chain(layers.Dense(16, name="a", **first), layers.Dense(3, name="b", **second))
    folded = fold(model)
    assert names(folded) == names(model)
    assert_same_variables(folded, model)


@keras_numpy
def test_pairs_with_quantization_stay():
    for position in (0, 1):
        model = chain(layers.Dense(16, name="a"), layers.Dense(3, name="b"))
        model.layers[position].quantize("int8")
        folded = fold(model)
        assert names(folded) == names(model)
        assert_same_variables(folded, model)


def with_lora(model):
    """Gives every Dense and EinsumDense a LoRA product that is not zero."""
    for layer in walk(model):
        if isinstance(layer, (layers.Dense, layers.EinsumDense)):
            layer.enable_lora(2)
            for factor in (layer.lora_kernel_a, layer.lora_kernel_b):
                factor.assign(keras.random.normal(factor.shape, seed=len(factor.path)))
    return model


def test_an_activation_without_a_name_is_kept():
    model = chain(layers.Dense(4, lambda x: ops.tanh(2 * x)), layers.Activation(lambda x: x + 1))
    compare(model, fold(model))


@keras_numpy
@pytest.mark.parametrize("kind", ["pair", "attention", "wrapped", "nested"])
def test_lora_is_merged(kind):
    inputs = keras.Input((5, 4))
    if kind == "pair":
        outputs = layers.Dense(3, name="b")(layers.Dense(16, name="a")(inputs))
    elif kind == "attention":
        outputs = layers.Dense(3)(layers.MultiHeadAttention(2, 3)(inputs, inputs))
    elif kind == "wrapped":
        outputs = layers.TimeDistributed(layers.Dense(3, "relu"))(inputs)
    else:
        outputs = keras.Sequential([keras.Input((5, 4)), layers.Dense(3, "relu")])(inputs)
    model = with_lora(randomize(keras.Model(inputs, outputs)))
    folded = fold(model)
    assert not [weight.path for weight in folded.weights if "lora" in weight.path]
    assert len(fold(folded).layers) == len(folded.layers)
    if kind == "pair":
        assert [name for name, kind in names(folded) if kind == "Dense"] == ["b"]


@pytest.mark.parametrize("kind", [layers.Dense, HRFDense, ParallelDense])
def test_activations_with_weights_keep_them_and_their_paths(kind):
    model = keras.Sequential(
        [keras.Input((4,)), kind(3, activation=layers.PReLU()), HRFDense(2)], name="net"
    )
    x = draw(5, 4)
    model(x)
    model.layers[0].activation.set_weights([np.full(3, 0.3)])
    if kind is layers.Dense:
        model.layers[0].enable_lora(2)
    folded = fold(model)
    assert_same_function(model, folded, x)
    slopes = [one.layers[0].activation.weights[0] for one in (model, folded)]
    assert slopes[0] is not slopes[1]
    assert slopes[0].path == slopes[1].path


def test_a_first_layer_that_is_read_elsewhere_stays():
    inputs = keras.Input((4,))
    a = layers.Dense(8, name="a")(inputs)
    b = layers.Dense(3, name="b")(a)
    for out in ([b, a], [b, layers.ReLU()(a)], [b, layers.Dense(2, name="c")(a)]):
        model = randomize(keras.Model(inputs, out))
        assert names(fold(model)) == names(model)


def test_shared_layers_do_not_merge():
    shared = layers.Dense(4, name="shared")
    behind = layers.Dense(3, name="behind")
    inputs = keras.Input((4,))
    twice = keras.Model(inputs, behind(shared(shared(inputs))))
    inner = keras.Input((4,))
    nested = keras.Model(inner, layers.ReLU()(shared(inner)))
    also_nested = keras.Model(inputs, behind(shared(nested(inputs))))
    second_twice = keras.Model(
        inputs, behind(layers.Dense(4, name="x")(inputs)) + behind(layers.ReLU()(inputs))
    )
    for model in (twice, also_nested, second_twice):
        assert names(fold(model)) == names(model)


def test_a_layer_also_used_inside_a_wrapper_does_not_merge():
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((3, 4))
    x = layers.ReLU()(layers.TimeDistributed(shared)(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="end")(shared(x)))
    folded = fold(model)
    assert [layer.name for layer in folded.layers] == [layer.name for layer in model.layers]
    assert_same_variables(folded, model)


# Errors


@keras.saving.register_keras_serializable(package="tests")
class Block(layers.Layer):
    """A block that makes its layers itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = HRFDense(4, name="inner")

    def build(self, input_shape):
        self.hidden.build(input_shape)

    def call(self, inputs):
        return self.hidden(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_a_block_that_hides_an_hrf_layer_is_named():
    message = "'inner' cannot be replaced: its block 'block' makes it itself .* Received: Block"
    with pytest.raises(ValueError, match=message):
        fold(chain(Block(name="block"), layers.ReLU()))
    with pytest.raises(ValueError, match=message):
        fold(chain(layers.Reshape((1, 4)), layers.TimeDistributed(Block(name="block"))))


def test_a_subclassed_model_inside_is_named():
    class Inside(keras.Model):
        def __init__(self):
            super().__init__(name="inside")
            self.hidden = HRFDense(4, name="inner")

        def call(self, inputs):
            return self.hidden(inputs)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, Inside()(inputs))
    with pytest.raises(ValueError, match="'inner' cannot be replaced: its block 'inside'"):
        fold(model)


@pytest.mark.skipif(
    KERAS_3_12, reason="Keras 3.12 does not track layers hung on a functional model"
)
def test_a_layer_that_is_not_in_the_graph_is_named():
    model = chain(HRFDense(3), layers.ReLU())
    functional = keras.Model(model.inputs, model.outputs, name="net")
    functional.extra = layers.Dense(2, name="extra")
    with pytest.raises(ValueError, match="'extra' hangs on model 'net' but is not in its graph"):
        fold(functional)


def test_a_block_whose_weights_come_out_otherwise_is_named():
    @keras.saving.register_keras_serializable(package="tests")
    class Forgetful(layers.Layer):
        def __init__(self, count=1, **kwargs):
            super().__init__(**kwargs)
            self.count = count

        def build(self, input_shape):
            self.scales = [self.add_weight(shape=()) for _ in range(self.count)]

        def call(self, inputs):
            return inputs * sum(self.scales)

        def get_config(self):
            return super().get_config()

    with pytest.raises(ValueError, match=r"'scale' made again .* has other variables. Received"):
        fold(chain(Forgetful(2, name="scale"), HRFDense(3)))


@pytest.mark.parametrize("name", ["hrf", "plain", "norm"])
def test_weights_that_are_not_finite_are_named(name):
    model = chain(
        HRFDense(3, activation="relu", name="hrf"),
        layers.Dense(3, activation="relu", name="plain"),
        layers.LayerNormalization(name="norm"),
    )
    model.get_layer(name).weights[0].assign(model.get_layer(name).weights[0] * np.nan)
    with pytest.raises(ValueError, match=f"layer '{name}' (are|is) not finite. Received"):
        fold(model)


def test_outputs_that_are_not_finite_are_an_error():
    model = chain(HRFDense(3), layers.Rescaling(np.inf), name="net")
    with pytest.raises(
        ValueError, match=r"Output 0 of 'net' is not finite. Received: random inputs"
    ):
        fold(model)


def test_subclassed_and_unbuilt_models_are_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match=r"functional or Sequential .* Received: .*Subclassed"):
        fold(Subclassed())
    with pytest.raises(ValueError, match=r"'later' must be built first.* Received"):
        fold(keras.Sequential([HRFDense(2)], name="later"))


# Files and size


def run_python(code, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = """
import sys
sys.modules["tfhrf"] = None  # importing it fails
import numpy as np
import keras
model = keras.models.load_model(sys.argv[1], safe_mode=True)
np.save(sys.argv[3], keras.ops.convert_to_numpy(model(np.load(sys.argv[2]), training=False)))
"""


@keras_numpy
def test_the_saved_folded_model_loads_without_tfhrf(tmp_path):
    inputs = keras.Input((6, 4))
    x = layers.TimeDistributed(HRFDense(8, activation="relu"))(inputs)
    x = layers.Add()([inputs, HRFDense(4, depth=3, use_inner_bias=True)(layers.Dropout(0.1)(x))])
    model = randomize(keras.Model(inputs, HRFDense(2, activation="softmax")(x)))
    x = draw(3, 6, 4)
    fold(model).save(tmp_path / "folded.keras")
    np.save(tmp_path / "x.npy", x)
    run_python(LOAD, tmp_path / "folded.keras", tmp_path / "x.npy", tmp_path / "y.npy")
    found = np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(found, outputs(fold(model), x)[0])
    np.testing.assert_allclose(found, outputs(model, x)[0], rtol=1e-4)


BIG = """
import resource, threading, time
import keras
from tfhrf.hrf.fold import fold
from tfhrf.hrf.layers import HRFDense

def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()

before = resident()
stack = [keras.Input((512,))]
for i in range(4):
    stack += [HRFDense(2048, activation="relu"), HRFDense(512), keras.layers.LayerNormalization()]
model = keras.Sequential(stack)
weights = 4 * model.count_params()

peak, done = 0, False
def watch():
    global peak
    while not done:
        peak = max(peak, resident())
        time.sleep(0.005)

watcher = threading.Thread(target=watch)
watcher.start()
start = time.perf_counter()
folded = fold(model)
seconds = time.perf_counter() - start
done = True
watcher.join()
print(weights, peak - before, seconds, folded.count_params())
"""


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_100_million_parameters_fold_in_seconds_in_little_memory():
    weights, peak, seconds, folded = map(float, run_python(BIG).split())
    print(f"{weights / 4e6:.0f} M parameters: {seconds:.1f} s, peak {peak / weights:.2f} x weights")
    assert weights > 4 * 100e6
    assert folded == 4 * (512 * 2048 + 2048 + 2048 * 512 + 512 + 2 * 512)
    assert peak < 2 * weights
    assert seconds < 60
