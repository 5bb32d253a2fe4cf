"""Layers that train faster than the stock ones that they fold into."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfhrf.hrf.configs import config_of

LEVELS = 2**8  # of the random numbers of FastDropout
# A tensor, and what makes the gradients of its inputs from its own.
Differentiable: TypeAlias = tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]


def fits(layer: keras.Layer, inputs: Any) -> bool:
    """Whether a layer may call `affine`: on a dense tensor of float32, in float32."""
    return isinstance(inputs, tf.Tensor) and inputs.dtype == layer.compute_dtype == "float32"


def affine(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, relu: bool = False) -> tf.Tensor:
    """x kernel + bias: one fused operation, and the bias's gradient as a matrix product.

    TensorFlow's own reduction takes several times as long.

    Args:
        x: float32 tensor (..., input_dim), all of whose dimensions but the first are known.
        kernel: float32 tensor (input_dim, units).
        bias: float32 tensor (units,).
        relu: whether negative values become zeros.

    Returns:
        float32 tensor (..., units).
    """

    @tf.custom_gradient
    def forward(rows: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> Differentiable:
        y = tf.nn.bias_add(tf.matmul(rows, kernel), bias)
        y = tf.nn.relu(y) if relu else y

        def backward(gradient: tf.Tensor) -> tuple[tf.Tensor, ...]:
            if relu:
                gradient = tf.raw_ops.ReluGrad(gradients=gradient, features=y)
            ones = tf.ones((1, tf.shape(gradient)[0]), gradient.dtype)
            return (
                tf.matmul(gradient, kernel, transpose_b=True),
                tf.matmul(rows, gradient, transpose_a=True),
                tf.matmul(ones, gradient)[0],
            )

        return y, backward

    rows = tf.reshape(x, (-1, x.shape[-1]))
    shape = tf.concat([tf.shape(x)[:-1], tf.shape(bias)], 0)
    return tf.ensure_shape(
        tf.reshape(forward(rows, kernel, bias), shape), (*x.shape[:-1], bias.shape[0])
    )


@keras.saving.register_keras_serializable(package="tfhrf")
class FastDense(keras.layers.Dense):
    """`keras.layers.Dense` with its product and bias in one operation and a faster gradient.

    Arguments are those of the stock layer. In half precision, without a bias, with LoRA or
    quantized it does the same.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        special = self.lora_enabled or self.quantization_mode is not None
        if special or self.bias is None or not fits(self, inputs):
            return super().call(inputs, training=training)
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        relu = self.activation is keras.activations.relu
        x = affine(inputs, kernel, bias, relu)
        return x if relu or self.activation is None else self.activation(x)

    def fold(self) -> keras.layers.Dense:
        """The stock layer with the same weights."""
        return stock(self, keras.layers.Dense)


@keras.saving.register_keras_serializable(package="tfhrf")
class FastDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` that decides on each value with 8 random bits instead of 32.

    Drawing random numbers is most of what dropout costs. The rate is rounded to a multiple of
    1/256; values are scaled for the rounded rate, so their expectation stays exact. Arguments are
    those of the stock layer; with a `noise_shape` it does the same.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        dropped = round(self.rate * LEVELS)
        if not training or dropped in (0, LEVELS) or self.noise_shape is not None:
            return super().call(inputs, training=training)
        size = tf.size(inputs)
        words = tf.random.stateless_uniform(
            [(size + 3) // 4], self.seed_generator.next(), None, None, tf.int32
        )
        levels = tf.reshape(tf.bitcast(words, tf.int8), [-1])
        # A slice of one dimension from its start shares memory.
        levels = tf.reshape(tf.slice(levels, [0], [size]), tf.shape(inputs))
        kept = tf.cast(levels >= dropped - LEVELS // 2, inputs.dtype)
        return inputs * (kept * (LEVELS / (LEVELS - dropped)))

    def fold(self) -> keras.layers.Dropout:
        """The stock layer."""
        return keras.layers.Dropout.from_config(self.get_config())


@keras.saving.register_keras_serializable(package="tfhrf")
class FastLayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` with its gradient written out.

    Arguments are those of the stock layer. For all but the last axis, without gamma or beta and
    in half precision it does the same.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        plain = self.axis == [-1] and self.scale and self.center and not self.rms_scaling
        if not plain or not inputs.dtype == self.compute_dtype == "float32":
            return super().call(inputs)
        rows = tf.reshape(inputs, (-1, inputs.shape[-1]))
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        return tf.reshape(normalize(rows, gamma, beta, self.epsilon), tf.shape(inputs))

    def fold(self) -> keras.layers.LayerNormalization:
        """The stock layer with the same weights."""
        return stock(self, keras.layers.LayerNormalization)


def stock(layer: keras.Layer, kind: type[keras.Layer]) -> keras.Layer:
    """A layer of a stock class with the arguments and weights of its fast subclass."""
    new = kind.from_config(config_of(layer))
    new.build_from_config(layer.get_build_config())
    new.set_weights(layer.get_weights())
    for weight, old in zip(new.weights, layer.weights, strict=True):
        weight.trainable = old.trainable
    return new


def normalize(rows: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalization of the rows of a matrix."""
    size = rows.shape[-1]

    @tf.custom_gradient
    def forward(rows: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Differentiable:
        centered = rows - tf.reduce_mean(rows, axis=1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), axis=1, keepdims=True)
        scale = tf.math.rsqrt(variance + epsilon)
        normal = centered * scale

        def backward(gradient: tf.Tensor) -> tuple[tf.Tensor, ...]:
            product = gradient * normal
            # Sums over rows and columns as matrix products: faster than as reductions.
            ones = tf.ones((1, tf.shape(gradient)[0]), gradient.dtype)
            average = gamma[:, None] / size
            mean, slope = tf.matmul(gradient, average), tf.matmul(product, average)
            inner = (gradient * gamma - (normal * slope + mean)) * scale
            return inner, tf.matmul(ones, product)[0], tf.matmul(ones, gradient)[0]

        return normal * gamma + beta, backward

    return forward(rows, gamma, beta)
