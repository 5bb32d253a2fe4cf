"""Graphs that keep a state: C equals TensorFlow Lite Micro over a sequence of calls."""

import copy
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from generated_c import COMPILERS, FLAGS, compare, needs_compiler
from needs import needs_tflm
from single_operators import Spec, chained, constant, single
from test_compiler_operators import int8, options, scale, tensor, zero_point
from tflite_graphs import operators
from tiny_models import chain, normal

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.quantize import kept_errors

pytestmark = [needs_compiler, needs_tflm]


def lstm(rng, x, y, cell_power, clip=0.0):
    """An operator for `chained`."""
    units, depth = y.shape[-1], x.shape[-1]
    gates: list = [[], [], []]
    for _ in range(4):
        scales = [scale(rng, -8, -6) for _ in range(2)]
        gates[0].append(constant(int8(rng, units, depth), scales[0]))
        gates[1].append(constant(int8(rng, units, units), scales[1]))
        bias_scale = (float(np.float32(x.scales[0] * scales[0][0])),)
        gates[2].append(constant(rng.integers(-3000, 3000, units).astype(np.int32), bias_scale))
    hidden = Spec((1, units), y.scales, y.zero_point, variable=True)
    cell = Spec((1, units), (2.0**cell_power,), 0, "int16", variable=True)
    none: list = [None]
    inputs = [x, *gates[0], *gates[1], *none * 3, *gates[2], *none * 2, hidden, cell, *none * 4]
    made = options("UnidirectionalSequenceLSTM", fusedActivationFunction=4, cellClip=clip)
    return "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], made


@pytest.mark.parametrize("seed", range(8))
def test_lstm(seed, tmp_path):
    rng = np.random.default_rng(seed)
    steps, depth, units = (int(n) for n in rng.integers(1, 12, 3))
    x = Spec((1, steps, depth), scale(rng, -7, -4), zero_point(rng))
    y = Spec((1, steps, units), (1 / 128,), 0)
    if seed % 2:
        y = Spec(y.shape, scale(rng, -8, -6), zero_point(rng))
    power = [-11, -12, -15, -10][seed % 4]
    operators = [lstm(rng, x, y, power, clip=[0.0, 0.5][seed // 4])]
    if seed in (2, 5):
        z = Spec(y.shape, scale(rng, -7, -6), zero_point(rng))
        operators.append(lstm(rng, y, z, power))
    report = compare(chained(operators), tmp_path, 12, seed)
    assert report["state_bytes"] == 3 * units * len(operators)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_svdf(dtype, seed, tmp_path):
    rng = np.random.default_rng(seed)
    depth, units, rank, memory = (int(n) for n in rng.integers(1, 8, 4))
    filters = units * rank
    x, y = tensor(rng, 1, depth), Spec((1, units), scale(rng, -5, -1), zero_point(rng))
    features = constant(int8(rng, filters, depth), scale(rng, -8, -6))
    limit = 127 if dtype == "int8" else 3000
    times = rng.integers(-limit, limit, (filters, memory)).astype(dtype)
    weights = constant(times, scale(rng, -8, -6) if dtype == "int8" else scale(rng, -13, -11))
    state_scale = scale(rng, -4, -2) if dtype == "int8" else scale(rng, -12, -10)
    state = Spec((1, memory * filters), state_scale, 0, dtype, variable=True)
    bias = constant(
        rng.integers(-5000, 5000, units).astype(np.int32),
        (float(np.float32(state.scales[0] * weights.scales[0])),),
    )
    made = options("SVDF", rank=rank, fusedActivationFunction=1)
    inputs = [x, features, weights, bias, state]
    compare(single("SVDF", inputs, [y], made), tmp_path, 30, seed)


class Stream(tf.Module):
    """Two layers over the latest frames; what they were before, and what they are then."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(1)
        first = rng.standard_normal((1, 3, 4)).astype("float32")
        self.frames = tf.Variable(first, name="frames")
        self.hidden = tf.Variable(tf.zeros((1, 2, 5)), name="hidden")
        self.kernels = [
            tf.constant(rng.standard_normal(shape).astype("float32"))
            for shape in ((12, 5), (10, 2))
        ]

    @tf.function(input_signature=[tf.TensorSpec((1, 1, 4))])
    def step(self, x):
        frames = tf.concat([self.frames, x], 1)
        self.frames.assign(frames[:, 1:])
        hidden = tf.nn.relu(tf.matmul(tf.reshape(frames[:, 1:], (1, 12)), self.kernels[0]))
        past = tf.concat([self.hidden[:, 1:], hidden[:, None]], 1)
        self.hidden.assign(past)
        return tf.matmul(tf.reshape(past, (1, 10)), self.kernels[1]), frames


def streaming():
    module = Stream()

    def examples():
        rng = np.random.default_rng(0)
        return ([rng.standard_normal((1, 1, 4)).astype("float32")] for _ in range(30))

    with kept_errors():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [module.step.get_concrete_function()], module
        )
        converter.experimental_enable_resource_variables = True
        converter._experimental_variable_quantization = True
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter.convert()


RESET = """
#include <string.h>
#include "model_golden.h"
int main(void)
{
    int8_t first0[MODEL_OUTPUT0_ELEMENTS], first1[MODEL_OUTPUT1_ELEMENTS];
    int8_t again0[MODEL_OUTPUT0_ELEMENTS], again1[MODEL_OUTPUT1_ELEMENTS];
    static int32_t memory[MODEL_ARENA_BYTES / 4 + 1];
    model_state mine;
    const int begun = model_invoke(model_golden_input, first0, first1);
    model_reset_in(&mine);
    const int ended = model_invoke(model_golden_input, again0, again1);
    const int differs = memcmp(first0, again0, sizeof first0) != 0;
    const int own = model_invoke_in(memory, &mine, model_golden_input, again0, again1);
    const int same = memcmp(first0, again0, sizeof first0) == 0;
    return begun + ended + own == 0 && differs && same && model_golden_test() ? 0 : 1;
}
"""


def read_again(content):
    """A graph in which what has been assigned is read from the variable."""
    graph = graphs.read(content)
    subgraph = graph.subgraphs[0]
    for assign in list(subgraph.operators):
        if graphs.operator_name(graph, assign) == "ASSIGN_VARIABLE":
            handle, value = assign.inputs
            tensor = copy.copy(subgraph.tensors[value])
            subgraph.tensors.append(tensor)
            again = len(subgraph.tensors) - 1
            read = graphs.make_operator(graph, "READ_VARIABLE", None, [handle], [again])
            at = graphs.position(subgraph, assign) + 1
            for operator in subgraph.operators[at:]:
                operator.inputs = [again if i == value else i for i in operator.inputs]
            subgraph.operators.insert(at, read)
    return graphs.write(graph)


@pytest.mark.parametrize("again", [False, True])
def test_variables(again, tmp_path):
    content = read_again(streaming()) if again else streaming()
    assert operators(content).count("READ_VARIABLE") == (4 if again else 2)
    report = compare(content, tmp_path, 40)
    assert report["state_bytes"] == 22
    (tmp_path / "main.c").write_text(RESET)
    command = [COMPILERS[0], *FLAGS, "main.c", "model.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


def test_tflm_forgets_between_interpreters():
    """What lets `compare` begin at the beginning."""
    content = streaming()
    x = np.full((2, 1, 4), 77, np.int8)
    for one, two in zip(runners.invoke(content, x), runners.invoke(content, x), strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one[0] != one[1]).any()


def test_control_flow_is_still_refused():
    def halves(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 0.5), (0, x))[1]

    with pytest.raises(ValueError, match=r"no control flow\. Received: 3 subgraphs"):
        tfhrf.to_tflite(chain(halves), normal(9, 12, 8))
