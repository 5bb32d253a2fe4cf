"""tensorflow-model-optimization and the Keras that it works with, loaded where they are needed."""

import functools
import os
import types
import warnings
from typing import Any


class LibraryError(ImportError):
    """tensorflow-model-optimization is not here, or does not go with this TensorFlow."""


@functools.cache
def load() -> Any:
    """The modules `tfmot` and `keras` (that is tf_keras), attributes of a namespace.

    Keras 3 stays what `keras` is. The library sets TF_USE_LEGACY_KERAS for the process and all it
    starts; that is undone.

    Raises:
        LibraryError: one of them cannot be imported.
    """
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow_model_optimization as tfmot
            import tf_keras
    except (ImportError, AttributeError) as error:
        raise LibraryError(
            "Pruning, clustering and quantization-aware training need "
            "tensorflow-model-optimization, which goes with TensorFlow 2.16: "
            f"pip install tfhrf[tfmot]. Received: {' '.join(str(error).split())}"
        ) from error
    finally:
        if before is None:
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before
    return types.SimpleNamespace(tfmot=tfmot, keras=tf_keras)
