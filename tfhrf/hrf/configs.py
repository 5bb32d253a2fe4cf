"""Configs that layers are made again from: functions in them are the functions themselves."""

import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import keras

Function: TypeAlias = Callable[..., Any]
NAMELESS = ("", "<lambda>")


def config_of(layer: keras.Layer) -> dict[str, Any]:
    """A layer's config, in which functions that the layer was given stand themselves.

    Keras writes a function down as its name, by which it finds registered ones and its own again,
    but of a function that nobody registered nothing, or its own of the same name.

    Raises:
        ValueError: the layer cannot be written down.
    """
    starts = [vars(kind).get("__init__") for kind in type(layer).__mro__]
    keys = {key for start in starts if start for key in inspect.signature(start).parameters}
    found = {key: function_of(layer, key) for key in keys}
    functions = {key: function for key, function in found.items() if function is not None}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*serialized includes a `lambda`")
            config: dict[str, Any] = written_down(layer, functions).get_config()
    # Whatever a layer of anyone's raises, it is one that cannot be made again.
    except Exception as error:
        raise cannot_be_made(layer, error) from error
    taken = {
        key for key in functions if key in config and takes(layer, functions[key], config[key])
    }
    return config | {key: functions[key] for key in taken}


def cannot_be_made(layer: keras.Layer, error: Exception, hint: str = "") -> ValueError:
    """The error of a layer that cannot be made again, in one line."""
    return ValueError(
        f"Layer '{layer.name}' cannot be made again from its config{hint}. "
        f"Received: {type(layer).__name__}, {' '.join(str(error).split())}"
    )


def function_of(layer: keras.Layer, key: str) -> Function | None:
    """The function that a layer was given as an argument; None if it was given none."""
    for name in (key, f"_{key}"):
        value = getattr(layer, name, None)
        # What has a config Keras makes again: its initializers, regularizers, layers.
        plain = callable(value) and not isinstance(value, type) and not hasattr(value, "get_config")
        if plain and getattr(value, "__self__", None) is not layer:
            return value
    return None


def written_down(layer: keras.Layer, functions: dict[str, Function]) -> keras.Layer:
    """The layer, or one like it with other functions if Keras cannot write down those it has."""
    nameless = any(name_of(function) in NAMELESS for function in functions.values())
    if not nameless or not writes_as_keras(layer):
        return layer
    new = object.__new__(type(layer))
    vars(new).update(vars(layer))
    for key in functions:
        names = {key, f"_{key}"} & vars(new).keys()
        vars(new).update(dict.fromkeys(names, keras.activations.linear))
    return new


def takes(layer: keras.Layer, function: Function, written: Any) -> bool:
    """Whether a layer can be made with a function in the place of what its config has for it."""
    reads = not of_keras(type(layer).from_config)
    if reads or not writes_as_keras(layer):
        # A class of someone else's may want a name that it looks up itself.
        return isinstance(written, dict) and (not reads or name_of(function) == "<lambda>")
    return True


def writes_as_keras(layer: keras.Layer) -> bool:
    """Whether a stock layer's method writes a layer's config, so that attributes are arguments."""
    method = type(layer).get_config
    return of_keras(method) and method is not keras.Layer.get_config


def of_keras(method: Function) -> bool:
    """Whether a method is one that Keras, or this package, has."""
    return method.__module__.split(".")[0] in ("keras", "tfhrf")


def name_of(function: Function) -> str:
    return getattr(function, "__name__", "")


def substitute(
    config: dict[str, Any],
    children: Iterable[keras.Layer],
    take: Callable[[keras.Layer], dict[str, Any]],
) -> Any:
    """A config in which `take(child)` stands wherever one of `children` is serialized."""
    by_key: dict[tuple[Any, Any], list[keras.Layer]] = {}
    for child in children:
        by_key.setdefault((type(child).__name__, child.name), []).append(child)

    def visit(value: Any) -> Any:
        if isinstance(value, dict):
            inner = value.get("config")
            key = (value.get("class_name"), inner.get("name") if isinstance(inner, dict) else None)
            # Two children that look alike cannot be told apart.
            if len(by_key.get(key, ())) == 1:
                return take(by_key[key][0])
            return {name: visit(item) for name, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(visit(item) for item in value)
        return value

    return visit(config)


def copy_lambda(old: keras.layers.Lambda, dtype: str | None) -> keras.layers.Lambda:
    """A Lambda layer with the function itself, which Keras refuses to read from a config."""
    return keras.layers.Lambda(
        old.function,
        output_shape=old._output_shape,
        mask=old.mask,
        arguments=old.arguments,
        name=old.name,
        dtype=dtype or old.dtype_policy,
    )


def copy_operation(operation: keras.Operation) -> keras.Operation:
    """An operation without weights, with the same arguments and not yet called.

    Not by `copy`, for which Keras writes the operation to a file and reads it again.
    """
    new = object.__new__(type(operation))
    vars(new).update(vars(operation))
    new._inbound_nodes = []
    new._outbound_nodes = []
    return new
