"""Replaces Keras layers by forms that stay integer and run in TensorFlow Lite Micro."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfhrf.hrf.factors import to_float64
from tfhrf.hrf.rebuild import rewrite, walk


def lower(model):
    """A functional or Sequential model with every LayerNormalization lowered, a copy if it has one.

    Raises:
        ValueError: a normalization has a form that cannot be lowered, or is hidden in a block
            that makes it itself.
    """
    replaced = {
        id(layer): LoweredLayerNormalization(layer)
        for layer in walk(model)
        if isinstance(layer, keras.layers.LayerNormalization)
    }
    halves = any(layer.compute_dtype in ("float16", "bfloat16") for layer in walk(model))
    if not (replaced or halves):
        return model
    return rewrite(
        model,
        replaced,
        # Only training computes in half precision.
        dtype="float32" if halves else None,
        hint=", which lowering for TensorFlow Lite needs",
    )


class LoweredLayerNormalization(keras.layers.Layer):
    """LayerNormalization, written for quantized kernels. Other axes than the last become the last.

    With d = x - mean(x) and n elements it computes `d * rsqrt(sum(d²) + n eps) * √n gamma + beta`,
    the same function. Keras's own form leaves a NEG in float between quantized operators. The sum
    of squares is a matrix product of d with itself: its squares are added up in 32 bits and
    rounded once, where `mean(d * d)` rounds each square to 8 bits first and loses tokens whose
    scale is far below the largest (measured 5 dB for a spread of 1:30). In front of Dense layers
    the converter folds gamma and beta into their weights.
    """

    def __init__(self, layer):
        axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
        rank = len(layer.get_build_config()["input_shape"])
        if getattr(layer, "rms_scaling", False):
            raise ValueError(
                f"Layer '{layer.name}' (LayerNormalization) cannot be lowered with `rms_scaling`. "
                "Received: rms_scaling=True"
            )
        super().__init__(name=layer.name, dtype="float32")
        self.epsilon = layer.epsilon
        self.axes = sorted(axis % rank for axis in axes)
        self.gamma = to_float64(layer.gamma).ravel() if layer.scale else np.float64(1.0)
        self.beta = to_float64(layer.beta).ravel() if layer.center else None
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        rank = len(inputs.shape)
        if self.axes == [rank - 1]:
            return self.normalized(inputs)
        kept = [axis for axis in range(rank) if axis not in self.axes]
        order = [*kept, *self.axes]
        moved = ops.transpose(inputs, order)
        rows = ops.reshape(
            moved, (-1, *(inputs.shape[axis] for axis in kept[1:]), self.size(inputs))
        )
        outputs = ops.reshape(self.normalized(rows), (-1, *moved.shape[1:]))
        return ops.transpose(outputs, [order.index(axis) for axis in range(rank)])

    def size(self, inputs):
        return int(np.prod([inputs.shape[axis] for axis in self.axes]))

    def normalized(self, inputs):
        """What the rows of the last axis become."""
        size = inputs.shape[-1]
        centered = inputs - ops.mean(inputs, axis=-1, keepdims=True)
        row = ops.reshape(centered, (-1, 1, size))
        squares = tf.matmul(row, row, transpose_b=True)
        squares = ops.reshape(squares, (-1, *inputs.shape[1:-1], 1))
        scale = ops.rsqrt(squares + ops.cast(size * self.epsilon, inputs.dtype))
        # The factor √n stands with gamma: both are constants that may vanish into the weights.
        outputs = centered * scale * ops.cast(np.sqrt(size) * self.gamma, inputs.dtype)
        return outputs if self.beta is None else outputs + ops.cast(self.beta, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
