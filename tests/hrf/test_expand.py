import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops, tree

from tfhrf.hrf.expand import expand
from tfhrf.hrf.fast import FastDense
from tfhrf.hrf.fold import fold
from tfhrf.hrf.layers import HRFDense

# The newest Keras for Python 3.10.
KERAS_3_12 = keras.__version__.startswith("3.12.")

# Keras 3.15 turns its variables into arrays in a way that NumPy 2 warns about.
keras_numpy = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        fan = weight.shape[0] if len(weight.shape) == 2 else 4
        weight.assign(np.abs(rng.standard_normal(weight.shape)) / np.sqrt(fan))
        weight.assign(weight * rng.choice([-1.0, 1.0], weight.shape))
    return model


def kinds(model):
    """Names of the Dense and HRFDense layers at any depth, sorted."""
    found = {layers.Dense: set(), HRFDense: set()}
    for layer in model._flatten_layers():
        if type(layer) in found:
            found[type(layer)].add(layer.name)
    return sorted(found[layers.Dense]), sorted(found[HRFDense])


def assert_same_function(one, other, inputs, tolerance=1e-5):
    pairs = zip(
        tree.flatten(one(inputs, training=False)),
        tree.flatten(other(inputs, training=False)),
        strict=True,
    )
    for expected, found in pairs:
        expected, found = (ops.convert_to_numpy(ops.cast(x, "float64")) for x in (expected, found))
        assert np.abs(expected - found).max() <= tolerance * np.abs(expected).max()


def draw(*shape):
    return np.random.default_rng(7).standard_normal(shape).astype("float32")


def classifier(**first):
    """A Transformer-like model with a head that ends in an activation."""
    inputs = keras.Input((8, 6), name="frames")
    x = layers.Dense(12, **{"activation": "relu", "name": "ffn_in", **first})(inputs)
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(6, name="ffn_out")(x)
    x = layers.LayerNormalization()(layers.Add()([x, inputs]))
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(5, name="logits")(x)
    return randomize(keras.Model(inputs, layers.Activation("softmax")(x), name="classifier"))


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("expansion", [1, 4])
def test_a_trained_model_keeps_its_function(depth, expansion):
    model = classifier()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(draw(32, 8, 6), np.arange(32) % 5, epochs=3, verbose=0)
    new = expand(model, expansion, depth=depth)
    assert kinds(new) == (["logits"], ["ffn_in", "ffn_out"])
    assert new.get_layer("ffn_in").expansion == expansion
    assert new.get_layer("ffn_in").depth == depth
    assert_same_function(model, new, draw(16, 8, 6))
    assert not new.compiled
    assert new.name == "classifier"
    assert [layer.name for layer in new.layers] == [layer.name for layer in model.layers]
    assert not {id(w) for w in new.variables} & {id(w) for w in model.variables}


def test_the_expanded_model_trains():
    keras.utils.set_random_seed(1)
    new = expand(classifier())
    new.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    x = draw(1024, 8, 6)
    labels = x.mean(axis=1)[:, :5].argmax(axis=1)
    before = new.evaluate(x, labels, verbose=0)
    new.fit(x, labels, epochs=10, verbose=0)
    assert new.evaluate(x, labels, verbose=0) < before / 2


def test_the_given_model_stays_as_it_is():
    model = classifier()
    before = [v.numpy() for v in model.variables]
    config = model.get_config()
    calls = [(len(op._inbound_nodes), len(op._outbound_nodes)) for op in model.operations]
    expand(model)
    assert model.get_config() == config
    assert calls == [(len(op._inbound_nodes), len(op._outbound_nodes)) for op in model.operations]
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


@pytest.mark.skipif(
    KERAS_3_12, reason="Keras 3.12 cannot run activity regularizers in half precision"
)
def test_arguments_flags_and_policies_stay():
    model = classifier(
        activation="tanh",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l1",
        bias_constraint="non_neg",
        dtype="mixed_bfloat16",
        trainable=False,
    )
    model.get_layer("ffn_out").trainable = False
    model.layers[-3].trainable = False
    new = expand(model)
    old_config = model.get_layer("ffn_in").get_config()
    new_config = new.get_layer("ffn_in").get_config()
    for name in old_config.keys() - {"kernel_constraint", "quantization_config"}:
        assert new_config[name] == old_config[name]
    flags = [layer.trainable for layer in model.layers]
    assert [layer.trainable for layer in new.layers] == flags
    assert False in flags
    assert True in flags
    assert [v.path for v in new.trainable_variables] == [v.path for v in model.trainable_variables]


@pytest.mark.parametrize("name", ["kernel", "bias"])
def test_a_weight_that_is_frozen_alone_stays_so(name):
    model = classifier()
    getattr(model.get_layer("ffn_in"), name).trainable = False
    model.get_layer("ffn_out").trainable = False
    new = expand(model)
    folded = fold(new)
    assert [v.path for v in folded.trainable_variables] == [
        v.path for v in model.trainable_variables
    ]
    factors = {"kernel": ["bias"], "bias": ["factor_1", "factor_2"]}[name]
    assert [v.name for v in new.get_layer("ffn_in").trainable_variables] == factors
    assert not new.get_layer("ffn_out").trainable_variables


def test_other_weights_and_seeds_stay_bit_for_bit():
    model = randomize(
        keras.Sequential(
            [
                keras.Input((4,)),
                layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 2.0, 1.0, 2.0]),
                layers.Dense(6, activation="relu", name="hidden"),
                layers.BatchNormalization(name="bn"),
                layers.Dropout(0.5, name="drop"),
                layers.Dense(2, name="out"),
            ],
            name="mlp",
        )
    )
    model.get_layer("bn").moving_variance.assign([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    new = expand(model)
    assert isinstance(new, keras.Sequential)
    for name in ("bn", "drop", "out"):
        old_variables, new_variables = (m.get_layer(name).variables for m in (model, new))
        assert old_variables
        for old, variable in zip(old_variables, new_variables, strict=True):
            np.testing.assert_array_equal(old.numpy(), variable.numpy())
            assert old.trainable == variable.trainable
    for m in (model, new):
        assert "mlp/bn/gamma" in [weight.path for weight in m.weights]
    assert "mlp/hidden/factor_1" in [weight.path for weight in new.weights]


def test_normalization_that_was_adapted_stays_adapted():
    normalization = layers.Normalization()
    normalization.adapt(draw(50, 4) * 3 + 1)
    model = keras.Sequential([keras.Input((4,)), normalization, layers.Dense(2, name="d")])
    assert_same_function(model, expand(model, where="d"), draw(8, 4))


def test_lora_on_another_layer_stays_bit_for_bit():
    model = classifier()
    model.get_layer("ffn_out").enable_lora(2)
    randomize(model)
    new = expand(model, where="ffn_in")
    for old, variable in zip(
        model.get_layer("ffn_out").variables, new.get_layer("ffn_out").variables, strict=True
    ):
        np.testing.assert_array_equal(old.numpy(), variable.numpy())
        assert old.trainable == variable.trainable


# Which layers


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("ffn_in", ["ffn_in"]),
        ("ffn_*", ["ffn_in", "ffn_out"]),
        (["ffn_out", "log*"], ["ffn_out", "logits"]),
        (("*",), ["ffn_in", "ffn_out", "logits"]),
        (lambda layer: layer.units == 5, ["logits"]),
        (None, ["ffn_in", "ffn_out"]),
    ],
)
def test_where(where, expected):
    assert kinds(expand(classifier(), where=where))[1] == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("ffn", "`where` names 'ffn', which matches no Dense layer of model 'classifier'"),
        (["ffn_in", "FFN_*"], "`where` names 'FFN_\\*'"),
        ("dropout*", "`where` names 'dropout\\*'"),
        ([], "'classifier' has no Dense layer to expand. Received: where=\\[\\]"),
        (lambda layer: False, "has no Dense layer to expand. Received"),
        (3, "`where` must be a function of a layer or a list of layer names. Received: where=3"),
        ([3], "Received: where=\\[3\\]"),
    ],
)
def test_where_that_selects_nothing(where, message):
    with pytest.raises(ValueError, match=message):
        expand(classifier(), where=where)


def test_a_model_with_output_layers_only_has_nothing_to_expand():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="out")], name="linear")
    with pytest.raises(ValueError, match=r"'linear' has no Dense.*Dense layers \['out'\]"):
        expand(model)


def test_every_output_layer_of_several_outputs_is_left_out():
    inputs = keras.Input((4,))
    x = layers.Dense(5, activation="relu", name="trunk")(inputs)
    one = layers.Softmax()(layers.Dense(3, name="one")(x))
    added = layers.Dense(2, name="added")(x) + layers.Dense(2, name="other")(x)
    weighted = layers.LayerNormalization()(layers.Dense(2, name="before_norm")(x))
    model = keras.Model(inputs, {"one": one, "sum": ops.relu(added), "norm": weighted})
    new = expand(model)
    assert kinds(new) == (["added", "one", "other"], ["before_norm", "trunk"])
    assert set(new(draw(2, 4))) == {"one", "sum", "norm"}


def test_the_output_layer_of_a_nested_model_is_left_out():
    head = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="relu", name="h1"),
            layers.Dense(3, name="h2"),
        ],
        name="head",
    )
    # Nothing with weights stands behind `before`, but in front of the output stands `passing`.
    passing = keras.Sequential([keras.Input((3,)), layers.Softmax()], name="passing")
    inner = keras.Input((6,))
    body = keras.Model(inner, layers.Dense(4, name="body_end")(inner), name="body")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, passing(head(body(inputs))))
    assert kinds(expand(model)) == (["h2"], ["body_end", "h1"])


def test_a_nested_model_that_passes_its_input_on_is_looked_through():
    inner = keras.Input((4,))
    both = keras.Model(inner, [layers.Dense(3, name="side")(inner), ops.relu(inner)])
    inputs = keras.Input((6,))
    model = keras.Model(inputs, both(layers.Dense(4, name="ahead")(inputs)))
    with pytest.raises(ValueError, match="no Dense layer to expand"):
        expand(model)


def test_an_output_layer_inside_a_wrapper_is_left_out():
    inputs = keras.Input((5, 4))
    x = layers.TimeDistributed(layers.Dense(6, activation="relu", name="hidden"))(inputs)
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(3, name="out"))(x))
    new = expand(model)
    assert kinds(new) == (["out"], ["hidden"])
    assert_same_function(model, new, draw(2, 5, 4))


def test_subclasses_of_dense_are_left_alone():
    class Special(layers.Dense):
        pass

    inputs = keras.Input((4,))
    x = layers.Dense(4, name="plain", activation="relu")(Special(4, name="special")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    new = expand(model)
    assert kinds(new)[1] == ["plain"]
    assert type(new.get_layer("special")) is Special
    with pytest.raises(ValueError, match="names 'special'"):
        expand(model, where="special")


def test_a_shared_layer_becomes_one_shared_layer():
    shared = layers.Dense(4, activation="tanh", name="shared")
    inner = keras.Input((4,))
    nested = keras.Model(inner, shared(inner), name="nested")
    inputs = keras.Input((4,))
    x = nested(shared(shared(inputs)))
    timed = layers.TimeDistributed(shared)(layers.RepeatVector(3)(x))
    model = randomize(keras.Model(inputs, layers.Dense(2, name="out")(timed)))
    new = expand(model)
    found = [layer for layer in new._flatten_layers() if layer.name == "shared"]
    assert {id(layer) for layer in found} == {id(new.get_layer("shared"))}
    assert type(found[0]) is HRFDense
    assert new.count_params() == 4 * 16 + 16 * 4 + 4 + 4 * 2 + 2
    assert_same_function(model, new, draw(5, 4))


def test_an_activation_with_weights_stays_shared():
    shared = layers.PReLU(name="slope")
    inputs = keras.Input((4,))
    x = layers.Dense(4, activation=shared, name="first")(inputs)
    x = shared(layers.LayerNormalization()(x))
    x = layers.Dense(4, activation=shared, name="second")(x)
    model = randomize(keras.Model(inputs, layers.Dense(2)(x)))
    new = expand(model)
    for one in (new, fold(new)):
        slope = one.get_layer("slope")
        assert one.get_layer("first").activation is slope is one.get_layer("second").activation
        assert slope is not shared
        assert [v.path for v in slope.weights] == [v.path for v in shared.weights]
        assert_same_function(model, one, draw(3, 4))


@pytest.mark.parametrize("kind", [layers.Dense, FastDense])
def test_inputs_may_be_sparse_or_integers(kind):
    x = np.eye(6, dtype="int32")[:4]
    for inputs, given in (
        (keras.Input((6,), sparse=True), tf.sparse.from_dense(x.astype("float32"))),
        (keras.Input((6,), dtype="int32"), x),
    ):
        hidden = kind(4, activation="relu")(inputs)
        model = randomize(keras.Model(inputs, layers.Dense(2)(hidden)))
        assert_same_function(model, expand(model), given)


# Errors


def test_a_normalized_kernel_is_refused():
    inputs = keras.Input((4,))
    x = layers.SpectralNormalization(layers.Dense(4, name="dense"))(inputs)
    message = r"'dense' has its kernel normalized .* leave it out with `where`. Received: <Dense"
    with pytest.raises(ValueError, match=message):
        expand(keras.Model(inputs, layers.Dense(2)(x)))


def test_kernel_constraint_is_refused():
    message = "'ffn_in' has a kernel_constraint and cannot be expanded; leave it out with `where`"
    with pytest.raises(ValueError, match=message):
        expand(classifier(kernel_constraint="max_norm"))


def test_lora_is_refused():
    model = classifier()
    model.get_layer("ffn_out").enable_lora(2)
    with pytest.raises(ValueError, match=r"'ffn_out' has LoRA enabled .* with `where`. Received"):
        expand(model)


@keras_numpy
def test_a_quantized_layer_is_refused_and_can_be_left_out():
    model = classifier()
    model.get_layer("ffn_out").quantize("int8")
    with pytest.raises(ValueError, match=r"'ffn_out' is quantized .* with `where`. Received"):
        expand(model)
    new = expand(model, where="ffn_in")
    np.testing.assert_array_equal(*(m.get_layer("ffn_out").kernel.numpy() for m in (model, new)))


@keras.saving.register_keras_serializable(package="tests")
class Block(layers.Layer):
    """A block that makes its layers itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4, name="inner")

    def call(self, inputs):
        return self.dense(inputs)


def test_a_block_that_hides_a_dense_is_refused_and_can_be_left_out():
    inputs = keras.Input((4,))
    x = layers.Dense(4, activation="relu", name="first")(Block(name="block")(inputs))
    model = randomize(keras.Model(inputs, layers.Dense(2)(x)))
    message = "'inner' cannot be replaced: its block 'block' .* with `where`. Received: Block"
    with pytest.raises(ValueError, match=message):
        expand(model)
    assert_same_function(model, expand(model, where="first"), draw(3, 4))


def test_a_layer_without_config_is_named():
    class Hidden(layers.Layer):
        def __init__(self, scale, layer):
            super().__init__(name="hidden")
            self.scale = [scale, layer]

        def call(self, inputs):
            return inputs * self.scale[0]

    inputs = keras.Input((4,))
    x = layers.Dense(4, activation="relu")(Hidden(2.0, None)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    with pytest.raises(
        ValueError, match=r"Layer 'hidden' cannot be made again .* Received: Hidden"
    ):
        expand(model)


def test_subclassed_and_unbuilt_models_are_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match=r"functional or Sequential .* Received: .*Subclassed"):
        expand(Subclassed())
    with pytest.raises(ValueError, match=r"'later' must be built first.* Received"):
        expand(keras.Sequential([layers.Dense(2)], name="later"))
    with pytest.raises(ValueError, match=r"functional or Sequential .* Received: .*Dense"):
        expand(layers.Dense(2))


@pytest.mark.parametrize("argument", ["expansion", "depth"])
def test_arguments_are_checked(argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be an integer"):
        expand(classifier(), **{argument: 0})
