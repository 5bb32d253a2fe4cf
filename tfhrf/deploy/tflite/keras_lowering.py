"""Has Keras layers take forms that stay integer and run in TensorFlow Lite Micro."""

import contextlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfhrf.hrf.factors import to_float64
from tfhrf.hrf.rebuild import rewrite, walk


def in_float32(model):
    """A model that computes in float32, a copy if a layer does not: only training is in less.

    Raises:
        ValueError: a layer that computes in half precision cannot be made again.
    """
    if all(layer.compute_dtype not in ("float16", "bfloat16") for layer in walk(model)):
        return model
    return rewrite(model, {}, dtype="float32", hint=", which lowering for TensorFlow Lite needs")


@contextlib.contextmanager
def lowered(model):
    """Has every LayerNormalization of a model call what `lowered_normalization` writes.

    Raises:
        ValueError: a normalization has a form that cannot be lowered.
    """
    with contextlib.ExitStack() as stack:
        for layer in walk(model):
            stock = keras.layers.LayerNormalization
            if isinstance(layer, stock) and type(layer).call is stock.call:
                layer.call = lowered_normalization(layer)
                stack.callback(delattr, layer, "call")
        yield


def lowered_normalization(layer):
    """LayerNormalization, written for quantized kernels. Other axes than the last become the last.

    With d = x - mean(x) and n elements it computes `d * rsqrt(sum(d²) + n eps) * √n gamma + beta`,
    the same function. Keras's own form leaves a NEG in float between quantized operators. The sum
    of squares is a matrix product of d with itself: its squares are added up in 32 bits and
    rounded once, where `mean(d * d)` rounds each square to 8 bits first and loses tokens whose
    scale is far below the largest (measured 5 dB for a spread of 1:30). In front of Dense layers
    the converter folds gamma and beta into their weights.

    Args:
        layer: a built LayerNormalization.

    Returns:
        Function of its inputs.
    """
    if getattr(layer, "rms_scaling", False):
        raise ValueError(
            f"Layer '{layer.name}' (LayerNormalization) cannot be lowered with `rms_scaling`; "
            "keras.layers.RMSNormalization can. Received: rms_scaling=True"
        )
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    gamma = to_float64(layer.gamma).ravel() if layer.scale else np.float64(1.0)
    beta = to_float64(layer.beta).ravel() if layer.center else None

    def normalized(inputs):
        """What the rows of the last axis become."""
        size = inputs.shape[-1]
        centered = inputs - ops.mean(inputs, axis=-1, keepdims=True)
        row = ops.reshape(centered, (-1, 1, size))
        squares = tf.matmul(row, row, transpose_b=True)
        squares = ops.reshape(squares, (-1, *inputs.shape[1:-1], 1))
        scale = ops.rsqrt(squares + ops.cast(size * layer.epsilon, inputs.dtype))
        # The factor √n stands with gamma: both are constants that may vanish into the weights.
        outputs = centered * scale * ops.cast(np.sqrt(size) * gamma, inputs.dtype)
        return outputs if beta is None else outputs + ops.cast(beta, inputs.dtype)

    def call(inputs):
        rank = len(inputs.shape)
        last = sorted(axis % rank for axis in axes)
        if last == [rank - 1]:
            return normalized(inputs)
        kept = [axis for axis in range(rank) if axis not in last]
        order = [*kept, *last]
        moved = ops.transpose(inputs, order)
        size = int(np.prod([inputs.shape[axis] for axis in last]))
        rows = ops.reshape(moved, (-1, *(inputs.shape[axis] for axis in kept[1:]), size))
        outputs = ops.reshape(normalized(rows), (-1, *moved.shape[1:]))
        return ops.transpose(outputs, [order.index(axis) for axis in range(rank)])

    return call
