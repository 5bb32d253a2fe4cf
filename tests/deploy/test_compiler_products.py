"""Kernels that sum products, in the shapes that their loops part: in C, and on emulated boards."""

import numpy as np
import pytest
from generated_c import (
    compare,
    compare_on_boards,
    needs_boards,
    needs_compiler,
    random_inputs,
)
from needs import needs_tflm
from single_operators import Spec, chained, constant, single
from test_compiler_operators import options, out_length

import tfhrf

pytestmark = [needs_compiler, needs_tflm]


def window(
    name,
    image,
    kernel,
    outputs,
    stride=1,
    valid=0,
    relu=0,
    least=-127,
    few=0,
    seed=0,
    dilation=1,
):
    """A convolution of an image (height, width, channels), each output with a scale of its own.

    Its weights have any values, or a few ones.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = image
    depthwise = name == "DEPTHWISE_CONV_2D"
    shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, channels)
    values = rng.integers(least, 128, shape).astype(np.int8)
    if few:
        values = rng.choice(np.arange(least, 128), few, replace=False)[values % few]
        values = values.astype(np.int8)
    values.flat[0] = least if not few else values.min()
    scales = tuple(float(s) for s in np.float32(2.0 ** rng.uniform(-9, -7, outputs)))
    x = Spec((1, *image), (0.25,), int(rng.integers(-128, 128)))
    bias = constant(
        rng.integers(-9999, 9999, outputs).astype(np.int32), tuple(0.25 * s for s in scales)
    )
    size = [
        out_length(length, taps, stride, dilation, valid)
        for length, taps in zip((height, width), kernel, strict=True)
    ]
    y = Spec((1, *size, outputs), (0.5,), -3)
    made = options("DepthwiseConv2D" if depthwise else "Conv2D")
    made.padding, made.fusedActivationFunction = valid, relu
    made.strideH = made.strideW = stride
    made.dilationHFactor = made.dilationWFactor = dilation
    if depthwise:
        made.depthMultiplier = outputs // channels
    weights = constant(values, scales, axis=3 if depthwise else 0)
    return single(name, [x, weights, bias], [y], made)


def dense(rows, depth, outputs, relu=0, seed=0):
    rng = np.random.default_rng(seed)
    x = Spec((1, rows, depth), (0.25,), int(rng.integers(-128, 128)))
    values = rng.integers(-127, 128, (outputs, depth)).astype(np.int8)
    bias = constant(rng.integers(-9999, 9999, outputs).astype(np.int32), (0.25 / 256,))
    y = Spec((1, rows, outputs), (0.5,), -3)
    made = options("FullyConnected", fusedActivationFunction=relu, keepNumDims=True)
    return single("FULLY_CONNECTED", [x, constant(values, (1 / 256,)), bias], [y], made)


def pool(name, image, kernel, stride=1, relu=0):
    """A pool of an image (height, width, channels), with padding at its edges."""
    height, width, channels = image
    x = Spec((1, *image), (0.25,), 7)
    made = options("Pool2D", padding=0, strideH=stride, strideW=stride)
    made.filterHeight, made.filterWidth = kernel
    made.fusedActivationFunction = relu
    y = Spec((1, -(-height // stride), -(-width // stride), channels), (0.25,), 7)
    return single(f"{name}_POOL_2D", [x], [y], made)


DEPTHWISE = "DEPTHWISE_CONV_2D"
GRAPHS = {
    # Lines of 3 x 3: strips, odd lines, strides, paddings, more than 16 channels and fewer.
    "lines": window(DEPTHWISE, (5, 37, 4), (3, 3), 4),
    "lines, valid": window(DEPTHWISE, (6, 20, 20), (3, 3), 20, valid=1, relu=1),
    "lines, stride": window(DEPTHWISE, (9, 21, 8), (3, 3), 8, stride=2),
    "lines, stride, valid": window(DEPTHWISE, (8, 8, 36), (3, 3), 36, stride=2, valid=1, relu=3),
    "lines, one": window(DEPTHWISE, (1, 1, 16), (3, 3), 16),
    "lines, many channels": window(DEPTHWISE, (7, 6, 27), (3, 3), 27),
    "lines, narrow": window(DEPTHWISE, (7, 2, 16), (3, 3), 16, relu=1),
    "lines, five taps": window(DEPTHWISE, (6, 37, 8), (3, 5), 8, relu=1),
    "lines, five taps, stride": window(DEPTHWISE, (7, 22, 12), (3, 5), 12, stride=2),
    "lines, nine taps, valid": window(DEPTHWISE, (4, 24, 4), (3, 9), 4, valid=1),
    "lines, two taps": window(DEPTHWISE, (5, 9, 16), (3, 2), 16),
    "lines, one tap, stride": window(DEPTHWISE, (5, 9, 16), (3, 1), 16, stride=2),
    "lines, dilated": window(DEPTHWISE, (9, 11, 24), (3, 3), 24, dilation=2),
    "lines, dilated, valid": window(DEPTHWISE, (9, 8, 10), (4, 3), 10, valid=1, dilation=2),
    "wide taps": window(DEPTHWISE, (6, 9, 17), (1, 5), 17, stride=2),
    # One pixel wide: lines of frames.
    "frames": window(DEPTHWISE, (11, 1, 12), (9, 1), 12),
    "frames, even": window(DEPTHWISE, (7, 1, 24), (4, 1), 24, relu=1),
    "frames, valid": window(DEPTHWISE, (9, 1, 16), (5, 1), 16, valid=1, relu=3),
    "frames, least weights": window(DEPTHWISE, (6, 1, 8), (3, 1), 8, least=-128),
    "long average": window(DEPTHWISE, (2, 320, 8), (1, 310), 8, least=120),
    "largest weights": window(DEPTHWISE, (4, 7, 16), (3, 3), 16, least=127),
    "least weights": window(DEPTHWISE, (4, 5, 16), (3, 3), 16, least=-128),
    "depthwise": window(DEPTHWISE, (5, 7, 19), (2, 5), 19),
    "multiplier": window(DEPTHWISE, (5, 7, 3), (3, 3), 6),
    "one channel": window(DEPTHWISE, (9, 9, 1), (3, 4), 5, stride=2),
    # Patches: whole blocks of channels and not, lines of pixels that are no multiple of four.
    "patches": window("CONV_2D", (5, 7, 8), (3, 3), 7),
    "patches, stride": window("CONV_2D", (9, 9, 4), (3, 3), 4, stride=2, relu=1),
    "patches, odd": window("CONV_2D", (6, 6, 3), (3, 2), 5, valid=1),
    "pixels": window("CONV_2D", (3, 5, 17), (1, 1), 6, relu=3),
    "line": window("CONV_2D", (1, 13, 4), (1, 3), 6),
    # Eight channels at a time; sums of more than 256 values.
    "average": pool("AVERAGE", (7, 5, 19), (3, 2), 2),
    "average, relu": pool("AVERAGE", (4, 4, 6), (2, 3), relu=1),
    "average of many": pool("AVERAGE", (16, 17, 9), (16, 17), 9),
    "highest": pool("MAX", (6, 7, 13), (3, 3), 2, relu=3),
    "highest of many": pool("MAX", (20, 15, 3), (19, 15), 7),
    "one row": dense(1, 21, 5),
    "one long row": dense(1, 64, 4, relu=1),
    **{f"{rows} rows": dense(rows, 12 + rows, rows, relu=rows % 2) for rows in range(2, 9)},
}


@pytest.mark.parametrize("name", GRAPHS)
def test_products_equal_tflm(name, tmp_path):
    compare(GRAPHS[name], tmp_path, 20)


@needs_boards
@pytest.mark.parametrize("name", GRAPHS)
def test_products_on_emulated_boards(name, tmp_path):
    inputs = np.concatenate([one[0] for one in random_inputs(GRAPHS[name], 6)])
    compare_on_boards(GRAPHS[name], tmp_path, inputs)


@needs_boards
def test_rows_far_apart(tmp_path):
    """More bytes than what vectors count places in."""
    width = 66_000
    x, part, y = (Spec((1, 2, n), (0.25,), -3) for n in (width, 21, 8))
    rng = np.random.default_rng(0)
    weights = constant(rng.integers(-127, 128, (8, 21)).astype(np.int8), (1 / 256,))
    places = [constant(np.array(one, np.int32)) for one in ([0, 0, 5], [1, 2, 21])]
    dense = ("FULLY_CONNECTED", [part, weights, None], [y])
    content = chained(
        [
            ("SLICE", [x, *places], [part], options("Slice")),
            (*dense, options("FullyConnected", keepNumDims=True)),
            (
                "CONCATENATION",
                [y, x],
                [Spec((1, 2, width + 8), (0.25,), -3)],
                options("Concatenation", axis=2),
            ),
        ]
    )
    compare_on_boards(content, tmp_path, random_inputs(content, 2)[0][0])


@needs_boards
@pytest.mark.parametrize(
    ("rows", "depth", "least", "apart"),
    [(1, 270, -127, False), (5, 270, -127, False), (5, 285, -127, True), (5, 9, -128, True)],
)
def test_joined_weights_hold_all_sums(rows, depth, least, apart, tmp_path):
    """Pairs of weights become one of 16 bits, where that and 24 bits of a sum do."""
    values = np.random.default_rng(0).integers(110, 128, (6, depth)).astype(np.int8)
    values[1::2] *= -1
    values[0] = np.where(np.arange(depth) == 3, least, values[0])
    x, y = Spec((1, rows, depth), (0.25,), 0), Spec((1, rows, 6), (40.0 * depth,), 5)
    made = options("FullyConnected", keepNumDims=True)
    content = single("FULLY_CONNECTED", [x, constant(values, (1.0,))], [y], made)
    inputs = [one[0] for one in random_inputs(content, 4)]
    inputs += [np.full((1, rows, depth), extreme, np.int8) for extreme in (-128, 127)]
    compare_on_boards(content, tmp_path, np.concatenate(inputs))
    assert ("#define TFHRF_APART" in (tmp_path / "model.c").read_text()) == apart


@pytest.mark.parametrize("bias", [2**30, -(2**30)])
def test_unused_channels_leave_the_fast_scales(bias, tmp_path):
    """Where training has left a channel without weights, its bias is huge and its scale tiny."""
    x = Spec((1, 3, 3, 4), (0.25,), 5)
    values = np.full((2, 1, 1, 4), 7, np.int8)
    values[1] = 0
    scales = (2.0**-8, 2.0**-27)
    biases = constant(np.array([100, bias], np.int32), tuple(0.25 * s for s in scales))
    y = Spec((1, 3, 3, 2), (0.25,), -3)
    content = single("CONV_2D", [x, constant(values, scales), biases], [y], options("Conv2D"))
    compare(content, tmp_path, 5)
    assert "TFHRF_ANY_SCALE" not in (tmp_path / "model.c").read_text()


def test_one_row_needs_no_memory(tmp_path):
    report = tfhrf.to_c(GRAPHS["one long row"], tmp_path)
    assert report["arena_bytes"] == 0
