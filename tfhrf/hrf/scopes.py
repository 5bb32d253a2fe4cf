"""Name scopes, of which the paths of weights consist."""

import contextlib
from typing import Any

import keras


def scope_of(layer: keras.Layer) -> contextlib.AbstractContextManager[Any]:
    """A name scope in which a layer's replacement gets the paths of the layer's own weights."""
    *parents, _ = (layer.path or "").split("/")
    if not parents:
        return contextlib.nullcontext()
    outer = "/".join(parents[:-1])
    scope: contextlib.AbstractContextManager[Any] = keras.name_scope(
        parents[-1], override_parent=outer
    )
    return scope
