"""Says what a model hears in sound files, a line for each or for each window."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Iterator

from tfhrf.command.said import define_model, fail
from tfhrf.deploy import runners
from tfhrf.recognition.packaged import find

HELP = "what a model says of sound files"


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
        print("file", *times, "label", *model.labels, sep="\t")
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
        if given.format == "json":
            values = dataclasses.asdict(found)
            if given.every is None:
                del values["windows"]
            print(json.dumps({"file": name, **values}), flush=True)
        elif given.every is None:
            print(name, found.label, *_numbers(found.posteriors), sep="\t", flush=True)
        else:
            for one in found.windows:
                times = [f"{one.start:.2f}", f"{one.end:.2f}"]
                print(name, *times, one.label, *_numbers(one.posteriors), sep="\t")
    return failed


def _numbers(posteriors: dict[str, float]) -> list[str]:
    return [f"{value:.4f}" for value in posteriors.values()]


@contextlib.contextmanager
def _path(name: str) -> Iterator[str]:
    """The path of a file, also of what standard input holds."""
    if name != "-":
        yield name
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "standard input")  # noqa: PTH118
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(sys.stdin.buffer.read())
        yield path
