"""compress: prunes or clusters a folded model, trains it for integers, quantizes it."""

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from tfhrf.compression import clustering, pruning, quantization_aware
from tfhrf.compression.network import Network, compare, rebuild
from tfhrf.compression.tuning import Lessons, batches_of, inputs_only
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.calibrate import calibrate
from tfhrf.deploy.tflite.compressed import compressed
from tfhrf.deploy.tflite.convert import (
    Ranges,
    best_ranges,
    check_folded,
    float_graph,
    integers_of,
    layer_namer,
)
from tfhrf.deploy.tflite.examples import read_examples
from tfhrf.deploy.tflite.fidelity import model_outputs, output_decibels
from tfhrf.deploy.tflite.keras_lowering import in_float32
from tfhrf.deploy.tflite.quantize import quantize as quantize_graph
from tfhrf.hrf.rebuild import graph_of
from tfhrf.progress import progress_bar

# Where training goes on from trained weights: for rounding they move little, around zeros much.
RATE_OF_PRUNING, RATE_OF_CLUSTERING, RATE_OF_ROUNDING = 3e-3, 1e-3, 1e-4


class Compressed(NamedTuple):
    """What `compress` returns.

    Attributes:
        content: bytes of the int8 .tflite file.
        steps: int8 .tflite files after each step, {name: bytes}: "folded", then "pruned" or
            "clustered", then "qat", as far as they were asked for. The last one is `content`.
        tflm: `content` in TensorFlow Lite Micro's compressed form, which computes the same, where
            clustering was asked for and the tflite-micro wheel is here; else None.
    """

    content: bytes
    steps: dict[str, bytes]
    tflm: bytes | None = None


def compress(
    model: keras.Model,
    representative_data: Iterable[Any] | Mapping[str, Any],
    *,
    prune: float = 0.0,
    cluster: int = 0,
    quantize: Literal["ptq", "qat"] = "ptq",
    ranges: Ranges = "minmax",
    batches: Any = None,
    steps: int = 500,
    seed: int = 0,
    advance: Callable[[int], object] | None = None,
) -> Compressed:
    """Makes a folded model smaller, step by step, and int8.

    - `prune`: sets a share of the weights of large kernels to zero, in blocks of four inputs of two
      outputs, which `to_c` leaves out of flash and skips.
    - `cluster`: leaves a few values in each large kernel, which `to_c` stores as numbers of 4 bits.
    - `quantize="qat"`: trains weights and ranges with the rounding of the integer graph in
      place (quantization-aware training). What pruning or clustering made is kept.

    Each of them trains the graph that `to_tflite` quantizes, rebuilt in tf_keras for
    tensorflow-model-optimization and compared with the model. It learns to compute what the model
    computes; labels are not needed. The model itself does not change.

    Args:
        model: as of `to_tflite`.
        representative_data: as of `to_tflite`; the ranges of the integers are measured on it.
        prune: share of the weights, from 0 (none) to below 1.
        cluster: number of values, 2 to 16, or 0: as many as there are.
        quantize: "ptq", ranges measured after training, or "qat".
        ranges: as of `to_tflite`; of "qat", those where training begins.
        batches: tf.data.Dataset of batches to train on, (examples, ...input shape), a tuple of
            them or a dict by the inputs' names where the model has several, with labels or
            without; or None: batches of the representative data.
        steps: of each training.
        seed: of what is random in it.
        advance: called with 1 after every step; None: a progress bar shows them.

    Returns:
        Compressed.

    Raises:
        LibraryError: training is asked for, and tensorflow-model-optimization is not here or does
            not go with this TensorFlow.
        ValueError: an argument is wrong, as of `to_tflite`; or the model has an operator that
            cannot be trained.
    """
    check_arguments(prune, cluster, quantize, steps)
    check_folded(model)
    examples = read_examples(representative_data, graph_of(model).inputs, "int8")
    name_layer = layer_namer(model)
    graph: Any = float_graph(model, "int8")
    as_given = copy.deepcopy(graph)
    how: str = ranges
    if ranges == "best":
        # Once: balancing later would part what clustering made equal.
        graph, how = best_ranges(graph, examples, "int8", name_layer)
    found = {"folded": integers_of(copy.deepcopy(graph), examples, "int8", name_layer, how)}
    trainings = bool(prune) + bool(cluster) + (quantize == "qat")
    if not trainings:
        return Compressed(found["folded"], found)
    keras.utils.set_random_seed(seed)
    teacher = taught(model, copy.deepcopy(graph), examples)
    names = [x.name for x in graph_of(model).inputs]
    data = inputs_only(batches, names) if batches is not None else None
    lessons = Lessons(
        batches_of(examples, seed) if data is None else data,
        teacher,
        advance or progress_bar(trainings * steps, "step").add,
    )
    structures: dict = {}
    if prune:
        structures = pruning.prune(graph, lessons, prune, steps, RATE_OF_PRUNING)
        found["pruned"] = integers_of(copy.deepcopy(graph), examples, "int8", name_layer, how)
    if cluster:
        structures = clustering.cluster(graph, lessons, cluster, steps, RATE_OF_CLUSTERING)
        found["clustered"] = integers_of(copy.deepcopy(graph), examples, "int8", name_layer, how)
    if quantize == "qat":
        calibrate(graph, graphs.write(graph), examples, "int8", name_layer, how)
        integer = quantize_graph(copy.deepcopy(graph), "int8")
        channels = quantization_aware.scales_of_channels(graph, integer)
        quantization_aware.train(graph, channels, lessons, steps, RATE_OF_ROUNDING, structures)
        new = integers_of(graph, examples, "int8", name_layer, ranges=None)
        found["qat"] = nearer(as_given, [*found.values()][-1], new, examples)
    content = [*found.values()][-1]
    return Compressed(content, found, for_tflm(content) if cluster else None)


def for_tflm(content: bytes) -> bytes | None:
    """What `compressed` returns; None without the wheel, or without a kernel large enough."""
    try:
        return bytes(compressed(content))
    except (ImportError, ValueError):
        return None


def nearer(graph: Any, before: bytes, after: bytes, examples: Any) -> bytes:
    """The int8 graph of two whose outputs are nearer to a float graph's on the examples.

    Training rounds as the integers do, but not the same values: where a network amplifies what is
    rounded, what helps the one may harm the other.
    """
    old, new = (output_decibels(graph, graphs.read(one), examples) for one in (before, after))
    if old > new:
        warnings.warn(
            f"Training for integers left the outputs at {new:.1f} dB of the float model's, and "
            f"{old:.1f} dB before: what was there before is kept",
            stacklevel=3,
        )
        return before
    return after


def check_arguments(prune: float, cluster: int, quantize: str, steps: int) -> None:
    if not 0 <= prune < 1:
        raise ValueError(f"`prune` must be from 0 to below 1. Received: {prune!r}")
    if cluster and (type(cluster) is not int or not 2 <= cluster <= 16):
        raise ValueError(f"`cluster` must be 0, or from 2 to 16. Received: {cluster!r}")
    if prune and cluster:
        raise ValueError(
            "A model is pruned or clustered: C stores zeros that are left out, or numbers of "
            f"values. Received: prune={prune!r}, cluster={cluster!r}"
        )
    if quantize not in ("ptq", "qat"):
        raise ValueError(f"`quantize` must be 'ptq' or 'qat'. Received: {quantize!r}")
    if type(steps) is not int or steps < 1:
        raise ValueError(f"`steps` must be a positive integer. Received: {steps!r}")


def taught(model: keras.Model, graph: Any, examples: list[np.ndarray]) -> Network:
    """The network of a float graph, compared with the model on some examples."""
    teacher = rebuild(graph)
    some = [array[:8] for array in examples]
    # As the graph computes it: a model that trained in half precision rounds otherwise.
    compare(teacher, model_outputs(in_float32(model), some), some)
    return teacher
