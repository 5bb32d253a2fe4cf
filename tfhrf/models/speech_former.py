"""SpeechFormer: attention in windows of the length of frames, phonemes and words."""

import keras
from keras import layers, ops

from tfhrf.models.attention import sinusoidal_positions, windowed_self_attention
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
    "light": {
        "channels": 8,
        "units": 32,
        "blocks": (1, 1, 1),
        "windows": (9, 9, None),
        "merges": (5, 4),
        "widen": (1, 1),
        "heads": 4,
        "feed_forward_ratio": 1,
        "norm_first": True,
        "head_ratios": (),
        "attention_dropout": 0.0,
        "head_dropout": 0.2,
    },
    "large": {
        "channels": 0,
        "units": 0,
        "blocks": (2, 2, 4, 4),
        "windows": (5, 9, 9, None),
        "merges": (5, 5, 4),
        "widen": (1, 1, 1),
        "heads": 8,
        "feed_forward_ratio": 0.5,
        "norm_first": False,
        "head_ratios": (0.5, 0.25),
        "attention_dropout": 0.1,
        "head_dropout": 0.5,
    },
}


def SpeechFormer(
    input_shape,
    classes,
    preset="light",
    hrf=0,
    hrf_depth=2,
    where="ffn",
    channels=None,
    units=None,
    blocks=None,
    windows=None,
    merges=None,
    widen=None,
    heads=None,
    feed_forward_ratio=None,
    norm_first=None,
    head_ratios=None,
    activation="relu",
    dropout=0.1,
    attention_dropout=None,
    head_dropout=None,
    masked=False,
):
    """SpeechFormer (Chen et al., Interspeech 2022): a hierarchy of windowed Transformer stages.

    Each stage attends within windows centered on each token; between stages, neighboring tokens
    merge into one: average pooling, a Dense layer and layer normalization. Sinusoidal positions
    are in the first stage only. The mean of the last tokens goes to the classifier.

    The preset "large" is the published SpeechFormer-S for frames every 10 ms, with the stages
    frame, phoneme, word and utterance; widen=(1, 1, 2) makes it SpeechFormer-B. Two details are
    ours: at the ends of the sequence windows are clipped, where the authors' code attends to
    zeros; and epsilon of the normalizations is 1e-3.

    The preset "light" departs from it where a microcontroller needs it: the strided convolutions
    of `ConvTransformer` take the place of the frame stage, because 300 frames with query, key
    and value do not fit in 96 KB; normalization stands in front of each sublayer, because
    behind it int8 loses 11 dB; what feed-forward networks and head cost is balanced for 32 units.

    Args:
        input_shape: (frames, mels); both multiples of 4 if there is a front end.
        classes: number of classes.
        preset: "light" or "large"; sets the arguments that are left None.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        channels: of the front end's first convolution; 0: no front end, tokens are frames.
        units: width of the first stage's tokens, a multiple of `heads`; 0: as many of the mels
            as heads divide.
        blocks: number of Transformer blocks of each stage.
        windows: window of each stage in its own tokens, odd, or None: all tokens.
        merges: number of tokens that merge into one behind each stage but the last.
        widen: factor by which each merge widens tokens (the paper's expand).
        heads: number of attention heads.
        feed_forward_ratio: inner width of the feed-forward networks over the tokens' width.
        norm_first: whether normalization stands in front of attention, feed-forward networks,
            the Dense layers of merges and the head, and positions are added once; else behind
            them and in front of each stage, and positions are added to what attention reads.
        head_ratios: width of each hidden layer of the head over the tokens' width.
        activation: of the feed-forward networks; "relu" or "silu" run on microcontrollers.
        dropout: in the blocks.
        attention_dropout: of the attention weights.
        head_dropout: in the head.
        masked: whether the model takes a second input, (batch, frames), 1 for real frames and 0
            for padding, which attention, merges and pooling leave out. For training; to deploy,
            give the weights to a model made with masked=False.

    Returns:
        Functional keras.Model, (batch, frames, mels) to logits (batch, classes).

    Raises:
        ValueError: an argument is out of range; the message ends with what was received.
    """
    (
        channels,
        units,
        blocks,
        windows,
        merges,
        widen,
        heads,
        ratio,
        norm_first,
        head_ratios,
        attention_dropout,
        head_dropout,
    ) = choose(
        PRESETS,
        preset,
        channels=channels,
        units=units,
        blocks=blocks,
        windows=windows,
        merges=merges,
        widen=widen,
        heads=heads,
        feed_forward_ratio=feed_forward_ratio,
        norm_first=norm_first,
        head_ratios=head_ratios,
        attention_dropout=attention_dropout,
        head_dropout=head_dropout,
    )
    if not len(blocks) == len(windows) == len(merges) + 1 == len(widen) + 1:
        raise ValueError(
            "blocks and windows must have a value for each stage, merges and widen for each but "
            f"the last. Received: {blocks=}, {windows=}, {merges=}, {widen=}"
        )
    ffn_dense, attention_dense = projections(hrf, hrf_depth, where)
    frames, mels = input_shape
    units = units or mels // heads * heads
    if units == 0:
        raise ValueError(f"mels must be at least heads. Received: {input_shape=}, {heads=}")

    inputs = keras.Input(input_shape, name="log_mel")
    mask = token_mask = None
    if masked:
        token_mask = mask = keras.Input((frames,), name="mask")
    if channels:
        x = front_end(inputs, channels, units)
        if mask is not None:
            token_mask = mask[:, ::STRIDE]
    elif units > mels:
        x = layers.Dense(units, name="tokens")(inputs)
    else:
        x = inputs[:, :, :units] if units < mels else inputs
    before, after = (norm, unchanged) if norm_first else (unchanged, norm)
    positions = sinusoidal_positions(*x.shape[1:])
    if norm_first:
        x = x + positions

    for stage, (count, window) in enumerate(zip(blocks, windows, strict=True), start=1):
        x = after(x, name=f"stage{stage}_norm")
        for block in range(1, count + 1):
            name = f"stage{stage}_block{block}_attention"
            y = before(x, name=f"{name}_norm")
            if stage == 1 and not norm_first:
                y = y + positions
            y = windowed_self_attention(
                y, heads, window, attention_dense, name, attention_dropout, token_mask
            )
            x = after(residual(x, y, dropout, name), name=f"{name}_norm")
            name = f"stage{stage}_block{block}_ffn"
            y = before(x, name=f"{name}_norm")
            y = feed_forward(y, int(units * ratio), activation, dropout, ffn_dense, name)
            x = after(residual(x, y, dropout, name), name=f"{name}_norm")
        if stage < len(blocks):
            x, token_mask = merge(x, merges[stage - 1], token_mask)
            units = units * widen[stage - 1]
            x = before(x, name=f"merge{stage}_norm")
            x = layers.Dense(units, name=f"merge{stage}")(x)
            x = after(x, name=f"merge{stage}_norm")
    x = pool(x, token_mask, name="pool")
    x = before(x, name="head_norm")
    for layer, head_ratio in enumerate(head_ratios, start=1):
        x = layers.Dense(int(units * head_ratio), activation="relu", name=f"head{layer}")(x)
        x = layers.Dropout(head_dropout, name=f"head{layer}_dropout")(x)
    if not head_ratios:
        x = layers.Dropout(head_dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model([inputs, mask] if masked else inputs, logits, name=f"speech_former_{preset}")


def unchanged(x, name):
    return x


def merge(x, count, mask=None):
    """Averages every `count` tokens; zeros fill up the last ones, and padding counts as zero.

    Args:
        x: Keras tensor (batch, tokens, units).
        count: tokens that become one.
        mask: Keras tensor (batch, tokens), 1 for real tokens and 0 for padding, or None.

    Returns:
        (tokens, mask): Keras tensors (batch, ceil(tokens / count), units) and, or None, of the
        same first dimensions.
    """
    tokens, units = x.shape[1:]
    merged = -(-tokens // count)

    def fill(y):
        missing = merged * count - tokens
        return ops.concatenate([y] + [ops.zeros_like(y[:, :1])] * missing, axis=1)

    if mask is not None:
        x = x * ops.expand_dims(mask, 2)
        mask = ops.max(ops.reshape(fill(mask), (-1, merged, count)), axis=2)
    return ops.mean(ops.reshape(fill(x), (-1, merged, count, units)), axis=2), mask
