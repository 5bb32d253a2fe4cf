"""ConvTransformer: a strided convolution and Transformer encoder blocks."""

import keras
from keras import layers

from tfhrf.backbones.blocks import (
    feed_forward,
    norm,
    projection,
    residual,
    self_attention,
    sinusoidal_positions,
)

PRESETS = {
    "light": {"units": 48, "blocks": 2, "heads": 4, "feed_forward_units": 96, "dropout": 0.1},
    "large": {"units": 144, "blocks": 4, "heads": 4, "feed_forward_units": 288, "dropout": 0.1},
}
STRIDE = 4  # of the front end, frames


def ConvTransformer(  # noqa: N802 - a model constructor, named as keras.applications names them
    input_shape,
    classes,
    preset="light",
    hrf=0,
    hrf_depth=2,
    where="ffn",
    units=None,
    blocks=None,
    heads=None,
    feed_forward_units=None,
    activation="relu",
    dropout=None,
    head_dropout=0.2,
):
    """A strided convolutional front end and pre-norm Transformer encoder blocks.

    Speech emotion recognition has no canonical ConvTransformer; this is ours. A convolution
    reduces the frames by 4; sinusoidal positions are added; `blocks` encoder blocks (Vaswani et
    al. 2017, pre-norm, ReLU) follow; mean pooling over time, layer normalization, and a
    classifier end it.

    Args:
        input_shape: (frames, mels); frames a multiple of 4.
        classes: number of classes.
        preset: "light" or "large"; sets what is left None of `units`, `blocks`, `heads`,
            `feed_forward_units` and `dropout`.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        activation: of the feed-forward networks; "relu" or "silu" run on microcontrollers.
        head_dropout: dropout before the classifier.

    Returns:
        Functional keras.Model, (batch, frames, mels) to logits (batch, classes).

    Raises:
        ValueError: an argument is out of range; the message ends with what was received.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {sorted(PRESETS)}. Received: preset={preset!r}")
    knobs = PRESETS[preset]
    units = knobs["units"] if units is None else units
    blocks = knobs["blocks"] if blocks is None else blocks
    heads = knobs["heads"] if heads is None else heads
    wide = knobs["feed_forward_units"] if feed_forward_units is None else feed_forward_units
    dropout = knobs["dropout"] if dropout is None else dropout
    frames, _ = input_shape
    if frames % STRIDE:
        raise ValueError(f"frames must be a multiple of {STRIDE}. Received: {input_shape=}")
    ffn_dense = projection(hrf, hrf_depth, where in ("ffn", "all"))
    attention_dense = projection(hrf, hrf_depth, where in ("attention", "all"))
    if where not in ("ffn", "attention", "all"):
        raise ValueError(f"where must be 'ffn', 'attention' or 'all'. Received: where={where!r}")

    inputs = keras.Input(input_shape, name="log_mel")
    x = layers.Conv1D(units, STRIDE, strides=STRIDE, name="front_end")(inputs)
    x = x + sinusoidal_positions(frames // STRIDE, units)
    for block in range(1, blocks + 1):
        y = norm(x, name=f"block{block}_attention_norm")
        y = self_attention(y, heads, attention_dense, name=f"block{block}_attention")
        x = residual(x, y, dropout, name=f"block{block}_attention")
        y = norm(x, name=f"block{block}_ffn_norm")
        y = feed_forward(y, wide, activation, dropout, ffn_dense, name=f"block{block}_ffn")
        x = residual(x, y, dropout, name=f"block{block}_ffn")
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = norm(x, name="head_norm")
    x = layers.Dropout(head_dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, logits, name=f"conv_transformer_{preset}")
