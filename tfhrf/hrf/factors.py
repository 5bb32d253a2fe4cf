"""Factors of a kernel: drawing them at random, multiplying them again (the algebra of HRF)."""

import functools
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from keras import ops

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def orthonormal_rows(rows: int, columns: int, rng: np.random.Generator) -> Array:
    """A random (rows, columns) float64 matrix Q with Q Qᵀ = I; columns >= rows."""
    q, r = np.linalg.qr(rng.standard_normal((columns, rows)))
    oriented: Array = q * np.sign(np.diagonal(r))
    return oriented.T


def factorize(
    kernel: Array, inner_units: int, depth: int = 2, seed: int | None = None
) -> list[Array]:
    """Writes a kernel as a product of `depth` factors through `inner_units` dimensions.

    The factorization is random, exact up to rounding, and balanced (first and last factor have
    the same Frobenius norm), so a layer that starts from it computes what a Dense layer with
    this kernel computes.

    Args:
        kernel: array of shape (input_dim, units).
        inner_units: inner dimension r; at least min(input_dim, units).
        depth: number of factors, 2 or more.
        seed: seed of the random rotation.

    Returns:
        List of `depth` arrays of shapes (input_dim, r), (r, r), ..., (r, units).
    """
    kernel = np.asarray(kernel)
    input_dim, units = kernel.shape
    rng = np.random.default_rng(seed)
    # Between the outer factors stand rotations, which their neighbour takes back.
    middle = [orthonormal_rows(inner_units, inner_units, rng) for _ in range(depth - 2)]
    rotation = functools.reduce(np.matmul, middle) if middle else None
    smaller = min(input_dim, units)
    q = orthonormal_rows(smaller, inner_units, rng)
    scale = np.sqrt(np.linalg.norm(kernel.astype(np.float64)) / np.sqrt(smaller)) or 1.0
    if input_dim <= units:
        first, last = scale * q, (q.T @ kernel) / scale
        last = last if rotation is None else rotation.T @ last
    else:
        first, last = (kernel @ q) / scale, scale * q.T
        first = first if rotation is None else first @ rotation.T
    return [factor.astype(kernel.dtype) for factor in (first, *middle, last)]


def merge_factors(
    factors: Sequence[Array | keras.Variable],
    biases: Sequence[Array | keras.Variable | None],
    row_block: int = 256,
    inner_block: int = 1024,
) -> tuple[Array, Array | None]:
    """Multiplies factors in float64, block by block so that no float64 copy of a factor exists.

    Args:
        factors: arrays or variables of shapes (input_dim, r), ..., (r, units).
        biases: behind each factor its bias, an array or variable, or None.

    Returns:
        (kernel, bias): float64 arrays of shapes (input_dim, units) and (units,), the bias being
        what all biases amount to behind the last factor; None if there is none.
    """

    def times(rows: Array, factor: Array | keras.Variable) -> Array:
        starts = range(0, rows.shape[1], inner_block)
        blocks = ((rows[:, k : k + inner_block], factor[k : k + inner_block]) for k in starts)
        return sum((left @ to_float64(right) for left, right in blocks), start=np.zeros(()))

    first, *rest = factors
    kernel = np.empty((first.shape[0], factors[-1].shape[1]))
    for start in range(0, len(kernel), row_block):
        rows = to_float64(first[start : start + row_block])
        kernel[start : start + row_block] = functools.reduce(times, rest, rows)
    row = None
    for factor, bias in zip(factors, biases, strict=True):
        row = row if row is None else times(row, factor)
        if bias is not None:
            own = to_float64(bias[:])[None]
            row = own if row is None else row + own
    return kernel, row if row is None else row[0]


def to_float64(tensor: tf.Tensor | Array) -> Array:
    """A backend tensor (bfloat16 included) or array as a float64 NumPy array."""
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float64")))
