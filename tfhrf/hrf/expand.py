"""expand: puts HRFDense in place of Dense in a model, trained or not."""

import fnmatch
from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras

from tfhrf.hrf.configs import config_of
from tfhrf.hrf.fast import FastDense
from tfhrf.hrf.layers import HRFDense, obstacle, with_activation
from tfhrf.hrf.rebuild import check_model, graph_of, nodes_of, rewrite, walk
from tfhrf.hrf.same_function import compare
from tfhrf.hrf.scopes import scope_of

DENSE = (keras.layers.Dense, FastDense)
# A function of a layer, or patterns of names.
Where: TypeAlias = Callable[[keras.Layer], bool] | str | Sequence[str]


def expand(
    model: keras.Model, expansion: int = 4, *, depth: int = 2, where: Where | None = None
) -> keras.Model:
    """A new model of the same function, with HRFDense in place of Dense (HRF).

    The kernels are factorized at random and exactly up to rounding, so a trained model stays
    trained. Only layers whose type is exactly `keras.layers.Dense` (or the FastDense of our
    backbones) are replaced, also in nested models and inside wrappers. Everything else is
    copied: names, trainable flags, dtype policies, regularizers, weights. The new model is not
    compiled and has no optimizer state; a functional model of a class of its own comes back as
    a plain `keras.Model`.

    Args:
        model: a functional or built Sequential model; it stays as it is.
        expansion: inner dimension of the factorization / units, a positive integer.
        depth: number of factors, 2 or more.
        where: which Dense layers are replaced: a function of the layer that returns a bool, or
            a list of layer names or patterns (as in `fnmatch`), or one of them. By default all
            but the output layers: those from which an output of the model is reached without
            passing another layer that has weights.

    Raises:
        ValueError: the model is subclassed or not built; a name or pattern matches no Dense;
            nothing is selected; a selected layer cannot be factorized (LoRA, quantized,
            `kernel_constraint`, in a SpectralNormalization) or is hidden in a block that makes
            it itself; or the new model does not compute what the given one computes (see
            `fold`).
    """
    check_model(model)
    way_out = "; leave it out with `where`"
    replaced: dict[int, keras.Layer] = {}
    spectral = keras.layers.SpectralNormalization
    normalized = {id(layer.layer) for layer in walk(model) if isinstance(layer, spectral)}
    for layer in select(model, where):
        reason = "has its kernel normalized" if id(layer) in normalized else obstacle(layer)
        if reason is not None:
            raise ValueError(
                f"Layer '{layer.name}' {reason} and cannot be expanded{way_out}. Received: {layer}"
            )
        replaced[id(layer)] = expanded(layer, expansion, depth, replaced)
    new = rewrite(model, replaced, way_out=way_out)
    compare(model, new)
    return new


def select(model: keras.Model, where: Where | None) -> list[keras.layers.Dense]:
    """The Dense layers that `where` selects, each once."""
    layers = [layer for layer in walk(model) if type(layer) in DENSE]
    if where is None:
        outputs = output_layers(model)
        selected = [layer for layer in layers if id(layer) not in outputs]
    elif callable(where):
        selected = [layer for layer in layers if where(layer)]
    else:
        patterns = [where] if isinstance(where, str) else where
        if not isinstance(patterns, (list, tuple)) or not all(
            isinstance(pattern, str) for pattern in patterns
        ):
            raise ValueError(
                "`where` must be a function of a layer or a list of layer names. "
                f"Received: where={where!r}"
            )
        for pattern in patterns:
            if not any(fnmatch.fnmatchcase(layer.name, pattern) for layer in layers):
                raise ValueError(
                    f"`where` names '{pattern}', which matches no Dense layer of model "
                    f"'{model.name}'. Received: where={where!r}"
                )
        selected = [
            layer
            for layer in layers
            if any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in patterns)
        ]
    if not selected:
        raise ValueError(
            f"Model '{model.name}' has no Dense layer to expand. Received: where={where!r}, "
            f"Dense layers {[layer.name for layer in layers]}"
        )
    return selected


def output_layers(model: keras.Model) -> set[int]:
    """Ids of the Dense layers between which and an output of the model no other weights stand."""
    found: set[int] = set()

    def last_weights(layer: keras.Layer, tensors: Sequence[keras.KerasTensor]) -> bool:
        """Marks Dense layers in front of a graph's outputs; True if its inputs are reached."""
        graph = graph_of(layer)
        producer = {id(x): node for node in nodes_of(graph) for x in node.outputs}
        waiting, reached = list(tensors), False
        seen: set[int] = set()
        while waiting:
            node = producer[id(waiting.pop())]
            if id(node) in seen:
                continue
            seen.add(id(node))
            reached = reached or node.is_input
            if passes(node.operation):
                waiting += node.input_tensors
        return reached

    def passes(operation: keras.Operation) -> bool:
        """Whether the way back from an output leads on past this operation."""
        if isinstance(operation, keras.layers.Wrapper):
            return passes(operation.layer)
        if not isinstance(operation, keras.Layer) or not operation.weights:
            return True
        if type(operation) in DENSE:
            found.add(id(operation))
        if graph_of(operation) is not None:
            return last_weights(operation, graph_of(operation).outputs)
        return False

    last_weights(model, graph_of(model).outputs)
    return found


def expanded(
    dense: keras.layers.Dense, expansion: int, depth: int, copies: dict[int, keras.Layer]
) -> HRFDense:
    """A built HRFDense with the name, arguments and function of a Dense layer.

    Args:
        dense: built Dense layer without LoRA, quantization or constraint.
        expansion, depth: as of `expand`.
        copies: as of `with_activation`.
    """
    config = with_activation(config_of(dense), dense, copies)
    for name in ("kernel_constraint", "quantization_config", "lora_rank", "lora_alpha"):
        config.pop(name, None)
    layer = HRFDense(**config, expansion=expansion, depth=depth)
    # The layer factorizes what its initializer draws: once, here, that is the Dense kernel.
    initializer = layer.kernel_initializer
    layer.kernel_initializer = lambda shape, dtype=None: keras.ops.cast(dense.kernel, dtype)
    with scope_of(dense):
        layer.build((None, dense.kernel.shape[0]))
    layer.kernel_initializer = initializer
    for factor in layer.factors:
        factor.trainable = dense.kernel.trainable
    if layer.bias is not None:
        layer.bias.assign(dense.bias)
        layer.bias.trainable = dense.bias.trainable
    return layer
