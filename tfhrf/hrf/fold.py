"""fold: merges what was factorized, so that a model of stock Keras layers remains (deHRF)."""

import collections
import inspect
from collections.abc import Mapping

import keras
from keras import ops

from tfhrf.hrf.configs import config_of
from tfhrf.hrf.layers import HRFDense, merge_dense, obstacle, with_activation
from tfhrf.hrf.rebuild import check_model, graph_of, nodes_of, own_variables, rewrite, walk
from tfhrf.hrf.same_function import compare
from tfhrf.hrf.scopes import scope_of


def fold(model: keras.Model) -> keras.Model:
    """A new model of the same function in which every HRF layer is merged into a plain one.

    Three things are merged, the first two in float64 and cast once:

    - Every layer that has a method `fold()`, HRFDense or a third party's, wherever it stands:
      the method returns a new, built layer with its weights set that takes its place.
    - Linear Dense layers written one behind the other, the paper's own picture: a Dense without
      activation merges with the Dense behind it, and so on along a chain. The first must be
      called once, with the second as its only reader, and not be an output; the second must be
      called once. Both must have the same dtype policy and no constraints, LoRA or
      quantization, the first no activity regularizer. A pair stays if merging would make it
      larger (input_dim * r + r * units < input_dim * units): a bottleneck is deliberate. The
      merged layer has the second one's name and arguments, and a bias if either had one.

    - LoRA's product is added to the kernel it stands beside, in blocks too.

    Everything else is copied, bit for bit: weights, random seeds, names, trainable flags. Shared
    layers stay shared. The new model is not compiled; a functional model of a class of its own
    comes back as a plain `keras.Model`. Folding a folded model changes nothing.

    Before it returns, both models are called on the same random inputs (batch 2; integers are 0
    or 1, floats normal, or between 0 and 1 if the outputs are finite so only; unknown dimensions
    16, 64 or 4 long, the first that the model takes): no output may differ by more than 1e-4 of
    its largest absolute value, or 5e-2 if any layer computes in half precision.

    Source: Zhang et al., "Re-Parameterization of Lightweight Transformer for On-Device Speech
    Emotion Recognition", IEEE Internet of Things Journal 2024.

    Args:
        model: a functional or built Sequential model; it stays as it is.

    Raises:
        ValueError: the model is subclassed or not built; a block makes an HRF layer itself, so
            that it cannot be replaced; a weight or an output is not finite; or the outputs
            differ by more than the tolerance.
    """
    check_model(model)
    replaced = {
        id(layer): folded(layer)
        for layer in walk(model, stop=folds)
        if folds(layer) and type(layer) is not HRFDense
    }
    in_graphs = {id(node.operation) for graph in graphs_of(model) for node in nodes_of(graph)}
    replaced |= {
        id(layer): without_lora(layer, replaced)
        for layer in walk(model, stop=folds)
        if type(layer) is keras.layers.Dense and layer.lora_enabled and id(layer) in in_graphs
    }
    bypassed: set[int] = set()
    for chain in linear_chains(model, replaced):
        *first, last = chain
        with scope_of(last):
            parts = [replaced.get(id(layer), layer) for layer in chain]
            replaced[id(last)] = merge_dense(parts, replaced)
        bypassed.update(map(id, first))
    for layer in walk(model, stop=folds):
        if type(layer) is HRFDense and id(layer) not in replaced and id(layer) not in bypassed:
            with scope_of(layer):
                replaced[id(layer)] = merge_dense([layer], replaced)
    new = rewrite(model, replaced, bypassed=bypassed, merge_lora=True)
    for layer in walk(new):
        if folds(layer):
            raise ValueError(
                f"Layer '{layer.name}' can still be folded after folding. Received: {layer}"
            )
        floats = [weight for weight in own_variables(layer) if "float" in weight.dtype]
        if not all(ops.all(ops.isfinite(weight)) for weight in floats):
            raise ValueError(f"A weight of layer '{layer.name}' is not finite. Received: {layer}")
    compare(model, new)
    return new


def graphs_of(model: keras.Model) -> list[keras.Function]:
    """The graphs of a model and of those nested in it."""
    return [graph for graph in map(graph_of, [model, *walk(model, stop=folds)]) if graph]


def without_lora(layer: keras.layers.Dense, copies: dict[int, keras.Layer]) -> keras.layers.Dense:
    """A Dense with LoRA's product in its kernel; `copies` as of `with_activation`."""
    config = with_activation(config_of(layer), layer, copies)
    with scope_of(layer):
        new = keras.layers.Dense.from_config(
            {key: config[key] for key in config if not key.startswith("lora_")}
        )
        new.build(layer.kernel.shape[:1])
    # Keras saves a layer with LoRA merged.
    store: dict[str, object] = {}
    layer.save_own_variables(store)
    new.load_own_variables(store)
    return new


def folds(layer: keras.Layer) -> bool:
    """Whether a layer offers `fold()`, which takes nothing; one that takes a signal is no such."""
    method = getattr(layer, "fold", None)
    if not callable(method):
        return False
    parameters = inspect.signature(method).parameters.values()
    return all(
        one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        for one in parameters
    )


def folded(layer: keras.Layer) -> keras.Layer:
    """What a layer folds into, checked."""
    with scope_of(layer):
        new = layer.fold()
    if not isinstance(new, keras.Layer) or new is layer or not new.built:
        raise ValueError(
            f"Layer '{layer.name}': fold() must return a new, built Keras layer. Received: {new!r}"
        )
    return new


def linear_chains(
    model: keras.Model, replaced: Mapping[int, keras.Layer]
) -> list[list[keras.Layer]]:
    """The chains of layers that merge into one Dense each, as lists of two or more layers.

    Args:
        model: a functional or Sequential model.
        replaced: dict {id(layer): what it folds into} of third parties' layers.
    """
    holders = [model, *walk(model, stop=folds)]
    calls: collections.Counter[int] = collections.Counter()
    for holder in holders:
        graph = graph_of(holder)
        # A layer inside a wrapper or block counts as called there.
        below = [node.operation for node in nodes_of(graph)] if graph else holder._layers
        calls.update(map(id, below))

    def merge(first: keras.Layer, second: keras.Layer) -> bool:
        if calls[id(first)] != 1 or calls[id(second)] != 1:
            return False
        first, second = (replaced.get(id(layer), layer) for layer in (first, second))
        return (
            is_plain(first)
            and is_plain(second)
            and first.activation is keras.activations.linear
            and first.activity_regularizer is None
            and first.compute_dtype == second.compute_dtype
            and first.variable_dtype == second.variable_dtype
        )

    runs: list[list[keras.Layer]] = []
    for graph in filter(None, map(graph_of, holders)):
        nodes = nodes_of(graph)
        readers = collections.Counter(id(x) for node in nodes for x in node.input_tensors)
        readers.update(map(id, graph.outputs))
        # From the id of a tensor that has one reader to the run of layers that ends in it.
        ends: dict[int, list[keras.Layer]] = {}
        for node in nodes:
            run = ends.get(id(node.input_tensors[0])) if len(node.input_tensors) == 1 else None
            if run is not None and merge(run[-1], node.operation):
                run.append(node.operation)
            else:
                run = [node.operation]
                runs.append(run)
            if len(node.outputs) == 1 and readers[id(node.outputs[0])] == 1:
                ends[id(node.outputs[0])] = run
    return [chain for run in runs if len(run) > 1 for chain in shrinking(run, replaced)]


def is_plain(layer: keras.Layer) -> bool:
    """Whether a layer is a Dense or HRFDense that may be merged with a neighbor."""
    if type(layer) not in (keras.layers.Dense, HRFDense) or not layer.built:
        return False
    if type(layer) is keras.layers.Dense and obstacle(layer) is not None:
        return False
    return layer.bias_constraint is None


def shrinking(
    run: list[keras.Layer], replaced: Mapping[int, keras.Layer]
) -> list[list[keras.Layer]]:
    """Splits a run of linear layers where merging would make the model larger."""

    def shape(layer: keras.Layer) -> tuple[int, int]:
        layer = replaced.get(id(layer), layer)
        first = layer.factors[0] if isinstance(layer, HRFDense) else layer.kernel
        return first.shape[0], layer.units

    chains = [[layer] for layer in run]
    i = 0
    while i < len(chains) - 1:
        input_dim, inner = shape(chains[i][0])[0], shape(chains[i][-1])[1]
        units = shape(chains[i + 1][-1])[1]
        if input_dim * units <= input_dim * inner + inner * units:
            chains[i : i + 2] = [chains[i] + chains[i + 1]]
            # The longer chain may now merge with what stands in front of it.
            i = max(i - 1, 0)
        else:
            i += 1
    return [chain for chain in chains if len(chain) > 1]
