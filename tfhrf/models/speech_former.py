"""SpeechFormer: attention in windows of the length of frames, phonemes and words."""

import dataclasses

import keras
from keras import KerasTensor, layers, ops

from tfhrf.hrf.factors import Array
from tfhrf.models.attention import sinusoidal_positions, windowed_self_attention
from tfhrf.models.blocks import (
    STRIDE,
    MakeDense,
    choose,
    feed_forward,
    make_inputs,
    model_name,
    norm,
    pool,
    projections,
    residual,
    stem,
)


@dataclasses.dataclass(frozen=True)
class SpeechFormerConfig:
    """What a SpeechFormer consists of; `dataclasses.replace(LIGHT, units=64)` makes another.

    A ValueError if there are not as many windows as stages, and merges and widenings between.
    """

    channels: int  # of the stem's first convolution; 0: no stem, tokens are frames
    units: int  # width of the first tokens, a multiple of heads; 0: as many mels as heads divide
    blocks: tuple[int, ...]  # Transformer blocks of each stage
    windows: tuple[int | None, ...]  # of each stage in its own tokens, odd, or None: all tokens
    merges: tuple[int, ...]  # tokens that merge into one behind each stage but the last
    widen: tuple[int, ...]  # factor by which each merge widens tokens (the paper's expand)
    heads: int
    feed_forward_ratio: float  # inner width of the feed-forward networks over the tokens' width
    # Whether normalization stands in front of attention, feed-forward networks, the Dense layers
    # of merges and the head, and positions are added once; else behind them and in front of each
    # stage, and positions are added to what attention reads.
    norm_first: bool
    head_ratios: tuple[float, ...]  # width of each hidden layer of the head over the tokens' width
    attention_dropout: float  # of the attention weights
    head_dropout: float  # in the head
    activation: str = "relu"  # of the feed-forward networks; microcontrollers run relu and silu
    dropout: float = 0.1  # in the blocks

    def __post_init__(self) -> None:
        blocks, windows, merges, widen = self.blocks, self.windows, self.merges, self.widen
        if not len(blocks) == len(windows) == len(merges) + 1 == len(widen) + 1:
            raise ValueError(
                "blocks and windows must have a value for each stage, merges and widen for each "
                f"but the last. Received: {blocks=}, {windows=}, {merges=}, {widen=}"
            )


LIGHT = SpeechFormerConfig(
    channels=8,
    units=32,
    blocks=(1, 1, 1),
    windows=(9, 9, None),
    merges=(5, 4),
    widen=(1, 1),
    heads=4,
    feed_forward_ratio=1,
    norm_first=True,
    head_ratios=(),
    attention_dropout=0.0,
    head_dropout=0.2,
)
LARGE = SpeechFormerConfig(
    channels=0,
    units=0,
    blocks=(2, 2, 4, 4),
    windows=(5, 9, 9, None),
    merges=(5, 5, 4),
    widen=(1, 1, 1),
    heads=8,
    feed_forward_ratio=0.5,
    norm_first=False,
    head_ratios=(0.5, 0.25),
    attention_dropout=0.1,
    head_dropout=0.5,
)
PRESETS = {"light": LIGHT, "large": LARGE}


def SpeechFormer(
    input_shape: tuple[int, int],
    classes: int,
    preset: str | SpeechFormerConfig = "light",
    *,
    hrf: int = 0,
    hrf_depth: int = 2,
    where: str = "ffn",
    parallel: int = 0,
    masked: bool = False,
) -> keras.Model:
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
        input_shape: (frames, mels); both multiples of 4 if there is a stem.
        classes: number of classes.
        preset: "light", "large", or a SpeechFormerConfig of one's own.
        hrf: expansion of the HRF layers, or 0 for plain Dense layers.
        hrf_depth: number of factors of the HRF layers.
        where: which Dense layers are HRF: "ffn", "attention", or "all" (both).
        parallel: kernels of ParallelDense layers in the place of HRF ones, or 0.
        masked: whether the model takes a second input, (batch, frames), 1 for real frames and 0
            for padding, which attention, merges and pooling leave out. For training; to deploy,
            give the weights to a model made with masked=False.

    Returns:
        Functional keras.Model, (batch, frames, mels) to logits (batch, classes).

    Raises:
        ValueError: an argument is out of range; the message ends with what was received.
    """
    config = choose(PRESETS, preset)
    inputs, mask = make_inputs(input_shape, masked)
    x = first_tokens(inputs, config)
    token_mask = mask if mask is None or not config.channels else mask[:, ::STRIDE]
    before, after = (norm, unchanged) if config.norm_first else (unchanged, norm)
    positions: Array | None = sinusoidal_positions(*x.shape[1:])
    if config.norm_first:
        x, positions = x + positions, None

    for stage, window in enumerate(config.windows, start=1):
        dense = projections(hrf, hrf_depth, where, parallel, token_mask)
        x = after(x, name=f"stage{stage}_norm")
        for block in range(1, config.blocks[stage - 1] + 1):
            name = f"stage{stage}_block{block}"
            x = transformer_block(x, config, window, dense, name, positions, token_mask)
        positions = None
        if stage < len(config.windows):
            x, token_mask = merge(x, config.merges[stage - 1], token_mask)
            x = before(x, name=f"merge{stage}_norm")
            x = layers.Dense(x.shape[-1] * config.widen[stage - 1], name=f"merge{stage}")(x)
            x = after(x, name=f"merge{stage}_norm")
    x = pool(x, token_mask, "pool")
    x = hidden_layers(before(x, name="head_norm"), config)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(
        inputs if mask is None else [inputs, mask],
        logits,
        name=model_name("speech_former", preset),
    )


def first_tokens(inputs: KerasTensor, config: SpeechFormerConfig) -> KerasTensor:
    """Tokens of the first stage: those of the stem, or the frames in the width they need."""
    mels, heads = inputs.shape[-1], config.heads
    units = config.units or mels // heads * heads
    if units == 0:
        raise ValueError(
            "mels must be at least heads. "
            f"Received: input_shape={tuple(inputs.shape[1:])}, {heads=}"
        )
    if config.channels:
        return stem(inputs, config.channels, units)
    if units > mels:
        return layers.Dense(units, name="tokens")(inputs)
    return inputs[:, :, :units] if units < mels else inputs


def transformer_block(
    x: KerasTensor,
    config: SpeechFormerConfig,
    window: int | None,
    dense: tuple[MakeDense, MakeDense],
    name: str,
    positions: Array | None,
    mask: KerasTensor | None,
) -> KerasTensor:
    """Attention in windows and a feed-forward network, each with its residual and norm.

    Args:
        x: Keras tensor (batch, tokens, units).
        config: of the model.
        window: tokens of a window, or None: all.
        dense: what makes the Dense layers of feed-forward networks, and those of attention.
        name: begins the names of the layers.
        positions: added to what attention reads, or None.
        mask: Keras tensor (batch, tokens), 1 for real tokens and 0 for padding, or None.

    Returns:
        Keras tensor (batch, tokens, units).
    """
    before, after = (norm, unchanged) if config.norm_first else (unchanged, norm)
    ffn_dense, attention_dense = dense
    part = f"{name}_attention"
    y = before(x, name=f"{part}_norm")
    if positions is not None:
        y = y + positions
    y = windowed_self_attention(
        y, config.heads, window, attention_dense, part, config.attention_dropout, mask
    )
    x = after(residual(x, y, config.dropout, part), name=f"{part}_norm")
    part = f"{name}_ffn"
    y = before(x, name=f"{part}_norm")
    wide = int(x.shape[-1] * config.feed_forward_ratio)
    y = feed_forward(y, wide, config.activation, config.dropout, ffn_dense, part)
    return after(residual(x, y, config.dropout, part), name=f"{part}_norm")


def hidden_layers(x: KerasTensor, config: SpeechFormerConfig) -> KerasTensor:
    """The head without its last layer, (batch, units) to (batch, width of the last layer)."""
    units = x.shape[-1]
    for layer, ratio in enumerate(config.head_ratios, start=1):
        x = layers.Dense(int(units * ratio), activation="relu", name=f"head{layer}")(x)
        x = layers.Dropout(config.head_dropout, name=f"head{layer}_dropout")(x)
    if not config.head_ratios:
        x = layers.Dropout(config.head_dropout, name="head_dropout")(x)
    return x


def unchanged(x: KerasTensor, name: str) -> KerasTensor:
    return x


def merge(
    x: KerasTensor, count: int, mask: KerasTensor | None = None
) -> tuple[KerasTensor, KerasTensor | None]:
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

    def fill(y: KerasTensor) -> KerasTensor:
        missing = merged * count - tokens
        return ops.concatenate([y] + [ops.zeros_like(y[:, :1])] * missing, axis=1)

    if mask is not None:
        x = x * ops.expand_dims(mask, 2)
        mask = ops.max(ops.reshape(fill(mask), (-1, merged, count)), axis=2)
    return ops.mean(ops.reshape(fill(x), (-1, merged, count, units)), axis=2), mask
