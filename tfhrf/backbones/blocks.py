"""Blocks that the backbones share, as functions on Keras tensors.

Functional, so that fold, expand and the TFLite lowering can enter them; from Dense and HRFDense
projections, because stock MultiHeadAttention hides its own.
"""

import functools

import numpy as np
from keras import layers, ops

from tfhrf.layers import HRFDense

# Inside the range of an int8 variance, so that its reciprocal root never overflows.
EPSILON = 1e-3


def projection(hrf, hrf_depth, chosen=True):
    """What makes a backbone's Dense layers: HRFDense where HRF is on and chosen, else Dense."""
    if hrf == 0 or not chosen:
        return layers.Dense
    return functools.partial(HRFDense, expansion=hrf, depth=hrf_depth)


def sinusoidal_positions(frames, units):
    """Positions of Vaswani et al. 2017, float32 of shape (1, frames, units): sines, cosines."""
    rate = 10000.0 ** (-2 * np.arange((units + 1) // 2) / units)
    angles = np.arange(frames)[:, None] * rate
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[None, :, :units].astype("f4")


def norm(x, name):
    """Layer normalization over units."""
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def self_attention(x, heads, dense, name):
    """Multi-head self-attention (Vaswani et al. 2017), (batch, frames, units) to the same."""
    frames, units = x.shape[1:]
    if units % heads:
        raise ValueError(f"units must be a multiple of heads. Received: {units=}, {heads=}")

    def split(y, order, part):
        y = layers.Reshape((frames, heads, units // heads), name=f"{name}_{part}_split")(y)
        return layers.Permute(order, name=f"{name}_{part}_heads")(y)

    # Scaled before the heads meet: frames x units products instead of frames x frames.
    query = dense(units, name=f"{name}_query")(x) * (units // heads) ** -0.5
    query = split(query, (2, 1, 3), "query")  # heads, frames, depth
    key = split(dense(units, name=f"{name}_key")(x), (2, 3, 1), "key")  # heads, depth, frames
    value = split(dense(units, name=f"{name}_value")(x), (2, 1, 3), "value")
    # No dropout here: drawing frames x frames random numbers costs more than the attention.
    weights = layers.Softmax(name=f"{name}_weights")(ops.matmul(query, key))
    y = layers.Permute((2, 1, 3), name=f"{name}_merge")(ops.matmul(weights, value))
    y = layers.Reshape((frames, units), name=f"{name}_concatenate")(y)
    return dense(units, name=f"{name}_output")(y)


def feed_forward(x, units, activation, dropout, dense, name):
    """Two Dense layers with an activation between, (batch, frames, d) to the same."""
    y = dense(units, activation=activation, name=f"{name}_expand")(x)
    y = layers.Dropout(dropout, name=f"{name}_inner_dropout")(y)
    return dense(x.shape[-1], name=f"{name}_project")(y)


def residual(x, y, dropout, name):
    """x + dropout(y)."""
    y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    return layers.Add(name=f"{name}_add")([x, y])
