"""Files: checksums, and writing so that nothing half-written is seen under its final name."""

import contextlib
import errno
import glob
import hashlib
import os
import pathlib
import platform
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary name beside `path`; renames it to `path` if the block succeeds."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _named(path, path.parent):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        with _named(path, temporary):
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _named(path: PathLike, temporary: pathlib.Path) -> Iterator[None]:
    """An error of a temporary file, or of one in a folder, is told of the file that it becomes."""
    try:
        yield
    except OSError as error:
        if not isinstance(error.filename, (str, os.PathLike)):
            raise
        if temporary not in (told := pathlib.Path(error.filename), *told.parents):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def safe_name(name: str) -> str:
    """A file name for any text: the text itself where it is one, else with a checksum."""
    kept = re.sub(r"[^\w.+=-]", "_", name, flags=re.ASCII).lstrip(".")[:120]
    # Some file systems do not tell upper from lower case; a folder "deployed" has a meaning.
    if kept == name and kept.lower() not in ("", "deployed", "tensorboard"):
        return name
    return f"{kept}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"


def checksum(path: PathLike) -> str:
    """Half of the SHA-256 of a file's bytes, which are read in blocks."""
    total = hashlib.sha256()
    with pathlib.Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()[:32]


def write_text(path: PathLike, text: str) -> None:
    """Writes text to `path`, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: PathLike, data: bytes) -> None:
    """Writes bytes to `path`, all of them or nothing."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def check_folder(directory: PathLike) -> None:
    """Raises OSError if a folder cannot be made: before hours of work, not behind them."""
    directory = pathlib.Path(directory)
    there = next(place for place in (directory, *directory.parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))


def check_file(path: PathLike) -> None:
    """Raises OSError if a file cannot be written: before long work, not behind it."""
    path = pathlib.Path(path)
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.stat().st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    check_folder(path.parent)


def write_together(directory: PathLike, texts: Mapping[str, str]) -> None:
    """Writes several texts (name to text) into a folder: all of them, or none after an error.

    A name may have folders in it, which are made.
    """
    directory = pathlib.Path(directory)
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"A file is where a folder should go. Received: {directory}")
    directory.mkdir(parents=True, exist_ok=True)
    for name in texts:
        if (directory / name).is_dir():
            raise IsADirectoryError(f"A folder is where a file should go: {directory / name}")
    with tempfile.TemporaryDirectory(dir=directory, prefix=".unfinished-") as scratch:
        for name, text in texts.items():
            path = pathlib.Path(scratch) / name
            with _named(directory / name, pathlib.Path(scratch)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        for name in texts:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (pathlib.Path(scratch) / name).replace(directory / name)


@contextlib.contextmanager
def replacing_folder(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives an empty folder beside `path`; renames it to `path` if the block succeeds."""
    folder = begin_folder(path)
    with cleaning_up(folder):
        yield folder
        finish_folder(folder, path)


@contextlib.contextmanager
def cleaning_up(folder: PathLike) -> Iterator[None]:
    """Removes a folder if the block fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def begin_folder(path: PathLike) -> pathlib.Path:
    """Makes an empty folder of this process, which `finish_folder` renames to `path`.

    Processes, of several machines too, may make the same folder at the same time. What killed
    processes of this machine left of earlier attempts is removed.
    """
    path = pathlib.Path(path)
    prefix = f".unfinished-{path.name}-{platform.node()}-"
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        process = left.name.removeprefix(prefix).removesuffix("-old")
        if process == str(os.getpid()) or not _is_running(process):
            shutil.rmtree(left, ignore_errors=True)
    folder = path.with_name(f"{prefix}{os.getpid()}")
    folder.mkdir()
    return folder


def finish_folder(folder: pathlib.Path, path: PathLike) -> None:
    """Renames the folder that `begin_folder` made to `path`, in place of what was there."""
    path = pathlib.Path(path)
    while True:
        try:
            folder.rename(path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        # Another process may have removed it by now, or put its own there again.
        with contextlib.suppress(FileNotFoundError):
            old = path.rename(folder.with_name(f"{folder.name}-old"))
            shutil.rmtree(old, ignore_errors=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        pass
    return True
