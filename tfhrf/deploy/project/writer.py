"""write_project: a model, its front end and an application around both, for a tool."""

import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any, Literal

from tfhrf.deploy.c.compile import to_c
from tfhrf.deploy.c_text import check_labels, check_name
from tfhrf.deploy.project.application import application_files
from tfhrf.deploy.project.tools import arrange, check_tool
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflm_sources import to_tflm
from tfhrf.endpoint import EndpointConfig
from tfhrf.files import write_together
from tfhrf.log_mel import LogMelConfig

RUNTIMES = {"c": to_c, "tflm": to_tflm}


def write_project(
    tflite_bytes: bytes,
    config: LogMelConfig,
    folder: str | os.PathLike[str],
    *,
    runtime: Literal["c", "tflm"] = "c",
    tool: Literal["arduino", "cmake", "esp-idf", "zephyr"] | None = None,
    name: str = "model",
    labels: Sequence[str] | None = None,
    endpoint: EndpointConfig | bool = True,
) -> dict[str, Any]:
    """Writes the whole application: from samples to the mean posterior of windows.

    It holds the model as `to_c` or `to_tflm` writes it, the front end of `write_frontend`, and
    what is fixed. With a tool, the folder is a project that drops into it, with an example of the
    two files that a port fills in, audio_provider and responder:

    - "arduino": a sketch, NAME.ino of the folder's own name, the rest in src/.
    - "cmake": CMakeLists.txt; for TensorFlow Lite Micro with its place as variables.
    - "esp-idf": a project with a component `main`, which for TensorFlow Lite Micro asks for
      espressif/esp-tflite-micro.
    - "zephyr": an application; for TensorFlow Lite Micro its prj.conf turns the module on.

    Without one, the folder holds all sources but these two files.

    The files appear together at the end; after an error none has changed.

    Args:
        tflite_bytes: what `to_tflite` returns for "int8", from (1, frames, mels) to (1, classes).
        config: LogMelConfig that the model was trained with.
        folder: where the files go; made if missing. Files of the same names are replaced.
        runtime: what computes the model: "c", generated C, or "tflm", TensorFlow Lite Micro.
        tool: "arduino", "cmake", "esp-idf", "zephyr" or None.
        name: a C identifier that begins the names of the model's files, and names the project.
        labels: names of the classes; numbers if None.
        endpoint: what ends utterances: an EndpointConfig, True for the defaults at the front end's
            rate (`EndpointConfig.at`), or False if the port alone says so, as with a button.

    Returns:
        dict: what `to_c` or `to_tflm` reports; "files" are paths in the folder.

    Raises:
        ValueError: as `to_c` or `to_tflm`; runtime or tool is unknown, the name is that of a file
            of the application, the folder's name none that Arduino takes, or the model, its front
            end and the endpointer do not belong together.
        RuntimeError: TensorFlow Lite Micro fails to run the graph.
        OSError: the files cannot be written.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"`runtime` must be one of {list(RUNTIMES)}. Received: {runtime!r}")
    check_tool(tool, folder)
    check_name(name)
    inputs, outputs = graphs.interface(graphs.read(tflite_bytes))
    if isinstance(endpoint, bool):
        rule = EndpointConfig.at(config.sample_rate, config.hop) if endpoint else None
    else:
        rule = endpoint
    files = application_files(config, inputs, outputs, runtime, name, rule)
    labels = check_labels(labels, outputs) or [str(i) for i in range(outputs[0]["shape"][1])]
    with tempfile.TemporaryDirectory() as scratch:
        report = RUNTIMES[runtime](tflite_bytes, scratch, name=name, labels=labels)
        model = {file: (pathlib.Path(scratch) / file).read_text() for file in report["files"]}
    if model.keys() & files.keys():
        raise ValueError(
            f"`name` is that of a file of the application; choose another. Received: {name!r}"
        )
    arranged = arrange(tool, runtime, folder, name, model | files)
    write_together(folder, arranged)
    return {**report, "files": list(arranged)}
