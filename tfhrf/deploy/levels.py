"""Integer levels of a tensor: value = scale * (level - zero point)."""

import numpy as np


def quantize(values, scale, zero_point, dtype):
    """Values as levels of an integer dtype: rounded (half to even) and clipped."""
    limits = np.iinfo(dtype)
    levels = np.round(np.asarray(values, np.float32) / np.float32(scale)) + zero_point
    return np.clip(levels, limits.min, limits.max).astype(dtype)


def dequantize(levels, scale, zero_point):
    """Levels as float32 values."""
    return ((levels.astype(np.int32) - zero_point) * scale).astype(np.float32)
