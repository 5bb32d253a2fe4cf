"""Slopes, choices, comparisons and logarithms: C equals TensorFlow Lite Micro bit for bit."""

import numpy as np
import pytest
from generated_c import compare, needs_compiler
from needs import needs_tflm
from single_operators import Spec, chained, constant, single
from test_compiler_operators import int8, options, scale, tensor, wide, zero_point

from tfhrf.deploy.c.ir import COMPARISONS

pytestmark = [needs_compiler, needs_tflm]


@pytest.mark.parametrize(
    ("kind", "seed"), [("row", 0), ("scalar", 1), ("same", 0), ("computed", 2), ("row", 2)]
)
def test_slopes_below_zero(kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 9, 2)
    x, y = tensor(rng, 1, rows, columns), tensor(rng, 1, rows, columns)
    shape = {"row": (1, 1, columns), "scalar": (1, 1, 1)}.get(kind, x.shape)
    slopes = constant(int8(rng, *shape), scale(rng), zero_point(rng))
    if kind == "computed":
        slopes = tensor(rng, *shape)
    operators = [("PRELU", [x, slopes], [y], None)]
    if seed == 2:
        operators.append(("TANH", [y], [Spec(y.shape, (1 / 128,), 0)], None))
    compare(chained(operators), tmp_path, 20, seed)


@pytest.mark.parametrize(("kind", "seed"), [("same", 2), ("row", 1), ("scalar", 0)])
@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_what_a_comparison_chooses(name, kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 9, 2)
    a, b = (Spec((1, rows, columns), scale(rng, -9, -1), zero_point(rng)) for _ in range(2))
    shape = {"row": (1, 1, columns), "scalar": (), "same": a.shape}[kind]
    if kind == "scalar" or seed == 1:
        b = constant(int8(rng, *shape), b.scales, b.zero_point)
    if seed == 2:
        # Equal scales make equal values likely.
        b.scales = a.scales
    values = [Spec((1, rows, columns), (0.1,), 3) for _ in range(3)]
    if seed == 2:
        values[1] = constant(int8(rng, columns), (0.1,), 3)
    chosen = Spec((1, rows, columns), (), 0, "bool")
    word = "".join(part.capitalize() for part in name.split("_"))
    choice = ("SELECT_V2", [chosen, *values[:2]], values[2:], options("SelectV2"))
    content = chained([(name, [a, b], [chosen], options(word)), choice])
    compare(content, tmp_path, 20, seed)


@pytest.mark.parametrize("shape", [(5, 7), (7,), (1, 5, 1), ()])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_constant_choices(dtype, shape, tmp_path):
    rng = np.random.default_rng(len(shape))
    chosen = constant(rng.integers(0, 2, shape).astype(bool))
    x, other, y = (Spec((1, 5, 7), (0.1,), 0, dtype) for _ in range(3))
    made = options("SelectV2")
    compare(single("SELECT_V2", [chosen, x, other], [y], made), tmp_path, 10)


@pytest.mark.parametrize("seed", range(4))
def test_logarithms_of_probabilities(seed, tmp_path):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(1, 40, 2)) if seed else (1, 3, 600)
    x, y = Spec(shape, scale(rng, -10, 3), zero_point(rng)), Spec(shape, (16 / 256,), 127)
    compare(single("LOG_SOFTMAX", [x], [y], options("LogSoftmax")), tmp_path, 60, seed)


@pytest.mark.parametrize("seed", range(3))
def test_elu_on_all_values(seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = Spec((1, 256), scale(rng, -8, -2), zero_point(rng))
    y = Spec((1, 256), scale(rng, -8, -2), zero_point(rng))
    values = np.arange(-128, 128).astype(np.int8)[None]
    compare(single("ELU", [x], [y], None), tmp_path, 1, examples=[[values]])


@pytest.mark.parametrize("seed", range(2))
def test_magnitudes_of_16_bits(seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = wide(rng, 1, 65536)
    y = Spec(x.shape, x.scales if seed == 0 else scale(rng, -14, -10), 0, "int16")
    values = np.arange(-32768, 32768).astype(np.int16)[None]
    compare(single("ABS", [x], [y], None), tmp_path, 1, examples=[[values]])


@pytest.mark.parametrize(("reduced", "seed"), [((-1,), 0), ((1,), 1), ((1, 2), 2)])
def test_the_least(reduced, seed, tmp_path):
    rng = np.random.default_rng(seed)
    x = tensor(rng, 1, *rng.integers(1, 9, 3))
    left = [n for i, n in enumerate(x.shape) if i not in {axis % 4 for axis in reduced}]
    y = Spec(tuple(left), x.scales, x.zero_point)
    axes = constant(np.array(reduced, np.int32))
    compare(single("REDUCE_MIN", [x, axes], [y], options("Reducer")), tmp_path, 20, seed)
