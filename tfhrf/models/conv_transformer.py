"""ConvTransformer: a strided convolutional front end and Transformer encoder blocks."""

import keras
from keras import layers

from tfhrf.models.attention import self_attention, sinusoidal_positions
from tfhrf.models.blocks import (
    STRIDE,
    choose,
    feed_forward,
    front_end,
    norm,
    pool,
    projections,
    residual,
)

PRESETS = {
    "tiny": {
        "channels": 8,
        "units": 40,
        "blocks": 1,
        "heads": 4,
        "feed_forward_units": 96,
    },
    "light": {
        "channels": 8,
        "units": 48,
        "blocks": 1,
        "heads": 4,
        "feed_forward_units": 96,
    },
    "large": {
        "channels": 16,
        "units": 144,
        "blocks": 4,
        "heads": 4,
        "feed_forward_units": 288,
    },
}


def ConvTransformer(
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
    feed_forward_units=None,
    activation="relu",
    dropout=0.1,
    head_dropout=0.2,
    masked=False,
):
    """A strided convolutional front end and pre-norm Transformer encoder blocks.

    Speech emotion recognition has no canonical ConvTransformer; this is ours. Two convolutions
    over frames and mels (the second one depthwise separable) with batch normalization reduce
    both by 4; a Dense layer makes tokens of what is left of the mels; sinusoidal positions are
    added; `blocks` encoder blocks (Vaswani et al. 2017, pre-norm) follow; mean pooling over
    time, layer normalization and a classifier end it.

    Args:
        input_shape: (frames, mels), both multiples of 4.
        classes: number of classes.
        preset: "tiny", "light" or "large"; sets what is left None of `channels`, `units`, `blocks`,
            `heads` and `feed_forward_units`.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        channels: of the first convolution; the second has twice as many.
        units: width of the tokens, a multiple of `heads`.
        activation: of the feed-forward networks; "relu" or "silu" run on microcontrollers.
        dropout: in the encoder blocks.
        head_dropout: before the classifier.
        masked: whether the model takes a second input, (batch, frames), 1 for real frames and 0
            for padding, which attention and pooling leave out. For training; to deploy, give the
            weights to a model made with masked=False.

    Returns:
        Functional keras.Model, (batch, frames, mels) to logits (batch, classes).

    Raises:
        ValueError: an argument is out of range; the message ends with what was received.
    """
    channels, units, blocks, heads, wide = choose(
        PRESETS,
        preset,
        channels=channels,
        units=units,
        blocks=blocks,
        heads=heads,
        feed_forward_units=feed_forward_units,
    )
    ffn_dense, attention_dense = projections(hrf, hrf_depth, where)
    frames = input_shape[0]

    inputs = keras.Input(input_shape, name="log_mel")
    mask = token_mask = None
    if masked:
        mask = keras.Input((frames,), name="mask")
        token_mask = mask[:, ::STRIDE]
    x = front_end(inputs, channels, units)
    x = x + sinusoidal_positions(frames // STRIDE, units)
    for block in range(1, blocks + 1):
        y = norm(x, name=f"block{block}_attention_norm")
        y = self_attention(y, heads, attention_dense, f"block{block}_attention", token_mask)
        x = residual(x, y, dropout, name=f"block{block}_attention")
        y = norm(x, name=f"block{block}_ffn_norm")
        y = feed_forward(y, wide, activation, dropout, ffn_dense, name=f"block{block}_ffn")
        x = residual(x, y, dropout, name=f"block{block}_ffn")
    x = pool(x, token_mask, name="pool")
    x = norm(x, name="head_norm")
    x = layers.Dropout(head_dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(
        [inputs, mask] if masked else inputs, logits, name=f"conv_transformer_{preset}"
    )
