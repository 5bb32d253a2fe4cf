"""compress: what is pruned, clustered and trained for integers is what TFLM and C compute."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from generated_c import compare, needs_compiler
from keras import layers
from needs import needs_tflm, needs_tfmot
from tiny_models import chain, disturb, encoder, forward, normal, settle, signal_to_noise, sounds

import tfhrf
from tfhrf.compression import constants, library, network, pipeline, quantization_aware
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import convert
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.models import Conformer, ConvTransformer, SpeechFormer


@pytest.fixture(scope="module")
def model():
    return encoder(width=32, hidden=64, blocks=1)


@pytest.fixture(scope="module")
def examples():
    return sounds(96)


@pytest.fixture
def trained(monkeypatch):
    """What training for integers made is looked at, were it further from the floats than before."""
    monkeypatch.setattr(pipeline, "nearer", lambda graph, before, after, examples: after)


def kernels_of(content, kind="FULLY_CONNECTED"):
    """Integer kernels of a graph's operators of a kind, large ones."""
    graph = graphs.read(content)
    subgraph = graph.subgraphs[0]
    found = []
    for operator in subgraph.operators:
        if graphs.operator_name(graph, operator) == kind:
            tensor = subgraph.tensors[operator.inputs[1]]
            data = bytes(graph.buffers[tensor.buffer].data)
            found.append(np.frombuffer(data, np.int8).reshape(graphs.shape_of(tensor)))
    return [kernel for kernel in found if kernel.size >= constants.CLUSTERED[kind]]


@needs_tfmot
@pytest.mark.parametrize("backbone", [ConvTransformer, Conformer, SpeechFormer])
def test_a_backbone_is_rebuilt_operator_by_operator(backbone):
    model = backbone((60, 16), 4)
    rebuilt = network.rebuild(convert.float_graph(model, "int8"))
    x = normal(3, 60, 16)
    network.compare(rebuilt, [forward(model, x)], [x])
    rebuilt.parts[2].weights["kernel"].assign_add(tf.ones_like(rebuilt.parts[2].weights["kernel"]))
    with pytest.raises(ValueError, match="something else than the model"):
        network.compare(rebuilt, [forward(model, x)], [x])


OPERATIONS = {
    "strided": lambda x: x[:, 1:9:2, ::-1][:, :, 0] + x[:, 2:6, 3],
    "padded": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]]) * 2.0,
    "stacked": lambda x: tf.stack([x, 2.0 * x], axis=2),
    "reduced": lambda x: tf.reduce_max(x, 1) - tf.reduce_sum(x, 1) / 3.0,
    "divided": lambda x: x / (1.5 + tf.abs(x)),
    "chosen": lambda x: tf.maximum(x, 0.1 * x) - tf.minimum(x, 0.5 * x - 0.1),
    "curves": lambda x: tf.sigmoid(x) * tf.tanh(x) + tf.nn.leaky_relu(x) + tf.nn.relu6(x),
    "pools": lambda x: tf.nn.max_pool1d(x, 2, 2, "VALID") + tf.nn.avg_pool1d(x, 2, 2, "SAME"),
    "products": lambda x: tf.matmul(x, x, transpose_b=True) / 8.0,
}


@needs_tfmot
@pytest.mark.parametrize("name", OPERATIONS)
def test_operators_compute_what_the_model_does(name):
    model = chain(OPERATIONS[name])
    rebuilt = network.rebuild(convert.float_graph(model, "int8"))
    x = normal(5, 12, 8)
    network.compare(rebuilt, [forward(model, x)], [x])


@needs_tfmot
@needs_tflm
@needs_compiler
@pytest.mark.usefixtures("trained")
def test_pruned_and_trained_for_integers(model, examples, tmp_path):
    moved = []
    how = {"prune": 0.5, "quantize": "qat", "steps": 8, "advance": moved.append}
    found = tfhrf.compress(model, examples, **how)
    assert sum(moved) == 2 * 8
    assert list(found.steps) == ["folded", "pruned", "qat"]
    assert found.content == found.steps["qat"]
    for step in ("pruned", "qat"):
        kernels = kernels_of(found.steps[step])
        assert len(kernels) > 3
        for kernel in kernels:
            outputs, depth = kernel.shape
            blocks = kernel.reshape(outputs // 2, 2, depth // 4, 4).swapaxes(1, 2)
            assert (blocks == 0).all(axis=(2, 3)).mean() >= 0.5
    report = compare(found.content, tmp_path, 20)
    assert "tfhrf_sparse.h" in report["files"]


@needs_tfmot
@needs_tflm
@needs_compiler
@pytest.mark.usefixtures("trained")
def test_clustered_and_trained_for_integers(model, examples, tmp_path, capsys):
    batches = tf.data.Dataset.from_tensor_slices((examples, np.zeros(96))).batch(32)
    found = tfhrf.compress(model, examples, cluster=9, quantize="qat", steps=8, batches=batches)
    assert "16/16" in capsys.readouterr().out  # steps
    assert list(found.steps) == ["folded", "clustered", "qat"]
    for step in ("clustered", "qat"):
        assert all(len(np.unique(kernel)) <= 9 for kernel in kernels_of(found.steps[step]))
    # It still computes what the model does.
    expected = forward(model, examples)
    assert signal_to_noise(expected, runners.predict(found.content, examples)) > 15
    report = compare(found.content, tmp_path, 20)
    assert "tfhrf_clustered.h" in report["files"]
    np.testing.assert_array_equal(
        runners.predict(found.tflm, examples), runners.predict(found.content, examples)
    )


@needs_tfmot
@needs_tflm
@needs_compiler
def test_depthwise_kernels_are_clustered(tmp_path):
    frames = keras.Sequential(
        [
            keras.Input((30, 36)),
            keras.layers.DepthwiseConv1D(9, padding="same", activation="relu"),
            keras.layers.Dense(32),
        ]
    )
    disturb(frames)
    found = tfhrf.compress(frames, normal(64, 30, 36), cluster=16, quantize="qat", steps=4)
    for step in ("clustered", "qat"):
        (kernel,) = kernels_of(found.steps[step], "DEPTHWISE_CONV_2D")
        assert len(np.unique(kernel)) <= 16
    report = compare(found.content, tmp_path, 20)
    assert (
        report["constant_bytes"]
        < 0.62 * tfhrf.to_c(found.steps["folded"], tmp_path)["constant_bytes"]
    )


@pytest.fixture
def begun(monkeypatch):
    """Decibels of the networks that training for integers begins with."""
    seen, tune = [], quantization_aware.tune

    def look(network, lessons, *more):
        inputs, expected = next(iter(lessons.dataset))
        found = network.model(list(inputs), training=True)
        seen.append(signal_to_noise(np.asarray(expected), np.asarray(found)))
        tune(network, lessons, *more)

    monkeypatch.setattr(quantization_aware, "tune", look)
    return seen


@needs_tfmot
@needs_tflm
@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("backbone", [ConvTransformer, Conformer, SpeechFormer])
def test_backbones_trained_for_integers(backbone, begun, tmp_path):
    keras.utils.set_random_seed(0)
    model, x = tfhrf.fold(backbone((60, 16), 4)), sounds(64, 60, 16)
    settle(model, x)
    # Weights that nothing has trained amplify what is rounded: training may not help, nor harm.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Training for integers left the outputs at")
        found = tfhrf.compress(model, x, quantize="qat", steps=10)
    compare(found.content, tmp_path, 20)
    expected = forward(model, x)
    before, after = (
        signal_to_noise(expected, runners.predict(content, x)) for content in found.steps.values()
    )
    # Training begins as near to the float model as the int8 graph is.
    assert begun[0] >= before - 3
    assert after >= before


@needs_tfmot
@needs_tflm
@pytest.mark.usefixtures("trained")
def test_what_trains_rounds_as_the_integers_do(begun):
    # Of inputs that are all about 1 or -1 the sum of squares is never near zero.
    model = chain(layers.LayerNormalization(), layers.Dense(5))
    signs = np.sign(np.arange(8) % 2 - 0.5) * np.sign(normal(64, 12, 1))
    x = (signs * np.random.default_rng(0).uniform(0.9, 1.1, (64, 12, 8))).astype("f4")
    found = tfhrf.compress(model, x, quantize="qat", steps=1)
    integers = signal_to_noise(forward(model, x), runners.predict(found.steps["folded"], x))
    assert begun[0] >= integers - 3


def test_the_graph_that_comes_nearer_is_kept(model, examples):
    good = tfhrf.to_tflite(model, examples)
    bad = tfhrf.to_tflite(model, 100 * examples)
    graph = convert.float_graph(model, "int8")
    with pytest.warns(UserWarning, match="what was there before is kept"):
        assert pipeline.nearer(graph, good, bad, [examples]) == good
    assert pipeline.nearer(graph, bad, good, [examples]) == good


def test_nothing_to_train_is_what_to_tflite_makes(model, examples):
    assert tfhrf.compress(model, examples).content == tfhrf.to_tflite(model, examples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prune": 1.0}, "`prune` must be"),
        ({"cluster": 17}, "`cluster` must be"),
        ({"cluster": 4, "prune": 0.5}, "pruned or clustered"),
        ({"quantize": "int4"}, "`quantize` must be"),
        ({"quantize": "qat", "steps": 0}, "`steps` must be"),
    ],
)
def test_wrong_arguments(model, examples, arguments, message):
    with pytest.raises(ValueError, match=message + ".*Received: "):
        tfhrf.compress(model, examples, **arguments)


@needs_tfmot
@pytest.mark.parametrize(("depth", "units"), [(512, 2), (4, 256), (1024, 1)])
def test_kernels_of_one_block_are_pruned(depth, units):
    model = chain(layers.Dense(units), shape=(depth,))
    found = tfhrf.compress(model, normal(32, depth), prune=0.5, steps=2)
    (kernel,) = kernels_of(found.content)
    assert (kernel == 0).mean() >= 0.5


@needs_tfmot
def test_batches_may_be_dicts_and_outputs_several():
    inputs = {name: keras.Input((16,), name=name) for name in ("one", "other")}
    y = layers.Dense(64, activation="relu")(layers.Concatenate()([*inputs.values()]))
    model = keras.Model(inputs, [layers.Dense(3)(y), layers.Dense(2)(y)])
    disturb(model)
    data = {"one": normal(32, 16), "other": normal(32, 16, seed=1)}
    batches = tf.data.Dataset.from_tensor_slices((data, np.zeros(32))).batch(16)
    found = tfhrf.compress(model, [*data.values()], prune=0.5, steps=2, batches=batches)
    assert (kernels_of(found.content)[0] == 0).mean() >= 0.5


@needs_tfmot
def test_models_that_trained_in_half_precision():
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    hidden, head = (layers.Dense(n, dtype=policy) for n in (256, 3))
    model = chain(hidden, layers.LeakyReLU(dtype=policy), head, shape=(64,))
    found = tfhrf.compress(model, normal(32, 64), prune=0.5, steps=2)
    assert len(kernels_of(found.content)) == 1


@needs_tfmot
def test_what_the_quantizer_leaves_out_is_trained_with():
    model = chain(layers.Dense(16), lambda x: x[:, None, :, None] * 2.0, layers.Dense(3))
    found = tfhrf.compress(model, normal(32, 12, 8), quantize="qat", steps=1)
    assert list(found.steps) == ["folded", "qat"]


@needs_tfmot
def test_wrong_batches(model, examples):
    with pytest.raises(ValueError, match=r"tf\.data\.Dataset.*Received: ndarray"):
        tfhrf.compress(model, examples, prune=0.5, batches=examples)


def test_without_the_library_one_line_says_so(model, examples, monkeypatch):
    library.load.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    with pytest.raises(library.LibraryError) as caught:
        tfhrf.compress(model, examples, quantize="qat")
    assert "pip install tfhrf[tfmot]" in str(caught.value)
    assert "\n" not in str(caught.value)
    library.load.cache_clear()
    # Post-training quantization needs none of it.
    tfhrf.compress(model, examples)


def test_the_library_is_loaded_where_it_is_needed():
    program = (
        "import sys, tfhrf; tfhrf.compress; tfhrf.fold; tfhrf.to_tflite;"
        "sys.exit('tf_keras' in sys.modules or 'tensorflow_model_optimization' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
