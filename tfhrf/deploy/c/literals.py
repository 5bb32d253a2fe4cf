"""How 8-bit kernels differ from 16-bit ones, and what the structs of several of them hold."""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import activation, bounds_of, clamp, limits_of
from tfhrf.deploy.c.simplify import IDENTITY, look_up


@dataclasses.dataclass(frozen=True)
class Precision:
    """The type of all computed values of a graph; 16-bit ones have the zero point 0.

    Attributes:
        dtype: "int8" or "int16".
        suffix: of the names of kernels, their structs and their headers.
        final: function of a writer and an operator: C expression of what becomes of saturated
            results, a table to look them up in or the least that is left of them.
    """

    dtype: str
    suffix: str
    final: Callable

    @property
    def itemsize(self):
        return np.dtype(self.dtype).itemsize


def scale_literal(scale, zero_point):
    """Initializer of a tfhrf_scale for a quantized multiplier (multiplier, shift)."""
    multiplier, shift = scale
    left, right = max(shift, 0), max(-shift, 0)
    rounding = (1 << right >> 1) + (zero_point << right)
    if not -(2**30) < rounding < 2**30:
        rounding = 0
    return f"{{{multiplier}, {rounding}, {right}, {left}, {-right}, {zero_point}}}"


def inner_scale(write, scale, zero_point, largest):
    """Initializer of a tfhrf_scale for an inner loop, where sums are no larger than `largest`."""
    multiplier, shift = scale
    fits = shift < 0 and largest < 2**30 and abs(zero_point) << -shift < 2**30 - 2**24
    if not fits and multiplier:
        write.any_scale = True
    return scale_literal((multiplier, shift if multiplier else -1), zero_point)


def wide_scale(multiplier, shift):
    """Initializer of a tfhrf_wide_scale."""
    return f"{{{exact.reduced_multiplier(multiplier)}, {15 - shift}}}"


def narrow_scale(multiplier, shift):
    """Initializer of a tfhrf_narrow_scale."""
    right = -1 - shift
    return f"{{{exact.reduced_multiplier(multiplier) << 16}, {1 << right >> 1}, {right}}}"


def scale16(multiplier, shift):
    """Initializer of a tfhrf_scale16."""
    left, right = max(shift, 0), max(-shift, 0)
    return f"{{{multiplier}, {1 << right >> 1}, {right}, {left}, {-1 if right else 0}}}"


def final_table(operator):
    """What happens to saturated results: fused activation and table; None if nothing does."""
    raw = raw_output(operator)
    plain = operator if raw is operator.output else dataclasses.replace(operator, outputs=[raw])
    values = IDENTITY
    if activation(operator) != "NONE":
        values = clamp(plain, values)
    table = look_up(operator.extra.get("table", IDENTITY), values)
    return None if np.array_equal(table, IDENTITY) else table


def table_pointer(write, table):
    """C expression for a table at the index 0, or NULL."""
    if table is None:
        return "NULL"
    return f"&{write.array('int8_t', np.asarray(table), 'table')}[128]"


def least(operator):
    """The least output that the fused activation of a 16-bit operator leaves."""
    kind, output = activation(operator), operator.output
    low, high = limits_of(output) if kind == "NONE" else bounds_of(kind, output)
    assert high == output.limits.max, "`fuse.part_activations` takes them away"
    return low


INT8 = Precision("int8", "", lambda write, operator: table_pointer(write, final_table(operator)))
INT16 = Precision("int16", "16", lambda write, operator: str(least(operator)))
