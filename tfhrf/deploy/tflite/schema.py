"""The flatbuffer schema of TensorFlow Lite, out of TensorFlow, which is not loaded for it.

Loading TensorFlow takes seconds; C is written, and an answer given, without it.
"""

import importlib.machinery
import importlib.util
import pathlib
import types


def load():
    """TensorFlow's module `schema_py_generated`, from its file."""
    package = importlib.util.find_spec("tensorflow")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
    path = pathlib.Path(package.origin).parent / "lite/python/schema_py_generated.py"
    loader = importlib.machinery.SourceFileLoader(path.stem, str(path))
    module = types.ModuleType(path.stem)
    loader.exec_module(module)
    return module


schema = load()
