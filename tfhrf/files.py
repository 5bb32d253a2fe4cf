"""Writing files so that nothing half-written is ever seen under its final name."""

import contextlib
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary name beside `path`; renames it to `path` if the block succeeds."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Writes text to `path`, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path, data):
    """Writes bytes to `path`, all of them or nothing."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_together(directory, texts):
    """Writes several texts (name to text) into a folder: all of them, or none after an error."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in texts:
        if (directory / name).is_dir():
            raise IsADirectoryError(f"A folder is where a file should go: {directory / name}")
    with tempfile.TemporaryDirectory(dir=directory, prefix=".unfinished-") as scratch:
        for name, text in texts.items():
            (pathlib.Path(scratch) / name).write_text(text, encoding="utf-8")
        for name in texts:
            (pathlib.Path(scratch) / name).replace(directory / name)


@contextlib.contextmanager
def replacing_folder(path):
    """Gives an empty folder beside `path`; renames it to `path` if the block succeeds.

    What a killed process left of an earlier attempt is removed.
    """
    path = pathlib.Path(path)
    unfinished = path.with_name(f".unfinished-{path.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        shutil.rmtree(path, ignore_errors=True)
        unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
