"""The command `tfhrf`: errors of the user's making are one line and exit code 2."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tfhrf.command import demo, export, listing, page, recognizing, training
from tfhrf.command.said import fail
from tfhrf.recognition.packaged import ModelError
from tfhrf.version import __version__

COMMANDS = {
    "recognize": recognizing,
    "models": listing,
    "train": training,
    "export": export,
    "demo": demo,
    "page": page,
}


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
    if sys.stdout is None:
        return fail("Standard output is closed")
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
        return fail("Stopped", 130)
    except OSError as error:
        # A full disk has no name of a file.
        where = error.filename or getattr(given, "out", None) or "standard output"
        return fail(f"{error.strerror or error}. Received: {where}")
    except ModelError as error:
        return fail(error)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tfhrf",
        description="Emotions in speech, by models that fit a microcontroller.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tfhrf {__version__}")
    commands = parser.add_subparsers(required=True, metavar=" | ".join(COMMANDS))
    for name, module in COMMANDS.items():
        one = commands.add_parser(
            name, help=module.HELP, description=module.__doc__, allow_abbrev=False
        )
        module.define(one)
        one.set_defaults(run=module.run)
    return parser
