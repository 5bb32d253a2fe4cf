"""Trains and tests models on a corpus, and one to deploy; `tfhrf train BACKBONE --help` lists the
flags, which are those of the recipes.
"""

import argparse
import importlib
import importlib.util

from tfhrf.command.said import fail
from tfhrf.studies.arms import BACKBONES

HELP = "trains and tests a backbone on a corpus"
NEEDED = ("absl", "jinja2", "matplotlib", "sklearn", "tensorboard")  # of the extra


def define(parser: argparse.ArgumentParser) -> None:
    # The metavar is what an error says of a backbone that is left out.
    parser.add_argument(
        "backbone", choices=BACKBONES, metavar=" | ".join(BACKBONES), help=", ".join(BACKBONES)
    )
    parser.add_argument(
        "flags", nargs=argparse.REMAINDER, metavar="...", help="flags, such as --dataset=emodb"
    )


def run(given: argparse.Namespace) -> int:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return fail(
            "To train, install the extra: pip install 'tfhrf[recipes]'. "
            f"Received: no {', '.join(missing)}"
        )
    import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
    from tfhrf.studies import cli

    module = importlib.import_module(f"tfhrf.models.{given.backbone}")
    cli.train(
        given.backbone,
        getattr(module, BACKBONES[given.backbone]),
        ("light", *(name for name in module.PRESETS if name != "light")),
        arguments=[f"tfhrf train {given.backbone}", *given.flags],
        about=f"Trains a {BACKBONES[given.backbone]}, folds it, quantizes it, and tests all three.",
    )
    return 0  # for the types: what trains ends the process
