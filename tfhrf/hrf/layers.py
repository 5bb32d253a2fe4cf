"""HRFDense: a Dense layer whose kernel is a product of larger matrices while it trains."""

import functools
import numbers
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf
from keras import ops

from tfhrf.hrf.configs import config_of
from tfhrf.hrf.factors import Array, factorize, merge_factors
from tfhrf.hrf.fast import affine, fits
from tfhrf.hrf.scopes import scope_of

# How Keras takes activations, initializers, regularizers: by name, as a config, or themselves.
Given: TypeAlias = str | dict[str, Any] | Callable[..., Any]


def merge_dense(
    chain: Sequence[keras.Layer], copies: dict[int, keras.Layer] | None = None
) -> keras.layers.Dense:
    """One Dense layer for a chain of Dense and HRFDense layers, all but the last linear.

    Args:
        chain: list of built layers; LoRA and quantization are not understood.
        copies: as of `with_activation`.

    Returns:
        A built `keras.layers.Dense` with the name, dtype policy and arguments of the last layer;
        `use_bias` is True if any layer of the chain has a bias.

    Raises:
        ValueError: a layer is not built, or the merged weights are not finite.
    """
    factors: list[keras.Variable] = []
    biases: list[keras.Variable | None] = []
    for layer in chain:
        if not layer.built:
            raise ValueError(
                f"Layer '{layer.name}' must be built before it folds. Received: {layer}"
            )
        if isinstance(layer, HRFDense):
            factors += layer.factors
            biases += layer.inner_biases or [None] * (layer.depth - 1)
        else:
            factors.append(layer.kernel)
        biases.append(layer.bias)
    kernel, bias = merge_factors(factors, biases)
    last = chain[-1]
    config = with_activation(config_of(last), last, copies)
    for name in ("expansion", "depth", "use_inner_bias"):
        config.pop(name, None)
    dense = keras.layers.Dense.from_config({**config, "use_bias": bias is not None})
    dense.build((None, kernel.shape[0]))
    dense.kernel.trainable = any(factor.trainable for factor in factors)
    # TensorFlow casts without NumPy's overflow warning; what overflows is reported below.
    dense.kernel.assign(ops.cast(kernel, dense.variable_dtype))
    if bias is not None:
        dense.bias.assign(ops.cast(bias, dense.variable_dtype))
        dense.bias.trainable = any(one.trainable for one in biases if one is not None)
    if not all(ops.all(ops.isfinite(weight)) for weight in dense.weights):
        raise ValueError(
            f"The merged weights of layer '{last.name}' are not finite. "
            f"Received: layers {[layer.name for layer in chain]}"
        )
    return dense


def with_activation(
    config: dict[str, Any], layer: keras.Layer, copies: dict[int, keras.Layer] | None = None
) -> dict[str, Any]:
    """A Dense layer's config with a copy of its activation where that is itself a layer, as PReLU.

    Args:
        config: config of the layer.
        layer: Dense or HRFDense layer.
        copies: dict {id(activation): its copy} of those that are copied, which the copy joins.
    """
    old, copies = layer.activation, {} if copies is None else copies
    if not isinstance(old, keras.Layer):
        return config
    if id(old) not in copies:
        with scope_of(old):
            new = copies[id(old)] = type(old).from_config(config_of(old))
            if old.built:
                new.build_from_config(old.get_build_config())
                new.set_weights(old.get_weights())
    return {**config, "activation": copies[id(old)]}


def obstacle(dense: keras.layers.Dense) -> str | None:
    """What keeps a Dense layer from being factorized or merged, in words, or None."""
    if dense.lora_enabled:
        return "has LoRA enabled"
    if dense.quantization_mode is not None:
        return "is quantized"
    if dense.kernel_constraint is not None:
        return "has a kernel_constraint"
    return None


class _MergedPenalty(keras.regularizers.Regularizer):
    """A layer's kernel regularizer, applied to its merged kernel whatever weight is given."""

    def __init__(self, layer: "HRFDense") -> None:
        self.layer = layer

    def __call__(self, _: tf.Tensor) -> tf.Tensor:
        return self.layer.kernel_regularizer(self.layer.kernel)


@keras.saving.register_keras_serializable(package="tfhrf")
class HRFDense(keras.layers.Layer):
    """`keras.layers.Dense` with a kernel that is a product of larger matrices (HRF).

    Source: Zhang et al., "Re-Parameterization of Lightweight Transformer for On-Device Speech
    Emotion Recognition", IEEE Internet of Things Journal 2024. With row vectors and depth 2,
    `y = (x A + a) B + b` where A is (input_dim, r), B is (r, units) and r = expansion * units.
    Nothing non-linear stands between the factors, so `W = A B`, `w = a B + b` is the same
    function, and `fold()` returns it as a plain Dense layer.

    The layer trains through the merged kernel: it forms W first, which costs
    input_dim * r * units multiplications whatever the batch, and then one product x W. Function
    and gradients are those of the two products; time and activations are those of Dense.

    The kernel starts as `kernel_initializer` draws it for Dense, then factorized at random, so
    at the start the layer's output has the distribution of a Dense layer's.

    Arguments that are not listed are those of `keras.layers.Dense`, in the same order;
    `kernel_regularizer` sees the merged kernel, `kernel_constraint` must be None.

    Args:
        units: output dimension.
        expansion: r / units, a positive integer.
        depth: number of factors, 2 or more.
        use_inner_bias: whether the inserted layers have biases.

    Input shape: (batch, ..., input_dim). Output shape: (batch, ..., units).

    Raises:
        ValueError: an argument is out of range, or a `kernel_constraint` is given (a product
            cannot be projected by projecting its factors).
    """

    def __init__(
        self,
        units: int,
        activation: Given | None = None,
        use_bias: bool = True,
        kernel_initializer: Given = "glorot_uniform",
        bias_initializer: Given = "zeros",
        kernel_regularizer: Given | None = None,
        bias_regularizer: Given | None = None,
        activity_regularizer: Given | None = None,
        kernel_constraint: Given | None = None,
        bias_constraint: Given | None = None,
        *,
        expansion: int = 4,
        depth: int = 2,
        use_inner_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        for name, value, least in (
            ("units", units, 1),
            ("expansion", expansion, 1),
            ("depth", depth, 2),
        ):
            integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
            if not integer or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. Received: {name}={value!r}"
                )
        if kernel_constraint is not None:
            raise ValueError(
                "`kernel_constraint` cannot be kept on a factorized kernel; use "
                f"`kernel_regularizer`. Received: kernel_constraint={kernel_constraint!r}"
            )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = int(units)
        self.expansion = int(expansion)
        self.depth = int(depth)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.use_inner_bias = use_inner_bias
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.supports_masking = True

    @property
    def inner_units(self) -> int:
        """The inner dimension r = expansion * units."""
        return self.expansion * self.units

    def build(self, input_shape: Sequence[int | None]) -> None:
        input_dim = input_shape[-1]
        inner = self.inner_units
        shapes = [(input_dim, inner), *[(inner, inner)] * (self.depth - 2), (inner, self.units)]
        draw = self._initial_factors(input_dim)
        # Hung on one factor, the merged kernel's penalty counts once per step, as in Dense.
        penalty = self.kernel_regularizer and _MergedPenalty(self)
        # The factors stay in the variable dtype: under mixed precision they are multiplied
        # there and only the merged kernel is cast.
        self.factors = [
            self.add_weight(
                name=f"factor_{i + 1}",
                shape=shape,
                initializer=functools.partial(draw, i),
                regularizer=None if i else penalty,
                autocast=False,
            )
            for i, shape in enumerate(shapes)
        ]
        self.inner_biases = [
            self.add_weight(
                name=f"inner_bias_{i + 1}", shape=(inner,), initializer="zeros", autocast=False
            )
            for i in range(self.depth - 1 if self.use_inner_bias else 0)
        ]
        self.bias = (
            self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                autocast=False,
            )
            if self.use_bias
            else None
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_dim})
        self.built = True

    def _initial_factors(self, input_dim: int | None) -> Callable[..., tf.Tensor]:
        """One initializer for all factors: the first call draws the kernel and factorizes it."""
        # Keras seeds its initializers from the same generator: set_random_seed repeats both.
        seed = random.randrange(2**31)
        waiting: dict[int, Array] = {}

        def draw(i: int, shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
            if not tf.executing_eagerly():
                # Keras infers shapes of an unbuilt subclassed model; values come later.
                return ops.zeros(shape, dtype=dtype)
            if not waiting:
                # NumPy multiplies what it knows: float32, or float64 where the weights are.
                precise = keras.backend.result_type(self.variable_dtype, "float32")
                kernel = self.kernel_initializer((input_dim, self.units), dtype=precise)
                factors = factorize(
                    ops.convert_to_numpy(kernel), self.inner_units, self.depth, seed
                )
                waiting.update(enumerate(factors))
            return ops.convert_to_tensor(waiting.pop(i), dtype=dtype)

        return draw

    @property
    def kernel(self) -> tf.Tensor:
        """The merged kernel, a tensor of shape (input_dim, units) in the variable dtype."""
        if not self.built:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        factors = [ops.convert_to_tensor(factor) for factor in self.factors]
        if factors[0].shape[0] <= self.units:
            return functools.reduce(ops.matmul, factors)
        return functools.reduce(lambda right, left: ops.matmul(left, right), reversed(factors))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        bias = self.bias
        if self.inner_biases:
            row = functools.reduce(
                lambda row, pair: ops.matmul(row + pair[0], pair[1]),
                zip(self.inner_biases, self.factors[1:], strict=True),
                ops.zeros((1, self.inner_units), dtype=self.variable_dtype),
            )
            bias = row[0] if bias is None else row[0] + bias
        kernel = ops.cast(self.kernel, self.compute_dtype)
        if bias is not None and fits(self, inputs):
            x = affine(inputs, kernel, ops.cast(bias, "float32"))
        else:
            x = ops.matmul(inputs, kernel)
            if bias is not None:
                x = ops.add(x, ops.cast(bias, self.compute_dtype))
        return x if self.activation is None else self.activation(x)

    def fold(self) -> keras.layers.Dense:
        """Merges the factors in float64 (deHRF).

        Returns:
            A built `keras.layers.Dense` of the same name, dtype policy and function.

        Raises:
            ValueError: the layer is not built, or its merged weights are not finite.
        """
        return merge_dense([self])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "expansion": self.expansion,
            "depth": self.depth,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "use_inner_bias": self.use_inner_bias,
        }
