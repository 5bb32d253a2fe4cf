"""Corpora, protocols, and the way from sound files to windows of log-mel frames."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfhrf.data.tables import read_folders, read_table

__all__ = ["read_folders", "read_table"]


# Imported on first use: the readers of corpora load TensorFlow, decoding does not.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tfhrf.data' has no attribute {name!r}")
    return getattr(importlib.import_module("tfhrf.data.tables"), name)
