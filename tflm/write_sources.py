"""Writes the C of an application: model, front end, and what the mean posterior needs.

    python tflm/write_sources.py [--runtime=tflm] [--endpoint=0] runs/STUDY/deployed OUT

The folder holds int8.tflite and front_end.json; class names come from the labels.json of a packaged
model or the fold.json of a study's, if there is one.
"""

import json
import pathlib

import commandline

from tfhrf.deploy.project import write_project
from tfhrf.log_mel import LogMelConfig

# The names of the model's files.
NAMES = {"c": "model", "tflm": "emotion"}


def write_sources(folder, directory, runtime="c", endpoint=True):
    """Writes the sources of the model in `folder` into `directory`, by `write_project`.

    Raises:
        ValueError: a file of the folder is missing or not what it should be; says which.
    """
    folder = pathlib.Path(folder)
    for name in ("int8.tflite", "front_end.json"):
        if not (folder / name).is_file():
            raise ValueError(f"MODEL must be a folder with {name}. Received: MODEL={folder}")
    config = LogMelConfig.load(folder / "front_end.json")
    content = (folder / "int8.tflite").read_bytes()
    labels = recorded_labels(folder)
    try:
        write_project(
            content,
            config,
            directory,
            runtime=runtime,
            name=NAMES[runtime],
            labels=labels,
            endpoint=endpoint,
        )
    except ValueError as error:
        raise ValueError(f"In {folder}: {error}") from None


def recorded_labels(folder):
    """The class names beside the model to deploy, or None."""
    packaged = folder / "labels.json"
    if packaged.is_file():
        return json.loads(packaged.read_text(encoding="utf-8"))
    path = folder / "fold.json"
    record = json.loads(path.read_text()) if path.is_file() else {}
    return record["tflm"]["labels"] if "tflm" in record else None


def main():
    parser = commandline.parser_of(__doc__)
    parser.add_argument("--runtime", choices=["c", "tflm"], default="c", help="of the model")
    parser.add_argument(
        "--endpoint", type=int, choices=[0, 1], default=1, help="0: the port ends utterances"
    )
    parser.add_argument("model", help="folder with int8.tflite and front_end.json")
    parser.add_argument("out", help="folder of the C files")
    arguments = parser.parse_args()
    write_sources(arguments.model, arguments.out, arguments.runtime, bool(arguments.endpoint))


if __name__ == "__main__":
    commandline.run(main)
