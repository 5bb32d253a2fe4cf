"""AdamW that moves the merged kernel of HRF layers as it moves a plain kernel."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

FACTOR = "factor_"  # begins the names of an HRF layer's factors
EXCLUDED = rf"(^|/){FACTOR}\d+(:\d+)?$"  # what TensorFlow makes of these names


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
            super().update_step(gradient, variable, learning_rate)
            return
        chain = self._chains[index]
        before = tf.convert_to_tensor(variable)
        super().update_step(gradient, variable, learning_rate)
        step = tf.convert_to_tensor(variable) - before
        factors = [
            step if other == index else tf.convert_to_tensor(self._trainable_variables[other])
            for other in chain
        ]
        moved = functools.reduce(tf.matmul, factors)
        share = tf.math.divide_no_nan(rms(step), len(chain) * rms(moved))
        decay = tf.cast(learning_rate, before.dtype) * (self.weight_decay or 0.0) / len(chain)
        self.assign(variable, before * (1.0 - decay) + step * share)


def rms(x: Any) -> Any:
    """Root of the mean square of a tensor."""
    return tf.sqrt(tf.reduce_mean(tf.square(x)))
