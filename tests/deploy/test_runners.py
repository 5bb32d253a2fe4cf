"""Running graphs in TensorFlow Lite Micro, with the wheel and without."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from needs import needs_tflm
from places import EXAMPLE, ROOT
from single_operators import Spec, constant, single
from test_compiler_operators import options
from tiny_models import chain, encoder, forward, normal, signal_to_noise, sounds

from tfhrf import to_tflite
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import fidelity
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter
from tfhrf.deploy.tflite.tflm_operators import check_supported


@pytest.fixture(scope="module")
def content():
    return to_tflite(encoder(blocks=1), sounds(60, seed=1))


def test_nothing_loads_tensorflow_before_it_is_needed():
    program = (
        "import sys, tfhrf; from tfhrf.deploy import page, project, runners;"
        "from tfhrf.data import corpora; tfhrf.to_c;"
        "print({'tensorflow', 'keras'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@needs_tflm
@pytest.mark.skipif(not EXAMPLE.exists(), reason="shared/ is not beside the repository")
def test_the_shared_example_runs():
    content = EXAMPLE.read_bytes()
    check_supported(graphs.read(content), True)
    inputs = np.random.default_rng(0).integers(-128, 128, (3, 50, 40)).astype("int8")
    outputs = runners.invoke(content, inputs)
    assert outputs.shape == (3, 7)
    np.testing.assert_array_equal(runners.invoke(content, inputs[1:2])[0], outputs[1])
    assert runners.arena_bytes(content) == 33_232


@needs_tflm
def test_invoke_and_predict_agree(content):
    data = sounds(5, seed=3)
    interpreter = make_interpreter(content)
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = x["quantization"]
    levels = np.clip(np.round(data / np.float32(scale)) + zero_point, -128, 127).astype("int8")
    outputs = runners.invoke(content, levels)
    assert outputs.dtype == np.int8
    scale, zero_point = y["quantization"]
    np.testing.assert_allclose(
        runners.predict(content, data),
        (outputs.astype(int) - zero_point) * scale,
        rtol=1e-6,
    )


@needs_tflm
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 60, 12), "float32"), r"dtype int8.*Received: \(2, 60, 12\), float32"),
        (np.zeros((60, 12), "int8"), r"shape \('examples', 60, 12\).*Received: \(60, 12\)"),
        ([np.zeros((1, 60, 12), "int8")] * 2, "has 1 inputs. Received: 2 arrays"),
    ],
)
def test_invoke_checks_its_inputs(content, inputs, message):
    with pytest.raises(ValueError, match=message):
        runners.invoke(content, inputs)


@needs_tflm
def test_a_graph_that_tflm_refuses_is_an_error():
    graph = graphs.read(to_tflite(chain(tf.nn.relu), precision="float32"))
    graph.operatorCodes[0].builtinCode = graphs.schema.BuiltinOperator.GELU
    graph.operatorCodes[0].deprecatedBuiltinCode = 127
    graph.subgraphs[0].operators[0].builtinOptionsType = 0
    with pytest.raises(RuntimeError, match=r"refuses the graph.*GELU"):
        runners.invoke(graphs.write(graph), normal(1, 12, 8))
    with pytest.raises(RuntimeError, match="TensorFlow Lite Micro failed to run the graph"):
        runners.arena_bytes(graphs.write(graph))


@needs_tflm
def test_a_graph_that_ends_its_process_is_an_error():
    # An ADD whose output's scale is 2**-30 of its inputs'.
    x, y = Spec((1, 4), (1.0,)), Spec((1, 4), (2.0**-30,))
    bad = single("ADD", [x, Spec((1, 4), (1.0,))], [y])
    good = single("ADD", [x, x], [Spec((1, 4), (1.0,))])
    levels = np.ones((2, 4), np.int8)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"ended its process. Received: SIGABRT"):
            runners.invoke(bad, [levels, levels])
        with pytest.raises(RuntimeError, match=r"failed to run the graph.*status -6"):
            runners.arena_bytes(bad)
        np.testing.assert_array_equal(runners.invoke(good, levels), 2 * levels)


@needs_tflm
def test_a_forked_process_runs_tflm_beside_itself(content):
    data = sounds(2, seed=3)
    expected = runners.predict(content, data)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        equal = np.array_equal(runners.predict(content, data), expected)
        os.write(write, b"equal" if equal else b"other")
        os._exit(0)
    assert os.read(read, 5) == b"equal"
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(runners.predict(content, data), expected)


def test_without_the_wheel_running_is_a_clear_error(monkeypatch, content):
    monkeypatch.setitem(__import__("sys").modules, "tflite_micro", None)
    assert not runners.available()
    with pytest.raises(ImportError, match=r"needs the package tflite-micro.*x86-64 Linux only"):
        runners.invoke(content, np.zeros((1, 60, 12), "int8"))


def sums():
    x, y = Spec((1, 5, 6), (0.1,), 7), Spec((1, 5), (0.2,), -9)
    made = options("Reducer", keepDims=False)
    return single("SUM", [x, constant(np.array([2], np.int32))], [y], made)


def dense_with_many_scales():
    x, y = Spec((1, 3, 8), (0.25,), 11), Spec((1, 3, 4), (0.5,), -3)
    values = np.random.default_rng(0).integers(-127, 128, (4, 8)).astype(np.int8)
    made = options("FullyConnected", keepNumDims=True)
    return single(
        "FULLY_CONNECTED", [x, constant(values, (0.01, 0.02, 0.03, 0.04)), None], [y], made
    )


@needs_tflm
@pytest.mark.parametrize("made", [sums, dense_with_many_scales])
def test_what_reference_kernels_get_wrong_is_left_to_others(made):
    content = made()
    shape = runners.input_shape(content)
    inputs = np.random.default_rng(1).integers(-128, 128, (20, *shape)).astype(np.int8)
    found = [runners.run_reference(content, [one[None]])[0] for one in inputs]
    difference = np.concatenate(found).astype(int) - runners.invoke(content, inputs)
    # In 2.16 the reference kernels are off by hundreds of levels.
    assert np.abs(difference).max() <= 1


@needs_tflm
def test_reference_kernels_predict_several_inputs_and_outputs():
    a, b = keras.Input((4,)), keras.Input((3,))
    hidden = layers.Dense(5, "relu")(layers.Concatenate()([a, b]))
    model = keras.Model([a, b], [layers.Dense(2)(hidden), layers.Dense(3)(hidden)])
    given = [normal(20, 4), normal(20, 3, seed=1)]
    content = to_tflite(model, given)
    pairs = zip(
        runners.predict(content, given), runners.predict_reference(content, given), strict=True
    )
    for expected, found in pairs:
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"has 2 inputs\. Received: 1 arrays"):
        runners.predict_reference(content, given[:1])


@needs_tflm
def test_a_loss_is_that_of_the_device(recwarn):
    """The reference kernel of a root in 16 bits loses its values; the device's does not."""
    x = keras.Input((7, 5))
    model = keras.Model(x, ops.rsqrt(ops.square(x) + 1e-3))
    given = normal(40, 7, 5)
    content = to_tflite(model, given, precision="int16x8")
    assert signal_to_noise(forward(model, given), runners.predict(content, given)) > 20
    assert not [one for one in recwarn if "Quantization leaves" in str(one.message)]


def test_a_loss_on_the_device_alone_is_said(monkeypatch):
    def lost(graph, examples):
        return [np.zeros((len(examples[0]), 3), np.float32)]

    monkeypatch.setattr(fidelity, "on_device", lost)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    with pytest.warns(UserWarning, match=r"output 0 at -?\d+\.\d dB of the float model's"):
        to_tflite(model, normal(40, 8))


def test_no_loss_is_reported_that_is_none(recwarn):
    """Of a norm: its sum is exact, whatever kernels a check runs."""
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(6), layers.Lambda(lambda x: ops.norm(x, axis=-1))]
    )
    to_tflite(model, np.random.default_rng(0).normal(size=(40, 8)).astype("f4"))
    assert not [one for one in recwarn if "dB" in str(one.message)]
