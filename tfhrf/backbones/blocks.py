"""Blocks that the backbones share, as functions on Keras tensors.

Functional, so that fold, expand and the TFLite lowering can enter them; from Dense and HRFDense
projections, because stock MultiHeadAttention hides its own.
"""

import functools

from keras import layers, ops

from tfhrf.layers import HRFDense

# Inside the range of an int8 variance, so that its reciprocal root never overflows.
EPSILON = 1e-3


def projection(hrf, hrf_depth, chosen=True):
    """What makes a backbone's Dense layers: HRFDense where HRF is on and chosen, else Dense."""
    if hrf == 0 or not chosen:
        return layers.Dense
    return functools.partial(HRFDense, expansion=hrf, depth=hrf_depth)


def norm(x, name):
    """Layer normalization over units."""
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def feed_forward(x, units, activation, dropout, dense, name):
    """Two Dense layers with an activation between, (batch, frames, d) to the same."""
    y = dense(units, activation=activation, name=f"{name}_expand")(x)
    y = layers.Dropout(dropout, name=f"{name}_inner_dropout")(y)
    return dense(x.shape[-1], name=f"{name}_project")(y)


def residual(x, y, dropout, name):
    """x + dropout(y)."""
    y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def pool(x, mask, name):
    """Mean over frames, (batch, frames, units) to (batch, units); only of real frames if masked.

    Args:
        x: Keras tensor (batch, frames, units).
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.
        name: of the layer.
    """
    if mask is None:
        return layers.GlobalAveragePooling1D(name=name)(x)
    weights = ops.expand_dims(mask / ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0), 2)
    return ops.sum(x * weights, axis=1)
