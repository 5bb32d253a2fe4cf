"""Graphs of to_tflite: what they compute, hold and cost."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from needs import needs_tflm
from tflite_graphs import operators, run_float
from tiny_models import chain, encoder, forward, normal, signal_to_noise, sounds

import tfhrf
from tfhrf import to_tflite
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import arena
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter
from tfhrf.deploy.tflite.tflm_operators import check_supported


@pytest.fixture(scope="module")
def model():
    return encoder()


@pytest.fixture(scope="module")
def converted(model):
    data = sounds(60, seed=1)
    return {
        precision: to_tflite(model, data, precision=precision)
        for precision in ("float32", "int8", "int16x8")
    }


def signature(content):
    interpreter = make_interpreter(content)
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()
    return (tuple(x["shape"]), x["dtype"]), (tuple(y["shape"]), y["dtype"])


@needs_tflm
def test_float32_equals_keras_in_tflm(model, converted):
    data = sounds(20, seed=2)
    np.testing.assert_allclose(
        runners.predict(converted["float32"], data), forward(model, data), atol=1e-4
    )


# Measured: int8 27.2 dB and a largest error of 3.4 % of the range; int16x8 34.4 dB and 1.5 %, which
# its 8-bit weights cost.
@needs_tflm
@pytest.mark.parametrize(
    ("precision", "decibels", "largest"), [("int8", 24, 0.05), ("int16x8", 31, 0.025)]
)
def test_integer_graphs_keep_the_accuracy_in_tflm(model, converted, precision, decibels, largest):
    data = sounds(100, seed=2)
    expected, found = forward(model, data), runners.predict(converted[precision], data)
    assert signal_to_noise(expected, found) > decibels
    assert np.abs(found - expected).max() < largest * np.ptp(expected)
    first, second = np.sort(expected)[:, :-3:-1].T
    clear = first - second > 2 * largest * np.ptp(expected)
    assert clear.sum() > 50
    assert (found.argmax(1) == expected.argmax(1))[clear].all()


@pytest.mark.parametrize(
    ("precision", "dtype"), [("int8", np.int8), ("int16x8", np.int16), ("float32", np.float32)]
)
def test_graphs_are_static_and_of_one_type(converted, precision, dtype):
    content = converted[precision]
    assert signature(content) == (((1, 60, 12), dtype), ((1, 4), dtype))
    kinds = {graphs.type_name(tensor) for tensor in graphs.read(content).subgraphs[0].tensors}
    assert ("float32" in kinds) == (precision == "float32")
    assert not {"SHAPE", "DEQUANTIZE", "QUANTIZE", "NEG"} & set(operators(content))


# Measured: 67 and 37 dB ("dynamic" rounds the inputs of Dense layers to 8 bits, too). The weights
# are most of the files: graph and names weigh little.
@pytest.mark.parametrize(
    ("precision", "size", "decibels"), [("float16", 0.52, 60), ("dynamic", 0.28, 34)]
)
def test_float16_and_dynamic_are_smaller_and_run_in_tflite(precision, size, decibels):
    model = chain(layers.Dense(768, "relu"), layers.LayerNormalization(), layers.Dense(256))
    data = normal(10, 12, 8)
    content = to_tflite(model, precision=precision)
    assert len(content) < size * len(to_tflite(model, precision="float32"))
    assert signature(content) == (((1, 12, 8), np.float32), ((1, 12, 256), np.float32))
    found = run_float(content, data)
    assert signal_to_noise(forward(model, data), found) > decibels
    # Weights were rounded: this is not the float32 graph.
    assert np.abs(found - forward(model, data)).max() > 1e-5


@needs_tflm
@pytest.mark.parametrize("activation", ["relu", "silu", "sigmoid", "tanh"])
@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
def test_activations_run_in_tflm(activation, precision):
    small = encoder(frames=24, blocks=1, activation=activation)
    data = sounds(30, frames=24)
    found = runners.predict(to_tflite(small, data, precision=precision), data)
    # Measured: at least 26.4 dB.
    assert signal_to_noise(forward(small, data), found) > 24


def test_attention_takes_few_operators_and_little_memory(converted):
    used = operators(converted["int8"])
    counts = {name: used.count(name) for name in set(used)}
    # Two blocks of 15 tokens: heads stay together, scale, gamma and beta are in the weights.
    assert counts["SOFTMAX"] == 2
    assert counts["FULLY_CONNECTED"] == 2 * 6 + 1
    assert counts["BATCH_MATMUL"] == 2 * 2 + 5
    # 5 in the norms, 2 silus, gamma of the last norm.
    assert counts["MUL"] == 5 + 2 + 1
    graph = graphs.read(converted["int8"])
    products = [
        op
        for op in graph.subgraphs[0].operators
        if graphs.operator_name(graph, op) == "BATCH_MATMUL"
    ]
    assert all(op.builtinOptions.adjY for op in products)


@needs_tflm
def test_long_sequences_take_one_head_at_a_time():
    data = sounds(6, frames=300, mels=64)
    large = encoder(frames=300, mels=64, width=48, heads=4, hidden=96)
    contents = {p: to_tflite(large, data, precision=p) for p in ("float32", "int8", "int16x8")}
    for content in contents.values():
        used = operators(content)
        assert used.count("SOFTMAX") == 2 * 4
        assert used.count("SPLIT") == 2 * 3
        assert "QUANTIZE" not in used
    np.testing.assert_allclose(
        runners.predict(contents["float32"], data), forward(large, data), atol=1e-4
    )
    # Together, the scores of 4 heads before and after softmax alone are 45,000 bytes.
    assert arena.peak_bytes(graphs.read(contents["int8"])) < 40_000


def test_tensors_are_in_the_order_that_needs_less_memory():
    """Three equal buffers and one half as large: in the wrong order they need a quarter more."""
    inputs = keras.Input((40, 16, 2))
    x = keras.layers.Conv2D(4, 3, strides=(1, 2), padding="same")(inputs)
    x = keras.layers.DepthwiseConv2D(3, strides=(1, 2), padding="same")(x)
    x = keras.layers.Conv2D(8, 1)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    windows = np.random.default_rng(0).normal(size=(8, 40, 16, 2)).astype("f4")
    content = to_tflite(model, windows, precision="int8")
    graph = graphs.read(content)
    assert arena.peak_bytes(graph) == 2 * 40 * 16 * 2
    graphs.renumber(graph, range(len(graph.subgraphs[0].tensors))[::-1])
    assert arena.peak_bytes(graph) == 2.5 * 40 * 16 * 2
    # The other order is what comes out of it again, and computes the same.
    other = graphs.write(graph)
    arena.order_tensors(graph)
    assert graphs.write(graph) == content
    if runners.available():
        saved = runners.arena_bytes(other) - runners.arena_bytes(content)
        assert saved == pytest.approx(0.5 * 40 * 16 * 2, abs=64)
        found, expected = (runners.predict(one, windows) for one in (other, content))
        np.testing.assert_array_equal(found, expected)


@needs_tflm
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from([(8,), (5, 8), (3, 4, 8)]),
    scale=st.booleans(),
    center=st.booleans(),
    epsilon=st.sampled_from([1e-3, 1e-6]),
    size=st.sampled_from([1e-2, 1.0, 1e2]),
)
def test_lowered_layer_normalization_is_the_same_function(shape, scale, center, epsilon, size):
    model = chain(
        layers.LayerNormalization(epsilon=epsilon, scale=scale, center=center), shape=shape
    )
    data = size * normal(30, *shape)
    content = to_tflite(model, data, precision="float32")
    np.testing.assert_allclose(runners.predict(content, data), forward(model, data), atol=1e-4)
    assert "NEG" not in operators(content)
    # Measured: at least 33.7 and 79.8 dB.
    for precision, decibels in (("int8", 30), ("int16x8", 70)):
        found = runners.predict(to_tflite(model, data, precision=precision), data)
        assert signal_to_noise(forward(model, data), found) > decibels


# Measured: 32.2, 23.4 and 16.2 dB; rounding the input alone leaves 39.3, 27.3 and 20.8. A mean
# of squares rounded to 8 bits each gives 32.2, 16.3 and 10.6: the bounds tell them apart.
@needs_tflm
@pytest.mark.parametrize(("spread", "decibels"), [(1, 29), (10, 20), (30, 13)])
def test_layer_normalization_of_tokens_of_different_scale(spread, decibels):
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.uniform(-np.log(spread), 0, (100, 20, 1)))
    data = (sizes * rng.standard_normal((100, 20, 48))).astype("float32")
    model = chain(layers.LayerNormalization(), shape=(20, 48))
    found = runners.predict(to_tflite(model, data), data)
    assert signal_to_noise(forward(model, data), found) > decibels


@needs_tflm
def test_silent_tokens_do_not_spoil_the_others():
    data = normal(100, 20, 48)
    data[:, ::7] *= 1e-3
    model = chain(layers.LayerNormalization(), shape=(20, 48))
    expected, found = forward(model, data), runners.predict(to_tflite(model, data), data)
    loud = np.arange(20) % 7 > 0
    # Measured: 31.3 dB; 27.2 dB if the range of RSQRT reaches up to the silent tokens.
    assert signal_to_noise(expected[:, loud], found[:, loud]) > 29.5


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_layer_normalization_never_fails_at_invoke(precision, epsilon, size):
    model = chain(layers.LayerNormalization(epsilon=epsilon), shape=(10, 16))
    content = to_tflite(model, size * normal(20, 10, 16), precision=precision)
    assert_survives_extremes(content, (10, 16), precision)


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_the_encoder_never_fails_at_invoke(converted, precision):
    assert_survives_extremes(converted[precision], (60, 12), precision)


def assert_survives_extremes(content, shape, precision):
    dtype = np.dtype("int8" if precision == "int8" else "int16")
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    inputs = [
        np.full((1, *shape), limits.min),
        np.full((1, *shape), limits.max),
        np.zeros((1, *shape)),
        rng.integers(limits.min, limits.max, (20, *shape), endpoint=True),
        rng.choice([limits.min, limits.max], (20, *shape)),
    ]
    outputs = runners.invoke(content, np.concatenate(inputs).astype(dtype))
    assert len(outputs) == 43
    # The outputs follow the inputs: the graph did not give up.
    assert len(np.unique(outputs[3:], axis=0)) > 30


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_a_mask_leaves_the_levels_to_the_scores(precision):
    mask = np.where(np.tri(12, 8) > 0, 0, -1000).astype("float32")
    model = chain(lambda x: x + mask, layers.Softmax())
    data = normal(20, 12, 8)
    found = runners.predict(to_tflite(model, data, precision=precision), data)
    # The scores span about 15: a quarter of a level of theirs. Without care the error is 0.7.
    np.testing.assert_allclose(found, forward(model, data), rtol=0, atol=0.02)


@needs_tflm
def test_scores_that_are_read_elsewhere_keep_their_range():
    model = chain(lambda x: 30 * x, lambda x: x + keras.ops.softmax(x))
    data = normal(20, 12, 8)
    expected = forward(model, data)
    found = runners.predict(to_tflite(model, data), data)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@needs_tflm
@pytest.mark.parametrize("axis", [1, -1])
def test_unequal_splits_run_in_tflm_as_slices(axis):
    def swap(x):
        first, _, last = keras.ops.split(x, [3, 4], axis=axis)
        return keras.ops.concatenate([last, first], axis=axis)

    model = chain(swap)
    data = normal(4, 12, 8)
    content = to_tflite(model, precision="float32")
    assert set(operators(content)) == {"SLICE", "CONCATENATION"}
    assert operators(content).count("SLICE") == 2
    np.testing.assert_array_equal(runners.predict(content, data), forward(model, data))
    found = runners.predict(to_tflite(model, data), data)
    assert np.abs(found - forward(model, data)).max() < 0.03


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_names_of_layers_take_no_room(precision):
    model = chain(layers.Dense(3, name="unmistakable"), layers.ReLU())
    assert b"unmistakable" not in to_tflite(model, normal(4, 12, 8), precision=precision)


@needs_tflm
def test_ranges_are_not_read_from_overwritten_tensors():
    # The first product is far below the second, which TensorFlow Lite computes in its place.
    factor = tf.constant(np.linspace(50, 100, 8, dtype="float32"))
    model = chain(lambda x: tf.tanh(x) * tf.sigmoid(x) * factor)
    data = normal(50, 12, 8)
    found = runners.predict(to_tflite(model, data), data)
    # Measured: 38.4 dB.
    assert signal_to_noise(forward(model, data), found) > 34


@needs_tflm
@pytest.mark.parametrize(("low", "high"), [(0, 6), (-1, 1)])
@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
def test_bounded_activations_that_stand_alone(precision, low, high):
    bounded = layers.ReLU(6.0) if low == 0 else lambda x: tf.clip_by_value(x, low, high)
    model = chain(layers.Permute((2, 1)), bounded)
    data = 4 * normal(20, 12, 8)
    content = to_tflite(model, data, precision=precision)
    assert set(operators(content)) == {"MUL", "TRANSPOSE"}
    found = runners.predict(content, data)
    # Half a level of the input and half a level of the output.
    levels = {"float32": np.inf, "int8": 255, "int16x8": 65535}[precision]
    assert np.abs(forward(model, data) - found).max() <= (np.ptp(data) + high - low) / levels


@needs_tflm
@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
@pytest.mark.parametrize("activation", [tf.identity, tf.nn.relu, tf.nn.relu6])
def test_products_of_two_computed_matrices(activation, precision):
    def multiply(x):
        return activation(tf.matmul(x[0], tf.tanh(x[0]), transpose_b=True))[None]

    x = keras.Input(batch_shape=(1, 12, 8))
    model = keras.Model(x, layers.Lambda(multiply)(x))
    data = normal(20, 12, 8)
    content = to_tflite(model, data, precision=precision)
    assert "FULLY_CONNECTED" not in operators(content)
    expected = np.concatenate([forward(model, one[None]) for one in data])
    # Measured: at most 1.6e-7, 0.018 and 8.2e-5 of the largest value.
    tolerance = {"float32": 1e-5, "int8": 0.03, "int16x8": 0.0002}[precision]
    error = np.abs(runners.predict(content, data) - expected).max()
    assert error < tolerance * np.abs(expected).max()


def test_every_example_counts():
    model = chain(layers.Dense(3))
    data = normal(20, 12, 8)
    wider = np.concatenate([data, 10 * data[:1]])
    ranges = [
        graphs.read(to_tflite(model, d)).subgraphs[0].tensors[0].quantization.scale[0]
        for d in (data, wider)
    ]
    assert ranges[1] > 5 * ranges[0]


def test_a_tensor_that_stays_zero_converts():
    model = chain(layers.Dense(4, activation="relu"), layers.Dense(2))
    model.layers[1].set_weights([np.zeros((8, 4)), -np.ones(4)])
    data = normal(10, 12, 8)
    content = to_tflite(model, data)
    if runners.available():
        np.testing.assert_allclose(runners.predict(content, data), forward(model, data), atol=0.02)


def test_the_model_stays_as_it_is(model):
    before = [np.array(weight) for weight in model.get_weights()]
    kinds = [type(layer) for layer in model.layers]
    to_tflite(model, sounds(3))
    assert [type(layer) for layer in model.layers] == kinds
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_conversion_is_quiet(model, capfd):
    to_tflite(model, sounds(3))
    assert capfd.readouterr() == ("", "")


def test_a_folded_model_converts_and_a_factorized_one_does_not():
    model = chain(tfhrf.HRFDense(5, name="factorized"), layers.Dense(2))
    data = normal(10, 12, 8)
    with pytest.raises(ValueError, match=r"'factorized' can still be folded; call tfhrf\.fold"):
        to_tflite(model, data)
    content = to_tflite(tfhrf.fold(model), data, precision="float32")
    np.testing.assert_allclose(run_float(content, data), forward(model, data), atol=1e-5)


def test_nested_and_shared_layers_convert():
    inner = chain(layers.Dense(8), layers.LayerNormalization())
    norm = layers.LayerNormalization()
    model = keras.Sequential([keras.Input((12, 8)), norm, inner, norm, inner])
    data = normal(10, 12, 8)
    content = to_tflite(model, data, precision="float32")
    np.testing.assert_allclose(run_float(content, data), forward(model, data), atol=1e-4)


def test_a_float_left_in_an_integer_graph_is_named():
    graph = graphs.read(to_tflite(chain(layers.Dense(3)), normal(4, 12, 8)))
    graph.subgraphs[0].tensors[graph.subgraphs[0].outputs[0]].type = 0
    with pytest.raises(ValueError, match=r"A float is left in an integer graph: .* type float32"):
        check_supported(graph, True)


def test_a_shape_that_is_not_static_is_named():
    graph = graphs.read(to_tflite(chain(layers.Dense(3)), precision="float32"))
    graph.subgraphs[0].tensors[0].shapeSignature = [1, -1, 8]
    with pytest.raises(ValueError, match=r"A shape is not static: operator FULLY_CONNECTED\. Rec"):
        check_supported(graph, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no model", "no .tflite file"), ("model.tflite", "Received: str"), (b"", "0 bytes")],
)
def test_bytes_that_are_no_graph_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        graphs.read(content)
