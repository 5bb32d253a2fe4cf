"""Lists the packaged models, or prints the card of one."""

import argparse

from tfhrf.recognition.packaged import FOLDER, ModelError, names, pretrained

HELP = "the packaged models"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="prints this model's card")


def run(given: argparse.Namespace) -> int:
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
