"""Self-attention from Dense or HRFDense projections, and positions.

Stock MultiHeadAttention hides its projections from expand, fold and the TFLite lowering.
"""

import numpy as np
from keras import layers, ops

HIDDEN = -1e9  # added to the score of a padded frame: its weight is zero


def sinusoidal_positions(frames, units):
    """Positions of Vaswani et al. 2017, float32 of shape (1, frames, units): sines, cosines."""
    rate = 10000.0 ** (-2 * np.arange((units + 1) // 2) / units)
    angles = np.arange(frames)[:, None] * rate
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[None, :, :units].astype("f4")


def self_attention(x, heads, dense, name, mask=None):
    """Multi-head self-attention (Vaswani et al. 2017).

    Args:
        x: Keras tensor (batch, frames, units).
        heads: number of heads, a divisor of units.
        dense: makes a projection from `units` and `name`.
        name: begins the names of the layers.
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.

    Returns:
        Keras tensor (batch, frames, units).
    """
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
    scores = ops.matmul(query, key)
    if mask is not None:
        scores = scores + hide(mask)[:, None, None, :]
    weights = layers.Softmax(name=f"{name}_weights")(scores)
    y = layers.Permute((2, 1, 3), name=f"{name}_merge")(ops.matmul(weights, value))
    y = layers.Reshape((frames, units), name=f"{name}_concatenate")(y)
    return dense(units, name=f"{name}_output")(y)


def hide(mask):
    """What to add to scores: 0 for real frames, HIDDEN for padding; shape of the mask."""
    return (1.0 - mask) * HIDDEN
