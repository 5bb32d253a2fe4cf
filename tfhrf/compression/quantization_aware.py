"""Quantization-aware training: weights and ranges that an integer graph loses little with.

Each operator of the graph is wrapped by tensorflow-model-optimization, with a configuration that
says what of it is quantized and how, as the integer graph has it. What comes out are weights and
ranges; the graph is quantized by `tfhrf.deploy.tflite` then, as after post-training calibration.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfhrf.compression.evaluate import pairs_of
from tfhrf.compression.library import load
from tfhrf.compression.network import Network, rebuild, write_back
from tfhrf.compression.structure import Structure
from tfhrf.compression.tuning import Lessons, tune
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.calibrate import read_ranges, scores_of, write_ranges
from tfhrf.deploy.tflite.graph_rewrites import MOVERS

# Scales that TensorFlow Lite fixes, as ranges.
FIXED = {"LOGISTIC": (0.0, 255 / 256), "SOFTMAX": (0.0, 255 / 256), "TANH": (-1.0, 127 / 128)}


class Placement(NamedTuple):
    """What of an operator is quantized.

    Attributes:
        per_channel: whether each output of the kernel has a scale of its own; None: no kernel.
        output: range of the output where training begins, zero in it as in every quantized one;
            None: it keeps its input's scale.
        learned: whether training moves that range.
    """

    per_channel: bool | None
    output: tuple[float, float] | None
    learned: bool


def placements(graph: Any, channels: Mapping[int, bool]) -> dict[int, Placement]:
    """What of each operator is quantized, by its number.

    - Products (Dense, convolutions, depthwise ones): the kernel, symmetric, and the output.
    - Layer normalization: mean, difference, sum of squares, product; the inverse root keeps the
      range that `calibrate` cuts at the least integer above zero.
    - Attention: both products; scores keep the range in which they have weight, softmax has
      TensorFlow Lite's own.
    - Pooling, addition, activations: the output.
    - What moves values (reshape, transpose, split, concatenation, largest values): nothing.

    Args:
        graph: float ModelT with ranges.
        channels: {number of an operator: whether its kernel has a scale for each output}.
    """
    low, high = read_ranges(graph)
    scores = set(map(int, scores_of(graph)))
    found = {}
    for number, operator in enumerate(graph.subgraphs[0].operators):
        kind, index = graphs.operator_name(graph, operator), int(operator.outputs[0])
        # Of a range without zero TensorFlow would round in one of the same width from zero on.
        ends = min(low.get(index, 0.0), 0.0), max(high.get(index, 0.0), 0.0)
        output = FIXED.get(kind, ends)
        fixed = kind in FIXED or kind == "RSQRT" or index in scores
        found[number] = Placement(
            channels.get(number) if kind in graphs.PRODUCTS else None,
            None if kind in MOVERS else output,
            not fixed,
        )
    return found


def scales_of_channels(graph: Any, integer: Any) -> dict[int, bool]:
    """Whether the quantizer gives each output of a kernel a scale, by the operator's number."""
    operators = graph.subgraphs[0].operators
    numbers = {id(operator): number for number, operator in enumerate(operators)}
    found = {}
    for one, other in pairs_of(graph, integer, tables=False):
        if graphs.operator_name(graph, one) in graphs.PRODUCTS:
            kernel = integer.subgraphs[0].tensors[other.inputs[1]]
            found[numbers[id(one)]] = len(kernel.quantization.scale) > 1
    return found


def configuration(placement: Placement, structure: Structure | None) -> Any:
    """The library's QuantizeConfig of an operator."""
    quantization = load().tfmot.quantization.keras
    quantizers = quantization.quantizers

    class Kernel(quantizers.LastValueQuantizer):  # type: ignore[name-defined]
        """What pruning and clustering made equal stays so."""

        def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
            kept = inputs if structure is None else structure.keep(inputs)
            return super().__call__(kept, training, weights, **kwargs)

    class Configuration(quantization.QuantizeConfig):  # type: ignore[name-defined]
        def get_weights_and_quantizers(self, layer: Any) -> list:
            if placement.per_channel is None or "1" not in layer.constants:
                return []
            kernel = Kernel(8, per_axis=placement.per_channel, symmetric=True, narrow_range=True)
            return [(layer.kernel, kernel)]

        def set_quantize_weights(self, layer: Any, quantize_weights: list) -> None:
            if quantize_weights:
                layer.kernel = quantize_weights[0]

        def get_activations_and_quantizers(self, layer: Any) -> list:
            return []

        def set_quantize_activations(self, layer: Any, quantize_activations: list) -> None:
            pass

        def get_output_quantizers(self, layer: Any) -> list:
            if placement.output is None:
                return []
            if placement.learned:
                kind = quantizers.MovingAverageQuantizer
                return [kind(8, per_axis=False, symmetric=False, narrow_range=False)]
            return [quantizers.FixedQuantizer(8, *placement.output, narrow_range=False)]

        def get_config(self) -> dict:
            return {}

    return Configuration()


def train(
    graph: Any,
    channels: Mapping[int, bool],
    lessons: Lessons,
    steps: int,
    rate: float,
    structures: Mapping[int, Structure],
) -> None:
    """Trains a float graph for its integers; changes its weights and ranges.

    Args:
        graph: ModelT with ranges, as `calibrate` leaves it.
        channels: as of `scales_of_channels`.
        lessons: Lessons of the float model.
        steps, rate: of training.
        structures: {number of an operator: what its kernel is to keep}.
    """
    placed = placements(graph, channels)
    wrapper = load().tfmot.quantization.keras.QuantizeWrapperV2

    def wrap(number: int, operator: Any, layer: Any) -> Any:
        return wrapper(layer, configuration(placed[number], structures.get(number)))

    network = rebuild(graph, wrap)
    variables = {
        number: part.caller._output_quantizer_vars
        for number, part in enumerate(network.parts)
        if placed[number].output is not None and placed[number].learned
    }
    for number, ends in variables.items():
        least, largest = placed[number].output or (0.0, 0.0)
        ends["min_var"].assign(least)
        ends["max_var"].assign(largest)
    tune(network, lessons.through(input_levels(graph)), steps, rate)
    learned = {
        number: (float(ends["min_var"]), float(ends["max_var"]))
        for number, ends in variables.items()
    }
    write_back(network, kept_kernels(network, structures))
    write_learned(graph, learned)


def kept_kernels(network: Network, structures: Mapping[int, Structure]) -> dict[str, np.ndarray]:
    """Kernels of structure as they are multiplied by, by the names of their layers."""
    return {
        network.parts[number].name: np.asarray(
            structure.keep(tf.convert_to_tensor(network.parts[number].weights["kernel"]))
        )
        for number, structure in structures.items()
    }


def input_levels(graph: Any) -> list[tuple[float, float]]:
    """The ranges of the inputs."""
    low, high = read_ranges(graph)
    return [(low[int(i)], high[int(i)]) for i in graph.subgraphs[0].inputs]


def write_learned(graph: Any, learned: Mapping[int, tuple[float, float]]) -> None:
    """Writes learned ranges, by the number of the operator whose output has them."""
    low, high = read_ranges(graph)
    for number, operator in enumerate(graph.subgraphs[0].operators):
        outputs = [int(index) for index in operator.outputs]
        ends = learned.get(number)
        if graphs.operator_name(graph, operator) in MOVERS:
            read = [int(index) for index in operator.inputs if int(index) in low]
            ends = (min(low[i] for i in read), max(high[i] for i in read))
        if ends is not None:
            low.update(dict.fromkeys(outputs, ends[0]))
            high.update(dict.fromkeys(outputs, ends[1]))
    write_ranges(graph, low, high, "int8")
