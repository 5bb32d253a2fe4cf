"""Writes a web page that listens: the C of a board in a file of HTML, and the model's card."""

import argparse

from tfhrf.command.said import define_model, fail
from tfhrf.recognition.packaged import find

HELP = "a web page that listens, with a model in it"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="FILE", help="the page, such as emotions.html")
    define_model(parser)


def run(given: argparse.Namespace) -> int:
    if not given.out:
        return fail("A file for the page is needed, such as emotions.html. Received: ''")
    model = find(given.model)
    from tfhrf.recognition.page import write_model_page

    try:
        report = write_model_page(given.out, model)
    except (RuntimeError, ValueError) as error:
        return fail(error)
    print(f"Written to {given.out}: {report['page_bytes']:,} bytes")
    return 0
