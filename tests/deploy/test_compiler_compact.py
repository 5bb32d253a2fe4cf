"""Weights that take less flash: C equals TensorFlow Lite Micro, whatever the shapes."""

import functools
import re
import tempfile

import keras
import numpy as np
import pytest
from generated_c import compare, compare_on_boards, needs_boards, needs_compiler, random_inputs
from keras import layers
from needs import needs_tflm
from single_operators import Spec, constant, single
from test_compiler_operators import options
from test_compiler_products import DEPTHWISE, window
from tiny_models import disturb, normal

import tfhrf
from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.c.operators.compact import compact

pytestmark = [needs_compiler, needs_tflm]
# Rows of the input, depth, outputs: whole and broken blocks, pairs, fours and vectors.
SHAPES = [(12, 64, 48), (7, 61, 37), (1, 300, 21), (6, 48, 96), (5, 130, 16)]


def few_values(kernel, count, rng):
    values = rng.standard_normal(count)
    return values[rng.integers(0, count, kernel.shape)]


def blocks_of_zeros(kernel, share, rng):
    """Blocks of four inputs of two outputs are zero; of one pair of outputs all are."""
    depth, outputs = kernel.shape
    keep = rng.random((-(-depth // 4), -(-outputs // 2))) >= share
    keep[:, 1] = False
    return kernel * np.kron(keep, np.ones((4, 2)))[:depth, :outputs]


MAKE = {
    "plain": lambda kernel, rng: kernel,
    "clustered": lambda kernel, rng: few_values(kernel, 16, rng),
    "three values": lambda kernel, rng: few_values(kernel, 3, rng),
    "sparse": lambda kernel, rng: blocks_of_zeros(kernel, 0.5, rng),
    "hardly any": lambda kernel, rng: blocks_of_zeros(kernel, 0.97, rng),
}
KERNELS = {"three values": "clustered", "hardly any": "sparse"}


def converted(rows, depth, outputs, kind, seed=0):
    model = keras.Sequential(
        [keras.Input((rows, depth)), layers.Dense(outputs, "relu"), layers.Dense(5)]
    )
    disturb(model)
    first, rng = model.layers[0], np.random.default_rng(seed)
    first.kernel.assign(MAKE[kind](first.kernel.numpy(), rng))
    return tfhrf.to_tflite(model, normal(40, rows, depth))


@functools.cache
def plain_bytes(shape):
    """Bytes of constants where the first kernel is as it comes."""
    with tempfile.TemporaryDirectory() as folder:
        return tfhrf.to_c(converted(*shape, "plain"), folder)["constant_bytes"]


@pytest.mark.parametrize("kind", [kind for kind in MAKE if kind != "plain"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_are_equal_and_weights_smaller(shape, kind, tmp_path):
    content = converted(*shape, kind)
    report = compare(content, tmp_path, 20)
    kernel = KERNELS.get(kind, kind)
    assert f"tfhrf_{kernel}.h" in report["files"]
    text = (tmp_path / "model.c").read_text()
    assert f"tfhrf_{kernel}_rows(" in text
    # About half of them, less a byte for each block that is kept, or a table.
    assert plain_bytes(shape) - report["constant_bytes"] > 0.38 * shape[1] * shape[2]


@needs_boards
@pytest.mark.parametrize("kind", ["clustered", "sparse"])
def test_boards_compute_the_same(kind, tmp_path):
    for shape in [(11, 61, 37), (8, 64, 32)]:
        content = converted(*shape, kind)
        inputs = np.concatenate([example[0] for example in random_inputs(content, 20)])
        compare_on_boards(content, tmp_path, inputs)


# Kernels that a step unpacks: each arrangement, whole blocks of eight weights and not, sixteen
# values and fewer.
UNPACKED = {
    "frames": window(DEPTHWISE, (23, 1, 48), (9, 1), 48, few=16),
    "frames, even": window(DEPTHWISE, (1, 14, 36), (1, 6), 36, few=16, relu=1),
    "frames, valid": window(DEPTHWISE, (11, 1, 44), (5, 1), 44, few=7, valid=1),
    "lines": window(DEPTHWISE, (5, 21, 52), (3, 3), 52, few=16, stride=2),
    "depthwise": window(DEPTHWISE, (5, 7, 19), (5, 5), 19, few=16, least=-128),
    "multiplier": window(DEPTHWISE, (9, 9, 11), (5, 4), 22, few=16),
    "patches": window("CONV_2D", (5, 7, 5), (3, 3), 11, few=16),
}


@pytest.mark.parametrize("name", UNPACKED)
def test_small_kernels_are_unpacked(name, tmp_path):
    report = compare(UNPACKED[name], tmp_path, 20)
    assert "tfhrf_unpack.h" in report["files"]
    assert re.search(r"tfhrf_unpack(_frames)?\(w", (tmp_path / "model.c").read_text())


@needs_boards
@pytest.mark.parametrize("name", ["frames, even", "frames, valid", "lines", "patches"])
def test_boards_unpack_the_same(name, tmp_path):
    inputs = np.concatenate([one[0] for one in random_inputs(UNPACKED[name], 6)])
    compare_on_boards(UNPACKED[name], tmp_path, inputs)


@needs_boards
@pytest.mark.parametrize("kind", ["clustered", "sparse"])
def test_scales_that_inner_loops_cannot_take(kind, tmp_path):
    """Scales above one: products of other forms are unpacked then."""
    rng = np.random.default_rng(0)
    kernel = MAKE[kind](rng.standard_normal((41, 34)), rng).T
    values = np.round(kernel * 127 / np.abs(kernel).max()).astype(np.int8)
    x, y = Spec((1, 7, 41), (0.25,), 5), Spec((1, 7, 34), (0.01,), -3)
    bias = constant(rng.integers(-99, 99, 34).astype(np.int32), (0.25 / 16,))
    made = options("FullyConnected", keepNumDims=True)
    content = single("FULLY_CONNECTED", [x, constant(values, (1 / 16,)), bias], [y], made)
    inputs = np.concatenate([one[0] for one in random_inputs(content, 20)])
    compare_on_boards(content, tmp_path, inputs)
    text = (tmp_path / "model.c").read_text()
    assert "TFHRF_ANY_SCALE" in text
    assert f"tfhrf_{kind}_rows(" in text


def test_plain_weights_stay_plain():
    rng = np.random.default_rng(0)
    many = rng.integers(-127, 128, (64, 64)).astype(np.int8)
    assert compact(INT8, many) is None
    few = rng.integers(-8, 8, (64, 64)).astype(np.int8)
    assert compact(INT8, few).kernel == "clustered"
    # Not worth a kernel.
    assert compact(INT8, few[:8]) is None
    many[np.kron(rng.random((32, 16)) < 0.5, np.ones((2, 4))) > 0] = 0
    found = compact(INT8, many)
    assert found.kernel == "sparse"
    assert found.bytes < 0.65 * many.size
