"""Graphs with float or uint8 inputs and outputs around integers, TensorFlow Lite's own."""

import ctypes
import subprocess
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from generated_c import COMPILERS, FLAGS, compile_c, needs_compiler
from keras import layers
from needs import needs_tflm
from tiny_models import disturb, normal

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite.convert import freeze

pytestmark = [needs_compiler, needs_tflm]


def converted(outside, wide=False):
    """Bytes of a graph as TFLite's own converter makes it."""
    model = keras.Sequential([keras.Input((6, 4)), layers.Dense(5, "relu"), layers.Dense(3)])
    disturb(model)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(model)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in normal(30, 6, 4))
    kinds = tf.lite.OpsSet
    wide_kind = kinds.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide_kind if wide else kinds.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = outside
    converter._experimental_disable_per_channel = wide
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return converter.convert()


FUNCTIONS = """
#include "model.h"
void quantize(const float *from, VALUE *to);
void dequantize(const VALUE *from, float *to);
void quantize(const float *from, VALUE *to) { model_quantize(from, to); }
void dequantize(const VALUE *from, float *to) { model_dequantize(from, to); }
"""


def call(function, given, shape, dtype):
    result = np.empty(shape, dtype)
    given = np.ascontiguousarray(given)
    function(ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(result.ctypes.data))
    return result


@pytest.mark.parametrize("wide", [False, True])
def test_floats_around_integers_equal_tflm(wide, tmp_path):
    content = converted(tf.float32, wide)
    report, invoke = compile_c(content, tmp_path)
    dtype = "int16" if wide else "int8"
    assert report["inputs"][0]["dtype"] == report["outputs"][0]["dtype"] == dtype
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(report["operators"])
    (tmp_path / "floats.c").write_text(FUNCTIONS)
    command = [COMPILERS[0], *FLAGS, f"-DVALUE={dtype}_t", "-shared", "-fPIC", "floats.c"]
    subprocess.run([*command, "-o", "floats.so"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "floats.so"))
    scale = report["inputs"][0]["scale"]
    parts = [normal(20, 6, 4, seed=1), 100 * normal(5, 6, 4), 1e5 * normal(2, 6, 4)]
    # Halves between two levels.
    halves = (np.arange(-24, 24) + 0.5).reshape(2, 6, 4) * scale
    inputs = np.concatenate([*parts, halves]).astype("float32")
    expected = runners.invoke(content, inputs)
    for one, wanted in zip(inputs, expected, strict=True):
        levels = call(library.quantize, one, (1, 6, 4), dtype)
        found = call(library.dequantize, invoke([levels])[0], (6, 3), "float32")
        np.testing.assert_array_equal(found, wanted)


def test_bytes_without_a_sign_around_integers(tmp_path):
    content = converted(tf.uint8)
    _, invoke = compile_c(content, tmp_path)
    inputs = np.random.default_rng(0).integers(0, 256, (20, 6, 4)).astype(np.uint8)
    expected = runners.invoke(content, inputs)
    for one, wanted in zip(inputs, expected, strict=True):
        found = invoke([(one[None].astype(int) - 128).astype(np.int8)])[0]
        np.testing.assert_array_equal(found[0].astype(int) + 128, wanted)


def test_floats_inside_are_still_refused(tmp_path):
    model = keras.Sequential([keras.Input((6, 4)), layers.Dense(5)])
    with pytest.raises(ValueError, match=r"must be int8 or int16\. Received: float32"):
        tfhrf.to_c(tfhrf.to_tflite(model, precision="float32"), tmp_path)
