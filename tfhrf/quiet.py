"""Loads TensorFlow without what it says of itself: the first import of a recipe.

TensorFlow writes much of that before it reads its own settings, so until it is there the standard
error goes nowhere. Processes that a recipe starts import it too. TF_CPP_MIN_LOG_LEVEL=0 shows all.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Drops what this process writes to its standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# What is fatal alone, or a machine without a GPU has errors; inherited by processes.
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "0":
    with _silenced():
        import tensorflow  # noqa: F401
    # Such as of functions that are traced again for every model, as they must.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
