"""Writes the C of a whole application around a model: front end, endpointer, model, posterior."""

import argparse

from tfhrf.command.said import define_model, fail
from tfhrf.recognition.packaged import find

HELP = "the C of an application, or a project for a tool"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="FOLDER", help="where the files go; made if missing")
    define_model(parser)
    parser.add_argument(
        "--runtime",
        choices=["c", "tflm"],
        default="c",
        help="what computes the model: generated C, or TensorFlow Lite Micro; %(default)s if not "
        "given",
    )
    parser.add_argument(
        "--tool",
        choices=["arduino", "cmake", "esp-idf", "zephyr"],
        help="a project of this tool; sources alone if not given",
    )
    parser.add_argument(
        "--name", default="emotion", help="of the model's files; %(default)s if not given"
    )
    parser.add_argument(
        "--endpoint", type=int, choices=[0, 1], default=1, help="0: the port ends utterances"
    )


def run(given: argparse.Namespace) -> int:
    if not given.out:
        return fail("A folder for the files is needed. Received: ''")
    model = find(given.model)
    import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
    from tfhrf.deploy.project import write_project

    try:
        report = write_project(
            model.int8,
            model.config,
            given.out,
            runtime=given.runtime,
            tool=given.tool,
            name=given.name,
            labels=model.labels,
            endpoint=bool(given.endpoint),
        )
    except (RuntimeError, ValueError) as error:
        return fail(error)
    print(f"{report['arena_bytes']:,} bytes of RAM for the model")
    print(f"Written to {given.out}: {len(report['files'])} files")
    return 0
