"""What the structs of several 16-bit C kernels hold: scales and the least output."""

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.ir import activation, bounds_of, limits_of


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


def least(operator):
    """The least output that the fused activation leaves."""
    kind, output = activation(operator), operator.output
    low, high = limits_of(output) if kind == "NONE" else bounds_of(kind, output)
    assert high == output.limits.max, "`fusion.part_activations` takes them away"
    return low
