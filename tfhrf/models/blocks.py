"""Blocks that the backbones share, as functions on Keras tensors.

Functional, so that fold, expand and the TFLite lowering can enter them; from Dense and HRFDense
projections, because stock MultiHeadAttention hides its own.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import keras
from keras import KerasTensor, layers, ops

from tfhrf.hrf.fast import FastDense, FastDropout, FastLayerNormalization
from tfhrf.hrf.layers import HRFDense
from tfhrf.hrf.parallel import ParallelDense

# Inside the range of an int8 variance, so that its reciprocal root never overflows.
EPSILON = 1e-3
STRIDE = 4  # of the stem, frames and mels

# Makes a layer such as Dense or HRFDense from its units and keyword arguments.
MakeDense: TypeAlias = Callable[..., Callable[[KerasTensor], KerasTensor]]
Config = TypeVar("Config")


def choose(presets: Mapping[str, Config], preset: str | Config) -> Config:
    """The configuration of that name, or the given one itself."""
    kind = type(next(iter(presets.values())))
    chosen = presets.get(preset) if isinstance(preset, str) else preset
    if not isinstance(chosen, kind):
        raise ValueError(
            f"preset must be one of {sorted(presets)} or a {kind.__name__}. "
            f"Received: preset={preset!r}"
        )
    return chosen


def model_name(backbone: str, preset: object) -> str:
    """The name of a model of a named preset, or of a configuration of one's own."""
    return f"{backbone}_{preset}" if isinstance(preset, str) else backbone


def make_inputs(
    input_shape: tuple[int, int], masked: bool
) -> tuple[KerasTensor, KerasTensor | None]:
    """(log-mel frames, mask or None): the inputs of a model."""
    inputs = keras.Input(input_shape, name="log_mel")
    return inputs, keras.Input(input_shape[:1], name="mask") if masked else None


def projections(
    hrf: int, hrf_depth: int, where: str, parallel: int = 0, mask: KerasTensor | None = None
) -> tuple[MakeDense, MakeDense]:
    """What makes the Dense layers of feed-forward networks, and those of attention.

    Args:
        hrf: expansion of HRFDense, or 0.
        hrf_depth: number of factors of HRFDense.
        where: which of the two are re-parameterized: "ffn", "attention" or "all" (both).
        parallel: kernels of ParallelDense, or 0.
        mask: Keras tensor (batch, frames), 0 for padding, which batch statistics leave out, or
            None.
    """
    if where not in ("ffn", "attention", "all"):
        raise ValueError(f"where must be 'ffn', 'attention' or 'all'. Received: where={where!r}")
    if hrf and parallel:
        raise ValueError(f"hrf and parallel exclude each other. Received: {hrf=}, {parallel=}")

    def parallel_dense(units: int, **arguments: Any) -> Callable[[KerasTensor], KerasTensor]:
        layer = ParallelDense(units, kernels=parallel, **arguments)
        # Relative positions are no frames: they have no batch.
        return lambda x: layer(x, mask=mask if len(x.shape) == 3 else None)

    chosen: MakeDense = FastDense
    if hrf:
        chosen = functools.partial(HRFDense, expansion=hrf, depth=hrf_depth)
    elif parallel:
        chosen = parallel_dense
    ffn, attention = (
        chosen if where in (part, "all") else FastDense for part in ("ffn", "attention")
    )
    return ffn, attention


def norm(x: KerasTensor, name: str) -> KerasTensor:
    """Layer normalization over units."""
    return FastLayerNormalization(epsilon=EPSILON, name=name)(x)


def feed_forward(
    x: KerasTensor, units: int, activation: str, dropout: float, dense: MakeDense, name: str
) -> KerasTensor:
    """Two Dense layers with an activation between, (batch, frames, d) to the same."""
    y = dense(units, activation=activation, name=f"{name}_expand")(x)
    y = FastDropout(dropout, name=f"{name}_inner_dropout")(y)
    return dense(x.shape[-1], name=f"{name}_project")(y)


def residual(x: KerasTensor, y: KerasTensor, dropout: float, name: str) -> KerasTensor:
    """x + dropout(y)."""
    y = FastDropout(dropout, name=f"{name}_dropout")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def pool(
    x: KerasTensor, mask: KerasTensor | None, name: str, deviation: bool = False
) -> KerasTensor:
    """Statistics over frames, (batch, frames, units) to (batch, units); of real frames if masked.

    Args:
        x: Keras tensor (batch, frames, units).
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.
        name: of the layer.
        deviation: whether how far frames lie above the mean, on average, follows the mean: half
            the mean absolute deviation, which 8 bits hold better than a root of squares. Then
            the result is (batch, 2 * units).
    """

    def mean(x: KerasTensor, name: str) -> KerasTensor:
        if mask is None:
            return layers.GlobalAveragePooling1D(name=name)(x)
        count = ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
        return ops.sum(x * ops.expand_dims(mask / count, 2), axis=1)

    center = mean(x, name)
    if not deviation:
        return center
    above = layers.ReLU(name=f"{name}_above")(x - ops.expand_dims(center, 1))
    return layers.Concatenate(name=f"{name}_statistics")([center, mean(above, f"{name}_deviation")])


def stem(inputs: KerasTensor, channels: int, units: int) -> KerasTensor:
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
        (3, 5),
        strides=(1, 2),
        padding="same",
        use_bias=False,
        depthwise_initializer=one_channel(3, 5),
        name="front_end_depthwise",
    )(x)
    x = batch_norm(x, name="front_end_norm2")
    x = layers.Conv2D(2 * channels, 1, use_bias=False, name="front_end_pointwise")(x)
    x = batch_norm(x, name="front_end_norm3")
    x = layers.ReLU(name="front_end_relu2")(x)
    x = layers.Reshape((frames // STRIDE, -1), name="front_end_tokens")(x)
    return FastDense(units, name="front_end_output")(x)


def temporal_convolutions(
    x: KerasTensor,
    count: int,
    kernel_size: int,
    dense: MakeDense,
    name: str,
    mask: KerasTensor | None,
) -> KerasTensor:
    """Depthwise separable convolutions over frames, each added to its input.

    Both halves are batch-normalized; a ReLU follows.

    Args:
        x: Keras tensor (batch, frames, units).
        count: of convolutions.
        kernel_size: in frames.
        dense: what makes the pointwise halves.
        name: begins the names of the layers.
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.

    Returns:
        Keras tensor (batch, frames, units).
    """
    if not count:
        return x
    frames, units = x.shape[1:]
    # An image once: a reshape for every convolution would cost memory on a device.
    x = layers.Reshape((frames, 1, units), name=f"{name}_image")(x)
    mask = None if mask is None else ops.expand_dims(mask, 2)
    for place in range(1, count + 1):
        y = x if mask is None else x * ops.expand_dims(mask, 3)
        y = layers.DepthwiseConv2D(
            (kernel_size, 1),
            padding="same",
            use_bias=False,
            depthwise_initializer=one_channel(kernel_size),
            name=f"{name}{place}_depthwise",
        )(y)
        y = batch_norm(y, f"{name}{place}_norm1", mask)
        y = dense(units, use_bias=False, name=f"{name}{place}_pointwise")(y)
        y = batch_norm(y, f"{name}{place}_norm2", mask)
        y = layers.ReLU(name=f"{name}{place}_relu")(y)
        x = layers.Add(name=f"{name}{place}_add")([x, y])
    return layers.Reshape((frames, units), name=f"{name}_frames")(x)


def one_channel(*kernel_size: int) -> keras.initializers.Initializer:
    """What a depthwise kernel starts from: values for a sum over one channel.

    Keras draws them for a sum over all channels, so many times smaller. A normalization behind
    the convolution hides that from its output, but not from the optimizer, whose steps are as
    many times too large.
    """
    return keras.initializers.RandomNormal(stddev=math.prod(kernel_size) ** -0.5)


def batch_norm(x: KerasTensor, name: str, mask: KerasTensor | None = None) -> KerasTensor:
    """Batch normalization whose statistics settle in the few hundred steps of a small corpus.

    Args:
        x: Keras tensor (batch, frames, units), or any other if there is no mask.
        name: of the layer.
        mask: Keras tensor (batch, frames), 0 where values do not count in training, or None.
    """
    return layers.BatchNormalization(momentum=0.9, name=name)(x, mask=mask)
