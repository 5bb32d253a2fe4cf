"""What the structs of several C kernels hold: scales and tables."""

import dataclasses

import numpy as np

from tfhrf.deploy.c.fuse import IDENTITY, look_up, raw_output
from tfhrf.deploy.c.ir import activation, clamp


def scale_literal(scale, zero_point):
    """Initializer of a tfhrf_scale for a quantized multiplier (multiplier, shift)."""
    multiplier, shift = scale
    left, right = max(shift, 0), max(-shift, 0)
    rounding = (1 << right >> 1) + (zero_point << right)
    if not -(2**30) < rounding < 2**30:
        rounding = 0
    return f"{{{multiplier}, {rounding}, {right}, {left}, {zero_point}}}"


def inner_scale(write, scale, zero_point, largest):
    """Initializer of a tfhrf_scale for an inner loop, where sums are no larger than `largest`."""
    multiplier, shift = scale
    fits = shift < 0 and largest < 2**30 and abs(zero_point) << -shift < 2**30 - 2**24
    if not fits and multiplier:
        write.any_scale = True
    return scale_literal((multiplier, shift if multiplier else -1), zero_point)


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
