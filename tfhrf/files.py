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
    """Writes several texts (name to text) into a folder: all of them, or none after an error.

    A name may have folders in it, which are made.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in texts:
        if (directory / name).is_dir():
            raise IsADirectoryError(f"A folder is where a file should go: {directory / name}")
    with tempfile.TemporaryDirectory(dir=directory, prefix=".unfinished-") as scratch:
        for name, text in texts.items():
            path = pathlib.Path(scratch) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name in texts:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (pathlib.Path(scratch) / name).replace(directory / name)


@contextlib.contextmanager
def replacing_folder(path):
    """Gives an empty folder beside `path`; renames it to `path` if the block succeeds."""
    with cleaning_up(path):
        yield begin_folder(path)
        finish_folder(path)


@contextlib.contextmanager
def cleaning_up(path):
    """Removes what is unfinished of the folder `path` if the block fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(unfinished(path), ignore_errors=True)
        raise


def begin_folder(path):
    """Makes the empty folder that `finish_folder` renames to `path`.

    What a killed process left of an earlier attempt is removed.
    """
    folder = unfinished(path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def finish_folder(path):
    """Renames the folder that `begin_folder` made to `path`, in place of what was there."""
    shutil.rmtree(path, ignore_errors=True)
    unfinished(path).rename(path)


def unfinished(path):
    """The folder that takes the place of `path` once it is complete."""
    path = pathlib.Path(path)
    return path.with_name(f".unfinished-{path.name}")
