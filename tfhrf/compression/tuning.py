"""Trains a network on: what it computes shall stay near what the float model computes."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhrf.compression.library import load
from tfhrf.compression.network import Network
from tfhrf.deploy.tflite.examples import without_labels
from tfhrf.deploy.tflite.fidelity import input_slots

BATCH = 32
CLIP = 1.0  # norm of the gradient


class Lessons:
    """Batches of a network's inputs and of what the float network makes of them.

    Args:
        batches: tf.data.Dataset without end of one float32 array (examples, ...) for each model
            input, in a tuple.
        teacher: Network in floats.
        advance: called with 1 after every step of training.
    """

    def __init__(
        self, batches: tf.data.Dataset, teacher: Network, advance: Callable[[int], object]
    ) -> None:
        self.advance = advance
        slots = input_slots(teacher.graph)

        # Once traced: a graph of hundreds of operators.
        @tf.function
        def answer(*inputs: Any) -> Any:
            outputs = teacher.model(list(inputs), training=False)
            # A dataset makes one array of a list.
            return tuple(outputs) if isinstance(outputs, list) else outputs

        def lesson(*inputs: Any) -> tuple:
            given = [tf.expand_dims(inputs[slot], 1) for slot in slots]
            return tuple(given), answer(*given)

        self.dataset = batches.map(lesson)

    def through(self, ranges: Sequence[tuple[float, float]]) -> "Lessons":
        """The same with inputs rounded to the levels of 8 bits in ranges, one for each input."""

        def rounded(inputs: tuple, answers: Any) -> tuple:
            levels = [
                tf.quantization.fake_quant_with_min_max_vars(x, min(low, 0.0), max(high, 0.0))
                for x, (low, high) in zip(inputs, ranges, strict=True)
            ]
            return tuple(levels), answers

        new = copy.copy(self)
        new.dataset = self.dataset.map(rounded)
        return new


def batches_of(arrays: Sequence[np.ndarray], seed: int) -> tf.data.Dataset:
    """Shuffled batches without end of arrays, one for each model input."""
    whole = tf.data.Dataset.from_tensor_slices(tuple(arrays))
    count = len(arrays[0])
    return whole.shuffle(count, seed).repeat().batch(min(BATCH, count), drop_remainder=True)


def inputs_only(batches: Any, names: Sequence[str]) -> tf.data.Dataset:
    """A user's dataset of batches, without labels, as tuples of the inputs, without end.

    Args:
        batches: tf.data.Dataset of an array for the input, or a tuple or dict of several ones, or
            of pairs of these and labels.
        names: of the inputs.

    Raises:
        ValueError: it is no dataset, or its elements are not such batches.
    """
    spec = getattr(batches, "element_spec", None)
    if spec is None:
        raise ValueError(f"`batches` must be a tf.data.Dataset. Received: {type(batches).__name__}")
    batches = without_labels(batches, len(names))
    if isinstance(batches.element_spec, dict) and set(batches.element_spec) == {*names}:
        batches = batches.map(lambda inputs: tuple(inputs[name] for name in names))
    elif not isinstance(batches.element_spec, (dict, tuple)):
        batches = batches.map(lambda inputs: (inputs,))
    if not isinstance(batches.element_spec, tuple) or len(batches.element_spec) != len(names):
        raise ValueError(
            f"`batches` must have the inputs {list(names)}, and labels if any. Received: {spec}"
        )
    return batches.repeat()


def tune(
    network: Network, lessons: Lessons, steps: int, rate: float, callbacks: Sequence[Any] = ()
) -> None:
    """Trains a network by Adam, whose rate falls from `rate` to zero in a cosine.

    The loss is the mean squared difference of the outputs.
    """
    keras = load().keras
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    network.model.compile(
        keras.optimizers.Adam(schedule, global_clipnorm=CLIP), keras.losses.MeanSquaredError()
    )
    count = keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: lessons.advance(1))
    network.model.fit(
        lessons.dataset.prefetch(2),
        steps_per_epoch=steps,
        callbacks=[*callbacks, count],
        verbose=0,
    )
