"""Whether two models compute the same: what `expand` and `fold` end with."""

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops, tree

from tfhrf.hrf.factors import Array, to_float64
from tfhrf.hrf.rebuild import graph_of, walk

# Largest difference between the two models' outputs, in units of the largest absolute output.
TOLERANCE = 1e-4
HALF_PRECISION_TOLERANCE = 5e-2
# Of unknown dimensions: a model may halve them again and again, or know so many places only.
LENGTHS = (16, 64, 4)


def compare(old: keras.Model, new: keras.Model) -> None:
    """Raises ValueError unless both models compute the same from random inputs.

    The tolerance, relative to the largest absolute value of each output, is 1e-4, or 5e-2 where
    a layer computes in half precision. Neither model's state changes (batch statistics, random
    seeds).
    """
    inputs, outputs = finite_outputs(old)
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in walk(old))
    tolerance = HALF_PRECISION_TOLERANCE if half else TOLERANCE
    for i, (expected, found) in enumerate(zip(outputs, evaluate(new, inputs), strict=True)):
        scale = np.abs(expected).max(initial=0.0) or 1.0
        error = np.abs(expected - found).max(initial=0.0) / scale
        if not error <= tolerance:
            raise ValueError(
                f"Output {i} of model '{old.name}' changed by {error:.1e} of its largest value; "
                f"{tolerance:.0e} is allowed. Received: {old}"
            )


def finite_outputs(model: keras.Model) -> tuple[Any, list[Array]]:
    """(random inputs, outputs) of a model, finite ones.

    Floats are normal, or between 0 and 1 for a model that takes roots or logarithms of them;
    unknown dimensions are 16 long, or as long as the model takes them.

    Raises:
        ValueError: outputs are never finite, or the model cannot be called.
    """
    shapes = [x.shape[1:] for x in graph_of(model).inputs]
    lengths = LENGTHS if any(None in shape for shape in shapes) else LENGTHS[:1]
    failed: Exception | None = None
    wrong: int | None = None
    for length, normal in itertools.product(lengths, (True, False)):
        inputs = random_inputs(model, length, normal)
        try:
            outputs = evaluate(model, inputs)
        # A layer raises what it likes.
        except Exception as error:
            failed = failed or error
            continue
        finite = [bool(np.isfinite(output).all()) for output in outputs]
        if all(finite):
            return inputs, outputs
        wrong = finite.index(False)
    if wrong is not None:
        raise ValueError(f"Output {wrong} of '{model.name}' is not finite. Received: random inputs")
    raise ValueError(
        f"Model '{model.name}' cannot be called on random inputs. "
        f"Received: {' '.join(str(failed).split())}"
    ) from failed


def random_inputs(model: keras.Model, length: int, normal: bool) -> Any:
    """Floats, zeros and ones, or words for each input of a model; unknown dimensions so long."""
    rng = np.random.default_rng(0)

    def values(tensor: keras.KerasTensor) -> tf.Tensor:
        batch, *rest = tensor.shape
        shape = [batch or 2, *(known or length for known in rest)]
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if "float" in dtype:
            floats = rng.standard_normal(shape) if normal else rng.uniform(0.01, 0.99, shape)
            return ops.convert_to_tensor(floats, dtype=dtype)
        bits = rng.integers(0, 2, shape)
        if dtype == "string":
            return tf.constant(np.where(bits, "one", "two"))
        return ops.convert_to_tensor(bits, dtype=dtype)

    return tree.map_structure(values, graph_of(model).input)


def evaluate(model: keras.Model, inputs: Any) -> list[Array]:
    """The model's outputs at inference as a list of float64 arrays."""
    outputs, _ = model.stateless_call(
        model.trainable_variables, model.non_trainable_variables, inputs, training=False
    )
    return [to_float64(output) for output in tree.flatten(outputs)]
