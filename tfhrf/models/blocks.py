"""Blocks that the backbones share, as functions on Keras tensors.

Functional, so that fold, expand and the TFLite lowering can enter them; from Dense and HRFDense
projections, because stock MultiHeadAttention hides its own.
"""

import functools

from keras import layers, ops

from tfhrf.hrf.fast import FastDense, FastDropout, FastLayerNormalization
from tfhrf.hrf.layers import HRFDense

# Inside the range of an int8 variance, so that its reciprocal root never overflows.
EPSILON = 1e-3
STRIDE = 4  # of the front end, frames and mels


def choose(presets, preset, **given):
    """The given values, in their order; what is None has the preset's value of that name."""
    if preset not in presets:
        raise ValueError(f"preset must be one of {sorted(presets)}. Received: preset={preset!r}")
    return [presets[preset][name] if value is None else value for name, value in given.items()]


def projections(hrf, hrf_depth, where):
    """What makes the Dense layers of feed-forward networks, and those of attention.

    Args:
        hrf: expansion of HRFDense, or 0 for Dense.
        hrf_depth: number of factors of HRFDense.
        where: which of the two are HRFDense: "ffn", "attention" or "all" (both).
    """
    if where not in ("ffn", "attention", "all"):
        raise ValueError(f"where must be 'ffn', 'attention' or 'all'. Received: where={where!r}")
    chosen = functools.partial(HRFDense, expansion=hrf, depth=hrf_depth) if hrf else FastDense
    return [chosen if where in (part, "all") else FastDense for part in ("ffn", "attention")]


def norm(x, name):
    """Layer normalization over units."""
    return FastLayerNormalization(epsilon=EPSILON, name=name)(x)


def feed_forward(x, units, activation, dropout, dense, name):
    """Two Dense layers with an activation between, (batch, frames, d) to the same."""
    y = dense(units, activation=activation, name=f"{name}_expand")(x)
    y = FastDropout(dropout, name=f"{name}_inner_dropout")(y)
    return dense(x.shape[-1], name=f"{name}_project")(y)


def residual(x, y, dropout, name):
    """x + dropout(y)."""
    y = FastDropout(dropout, name=f"{name}_dropout")(y)
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


def front_end(inputs, channels, units):
    """Convolutions over frames and mels: (batch, frames, mels) to (batch, frames / 4, units)."""
    frames, mels = inputs.shape[1:]
    if frames % STRIDE or mels % STRIDE:
        raise ValueError(
            f"frames and mels must be multiples of {STRIDE}. Received: input_shape={(frames, mels)}"
        )
    x = layers.Reshape((frames, mels, 1), name="front_end_image")(inputs)
    # All of the stride over frames comes first: the first convolution's output is the largest
    # tensor of the model.
    x = layers.Conv2D(
        channels,
        (7, 5),
        strides=(STRIDE, 2),
        padding="same",
        use_bias=False,
        name="front_end_convolution",
    )(x)
    x = batch_norm(x, name="front_end_norm1")
    x = layers.ReLU(name="front_end_relu1")(x)
    x = layers.DepthwiseConv2D(
        (3, 5), strides=(1, 2), padding="same", use_bias=False, name="front_end_depthwise"
    )(x)
    x = batch_norm(x, name="front_end_norm2")
    x = layers.Conv2D(2 * channels, 1, use_bias=False, name="front_end_pointwise")(x)
    x = batch_norm(x, name="front_end_norm3")
    x = layers.ReLU(name="front_end_relu2")(x)
    x = layers.Reshape((frames // STRIDE, -1), name="front_end_tokens")(x)
    return FastDense(units, name="front_end_output")(x)


def batch_norm(x, name, mask=None):
    """Batch normalization whose statistics settle in the few hundred steps of a small corpus.

    Args:
        x: Keras tensor (batch, frames, units), or any other if there is no mask.
        name: of the layer.
        mask: Keras tensor (batch, frames), 0 where values do not count in training, or None.
    """
    return layers.BatchNormalization(momentum=0.9, name=name)(x, mask=mask)
