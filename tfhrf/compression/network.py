"""A float graph as a model of tf_keras, operator by operator, and its weights back in the graph.

The graph is what `to_tflite` quantizes: of a folded model, batch normalizations merged, layer
normalizations and attention in the form in which the device computes them. So what is trained here
is what is deployed, whatever layers the Keras model had.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfhrf.compression.constants import in_graph, in_layout
from tfhrf.compression.library import load
from tfhrf.compression.operators import OPERATORS, options_of
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.fidelity import input_slots

# Of the largest output; float32 kernels sum in another order.
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Part:
    """An operator of the graph and its layer.

    Attributes:
        operator: OperatorT.
        layer: tf_keras layer, of a class that `operator_layer` makes.
        caller: what is called: the layer, or what wraps it.
        weights: {"kernel": variable, "bias": variable} of a product; wrappers put tensors into
            the layer in their place.
    """

    operator: Any
    layer: Any
    caller: Any
    weights: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.layer.name)


@dataclasses.dataclass(frozen=True)
class Network:
    """A graph as a model.

    Attributes:
        graph: ModelT.
        model: tf_keras model, from a list of (examples, *shape) of the graph's inputs.
        parts: Part of each operator, in order.
    """

    graph: Any
    model: Any
    parts: list[Part]


@functools.cache
def operator_layer() -> Any:
    """The class of layers that compute an operator.

    Its weights are kernel and bias of a product, and the constants of other operators, which do not
    train. What an operator computes with is plain values, so that the library can copy layers.
    """
    layers = load().keras.layers
    pruned, clustered = load().tfmot.sparsity.keras, load().tfmot.clustering.keras

    bases = (layers.Layer, pruned.PrunableLayer, clustered.ClusterableLayer)

    class Operator(*bases):  # type: ignore[misc]
        def __init__(self, kind: str, options: dict, constants: dict, **kwargs: Any) -> None:
            """constants: {place among the inputs, as text: shape} of constant float inputs."""
            super().__init__(**kwargs)
            self.kind, self.options, self.constants = kind, options, dict(constants)

        def build(self, input_shape: Any) -> None:
            for place, shape in self.constants.items():
                name = (
                    {"1": "kernel", "2": "bias"}.get(place)
                    if self.kind in graphs.PRODUCTS
                    else None
                )
                weight = self.add_weight(
                    name=name or f"constant_{place}", shape=shape, trainable=name is not None
                )
                setattr(self, name or f"constant_{place}", weight)
            super().build(input_shape)

        def operands(self) -> dict[int, Any]:
            """Constant inputs by their place, as operators take them."""
            if self.kind in graphs.PRODUCTS:
                names = {1: "kernel", 2: "bias"}
                return {i: getattr(self, names[i]) for i in map(int, self.constants)}
            return {int(i): getattr(self, f"constant_{i}")[None] for i in self.constants}

        def call(self, inputs: Any) -> Any:
            given = iter(inputs if isinstance(inputs, (list, tuple)) else [inputs])
            fixed = self.operands()
            places = range(len(fixed) + self.computed(inputs))
            operands = [fixed[i] if i in fixed else next(given) for i in places]
            return OPERATORS[self.kind](operands, self.options)

        def computed(self, inputs: Any) -> int:
            return len(inputs) if isinstance(inputs, (list, tuple)) else 1

        def compute_output_shape(self, input_shape: Any) -> Any:
            shapes = [tf.TensorShape([None, *shape]) for shape in self.options["shapes"]]
            return shapes[0] if len(shapes) == 1 else shapes

        def get_prunable_weights(self) -> list:
            return [self.kernel]

        def get_clusterable_weights(self) -> list:
            return [("kernel", self.kernel)]

        def get_clusterable_algorithm(self, weight_name: str) -> Any:
            return None

        def get_config(self) -> dict:
            config = {"kind": self.kind, "options": self.options, "constants": self.constants}
            return {**super().get_config(), **config}

    return Operator


def rebuild(graph: Any, wrap: Callable[[int, Any, Any], Any] | None = None) -> Network:
    """A float graph as a model with the same weights.

    Args:
        graph: ModelT, as of `tfhrf.deploy.tflite.convert.float_graph`.
        wrap: function of the number of an operator, the operator and its layer, that returns what
            takes the layer's place: the layer itself or a wrapper around it.

    Raises:
        ValueError: an operator cannot be trained.
    """
    keras = load().keras
    tensors = graph.subgraphs[0].tensors
    values: dict[int, Any] = {}
    for place, index in enumerate(graph.subgraphs[0].inputs):
        values[int(index)] = keras.Input(graphs.shape_of(tensors[index]), name=f"input_{place}")
    inputs = list(values.values())
    parts = []
    for number, operator in enumerate(graph.subgraphs[0].operators):
        layer, arrays = layer_of(graph, number, operator)
        caller = layer if wrap is None else wrap(number, operator, layer)
        given = [values[int(i)] for i in operator.inputs if int(i) in values]
        if not layer.built:
            layer.build(None)
        layer.set_weights(arrays)
        weights = {
            name: getattr(layer, name) for name in ("kernel", "bias") if hasattr(layer, name)
        }
        outputs = caller(given if len(given) > 1 else given[0])
        several = isinstance(outputs, (list, tuple))
        values.update(
            zip(map(int, operator.outputs), outputs if several else [outputs], strict=True)
        )
        parts.append(Part(operator, layer, caller, weights))
    outputs = [values[int(index)] for index in graph.subgraphs[0].outputs]
    return Network(graph, keras.Model(inputs, outputs), parts)


def layer_of(graph: Any, number: int, operator: Any) -> tuple[Any, list]:
    """(layer of an operator, values of its weights in their order)."""
    kind = graphs.operator_name(graph, operator)
    if kind not in OPERATORS:
        name = graphs.tensor_name(graph.subgraphs[0].tensors[operator.outputs[0]])
        raise ValueError(
            "The graph has an operator that is not trained here; post-training quantization takes "
            f"it. Received: {kind}, tensor '{name}'"
        )
    arrays = {
        str(place): in_layout(kind, place, graphs.constant_array(graph, index))
        for place, index in enumerate(operator.inputs)
        if index >= 0 and graphs.is_constant_float(graph, index)
    }
    layer = operator_layer()(
        kind,
        options_of(graph, operator),
        {place: list(array.shape) for place, array in arrays.items()},
        name=f"{kind.lower()}_{number}",
    )
    return layer, list(arrays.values())


def write_back(network: Network, kernels: Mapping[str, np.ndarray]) -> None:
    """Gives the products of the graph the weights of their layers.

    Args:
        network: Network.
        kernels: {name of a layer: kernel} that take the place of the layers' own.
    """
    graph = network.graph
    for part in network.parts:
        kind = graphs.operator_name(graph, part.operator)
        inputs = [int(i) for i in part.operator.inputs]
        for place, (name, variable) in enumerate(part.weights.items(), start=1):
            old = graph.subgraphs[0].tensors[inputs[place]]
            values = np.asarray(variable, np.float32)
            if name == "kernel":
                matrix = kernels.get(part.name, values)
                values = in_graph(kind, matrix, graphs.shape_of(old))
            # A constant of its own: others may read the old one.
            inputs[place] = graphs.add_constant(
                graph, np.ascontiguousarray(values, np.float32), graphs.tensor_name(old)
            )
        part.operator.inputs = inputs


def write_stripped(network: Network, stripped: Any) -> dict[int, np.ndarray]:
    """Gives the graph the weights of a network, wrapped kernels as they are without the wrappers.

    Args:
        network: Network.
        stripped: its model, of which the library took the wrappers off.

    Returns:
        {number of an operator: kernel} of those that were wrapped.
    """
    kernels = {
        number: np.asarray(stripped.get_layer(part.name).kernel)
        for number, part in enumerate(network.parts)
        if part.caller is not part.layer
    }
    write_back(network, {network.parts[number].name: kernel for number, kernel in kernels.items()})
    return kernels


def compare(network: Network, expected: list[np.ndarray], inputs: list[np.ndarray]) -> None:
    """Raises ValueError unless a network computes what the model that it was made of does.

    Args:
        network: Network.
        expected: outputs of the Keras model.
        inputs: one array for each input of the Keras model, examples first.
    """
    given = [tf.constant(inputs[slot][:, None]) for slot in input_slots(network.graph)]
    found = network.model(given, training=False)
    found = found if isinstance(found, (list, tuple)) else [found]
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        other = np.reshape(other, one.shape)
        difference = float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-30))
        if not difference <= TOLERANCE:
            raise ValueError(
                "The network that was rebuilt for training computes something else than the "
                f"model. Received: output {number} differs by {difference:.1e} of its largest value"
            )
