"""Rebuilds a Keras model with some of its layers replaced; `expand` and `fold` share it.

Keras offers no public view of a model's graph, so everything that reads one is in this module.
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import keras
from keras import tree

from tfhrf.hrf.configs import cannot_be_made, config_of, copy_lambda, copy_operation, substitute


def check_model(model: keras.Model) -> None:
    """Raises ValueError unless `model` is a functional or a built Sequential model."""
    if graph_of(model) is not None:
        return
    if isinstance(model, keras.Sequential):
        raise ValueError(
            f"Sequential model '{model.name}' must be built first: give it a keras.Input or call "
            f"it once. Received: {model}"
        )
    raise ValueError(
        "A functional or Sequential Keras model is needed; the graph of a subclassed model "
        f"cannot be read. Received: {model}"
    )


def graph_of(layer: keras.Operation) -> Any:
    """The functional graph of a functional or built Sequential model; None for all others."""
    if isinstance(layer, keras.Sequential):
        return layer._functional
    return layer if isinstance(layer, keras.Model) and isinstance(layer, keras.Function) else None


def nodes_of(graph: keras.Function) -> list[Any]:
    """The calls in a functional graph, in an order in which they can be computed."""
    by_depth = graph._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def walk(
    layer: keras.Layer, stop: Callable[[keras.Layer], bool] = lambda layer: False
) -> Iterator[keras.Layer]:
    """Every layer below `layer`, each once; does not look into layers for which `stop` holds."""
    seen: set[int] = set()

    def visit(holder: keras.Layer) -> Iterator[keras.Layer]:
        for child in holder._layers:
            if id(child) not in seen:
                seen.add(id(child))
                yield child
                if not stop(child):
                    yield from visit(child)

    return visit(layer)


def rewrite(
    model: keras.Model,
    replaced: Mapping[int, keras.Layer],
    *,
    bypassed: Collection[int] = frozenset(),
    merge_lora: bool = False,
    dtype: str | None = None,
    hint: str = "",
    way_out: str = "",
) -> keras.Model:
    """A new model with the same graph, names, trainable flags and weights, and new layers.

    Layers shared in the given model, also between models nested in it, stay shared.

    Args:
        model: a functional or built Sequential model.
        replaced: dict {id(layer of the model): built layer with weights that takes its place}.
        bypassed: ids of layers that are left out; each has one input and is called once.
        merge_lora: whether LoRA's products are added to the kernels; inside blocks that make
            their layers themselves they always are.
        dtype: dtype policy of all layers of the new model; None: that of the old ones.
        hint: ends the error of a layer that cannot be made again.
        way_out: ends the error of a layer that is hidden.

    Raises:
        ValueError: a layer cannot be made again from its config, or a layer to be replaced is
            hidden in a block that makes it itself.
    """
    rewriting = _Rewriting(replaced, bypassed, merge_lora, dtype, hint, way_out)
    new = rewriting.make(model)
    # Flags of single weights: that of their layer sets them.
    flags = [(layer, v, v.trainable) for layer in replaced.values() for v in own_variables(layer)]
    copy_flags(model, new, rewriting.made, dtype)
    for layer, variable, flag in flags:
        variable.trainable = flag and layer.trainable
    for old in rewriting.copied:
        copy_state(old, rewriting.made[id(old)], rewriting.made)
    return new


class _Rewriting:
    """What `rewrite` has made so far, each layer, operation and nested model once."""

    def __init__(
        self,
        replaced: Mapping[int, keras.Layer],
        bypassed: Collection[int],
        merge_lora: bool,
        dtype: str | None,
        hint: str,
        way_out: str,
    ) -> None:
        self.replaced, self.bypassed = replaced, bypassed
        self.merge_lora, self.dtype, self.hint, self.way_out = merge_lora, dtype, hint, way_out
        self.made: dict[int, keras.Operation] = dict(replaced)
        self.copied: list[keras.Layer] = []

    def make(self, old: keras.Operation) -> keras.Operation:
        """What takes the place of a layer, model or operation."""
        if id(old) not in self.made:
            if graph_of(old) is not None:
                self.made[id(old)] = self._model(old)
            elif isinstance(old, keras.Layer):
                self.made[id(old)] = self._layer(old)
                self.copied.append(old)
            else:
                self.made[id(old)] = copy_operation(old)
        return self.made[id(old)]

    def _model(self, old: keras.Model) -> keras.Model:
        graph = graph_of(old)
        for layer in old._layers:
            if layer not in graph.operations:
                raise ValueError(
                    f"Layer '{layer.name}' hangs on model '{old.name}' but is not in its graph, "
                    f"so it would be lost. Received: {layer}"
                )
        if isinstance(old, keras.Sequential):
            kept = [layer for layer in old._layers if id(layer) not in self.bypassed]
            return keras.Sequential([self.make(layer) for layer in kept], name=old.name)
        values: dict[int, keras.KerasTensor] = {}
        for node in nodes_of(graph):
            if node.is_input:
                outputs = self.make(node.operation).output
            elif id(node.operation) in self.bypassed:
                outputs = values[id(node.input_tensors[0])]
            else:
                args, kwargs = node.arguments.fill_in(values)
                new = self.make(node.operation)
                if not getattr(new, "_call_has_mask_arg", True):
                    kwargs.pop("mask", None)  # of a layer's statistics, which it has no more
                outputs = new(*args, **kwargs)
            values.update(zip(map(id, node.outputs), tree.flatten(outputs), strict=True))
        inputs, outputs = tree.map_structure(lambda x: values[id(x)], (graph.input, graph.output))
        return keras.Model(inputs, outputs, name=old.name)

    def _layer(self, old: keras.Layer) -> keras.Layer:
        if type(old) is keras.layers.Lambda:
            return copy_lambda(old, self.dtype)
        made, taken = self.made, set()

        def take(child: keras.Layer) -> dict[str, Any]:
            taken.add(id(child))
            self.make(child)
            return {"class_name": "Made", "config": {"id": id(child)}, "module": __name__}

        class Made:
            """Stands in a config for a layer that exists, so that shared layers stay shared."""

            @classmethod
            def from_config(cls, config: dict[str, int]) -> keras.Operation:
                return made[config["id"]]

        config = substitute(config_of(old), old._layers, take)
        if self.merge_lora:
            config = {key: config[key] for key in config if not key.startswith("lora_")}
        if self.dtype is not None and "dtype" in config:
            config["dtype"] = self.dtype
        self._refuse_hidden(old, [child for child in old._layers if id(child) not in taken])
        try:
            with keras.saving.custom_object_scope({"Made": Made}):
                return type(old).from_config(config)
        # Whatever a layer of anyone's raises, it is one that cannot be made again.
        except Exception as error:
            raise cannot_be_made(old, error, self.hint) from error

    def _refuse_hidden(self, block: keras.Layer, children: Iterable[keras.Layer]) -> None:
        """Raises ValueError if one of the children that a block makes itself is to be replaced."""
        for child in children:
            for layer in (child, *walk(child)):
                if id(layer) in self.replaced:
                    raise ValueError(
                        f"Layer '{layer.name}' cannot be replaced: its block '{block.name}' "
                        f"makes it itself and does not take it from its config{self.way_out}. "
                        f"Received: {type(block).__name__}"
                    )


def copy_flags(
    old: keras.Layer, new: keras.Layer, made: Mapping[int, keras.Operation], dtype: str | None
) -> None:
    """Copies trainable flags, outer layers first because setting one sets those below it."""
    new.trainable = old.trainable
    if graph_of(old) is None:
        children = list(zip(old._layers, new._layers, strict=False))
    else:
        new.dtype_policy = dtype or old.dtype_policy
        children = [(child, made[id(child)]) for child in old._layers if id(child) in made]
    for child, counterpart in children:
        copy_flags(child, counterpart, made, dtype)


def own_variables(layer: keras.Layer) -> list[keras.Variable]:
    """A layer's variables without those of the layers below it."""
    seeds = [generator.state for generator in layer._seed_generators]
    return [*layer._trainable_variables, *layer._non_trainable_variables, *seeds]


def copy_state(old: keras.Layer, new: keras.Layer, made: Mapping[int, keras.Operation]) -> None:
    """Copies what layers know, to layers below too unless they are among those made."""
    if old.built and not new.built:
        new.build_from_config(old.get_build_config())
    # Normalization derives more from its variables: first Keras's protocol, then the values.
    store: dict[str, object] = {}
    if getattr(old, "lora_enabled", False) and not new.lora_enabled:
        old.save_own_variables(store)
        new.load_own_variables(store)
        return
    if not len(own_variables(old)) == len(own_variables(new)) or len(old._layers) != len(
        new._layers
    ):
        raise ValueError(
            f"Layer '{old.name}' made again from its config has other variables. "
            f"Received: {type(old).__name__}"
        )
    old.save_own_variables(store)
    new.load_own_variables(store)
    for source, target in zip(own_variables(old), own_variables(new), strict=True):
        target.assign(source)
        target.trainable = source.trainable
    copy_untracked(old, new)
    for child, counterpart in zip(old._layers, new._layers, strict=True):
        source = made.get(id(child), child)
        if source is not counterpart:
            copy_state(source, counterpart, made)


def copy_untracked(old: keras.Layer, new: keras.Layer) -> None:
    """Copies what Keras does not keep in variables of a layer: vocabularies, recurrent states."""
    if hasattr(old, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
    if isinstance(old, keras.layers.RNN) and old.stateful:
        pairs = zip(tree.flatten(old.states), tree.flatten(new.states), strict=True)
        for source, target in pairs:
            target.assign(source)
