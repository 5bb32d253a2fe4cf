"""Conformer: convolution-augmented Transformer blocks."""

import dataclasses

import keras
from keras import KerasTensor, layers, ops

from tfhrf.hrf.fast import FastDense
from tfhrf.models.attention import (
    relative_positions,
    relative_self_attention,
    self_attention,
    sinusoidal_positions,
)
from tfhrf.models.blocks import (
    STRIDE,
    MakeDense,
    batch_norm,
    choose,
    feed_forward,
    make_inputs,
    model_name,
    norm,
    one_channel,
    pool,
    projections,
    residual,
    stem,
)


@dataclasses.dataclass(frozen=True)
class ConformerConfig:
    """What a Conformer consists of; `dataclasses.replace(LIGHT, units=64)` makes another."""

    channels: int  # of the stem's first convolution; the second has twice as many
    units: int  # width of the tokens, a multiple of heads
    blocks: int
    heads: int
    feed_forward_expansion: int  # inner width of the feed-forward networks over units
    kernel_size: int  # of the depthwise convolutions, in tokens
    # "relative" (Dai et al. 2019, in the attention, as published) or "sinusoidal" (Vaswani et al.
    # 2017, added behind the stem)
    positions: str = "relative"
    # Of the feed-forward networks and the convolution modules; "relu" or "silu" (swish, as
    # published) run on microcontrollers.
    activation: str = "silu"
    dropout: float = 0.1  # behind the stem and in the blocks
    head_dropout: float = 0.2  # before the classifier

    def __post_init__(self) -> None:
        if self.positions not in ("relative", "sinusoidal"):
            raise ValueError(
                "positions must be 'relative' or 'sinusoidal'. "
                f"Received: positions={self.positions!r}"
            )


LIGHT = ConformerConfig(
    channels=8, units=40, blocks=1, heads=2, feed_forward_expansion=2, kernel_size=15
)
LARGE = ConformerConfig(
    channels=72,
    units=144,
    blocks=16,
    heads=4,
    feed_forward_expansion=4,
    kernel_size=32,
)
PRESETS = {"light": LIGHT, "large": LARGE}


def Conformer(
    input_shape: tuple[int, int],
    classes: int,
    preset: str | ConformerConfig = "light",
    *,
    hrf: int = 0,
    hrf_depth: int = 2,
    where: str = "ffn",
    parallel: int = 0,
    masked: bool = False,
) -> keras.Model:
    """Conformer encoder (Gulati et al. 2020) with pooling over time and a classifier.

    A convolutional stem reduces frames by 4. Each block adds to its input half of a feed-forward
    network, self-attention with relative positions, a convolution module and half of another
    feed-forward network, each behind a layer normalization of its own, and ends with a layer
    normalization. The preset "large" is the published Conformer (S). The paper leaves open how
    its stem subsamples; ours is that of `ConvTransformer`.

    Args:
        input_shape: (frames, mels), both multiples of 4.
        classes: number of classes.
        preset: "light", "large", or a ConformerConfig of one's own.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        parallel: kernels of ParallelDense layers in the place of HRF ones, or 0.
        masked: whether the model takes a second input, (batch, frames), 1 for real frames and 0
            for padding, which attention, depthwise convolutions and their batch statistics, and
            pooling leave out. For training; to deploy, give the weights to a model made with
            masked=False.

    Returns:
        Functional keras.Model, (batch, frames, mels) to logits (batch, classes).

    Raises:
        ValueError: an argument is out of range; the message ends with what was received.
    """
    config = choose(PRESETS, preset)
    inputs, mask = make_inputs(input_shape, masked)
    token_mask = None if mask is None else mask[:, ::STRIDE]
    ffn_dense, attention_dense = projections(hrf, hrf_depth, where, parallel, token_mask)
    x = stem(inputs, config.channels, config.units)
    distances = None
    if config.positions == "sinusoidal":
        x = x + sinusoidal_positions(*x.shape[1:])
    else:
        distances = relative_positions(x)
    x = layers.Dropout(config.dropout, name="front_end_dropout")(x)
    for block in range(1, config.blocks + 1):
        name = f"block{block}"
        x = half_feed_forward(x, config, ffn_dense, f"{name}_ffn1")
        x = attend(x, config, attention_dense, f"{name}_attention", distances, token_mask)
        y = convolution_module(
            x, config.kernel_size, config.activation, f"{name}_convolution", token_mask
        )
        x = residual(x, y, config.dropout, f"{name}_convolution")
        x = half_feed_forward(x, config, ffn_dense, f"{name}_ffn2")
        x = norm(x, name=f"{name}_norm")
    x = pool(x, token_mask, "pool")
    x = layers.Dropout(config.head_dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(
        inputs if mask is None else [inputs, mask], logits, name=model_name("conformer", preset)
    )


def half_feed_forward(
    x: KerasTensor, config: ConformerConfig, dense: MakeDense, name: str
) -> KerasTensor:
    """x and half of a feed-forward network of it."""
    wide = config.feed_forward_expansion * config.units
    y = norm(x, name=f"{name}_norm")
    y = feed_forward(y, wide, config.activation, config.dropout, dense, name)
    # Directly behind a Dense layer, whose weights take the factor in when deployed.
    return residual(x, 0.5 * y, config.dropout, name)


def attend(
    x: KerasTensor,
    config: ConformerConfig,
    dense: MakeDense,
    name: str,
    distances: KerasTensor | None,
    mask: KerasTensor | None,
) -> KerasTensor:
    """x and self-attention of it, with relative positions if there are distances."""
    y = norm(x, name=f"{name}_norm")
    if distances is None:
        y = self_attention(y, config.heads, dense, name, mask)
    else:
        y = relative_self_attention(y, distances, config.heads, dense, name, mask)
    return residual(x, y, config.dropout, name)


def convolution_module(
    x: KerasTensor, kernel_size: int, activation: str, name: str, mask: KerasTensor | None = None
) -> KerasTensor:
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
    y = layers.DepthwiseConv2D(
        (kernel_size, 1),
        padding="same",
        depthwise_initializer=one_channel(kernel_size),
        name=f"{name}_depthwise",
    )(y)
    y = layers.Reshape((frames, units), name=f"{name}_frames")(y)
    y = batch_norm(y, f"{name}_batch_norm", mask)
    y = layers.Activation(activation, name=f"{name}_activation")(y)
    return FastDense(units, name=f"{name}_project")(y)
