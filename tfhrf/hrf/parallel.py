"""ParallelDense: a Dense layer whose kernel is a sum of batch-normalized ones while it trains."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfhrf.hrf.factors import to_float64
from tfhrf.hrf.fast import affine, fits
from tfhrf.hrf.layers import Given, with_activation

MOMENTUM = 0.9  # of the statistics: they settle in the few hundred steps of a small corpus


@keras.saving.register_keras_serializable(package="tfhrf")
class ParallelDense(keras.layers.Layer):
    """`keras.layers.Dense` with several kernels side by side, each batch-normalized, then added.

    With row vectors, `y = sum_i BN_i(x W_i) + BN_0(x) + b`; BN_0(x) only where input_dim equals
    units. Batch normalization is linear at inference, so the sum is one kernel and one bias, which
    `fold()` returns as a plain Dense layer. The same family as RepVGG (Ding et al. 2021) and
    MobileOne (Vasu et al. 2023), here for Dense layers.

    The layer trains through the merged kernel. What each normalization divides by follows from
    the mean m and the covariance C of the layer's own input: the variance of x W_i is the diagonal
    of W_iᵀ C W_i. So a step costs one product with x for C and one with the merged kernel,
    however many kernels there are; function and gradients are those of the branches. The layer
    keeps moving averages of m and C and normalizes by them at inference.

    Arguments that are not listed are those of `keras.layers.Dense`.

    Args:
        units: output dimension.
        kernels: how many kernels, a positive integer.
        epsilon: added to variances.

    Input shape: (batch, ..., input_dim). Output shape: (batch, ..., units). `mask`, (batch, ...),
    says which rows count in the statistics.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        units: int,
        activation: Given | None = None,
        use_bias: bool = True,
        kernel_initializer: Given = "glorot_uniform",
        bias_initializer: Given = "zeros",
        *,
        kernels: int = 3,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        for name, value in (("units", units), ("kernels", kernels)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
        super().__init__(**kwargs)
        self.units, self.kernels, self.epsilon = units, kernels, epsilon
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        input_dim = input_shape[-1]

        def add(
            name: str, shape: tuple[int | None, ...], value: Given, trainable: bool = True
        ) -> Any:
            return self.add_weight(
                name=name, shape=shape, initializer=value, trainable=trainable, autocast=False
            )

        self.kernel_parts = [
            add(f"kernel_{i + 1}", (input_dim, self.units), self.kernel_initializer)
            for i in range(self.kernels)
        ]
        self.gammas = add("gamma", (self.kernels * self.units,), "ones")
        self.gamma_input = (
            add("gamma_input", (self.units,), "ones") if (input_dim == self.units) else None
        )
        self.bias = add("bias", (self.units,), self.bias_initializer) if self.use_bias else None
        self.moving_mean = add("moving_mean", (input_dim,), "zeros", trainable=False)
        self.moving_covariance = add(
            "moving_covariance", (input_dim, input_dim), "identity", trainable=False
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_dim})
        self.built = True

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        if training and self.trainable:
            mean, covariance = statistics(inputs, mask)
            for moving, now in ((self.moving_mean, mean), (self.moving_covariance, covariance)):
                moving.assign(moving * MOMENTUM + now * (1.0 - MOMENTUM))
        else:
            mean = tf.convert_to_tensor(self.moving_mean)
            covariance = tf.convert_to_tensor(self.moving_covariance)
        kernel, bias = self._merged(mean, covariance)
        if fits(self, inputs):
            x = affine(inputs, kernel, bias)
        else:
            kind = self.compute_dtype
            x = tf.matmul(tf.cast(inputs, kind), tf.cast(kernel, kind)) + tf.cast(bias, kind)
        return x if self.activation is None else self.activation(x)

    def _merged(self, mean: Any, covariance: Any) -> tuple[Any, Any]:
        """Kernel and bias of the sum, given what the input's mean and covariance are."""
        kernels = tf.concat([tf.cast(part, mean.dtype) for part in self.kernel_parts], axis=1)
        variance = tf.reduce_sum(kernels * tf.matmul(covariance, kernels), axis=0)
        scale = tf.cast(self.gammas, mean.dtype) * tf.math.rsqrt(variance + self.epsilon)
        kernel = tf.add_n(tf.split(kernels * scale, self.kernels, axis=1))
        if self.gamma_input is not None:
            variance = tf.linalg.diag_part(covariance)
            scale = tf.cast(self.gamma_input, mean.dtype) * tf.math.rsqrt(variance + self.epsilon)
            kernel += tf.linalg.diag(scale)
        bias = -tf.linalg.matvec(kernel, mean, transpose_a=True)
        return kernel, bias if self.bias is None else bias + tf.cast(self.bias, mean.dtype)

    def fold(self) -> keras.layers.Dense:
        """Adds the kernels up in float64.

        Returns:
            A built `keras.layers.Dense` of the same name, dtype policy and function at inference.

        Raises:
            ValueError: the layer is not built.
        """
        if not self.built:
            raise ValueError(f"Layer '{self.name}' must be built before it folds. Received: {self}")
        moving = (self.moving_mean, self.moving_covariance)
        kernel, bias = self._merged(*(tf.constant(to_float64(one)) for one in moving))
        config = with_activation({"activation": self.activation}, self)
        dense = keras.layers.Dense(self.units, **config, name=self.name, dtype=self.dtype_policy)
        dense.build((None, kernel.shape[0]))
        for weight, merged in ((dense.kernel, kernel), (dense.bias, bias)):
            weight.assign(tf.cast(merged, self.variable_dtype))
        return dense

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        # A mask that comes with the inputs goes on; one that is given says what counts here.
        return getattr(inputs, "_keras_mask", None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernels": self.kernels,
            "epsilon": self.epsilon,
        }


def statistics(inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and covariance over all rows of a tensor, or over those that a mask keeps.

    Args:
        inputs: tensor (..., dim).
        mask: tensor (...), 0 where a row does not count, or None.

    Returns:
        float32 tensors (dim,) and (dim, dim).
    """
    rows = tf.cast(tf.reshape(inputs, (-1, inputs.shape[-1])), tf.float32)
    if mask is None:
        counted = tf.ones((1, tf.shape(rows)[0]))
    else:
        counted = tf.cast(tf.reshape(mask, (1, -1)), tf.float32)
    count = tf.maximum(tf.reduce_sum(counted), 1.0)
    # Sums over rows as matrix products: faster than as reductions.
    mean = tf.matmul(counted, rows) / count
    # Around the mean, so that no digits are lost where it is large. The covariance does not change
    # with the mean that is subtracted, to first order: no gradient goes that way.
    centered = rows - tf.stop_gradient(mean)
    kept = centered if mask is None else centered * tf.transpose(counted)
    return mean[0], tf.matmul(kept, centered, transpose_a=True) / count
