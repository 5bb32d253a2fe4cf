"""ConvTransformer: a strided convolutional stem and Transformer encoder blocks."""

import dataclasses

import keras
from keras import layers

from tfhrf.models.attention import self_attention, sinusoidal_positions
from tfhrf.models.blocks import (
    STRIDE,
    choose,
    feed_forward,
    make_inputs,
    model_name,
    norm,
    pool,
    projections,
    residual,
    stem,
    temporal_convolutions,
)


@dataclasses.dataclass(frozen=True)
class ConvTransformerConfig:
    """What a ConvTransformer consists of; `dataclasses.replace(LIGHT, units=64)` makes another."""

    channels: int  # of the first convolution; the second has twice as many
    units: int  # width of the tokens, a multiple of heads
    convolutions: int  # depthwise separable ones over frames, before the encoder
    kernel_size: int  # of these, in frames
    blocks: int  # of the encoder
    heads: int
    feed_forward_units: int  # inner width of the feed-forward networks
    activation: str = "relu"  # of the feed-forward networks; microcontrollers run relu and silu
    dropout: float = 0.1  # in the encoder blocks
    head_dropout: float = 0.2  # before the classifier


TINY = ConvTransformerConfig(
    channels=8,
    units=40,
    convolutions=0,
    kernel_size=9,
    blocks=1,
    heads=4,
    feed_forward_units=96,
)
LIGHT = dataclasses.replace(TINY, units=48, convolutions=6, heads=2)
LARGE = dataclasses.replace(
    LIGHT, channels=16, units=144, blocks=4, heads=4, feed_forward_units=288
)
PRESETS = {"tiny": TINY, "light": LIGHT, "large": LARGE}


def ConvTransformer(
    input_shape: tuple[int, int],
    classes: int,
    preset: str | ConvTransformerConfig = "light",
    *,
    hrf: int = 0,
    hrf_depth: int = 2,
    where: str = "ffn",
    parallel: int = 0,
    masked: bool = False,
) -> keras.Model:
    """A strided convolutional stem and pre-norm Transformer encoder blocks.

    Speech emotion recognition has no canonical ConvTransformer; this is ours. Two convolutions
    over frames and mels (the second one depthwise separable) with batch normalization reduce
    both by 4; a Dense layer makes tokens of what is left of the mels; depthwise separable
    convolutions over the tokens, each with batch normalization and a residual connection, follow.
    Then sinusoidal positions are added; encoder blocks (Vaswani et al. 2017, pre-norm) follow;
    mean and mean deviation over time, layer normalization and a classifier end it.

    Args:
        input_shape: (frames, mels), both multiples of 4.
        classes: number of classes.
        preset: "tiny", "light", "large", or a ConvTransformerConfig of one's own.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        parallel: kernels of ParallelDense layers in the place of HRF ones, or 0.
        masked: whether the model takes a second input, (batch, frames), 1 for real frames and 0
            for padding, which attention, depthwise convolutions over tokens and their batch
            statistics, and pooling leave out. For training; to deploy, give the weights to a
            model made with masked=False.

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
    x = temporal_convolutions(
        x, config.convolutions, config.kernel_size, ffn_dense, "convolution", token_mask
    )
    x = x + sinusoidal_positions(*x.shape[1:])
    for block in range(1, config.blocks + 1):
        name = f"block{block}_attention"
        y = norm(x, name=f"{name}_norm")
        y = self_attention(y, config.heads, attention_dense, name, token_mask)
        x = residual(x, y, config.dropout, name)
        name = f"block{block}_ffn"
        y = norm(x, name=f"{name}_norm")
        y = feed_forward(
            y, config.feed_forward_units, config.activation, config.dropout, ffn_dense, name
        )
        x = residual(x, y, config.dropout, name)
    x = pool(x, token_mask, "pool", deviation=True)
    x = norm(x, name="head_norm")
    x = layers.Dropout(config.head_dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(
        inputs if mask is None else [inputs, mask],
        logits,
        name=model_name("conv_transformer", preset),
    )
