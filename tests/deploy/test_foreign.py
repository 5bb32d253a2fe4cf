"""Files as others export them: shapes that are computed, floats between integers, scales of 0."""

import keras
import numpy as np
import pytest
from generated_c import compile_c, needs_compiler, random_inputs
from keras import layers, ops
from needs import needs_tflm
from single_operators import Spec, chained, constant
from tflite_graphs import expected_of, open_batch
from tiny_models import disturb

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.foreign.adopt import adopt
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.schema import schema

pytestmark = [needs_compiler, needs_tflm]

# What the number of examples is computed for.
OPEN = {
    "reshape": ((12,), lambda x: layers.Dense(3)(layers.Reshape((4, 3))(x))),
    "flatten": ((4, 6), lambda x: layers.Dense(3)(layers.Flatten()(layers.Dense(2)(x)))),
    "frames": ((20, 8), lambda x: layers.Flatten()(layers.Conv1D(4, 3)(x))),
    "dense of frames": ((6, 5), lambda x: layers.Softmax()(layers.Dense(4)(x))),
    "transposed": ((5, 5, 8), lambda x: layers.Conv2DTranspose(3, 3, strides=2)(x)),
    "recurrent": ((6, 5), lambda x: layers.GRU(4, unroll=True)(x)),
    "each frame": ((4, 6, 5), lambda x: layers.TimeDistributed(layers.Conv1D(3, 2))(x)),
    "attention": ((6, 8), lambda x: layers.MultiHeadAttention(2, 4)(x, x)),
}
# And with what TensorFlow Lite's quantizer leaves in floats, or has not in 16 bits.
EIGHT_BITS = {
    "normalization": ((6, 8), lambda x: layers.LayerNormalization()(x)),
    "groups": ((6, 4), lambda x: layers.GroupNormalization(2)(x)),
    "repeated": ((5,), lambda x: layers.RepeatVector(3)(x)),
    "twice as many frames": ((5, 8), lambda x: layers.UpSampling1D(2)(x)),
    "exponentials": ((5, 8), lambda x: layers.Dense(3)(ops.exp(-ops.abs(x)))),
}


def exported(shape, function, wide=False):
    x = keras.Input(shape)
    model = keras.Model(x, function(x))
    disturb(model)
    return open_batch(model, wide)


def same(content, folder):
    """Asserts that C, and the graph that `to_tflm` writes, compute what TensorFlow Lite does."""
    report, call = compile_c(content, folder / "c")
    examples = random_inputs(content, 8)
    graph = graphs.read(content)
    adopt(graph)
    for (example,) in examples:
        (expected,) = expected_of(content, [example])
        np.testing.assert_array_equal(call([example])[0], expected)
        np.testing.assert_array_equal(runners.invoke(graphs.write(graph), example), expected)
    assert tfhrf.to_tflm(content, folder / "tflm")["outputs"] == report["outputs"]
    return report


@pytest.mark.parametrize("name", [*OPEN, *EIGHT_BITS])
def test_of_any_number_of_examples(name, tmp_path):
    report = same(exported(*{**OPEN, **EIGHT_BITS}[name]), tmp_path)
    assert not {"SHAPE", "DEQUANTIZE", "TILE"} & set(report["operators"])


@pytest.mark.parametrize("name", OPEN)
def test_16_bits_of_any_number_of_examples(name, tmp_path):
    """TensorFlow Lite ends the process over the scale 0 that it writes for zeros."""
    content = exported(*OPEN[name], wide=True)
    report, call = compile_c(content, tmp_path / "c")
    graph = graphs.read(content)
    adopt(graph)
    for (example,) in random_inputs(content, 8):
        expected = runners.invoke(graphs.write(graph), example)
        np.testing.assert_array_equal(call([example])[0], expected)
    assert tfhrf.to_tflm(content, tmp_path / "tflm")["inputs"] == report["inputs"]


ISLANDS = {
    "NEG": [("NEG", None)],
    "EXP": [("EXP", None)],
    "two": [("SIN", None), ("SQUARE", None)],
    "with a constant": [("MUL", 0.37), ("ADD", 1.5), ("FLOOR", None)],
}


@pytest.mark.parametrize("name", ISLANDS)
def test_floats_between_integers(name, tmp_path):
    x, y = Spec((1, 256), (0.03,), 11), Spec((1, 256), (0.02,), -7)
    values = Spec(x.shape, dtype="float32")
    operators = [("DEQUANTIZE", [x], [values], None)]
    for operator, factor in ISLANDS[name]:
        result = Spec(x.shape, dtype="float32")
        more = [] if factor is None else [constant(np.float32([factor]))]
        made = {"MUL": schema.MulOptionsT, "ADD": schema.AddOptionsT}.get(operator)
        operators.append((operator, [values, *more], [result], made and made()))
        values = result
    operators.append(("QUANTIZE", [values], [y], None))
    content = chained(operators)
    _, call = compile_c(content, tmp_path)
    levels = np.arange(-128, 128).astype(np.int8)[None]
    (expected,) = expected_of(content, [levels])
    np.testing.assert_array_equal(call([levels])[0], expected)


BEYOND = {"EXP": None, "GELU": schema.GeluOptionsT, "LOG": None, "RELU6": None}


@pytest.mark.parametrize("name", BEYOND)
def test_operators_that_tflm_lacks_or_computes_otherwise(name, tmp_path):
    """TFLM's RELU6 does not rescale."""
    made = BEYOND[name]
    x, y = Spec((1, 256), (0.03,), -128 if name == "LOG" else 11), Spec((1, 256), (0.05,), -70)
    content = chained([(name, [x], [y], made and made())])
    _, call = compile_c(content, tmp_path / "c")
    levels = np.arange(-128, 128).astype(np.int8)[None]
    (expected,) = expected_of(content, [levels])
    np.testing.assert_array_equal(call([levels])[0], expected)
    assert name not in tfhrf.to_tflm(content, tmp_path / "tflm")["operators"]


def test_what_is_not_one_value_between_integers_is_named(tmp_path):
    x = Spec((1, 8), (0.03,), 11)
    floats, result = Spec(x.shape, dtype="float32"), Spec(x.shape, dtype="float32")
    other = constant(np.arange(8, dtype=np.float32))
    operators = [("DEQUANTIZE", [x], [floats], None)]
    operators.append(("MUL", [floats, other], [result], schema.MulOptionsT()))
    operators.append(("QUANTIZE", [result], [Spec(x.shape, (0.1,))], None))
    with pytest.raises(ValueError, match=r"No C code for operator DEQUANTIZE"):
        tfhrf.to_c(chained(operators), tmp_path)


def test_a_file_that_tensorflow_lite_cannot_run_is_one_line(tmp_path):
    x, shape = Spec((1, 8), (0.03,), 11), Spec((2,), dtype="int32")
    y, count = Spec((1, 9), (0.03,), 11), constant(np.array([1, 9], np.int32))
    total = Spec((2,), dtype="int32")
    made = schema.ShapeOptionsT()
    made.outType = schema.TensorType.INT32
    operators = [("SHAPE", [x], [shape], made)]
    operators.append(("MAXIMUM", [shape, count], [total], schema.MaximumMinimumOptionsT()))
    operators.append(("RESHAPE", [x, total], [y], schema.ReshapeOptionsT()))
    with pytest.raises(ValueError, match=r"^The file computes shapes, .*Received: .*RESHAPE"):
        tfhrf.to_c(chained(operators), tmp_path)


def test_shapes_that_do_not_fit_are_named(tmp_path):
    x, y = Spec((1, 8), (0.03,), 11), Spec((1, 9), (0.03,), 11)
    wanted = constant(np.array([1, 9], np.int32))
    content = chained([("RESHAPE", [x, wanted], [y], schema.ReshapeOptionsT())])
    with pytest.raises((ValueError, RuntimeError), match=r"RESHAPE.*Received|Received: .*RESHAPE"):
        tfhrf.to_c(content, tmp_path)


def test_files_that_need_nothing_stay_as_they_are():
    x, y = Spec((1, 8), (0.03,), 11), Spec((1, 8), (1 / 128,))
    content = chained([("TANH", [x], [y], None)])
    assert not adopt(graphs.read(content))


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_tokens_of_any_number_of_examples(dtype, tmp_path):
    x = keras.Input((6,), dtype=dtype)
    rows = layers.Embedding(9, 4)(x)
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(rows)))
    disturb(model)
    content = open_batch(model, examples=np.random.default_rng(0).integers(0, 9, (20, 6)))
    report, call = compile_c(content, tmp_path)
    assert (report["inputs"][0]["dtype"], report["inputs"][0]["tokens"]) == ("int32", 9)
    for (tokens,) in random_inputs(tfhrf_form(content), 8):
        (expected,) = expected_of(content, [tokens.astype(dtype)])
        np.testing.assert_array_equal(call([tokens])[0], expected)


def tfhrf_form(content):
    graph = graphs.read(content)
    assert adopt(graph)
    return graphs.write(graph)
