"""Images that grow, and convolutions in parts: C equals TensorFlow Lite Micro bit for bit."""

import numpy as np
import pytest
from generated_c import compare, needs_compiler
from needs import needs_tflm
from single_operators import Spec, chained, constant, single
from test_compiler_operators import axes, int8, options, scale, tensor, zero_point

pytestmark = [needs_compiler, needs_tflm]


def made_scales(rng, outputs):
    return tuple(float(s) for s in np.float32(2 ** rng.uniform(-9, -6, outputs)))


def made_bias(rng, x, scales, dtype):
    reals = tuple(float(np.float32(x.scales[0]) * np.float32(s)) for s in scales)
    kind = np.int64 if dtype == "int16" else np.int32
    return constant(rng.integers(-9999, 9999, len(scales)).astype(kind), reals), reals


@pytest.mark.parametrize("seed", range(12))
def test_transposed_convolutions(seed, tmp_path):
    rng, dtype = np.random.default_rng(seed), "int16" if seed % 3 == 2 else "int8"
    height, width, channels = (1, 9, 4) if seed == 3 else rng.integers(1, 7, 3)
    kernel = (1, 3) if seed == 3 else rng.integers(1, 5, 2)
    strides = (1, 2) if seed == 3 else rng.integers(1, 4, 2)
    valid, outputs = seed % 2, int(rng.integers(1, 6))
    out = [
        (n - 1) * s + k if valid else n * s
        for n, s, k in zip((height, width), strides, kernel, strict=True)
    ]
    if valid and seed > 5:
        # What a stride leaves over at the end.
        out = [n + max(0, int(s) - int(k)) for n, s, k in zip(out, strides, kernel, strict=True)]
    x = tensor(rng, 1, height, width, channels)
    if dtype == "int16":
        x = Spec(x.shape, x.scales, 0, dtype)
    scales = made_scales(rng, outputs)
    weights = constant(int8(rng, outputs, *kernel, channels), scales)
    bias, reals = made_bias(rng, x, scales, dtype)
    y_scale = scale(rng, -6, 0) if dtype == "int8" else (float(np.float32(reals[0] * 2**9)),)
    y = Spec(
        (1, *map(int, out), outputs), y_scale, zero_point(rng) if dtype == "int8" else 0, dtype
    )
    made = options("TransposeConv", padding=valid, strideH=int(strides[0]), strideW=int(strides[1]))
    inputs = [axes(*y.shape), weights, x] + ([bias] if seed % 3 else [])
    operators = [("TRANSPOSE_CONV", inputs, [y], made)]
    if seed % 4 == 1 and dtype == "int8":
        z = Spec(y.shape, (1 / 256,), -128)
        operators.append(("LOGISTIC", [y], [z], None))
    compare(chained(operators), tmp_path, 10, seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_convolutions_of_groups(dtype, seed, tmp_path):
    rng = np.random.default_rng(seed)
    groups, depth, each = (int(n) for n in rng.integers(2, 5, 3))
    size, kernel = rng.integers(3, 8, 2), rng.integers(1, 4, 2)
    x = tensor(rng, 1, *size, groups * depth)
    if dtype == "int16":
        x = Spec(x.shape, x.scales, 0, dtype)
    scales = made_scales(rng, groups * each)
    weights = constant(int8(rng, groups * each, *kernel, depth), scales)
    bias, reals = made_bias(rng, x, scales, dtype)
    y_scale = scale(rng, -6, 0) if dtype == "int8" else (float(np.float32(reals[0] * 2**9)),)
    y = Spec((1, *size, groups * each), y_scale, zero_point(rng) if dtype == "int8" else 0, dtype)
    made = options("Conv2D", padding=0, strideH=1, strideW=1, fusedActivationFunction=seed % 4)
    made.dilationHFactor = made.dilationWFactor = 1
    compare(single("CONV_2D", [x, weights, bias], [y], made), tmp_path, 10, seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("way", ["plain", "corners", "centers"])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("RESIZE_BILINEAR", "int8"),
        ("RESIZE_NEAREST_NEIGHBOR", "int8"),
        ("RESIZE_NEAREST_NEIGHBOR", "int16"),
    ],
)
def test_resizes(name, dtype, way, seed, tmp_path):
    rng = np.random.default_rng(seed)
    height, width, channels = rng.integers(1, 9, 3)
    new = rng.integers(1, 30, 2) if seed else (2 * height, 3 * width)
    x = tensor(rng, 1, height, width, channels)
    x = Spec(x.shape, x.scales, x.zero_point if dtype == "int8" else 0, dtype)
    y = Spec((1, *map(int, new), channels), x.scales, x.zero_point, dtype)
    word = "ResizeBilinear" if name == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
    made = options(word, alignCorners=way == "corners", halfPixelCenters=way == "centers")
    compare(single(name, [x, axes(*new)], [y], made), tmp_path, 5, seed)
