"""What to_tflite is given: a model's inputs, and representative data for them, checked."""

from collections.abc import Iterator

import numpy as np


def check_inputs(inputs):
    for x in inputs:
        if any(length is None for length in x.shape[1:]):
            raise ValueError(
                f"Input '{x.name}' must have fixed dimensions (all but the batch). "
                f"Received: shape={x.shape}"
            )
        if not x.dtype.startswith(("float32", "int", "uint")):
            raise ValueError(
                f"Input '{x.name}' must be float32 or of integers. Received: dtype={x.dtype}"
            )


def read_examples(data, inputs, precision):
    """Checks representative data.

    Returns:
        List with one float32 array of shape (examples, ...) for each model input.
    """
    if data is None:
        raise ValueError(
            f"`representative_data` is required for precision {precision!r}. Received: None"
        )
    data = regroup(data, len(inputs))
    if len(inputs) == 1 and not isinstance(data, dict):
        arrays = [read_array(data, inputs[0])]
    else:
        names = [x.name for x in inputs]
        if isinstance(data, dict):
            if set(data) != set(names):
                raise ValueError(
                    f"`representative_data` must have the keys {names}. Received: {list(data)}"
                )
            data = [data[name] for name in names]
        if not isinstance(data, (list, tuple)) or len(data) != len(inputs):
            raise ValueError(
                f"`representative_data` must be a list or dict with an array for each of the "
                f"inputs {names}. Received: {describe(data)}"
            )
        arrays = [read_array(item, x) for item, x in zip(data, inputs, strict=True)]
        if len({len(array) for array in arrays}) != 1:
            raise ValueError(
                "`representative_data` must hold the same number of examples for each input. "
                f"Received: {[len(array) for array in arrays]}"
            )
    for array, x in zip(arrays, inputs, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(
                f"`representative_data` for input '{x.name}' must be finite. "
                f"Received: {np.count_nonzero(~np.isfinite(array))} values that are not"
            )
        if array.min() == array.max():
            raise ValueError(
                f"`representative_data` for input '{x.name}' must not be constant. "
                f"Received: only the value {array.flat[0]}"
            )
    return arrays


def without_labels(dataset, count):
    """A dataset of inputs out of one of pairs of (inputs, labels); pairs of two inputs stay."""
    spec = dataset.element_spec
    if (
        isinstance(spec, tuple)
        and len(spec) == 2
        and (count == 1 or isinstance(spec[0], (dict, tuple)))
    ):
        return dataset.map(lambda inputs, labels: inputs)
    return dataset


def regroup(data, count):
    """What TensorFlow Lite's users have, as arrays or iterables of them, one for each input.

    That is a function that returns an iterable, an iterator over lists with an array for each
    input, or a dataset of pairs of features and labels.
    """
    if callable(data) and not hasattr(data, "__array__"):
        data = data()
    if hasattr(data, "element_spec"):
        data = without_labels(data, count)
    spec = getattr(data, "element_spec", None)
    grouped = isinstance(spec, (dict, tuple))
    if not grouped and not isinstance(data, Iterator):
        return data
    items = list(data)
    if items and all(isinstance(item, dict) for item in items):
        return {name: [item[name] for item in items] for name in items[0]}
    if items and all(isinstance(i, (list, tuple) if grouped else list) for i in items):
        if any(len(item) != count for item in items):
            raise ValueError(
                f"Lists of `representative_data` must hold an array for each of {count} inputs. "
                f"Received: {sorted({len(item) for item in items})} arrays"
            )
        columns = [[item[i] for item in items] for i in range(count)]
        return columns if count > 1 else columns[0]
    return items


def read_array(data, x):
    """An array, or an iterable of batches or single examples, as one float32 array."""
    shape = tuple(x.shape[1:])
    if not hasattr(data, "__array__"):
        try:
            items = iter(data)
        except TypeError as error:
            raise ValueError(
                f"`representative_data` must be an array or an iterable of arrays. "
                f"Received: {describe(data)}"
            ) from error
        batches = [as_floats(item, x, shape) for item in items]
        batches = [item[None] if item.shape == shape else item for item in batches]
    else:
        batches = [as_floats(data, x, shape)]
    for item in batches:
        if item.ndim == 0 or item.shape[1:] != shape:
            raise ValueError(
                f"`representative_data` for input '{x.name}' must have the shape "
                f"{('examples', *shape)}. Received: {item.shape}"
            )
    if sum(map(len, batches)) == 0:
        raise ValueError(
            f"`representative_data` for input '{x.name}' must hold at least one example. "
            f"Received: {describe(data)}"
        )
    return np.concatenate(batches)


def as_floats(item, x, shape):
    # A (features, label) pair is a tuple: it is no array.
    if hasattr(item, "__array__"):
        array = np.asarray(item)
        if array.dtype.kind in "fiu":
            return array.astype(np.float32)
    raise ValueError(
        f"`representative_data` for input '{x.name}' must consist of numeric arrays of the shape "
        f"{('examples', *shape)}. Received: {describe(item)}"
    )


def describe(value):
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")
