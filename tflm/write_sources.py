"""Writes the C of an application: model, front end, and what the mean posterior needs.

    python tflm/write_sources.py [--runtime=tflm] runs/STUDY/deployed OUT

The folder holds int8.tflite and front_end.json; class names come from its fold.json if it has one.
"""

import argparse
import json
import pathlib
import sys

import tfhrf
from tfhrf.deploy.c_text import describe
from tfhrf.deploy.project import application_files, class_names, classifier_files
from tfhrf.deploy.tflite import graph
from tfhrf.files import write_together
from tfhrf.log_mel import LogMelConfig


def write_sources(folder, directory, runtime="c"):
    """Writes the sources of the model in `folder` into `directory`.

    - For the runtime "c": model.h, model.c, model_golden.h, tfhrf_*.h, by `tfhrf.to_c`.
    - For "tflm": emotion_model.h, emotion_model.cc, emotion_ops.h, emotion_golden.h, by
      `tfhrf.to_tflm`, and classifier_model.h.
    - The application and its front end: `tfhrf.deploy.project.application_files`.

    Raises:
        ValueError: a file of the folder is missing or not what it should be; says which.
    """
    folder = pathlib.Path(folder)
    for name in ("int8.tflite", "front_end.json"):
        if not (folder / name).is_file():
            raise ValueError(f"MODEL must be a folder with {name}. Received: MODEL={folder}")
    config = LogMelConfig.load(folder / "front_end.json")
    content = (folder / "int8.tflite").read_bytes()
    inputs, outputs = tensors(content)
    try:
        files = application_files(config, inputs, outputs, runtime)
    except ValueError as error:
        raise ValueError(f"{error} in {folder}") from None
    labels = class_names(recorded_labels(folder), outputs)
    if runtime == "tflm":
        tfhrf.to_tflm(content, directory, "emotion", labels)
        files |= classifier_files("emotion")
    else:
        tfhrf.to_c(content, directory, labels=labels)
    write_together(directory, files)


def tensors(content):
    """Descriptions of the inputs and of the outputs of a .tflite file."""
    subgraph = graph.read(content).subgraphs[0]
    return [
        [describe(subgraph.tensors[index]) for index in indices]
        for indices in (subgraph.inputs, subgraph.outputs)
    ]


def recorded_labels(folder):
    """The class names that a study wrote beside the model to deploy, or None."""
    path = folder / "fold.json"
    record = json.loads(path.read_text()) if path.is_file() else {}
    return record["tflm"]["labels"] if "tflm" in record else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", choices=["c", "tflm"], default="c", help="of the model")
    parser.add_argument("model", help="folder with int8.tflite and front_end.json")
    parser.add_argument("out", help="folder of the C files")
    arguments = parser.parse_args()
    try:
        write_sources(arguments.model, arguments.out, arguments.runtime)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
