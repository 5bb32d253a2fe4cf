"""Optimizers that move the merged kernel of HRF layers as they move a plain kernel."""

import collections
import functools
import math
import re
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

FACTOR = r"factor_(\d+)"  # the names of an HRF layer's factors

# Muon's: of the momentum; the root of the mean square of a step, about that of Adam's; rows or
# columns of which a matrix has too few; the polynomial that takes singular values to 1, in ROUNDS.
MOMENTUM, LENGTH, NARROW = 0.95, 0.2, 8
VANISHED = 1e-15  # size of a gradient whose squares 32 bits no longer hold
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

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if not self.built:
            chains = {index: chain for chain in chains_of(variables) for index in chain}
            # A method: TensorFlow saves dicts of a trackable object, but not those with numbers.
            self._chain_of = chains.get
        super().build(variables)

    def _use_weight_decay(self, variable: Any) -> bool:
        # The factors' decay is that of their product, in update_step.
        plain = self._chain_of(self._get_variable_index(variable)) is None
        return plain and self.decays(variable)

    def decays(self, variable: Any) -> bool:
        """Whether nobody excluded a variable from decay."""
        return bool(super()._use_weight_decay(variable))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        chain = self._chain_of(index)
        if chain is None:
            self.plain_step(gradient, variable, learning_rate)
            return
        before = tf.convert_to_tensor(variable)
        self.plain_step(gradient, variable, learning_rate)
        step = tf.convert_to_tensor(variable) - before
        factors = [
            step if other == index else tf.convert_to_tensor(self._trainable_variables[other])
            for other in chain
        ]
        moved = functools.reduce(tf.matmul, factors)
        share = tf.math.divide_no_nan(rms(step), len(chain) * rms(moved))
        rate = self.weight_decay if self.weight_decay and self.decays(variable) else 0.0
        decay = tf.cast(learning_rate, before.dtype) * rate / len(chain)
        self.assign(variable, before * (1.0 - decay) + step * share)

    def plain_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """The step of a variable that is no factor."""
        super().update_step(gradient, variable, learning_rate)


def chains_of(variables: Sequence[keras.Variable]) -> list[list[int]]:
    """Places of the variables that are factors of one kernel, in the order of the product.

    They have the path of their layer in common and follow each other by number and shape,
    wherever they stand; one between two others that is not among the variables parts them.
    """
    layers: dict[tuple[str, int], dict[int, int]] = {}
    seen: collections.Counter[str] = collections.Counter()
    for place, variable in enumerate(variables):
        found = re.fullmatch(FACTOR, variable.name)
        if found is None or len(variable.shape) != 2:
            continue
        # Layers may share a path: models of one name, each with a layer of one name.
        layer = (variable.path.rpartition("/")[0], seen[variable.path])
        seen[variable.path] += 1
        layers.setdefault(layer, {})[int(found[1])] = place
    chains: list[list[int]] = []
    for factors in layers.values():
        for number in sorted(factors):
            place, before = factors[number], factors.get(number - 1)
            if before is None or variables[before].shape[1] != variables[place].shape[0]:
                chains.append([])
            chains[-1].append(place)
    return chains


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
    size = tf.norm(x)
    x = tf.where(size > VANISHED, tf.math.divide_no_nan(x, size), tf.zeros_like(x))
    a, b, c = POLYNOMIAL
    for _ in range(ROUNDS):
        square = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * square + c * tf.matmul(square, square), x)
    return x if wide else tf.transpose(x)


def rms(x: Any) -> Any:
    """Root of the mean square of a tensor."""
    return tf.sqrt(tf.reduce_mean(tf.square(x)))
