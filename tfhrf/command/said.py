"""What commands have in common: how a failure is told, and the option that names a model."""

import argparse
import sys

from tfhrf.recognition.packaged import DEFAULT


def fail(error: object, code: int = 2) -> int:
    """Says in one line what went wrong, and returns the exit code."""
    say(f"Error: {error}")
    return code


def say(text: str) -> None:
    """Says it in one line on standard error, if that is open."""
    if sys.stderr is not None:
        print(" ".join(text.split()), file=sys.stderr)


def define_model(parser: argparse.ArgumentParser) -> None:
    """Adds --model."""
    parser.add_argument(
        "--model",
        default=DEFAULT,
        help="a name that `tfhrf models` lists, or a folder such as runs/STUDY/deployed; "
        "%(default)s if not given",
    )
