"""The command `tfhrf`: errors of the user's making are one line and exit code 2."""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import NoReturn

from tfhrf.deploy import runners
from tfhrf.recognition.packaged import DEFAULT, FOLDER, ModelError, find, names, pretrained
from tfhrf.version import __version__

DECODERS = ("soundfile", "soxr")  # what the extra brings


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"Error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: without the command's name; those of this process if None.

    Returns:
        Exit code: 0, or 2 after an error of the user's making.
    """
    given = _parser().parse_args(arguments)
    # A file name need not be text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = given.run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Who reads has what was wanted; Python shall not write more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail("Stopped", 130)
    except OSError as error:
        where = f". Received: {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}")
    except ModuleNotFoundError as error:
        if error.name not in DECODERS:
            raise
        return _fail(
            "To read sound, install the extra: pip install 'tfhrf[recipes]'. "
            f"Received: no {error.name}"
        )
    except ModelError as error:
        return _fail(error)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tfhrf",
        description="Emotions in speech, by models that fit a microcontroller.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tfhrf {__version__}")
    commands = parser.add_subparsers(required=True, metavar="recognize | models")
    listen = commands.add_parser(
        "recognize", help="what a model says of sound files", allow_abbrev=False
    )
    listen.add_argument(
        "files", nargs="+", metavar="FILE", help="a sound file; - reads one from standard input"
    )
    listen.add_argument(
        "--model",
        default=DEFAULT,
        help="a name that `tfhrf models` lists, or a folder such as runs/STUDY/deployed; "
        "%(default)s if not given",
    )
    listen.add_argument(
        "--every", type=_seconds, metavar="SECONDS", help="a line per window, which begin so often"
    )
    listen.add_argument(
        "--float", action="store_true", help="as Keras computes it, not in int8 as a device does"
    )
    listen.add_argument("--json", action="store_true", help="a JSON object per file")
    listen.set_defaults(run=_recognize)
    listed = commands.add_parser("models", help="the packaged models", allow_abbrev=False)
    listed.add_argument("name", nargs="?", help="prints this model's card")
    listed.set_defaults(run=_models)
    return parser


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"a positive number of seconds is needed. Received: {text}")


def _recognize(given: argparse.Namespace) -> int:
    # Here, because it needs the extra.
    from tfhrf.data.decode import AudioError
    from tfhrf.recognition.recognize import recognize

    model = find(given.model)
    if given.float or not runners.available():
        import tfhrf.quiet  # noqa: F401
    if not given.json:
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
            failed = _fail(error)
            continue
        if given.json:
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


def _models(given: argparse.Namespace) -> int:
    if given.name is not None:
        print(pretrained(given.name).card, end="")
        return 0
    if not names():
        raise ModelError(f"This copy of the package has no models. Received: none in {FOLDER}")
    print("name", "bytes", "classes", "what it is", sep="\t")
    for name in names():
        one = pretrained(name)
        print(name, len(one.int8), ",".join(one.labels), one.summary, sep="\t")
    return 0


def _fail(error: object, code: int = 2) -> int:
    print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
    return code
