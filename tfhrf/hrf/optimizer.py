"""Optimizers that move the merged kernel of HRF layers as they move a plain kernel."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

FACTOR = "factor_"  # begins the names of an HRF layer's factors
EXCLUDED = rf"(^|/){FACTOR}\d+(:\d+)?$"  # what TensorFlow makes of these names

# Muon's: of the momentum; the root of the mean square of a step, about that of Adam's; rows or
# columns of which a matrix has too few; the polynomial that takes singular values to 1, in ROUNDS.
MOMENTUM, LENGTH, NARROW = 0.95, 0.2, 8
ROUNDS, POLYNOMIAL = 5, (3.4445, -4.7750, 2.0315)


@keras.saving.register_keras_serializable(package="tfhrf")
class HRFAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, whose learning rate and decay mean the same with and without HRF.

    Adam moves every element of a factor by about the learning rate. Of a merged kernel W = A B
    that is a sum over all inner units, many times what a plain kernel moves; and a decay of both
    factors decays W twice. Here each of the `depth` factors takes Adam's direction, and such a
    length that it alone moves every element of W by 1 / depth of what Adam would move it by, as
    root mean square. The factors share the decay of W likewise. What is no factor is updated by
    the stock optimizer.

    It knows factors by the names that HRFDense gives them. Arguments are those of the stock
    optimizer.
    """

    def __init__(self, learning_rate: Any = 0.001, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.exclude_from_weight_decay()

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if not self.built:
            # A layer's factors stand in a row.
            chains: list[list[int]] = []
            for index, variable in enumerate(variables):
                if variable.name == f"{FACTOR}1":
                    chains.append([])
                if variable.name.startswith(FACTOR):
                    chains[-1].append(index)
            self._chains = {index: chain for chain in chains for index in chain}
        super().build(variables)

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[keras.Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        # The factors' decay is that of their product, in update_step.
        super().exclude_from_weight_decay(var_list, [*(var_names or []), EXCLUDED])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        if index not in self._chains:
            self.plain_step(gradient, variable, learning_rate)
            return
        chain = self._chains[index]
        before = tf.convert_to_tensor(variable)
        self.plain_step(gradient, variable, learning_rate)
        step = tf.convert_to_tensor(variable) - before
        factors = [
            step if other == index else tf.convert_to_tensor(self._trainable_variables[other])
            for other in chain
        ]
        moved = functools.reduce(tf.matmul, factors)
        share = tf.math.divide_no_nan(rms(step), len(chain) * rms(moved))
        decay = tf.cast(learning_rate, before.dtype) * (self.weight_decay or 0.0) / len(chain)
        self.assign(variable, before * (1.0 - decay) + step * share)

    def plain_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """The step of a variable that is no factor."""
        super().update_step(gradient, variable, learning_rate)


@keras.saving.register_keras_serializable(package="tfhrf")
class HRFMuon(HRFAdamW):
    """Muon for kernels and `HRFAdamW` for the rest, the same with and without HRF.

    A kernel is a matrix of all its inputs by its outputs. Its step is the orthogonal matrix that
    is nearest to the momentum of its gradient (Jordan et al. 2024, "Muon: An optimizer for hidden
    layers"), with a root of the mean square of 0.2 times the learning rate (Liu et al. 2025, "Muon
    is scalable for LLM training"), so that learning rate and decay mean what they mean for AdamW.
    Embeddings, and kernels of 8 or fewer inputs or outputs, such as depthwise ones, small
    classifiers, biases and scales, are updated by AdamW. `keras.optimizers.Muon` means other
    things in different versions of Keras.

    Arguments are those of `keras.optimizers.AdamW`.
    """

    def plain_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rows, columns = math.prod(variable.shape[:-1]), (variable.shape or (1,))[-1]
        if min(rows, columns) <= NARROW or variable.name == "embeddings":
            super().plain_step(gradient, variable, learning_rate)
            return
        gradient = tf.cast(gradient, variable.dtype)
        momentum = self._momentums[self._get_variable_index(variable)]
        moving = MOMENTUM * tf.convert_to_tensor(momentum) + gradient
        self.assign(momentum, moving)
        ahead = tf.reshape(MOMENTUM * moving + gradient, (rows, columns))
        length = tf.cast(learning_rate, variable.dtype) * (LENGTH * max(rows, columns) ** 0.5)
        step = length * orthogonal(ahead)
        self.assign_sub(variable, tf.reshape(step, variable.shape))


def orthogonal(matrix: Any) -> Any:
    """About the half-orthogonal matrix nearest to one: singular values become .7 to 1.2."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else tf.transpose(matrix)
    x = tf.math.divide_no_nan(x, tf.norm(x))
    a, b, c = POLYNOMIAL
    for _ in range(ROUNDS):
        square = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * square + c * tf.matmul(square, square), x)
    return x if wide else tf.transpose(x)


def rms(x: Any) -> Any:
    """Root of the mean square of a tensor."""
    return tf.sqrt(tf.reduce_mean(tf.square(x)))
