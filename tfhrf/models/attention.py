"""Self-attention from Dense or HRFDense projections, and positions.

Stock MultiHeadAttention hides its projections from expand, fold and the TFLite lowering.
"""

import numpy as np
from keras import KerasTensor, layers, ops

from tfhrf.hrf.factors import Array
from tfhrf.hrf.fast import FastDropout
from tfhrf.models.blocks import MakeDense

HIDDEN = -1e9  # added to the score of a padded frame: its weight is zero
# Added to scores outside the window: their weights are zero, and 8 bits hold it beside scores.
OUTSIDE = -1e3


def sinusoidal_positions(frames: int, units: int) -> Array:
    """Positions of Vaswani et al. 2017, float32 of shape (1, frames, units): sines, cosines."""
    return sinusoids(np.arange(frames), units)[None]


def sinusoids(positions: Array, units: int) -> Array:
    """Sines, then cosines of positions at `units` rates; float32 of shape (positions, units)."""
    rate = 10000.0 ** (-2 * np.arange((units + 1) // 2) / units)
    angles = positions[:, None] * rate
    waves: Array = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return waves[:, :units].astype("f4")


def check_heads(units: int, heads: int) -> None:
    if units % heads:
        raise ValueError(f"units must be a multiple of heads. Received: {units=}, {heads=}")


def self_attention(
    x: KerasTensor, heads: int, dense: MakeDense, name: str, mask: KerasTensor | None = None
) -> KerasTensor:
    """Multi-head self-attention (Vaswani et al. 2017).

    Args:
        x: Keras tensor (batch, frames, units).
        heads: number of heads, a divisor of units.
        dense: makes a projection from `units` and `name`.
        name: begins the names of the layers.
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.

    Returns:
        Keras tensor (batch, frames, units).
    """
    frames, units = x.shape[1:]
    check_heads(units, heads)

    def split(y: KerasTensor, order: tuple[int, ...], part: str) -> KerasTensor:
        y = layers.Reshape((frames, heads, units // heads), name=f"{name}_{part}_split")(y)
        return layers.Permute(order, name=f"{name}_{part}_heads")(y)

    # Scaled before the heads meet: frames x units products instead of frames x frames.
    query = dense(units, name=f"{name}_query")(x) * (units // heads) ** -0.5
    query = split(query, (2, 1, 3), "query")  # heads, frames, depth
    key = split(dense(units, name=f"{name}_key")(x), (2, 3, 1), "key")  # heads, depth, frames
    value = split(dense(units, name=f"{name}_value")(x), (2, 1, 3), "value")
    # No dropout here: drawing frames x frames random numbers costs more than the attention.
    scores = ops.matmul(query, key)
    if mask is not None:
        scores = scores + hide(mask)[:, None, None, :]
    weights = layers.Softmax(name=f"{name}_weights")(scores)
    y = layers.Permute((2, 1, 3), name=f"{name}_merge")(ops.matmul(weights, value))
    y = layers.Reshape((frames, units), name=f"{name}_concatenate")(y)
    return dense(units, name=f"{name}_output")(y)


def relative_self_attention(
    x: KerasTensor,
    distances: KerasTensor,
    heads: int,
    dense: MakeDense,
    name: str,
    mask: KerasTensor | None = None,
) -> KerasTensor:
    """Multi-head self-attention with relative positions (Dai et al. 2019, Transformer-XL).

    The score of query i and key j is `(q_i + u) k_j + (q_i + v) p_(i-j)`, over the root of the
    depth of a head. Here p are projected sinusoids of the distance i - j; the vectors u and v are
    trained, and the kernels of Dense layers without input, so that a folded model holds stock
    Keras layers only.

    Args:
        x: Keras tensor (batch, frames, units).
        distances: what `relative_positions` returns for x; blocks can share it.
        heads: number of heads, a divisor of units.
        dense: makes a projection from `units`, `name` and `use_bias`.
        name: begins the names of the layers.
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.

    Returns:
        Keras tensor (batch, frames, units).
    """
    units = x.shape[-1]
    check_heads(units, heads)
    scale = (units // heads) ** -0.5

    def bias(part: str) -> KerasTensor:
        vector = layers.Dense(units, use_bias=False, kernel_initializer="zeros", name=part)
        return vector(constant(x, np.ones((1, 1), "f4"))) * scale

    query = dense(units, name=f"{name}_query")(x) * scale
    parts = [
        query + bias(f"{name}_content_bias"),
        query + bias(f"{name}_position_bias"),
        dense(units, name=f"{name}_key")(x),
        dense(units, name=f"{name}_value")(x),
        dense(units, use_bias=False, name=f"{name}_position")(distances),
    ]
    # Head by head: the scores of all distances are twice as large as those of all keys, and a
    # microcontroller need not hold those of all heads at once.
    outputs = []
    heads_of = zip(*(ops.split(part, heads, axis=-1) for part in parts), strict=True)
    for head, (content, position, key, value, distance) in enumerate(heads_of, start=1):
        scores = ops.matmul(content, ops.transpose(key, (0, 2, 1)))
        scores = scores + shift(ops.matmul(position, ops.transpose(distance)))
        if mask is not None:
            scores = scores + hide(mask)[:, None, :]
        weights = layers.Softmax(name=f"{name}_weights_{head}")(scores)
        outputs.append(ops.matmul(weights, value))
    return dense(units, name=f"{name}_output")(ops.concatenate(outputs, axis=-1))


def relative_positions(x: KerasTensor) -> KerasTensor:
    """Sinusoids of the distances T, ..., 1 - T between T frames, in the order `shift` expects.

    Args:
        x: Keras tensor (batch, T, units).

    Returns:
        Keras tensor (2 T, units).
    """
    frames, units = x.shape[1:]
    return constant(x, sinusoids(np.arange(frames, -frames, -1), units))


def shift(scores: KerasTensor) -> KerasTensor:
    """From scores of distances to those of keys: (batch, T, 2 T) to (batch, T, T).

    Query i finds key j at distance i - j, in column T - i + j of row i. With all rows written one
    behind the other that is number T + i (2 T - 1) + j: from T on, column j of shorter rows.
    """
    frames = scores.shape[1]
    width = 2 * frames - 1
    scores = ops.reshape(scores, (-1, 2 * frames * frames))
    # Slices with start and size: TensorFlow's strided ones take several times as long.
    scores = ops.slice(scores, (0, frames), (-1, frames * width))
    scores = ops.reshape(scores, (-1, frames, width))
    return ops.slice(scores, (0, 0, 0), (-1, frames, frames))


def constant(x: KerasTensor, values: Array) -> KerasTensor:
    """An array of two dimensions as a Keras tensor of x's graph: layers can be called on it."""
    return ops.zeros_like(ops.sum(x[:1, :1, :1], axis=0)) + values


def hide(mask: KerasTensor) -> KerasTensor:
    """What to add to scores: 0 for real frames, HIDDEN for padding; shape of the mask."""
    return (1.0 - mask) * HIDDEN


def windowed_self_attention(
    x: KerasTensor,
    heads: int,
    window: int | None,
    dense: MakeDense,
    name: str,
    dropout: float = 0.0,
    mask: KerasTensor | None = None,
) -> KerasTensor:
    """Multi-head self-attention of each frame to the window centered on it.

    Windows end where the sequence ends. The frames are cut into chunks; the queries of a chunk
    meet its keys and those of window // 2 frames on either side, so time and memory grow linearly
    with the frames.

    Args:
        x: Keras tensor (batch, frames, units).
        heads: number of heads, a divisor of units.
        window: frames of a window, odd and at least 3, or None: all frames.
        dense: makes a projection from `units` and `name`; one is for query, key and value.
        name: begins the names of the layers.
        dropout: of the attention weights.
        mask: Keras tensor (batch, frames), 1 for real frames and 0 for padding, or None.

    Returns:
        Keras tensor (batch, frames, units).
    """
    frames, units = x.shape[1:]
    check_heads(units, heads)
    if window is not None and (window < 3 or window % 2 == 0):
        raise ValueError(f"window must be odd and at least 3, or None. Received: {window=}")
    depth = units // heads
    reach = frames if window is None else window // 2
    chunk = chunk_length(frames, reach)
    chunks = -(-frames // chunk)
    keys = chunk + 2 * reach if chunks > 1 else chunk

    # Split and concatenate only: the gradient of TensorFlow's strided slices is slow.
    def pad(y: KerasTensor) -> KerasTensor:
        missing = chunks * chunk - frames
        return ops.concatenate([y, ops.split(y, [missing], axis=1)[0]], axis=1) if missing else y

    def with_neighbors(y: KerasTensor, width: int) -> KerasTensor:
        """Puts what a chunk's windows reach around it, (batch, chunks, frames * width)."""
        if chunks == 1:
            return y
        first, _, last = ops.split(y, [reach * width, (chunk - reach) * width], axis=2)
        # What wraps around the ends is outside of every window.
        before = ops.concatenate(ops.split(last, [chunks - 1], axis=1)[::-1], axis=1)
        after = ops.concatenate(ops.split(first, [1], axis=1)[::-1], axis=1)
        return ops.concatenate([before, y, after], axis=2)

    y = dense(3 * units, name=f"{name}_qkv")(x)
    if frames == 1:
        # A frame alone attends to itself.
        return dense(units, name=f"{name}_output")(ops.split(y, [2 * units], axis=2)[1])
    y = pad(y)
    y = layers.Reshape((chunks * chunk, 3, heads, depth), name=f"{name}_split")(y)
    query, key, value = ops.split(ops.transpose(y, (2, 0, 3, 1, 4)), 3, axis=0)
    query = ops.reshape(query, (-1, chunks, chunk, depth)) * depth**-0.5
    key, value = (
        with_neighbors(ops.reshape(part, (-1, chunks, chunk * depth)), depth)
        for part in (key, value)
    )
    key, value = (ops.reshape(part, (-1, chunks, keys, depth)) for part in (key, value))
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
    if reach < frames - 1:
        scores = scores + outside(frames, reach, chunk, keys)
    if mask is not None:
        hidden = with_neighbors(ops.reshape(pad(hide(mask)), (-1, chunks, chunk)), 1)
        scores = ops.reshape(scores, (-1, heads, chunks, chunk, keys))
        scores = scores + hidden[:, None, :, None, :]
        scores = ops.reshape(scores, (-1, chunks, chunk, keys))
    weights = layers.Softmax(name=f"{name}_weights")(scores)
    weights = FastDropout(dropout, name=f"{name}_weights_dropout")(weights)
    y = ops.reshape(ops.matmul(weights, value), (-1, heads, chunks * chunk, depth))
    y = layers.Permute((2, 1, 3), name=f"{name}_merge")(y)
    y = layers.Reshape((chunks * chunk, units), name=f"{name}_concatenate")(y)
    if chunks * chunk > frames:
        y = ops.split(y, [frames], axis=1)[0]
    return dense(units, name=f"{name}_output")(y)


def chunk_length(frames: int, reach: int) -> int:
    """Frames of a chunk: a few more than reach, and a divisor of `frames` if there is one."""
    window = 2 * reach + 1
    if frames <= 2 * window:
        return frames
    return min(range(window, 4 * window), key=lambda chunk: (-frames % chunk, chunk))


def outside(frames: int, reach: int, chunk: int, keys: int) -> Array:
    """0 where a query's window holds a key and OUTSIDE elsewhere, (chunks, chunk, keys)."""
    starts = np.arange(0, frames, chunk)[:, None, None]
    query = starts + np.arange(chunk)[:, None]
    key = starts - (keys - chunk) // 2 + np.arange(keys)
    inside = (abs(query - key) <= reach) & (key >= 0) & (key < frames)
    return np.where(inside, 0.0, OUTSIDE).astype("f4")
