"""Name scopes, of which the paths of weights consist."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def scope_of(layer: keras.Layer) -> Iterator[None]:
    """Name scopes in which a layer's replacement gets the paths of the layer's own weights."""
    with contextlib.ExitStack() as stack:
        for name in (layer.path or "").split("/")[:-1]:
            stack.enter_context(keras.name_scope(name))
        yield
