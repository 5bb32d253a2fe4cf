"""Running graphs in TensorFlow Lite Micro, with the wheel and without."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from needs import needs_tflm
from places import EXAMPLE, ROOT
from tiny_models import chain, encoder, normal, sounds

from tfhrf import to_tflite
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter


@pytest.fixture(scope="module")
def content():
    return to_tflite(encoder(blocks=1), sounds(60, seed=1))


def test_nothing_loads_tensorflow_before_it_is_needed():
    program = (
        "import sys, tfhrf; from tfhrf.deploy import runners;"
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
    graphs.check(graphs.read(content), True)
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
def test_a_graph_that_tflm_refuses_is_an_error(capfd):
    graph = graphs.read(to_tflite(chain(tf.nn.relu), precision="float32"))
    graph.operatorCodes[0].builtinCode = graphs.schema.BuiltinOperator.GELU
    graph.operatorCodes[0].deprecatedBuiltinCode = 127
    graph.subgraphs[0].operators[0].builtinOptionsType = 0
    with pytest.raises(RuntimeError, match="refuses the graph"):
        runners.invoke(graphs.write(graph), normal(1, 12, 8))
    with pytest.raises(RuntimeError, match="TensorFlow Lite Micro failed to run the graph"):
        runners.arena_bytes(graphs.write(graph))
    assert "GELU" in capfd.readouterr().err


def test_without_the_wheel_running_is_a_clear_error(monkeypatch, content):
    monkeypatch.setitem(__import__("sys").modules, "tflite_micro", None)
    assert not runners.available()
    with pytest.raises(ImportError, match=r"needs the package tflite-micro.*x86-64 Linux only"):
        runners.invoke(content, np.zeros((1, 60, 12), "int8"))
