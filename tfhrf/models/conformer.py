"""Conformer: convolution-augmented Transformer blocks."""

import keras
from keras import layers, ops

from tfhrf.hrf.fast import FastDense
from tfhrf.models.attention import (
    relative_positions,
    relative_self_attention,
    self_attention,
    sinusoidal_positions,
)
from tfhrf.models.blocks import (
    STRIDE,
    batch_norm,
    choose,
    feed_forward,
    front_end,
    norm,
    pool,
    projections,
    residual,
)

PRESETS = {
    "light": {
        "channels": 8,
        "units": 40,
        "blocks": 1,
        "heads": 2,
        "feed_forward_expansion": 2,
        "kernel_size": 15,
    },
    "large": {
        "channels": 72,
        "units": 144,
        "blocks": 16,
        "heads": 4,
        "feed_forward_expansion": 4,
        "kernel_size": 32,
    },
}


def Conformer(
    input_shape,
    classes,
    preset="light",
    hrf=0,
    hrf_depth=2,
    where="ffn",
    channels=None,
    units=None,
    blocks=None,
    heads=None,
    feed_forward_expansion=None,
    kernel_size=None,
    positions="relative",
    activation="silu",
    dropout=0.1,
    head_dropout=0.2,
    masked=False,
):
    """Conformer encoder (Gulati et al. 2020) with mean pooling and a classifier.

    A convolutional front end reduces frames by 4. Each block adds to its input half of a
    feed-forward network, self-attention with relative positions, a convolution module and half of
    another feed-forward network, each behind a layer normalization of its own, and ends with a
    layer normalization. The preset "large" is the published Conformer (S). The paper leaves open
    how its front end subsamples; ours is that of `ConvTransformer`.

    Args:
        input_shape: (frames, mels), both multiples of 4.
        classes: number of classes.
        preset: "light" or "large"; sets what is left None of `channels`, `units`, `blocks`,
            `heads`, `feed_forward_expansion` and `kernel_size`.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        channels: of the front end's first convolution; the second has twice as many.
        units: width of the tokens, a multiple of `heads`.
        feed_forward_expansion: inner width of the feed-forward networks over `units`.
        kernel_size: of the depthwise convolutions, in tokens.
        positions: "relative" (Dai et al. 2019, in the attention, as published) or "sinusoidal"
            (Vaswani et al. 2017, added behind the front end).
        activation: of the feed-forward networks and the convolution modules; "relu" or "silu"
            (swish, as published) run on microcontrollers.
        dropout: behind the front end and in the blocks.
        head_dropout: before the classifier.
        masked: whether the model takes a second input, (batch, frames), 1 for real frames and 0
            for padding, which attention, depthwise convolutions and their batch statistics, and
            pooling leave out. For training; to deploy, give the weights to a model made with
            masked=False.

    Returns:
        Functional keras.Model, (batch, frames, mels) to logits (batch, classes).

    Raises:
        ValueError: an argument is out of range; the message ends with what was received.
    """
    channels, units, blocks, heads, expansion, kernel_size = choose(
        PRESETS,
        preset,
        channels=channels,
        units=units,
        blocks=blocks,
        heads=heads,
        feed_forward_expansion=feed_forward_expansion,
        kernel_size=kernel_size,
    )
    if positions not in ("relative", "sinusoidal"):
        raise ValueError(
            f"positions must be 'relative' or 'sinusoidal'. Received: positions={positions!r}"
        )
    ffn_dense, attention_dense = projections(hrf, hrf_depth, where)
    frames = input_shape[0]

    inputs = keras.Input(input_shape, name="log_mel")
    mask = token_mask = None
    if masked:
        mask = keras.Input((frames,), name="mask")
        token_mask = mask[:, ::STRIDE]
    x = front_end(inputs, channels, units)
    if positions == "sinusoidal":
        x = x + sinusoidal_positions(frames // STRIDE, units)
    distances = relative_positions(x) if positions == "relative" else None
    x = layers.Dropout(dropout, name="front_end_dropout")(x)

    def half_feed_forward(x, name):
        y = norm(x, name=f"{name}_norm")
        y = feed_forward(y, expansion * units, activation, dropout, ffn_dense, name)
        # Directly behind a Dense layer, whose weights take the factor in when deployed.
        return residual(x, 0.5 * y, dropout, name)

    def attend(x, name):
        y = norm(x, name=f"{name}_norm")
        if distances is None:
            y = self_attention(y, heads, attention_dense, name, token_mask)
        else:
            y = relative_self_attention(y, distances, heads, attention_dense, name, token_mask)
        return residual(x, y, dropout, name)

    def convolve(x, name):
        y = convolution_module(x, kernel_size, activation, name, token_mask)
        return residual(x, y, dropout, name)

    for block in range(1, blocks + 1):
        x = half_feed_forward(x, f"block{block}_ffn1")
        x = attend(x, f"block{block}_attention")
        x = convolve(x, f"block{block}_convolution")
        x = half_feed_forward(x, f"block{block}_ffn2")
        x = norm(x, name=f"block{block}_norm")
    x = pool(x, token_mask, name="pool")
    x = layers.Dropout(head_dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model([inputs, mask] if masked else inputs, logits, name=f"conformer_{preset}")


def convolution_module(x, kernel_size, activation, name, mask=None):
    """The Conformer's convolution module, without its dropout and residual connection.

    Args:
        x: Keras tensor (batch, frames, units).
        kernel_size: of the depthwise convolution, in frames.
        activation: behind the batch normalization.
        name: begins the names of the layers.
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.

    Returns:
        Keras tensor (batch, frames, units).
    """
    frames, units = x.shape[1:]
    y = norm(x, name=f"{name}_norm")
    y, gate = ops.split(FastDense(2 * units, name=f"{name}_expand")(y), 2, axis=-1)
    y = y * ops.sigmoid(gate)
    if mask is not None:
        y = y * ops.expand_dims(mask, 2)
    # Not DepthwiseConv1D, which makes frames the width: TensorFlow 2.16 crashes or hangs in
    # depthwise convolutions with wide kernels (15 do, 11 do not).
    y = layers.Reshape((frames, 1, units), name=f"{name}_image")(y)
    y = layers.DepthwiseConv2D((kernel_size, 1), padding="same", name=f"{name}_depthwise")(y)
    y = layers.Reshape((frames, units), name=f"{name}_frames")(y)
    y = batch_norm(y, f"{name}_batch_norm", mask)
    y = layers.Activation(activation, name=f"{name}_activation")(y)
    return FastDense(units, name=f"{name}_project")(y)
