"""Says what a model hears in sound files, a line for each or for each window."""

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator

from tfhrf.command.said import define_model, fail, say
from tfhrf.deploy import runners
from tfhrf.recognition.packaged import find

HELP = "what a model says of sound files"
# What would end a cell or a line.
ESCAPED = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r"})


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a sound file; - reads one from standard input"
    )
    define_model(parser)
    parser.add_argument(
        "--every", type=_seconds, metavar="SECONDS", help="a line per window, which begin so often"
    )
    parser.add_argument(
        "--float", action="store_true", help="as Keras computes it, not in int8 as a device does"
    )
    parser.add_argument(
        "--format",
        choices=["tsv", "json"],
        default="tsv",
        help="json: an object per file, with all digits",
    )


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"a positive number of seconds is needed. Received: {text}")


def run(given: argparse.Namespace) -> int:
    # Here, because --help need not wait for it.
    from tfhrf.data.decode import AudioError
    from tfhrf.recognition.recognize import recognize

    model = find(given.model)
    if given.float or not runners.available():
        import tfhrf.quiet  # noqa: F401
    if given.format == "tsv":
        times = [] if given.every is None else ["start", "end"]
        print("file", *times, "label", *map(_cell, model.labels), sep="\t")
    failed = 0
    for name in given.files:
        try:
            with _path(name) as path:
                found = recognize(
                    path,
                    model,
                    every=given.every,
                    precision="float32" if given.float else "int8",
                )
        except AudioError as error:
            # The other files may be good.
            failed = fail(error)
            continue
        if found.silent:
            say(f"Warning: Nothing is louder than silence, the answer means nothing: {name}")
        if given.format == "json":
            values = dataclasses.asdict(found)
            del values["silent"]
            if given.every is None:
                del values["windows"]
            print(json.dumps({"file": name, **values}), flush=True)
        elif given.every is None:
            print(
                _cell(name), _cell(found.label), *_numbers(found.posteriors), sep="\t", flush=True
            )
        else:
            for one in found.windows:
                times = [f"{one.start:.2f}", f"{one.end:.2f}"]
                print(_cell(name), *times, _cell(one.label), *_numbers(one.posteriors), sep="\t")
    return failed


def _cell(text: str) -> str:
    return text.translate(ESCAPED)


def _numbers(posteriors: dict[str, float]) -> list[str]:
    return [f"{value:.4f}" for value in posteriors.values()]


@contextlib.contextmanager
def _path(name: str) -> Iterator[str]:
    """The path of a file, also of what standard input or a pipe holds: a sound is read twice."""
    from tfhrf.data.decode import AudioError

    if name != "-" and not _is_pipe(name):
        yield name
        return
    if name == "-" and sys.stdin is None:
        raise AudioError("Standard input is closed", name)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sound")  # noqa: PTH118
        source = contextlib.nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb")  # noqa: PTH123, SIM115
        try:
            with source as sound, open(path, "wb") as file:  # noqa: PTH123
                shutil.copyfileobj(sound, file)
        except OSError as error:
            # A full disk has no name of a file.
            raise OSError(error.errno, error.strerror, error.filename or folder) from error
        try:
            yield path
        except AudioError as error:
            shown = "standard input" if name == "-" else name
            raise AudioError(str(error).replace(path, shown)) from None


def _is_pipe(name: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)  # noqa: PTH116
    except OSError:
        return False
