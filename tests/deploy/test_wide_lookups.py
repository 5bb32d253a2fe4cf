"""Functions of one value and comparisons in 16 bits: near to Keras, and C equals TFLM."""

import keras
import numpy as np
import pytest
from generated_c import compare, needs_compiler
from keras import activations, layers, ops
from needs import needs_tflm
from test_lookups import all_of, decibels
from tflite_graphs import operators
from tiny_models import chain, disturb, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners

pytestmark = [needs_compiler, needs_tflm]

# Measured: at least 6 dB more of each.
SMOOTH = {
    "sin": (ops.sin, 75),
    "erf": (ops.erf, 75),
    "softplus": (activations.softplus, 65),
    "selu": (activations.selu, 65),
    "exp": (ops.exp, 50),
    "power": (lambda x: ops.power(ops.abs(x) + 0.1, 1.7), 50),
    "log": (lambda x: ops.log(ops.abs(x) + 0.3), 45),
    "log_softmax": (ops.log_softmax, 45),
    "logsumexp": (lambda x: ops.logsumexp(x, 1), 40),
    "not a number": (ops.nan_to_num, 75),
}
# Of comparisons: each stands exactly where it should, but for the rounding of what is compared.
CHOICES = {
    "comparisons": {
        "above": lambda x: ops.where(x > 0.5, x, 0.0),
        "at least": lambda x: ops.where(x >= 0.5, 0.3, x),
        "below": lambda x: ops.where(x < x[:, ::-1], x * x, -1.0),
        "at most": lambda x: ops.where(x[:, :1] <= x, 0.0, x),
        "equal": lambda x: ops.where(ops.equal(x, ops.max(x, 1, keepdims=True)), 1.0, x),
        "unequal": lambda x: ops.where(ops.not_equal(x, ops.max(x, 1, keepdims=True)), 0.0, x),
    },
    "logic": {
        "and": lambda x: ops.where(ops.logical_and(x > -0.5, x < 0.5), x, 0.0),
        "or": lambda x: ops.where(ops.logical_or(x > 0.5, x[:, ::-1] < 0.5), x, -1.0),
        "not": lambda x: ops.where(ops.logical_not(x > 0.5), 2.0, -1.0),
        "moved": lambda x: ops.where(ops.transpose(x > 0, (0, 2, 1))[:, :1], 1.0, x[:, :, :1]),
        "counted": lambda x: ops.cast(x > 0, "float32") * x,
    },
    "layers": {
        "shrunk": activations.soft_shrink,
        "clipped": layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2),
    },
}


@pytest.mark.parametrize("name", SMOOTH)
def test_lines_come_near_to_functions(name, tmp_path):
    function, least = SMOOTH[name]
    model, data = chain(function, shape=(7, 5)), normal(40, 7, 5)
    content = tfhrf.to_tflite(model, data, precision="int16x8")
    compare(content, tmp_path, 20)
    assert signal_to_noise(forward(model, data), runners.predict(content, data)) > least


@pytest.mark.parametrize("functions", [("exp", "sin"), ("softplus", "log")])
def test_lines_on_all_values(functions, tmp_path):
    x = keras.Input((256, 256))
    model = keras.Model(x, [SMOOTH[name][0](x) for name in functions])
    content = tfhrf.to_tflite(model, normal(2, 256, 256), precision="int16x8")
    every = np.arange(-32768, 32768).astype(np.int16).reshape(1, 256, 256)
    compare(content, tmp_path, 1, examples=[[every]])
    assert (tmp_path / "model.c").read_text().count("tfhrf_lines16_rows(") == 2


def test_functions_of_one_value_share_its_part(tmp_path):
    x = keras.Input((6, 4))
    hidden = layers.Dense(8)(x)
    model = keras.Model(x, [ops.sin(hidden), ops.cos(hidden), ops.sin(ops.cos(hidden))])
    disturb(model)
    content = tfhrf.to_tflite(model, data := normal(40, 6, 4), precision="int16x8")
    compare(content, tmp_path, 20)
    # Their parts lie alike, as the functions are nowhere flat at the ends.
    assert operators(content).count("CAST") == 1
    assert operators(content).count("GATHER") == 9
    # Measured: 44 dB, which 8-bit weights leave.
    assert min(decibels(model, content, data)) > 40


@pytest.mark.parametrize("kind", CHOICES)
def test_choices_in_16_bits(kind, tmp_path):
    model, data = all_of(CHOICES[kind], (7, 5)), normal(40, 7, 5)
    content = tfhrf.to_tflite(model, data, precision="int16x8")
    compare(content, tmp_path, 10)
    found = dict(zip(CHOICES[kind], decibels(model, content, data), strict=True))
    # Where a difference of two values is below half a step, the other one may be chosen.
    assert min(found.values()) > 40, found
