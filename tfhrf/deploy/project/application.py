"""The C of an application: its fixed sources, the front end, and what the mean posterior needs."""

import pathlib
import re

import numpy as np

from tfhrf.deploy.c_text import banner, wrapped
from tfhrf.deploy.frontend.writer import frontend_files
from tfhrf.deploy.project.listener import listener_files

SOURCES = pathlib.Path(__file__).parent / "c"
POSTERIOR_ONE = 2**24  # as in c/responder.h
LEVELS = 256  # of an int8 output


def application_files(config, inputs, outputs, runtime, name, endpoint):
    """All sources of an application but the model's and the two files of a port.

    Args:
        config: LogMelConfig that the model was trained with.
        inputs, outputs: descriptions of the model's tensors, as `to_tflm` and `to_c` report them.
        runtime: "c" or "tflm".
        name: of the model, as given to `to_c` or `to_tflm`.
        endpoint: EndpointConfig, or None where the port ends utterances.

    Returns:
        dict: name of a file to its text.

    Raises:
        ValueError: the model is not int8, from windows of these frames to classes; or utterances
            would not begin with its frames.
    """
    shapes = [tensor["shape"] for tensor in (*inputs, *outputs)]
    if len(shapes) != 2 or shapes[0] != [1, shapes[0][1], config.mels] or len(shapes[1]) != 2:
        raise ValueError(
            f"The model must be one of windows, (1, frames, {config.mels}) as its front end has "
            f"it, to (1, classes). Received: shapes {shapes}"
        )
    for tensor in (*inputs, *outputs):
        if tensor["dtype"] != "int8":
            raise ValueError(f"The model must be int8. Received: {tensor['dtype']}")
    (levels,), (logits,) = inputs, outputs
    files = {path.name: path.read_text() for path in sorted(SOURCES.glob("*.[ch]"))}
    files = listener_files(files, endpoint, config)
    files |= classifier_files(files.pop("classifier.c"), runtime, name)
    files |= frontend_files(config, levels["scale"], levels["zero_point"], levels["dtype"])
    return files | tables(shapes[0][1], config.hop_frames, shapes[1][1], logits["scale"])


def classifier_files(in_c, runtime, name):
    """What computes the model of that name: generated C, or TensorFlow Lite Micro."""
    if runtime == "c":
        named = re.sub(r"\bmodel(?=[_.](?!model))", name, in_c).replace(
            "MODEL_", f"{name.upper()}_"
        )
        return {"classifier.c": named}
    lines = [
        f"// {banner()}",
        "#ifndef CLASSIFIER_MODEL_H_",
        "#define CLASSIFIER_MODEL_H_",
        "",
        *(f'#include "{name}_{part}.h"' for part in ("golden", "model", "ops")),
        "",
        f"namespace classifier_model = tfhrf::{name};",
        "",
        "#endif",
    ]
    return {
        "classifier.cc": (SOURCES / "classifier.cc").read_text(),
        "classifier_model.h": "\n".join(lines) + "\n",
    }


def exponentials(scale):
    """exp(-scale * d) for differences of d levels between two logits, in parts of POSTERIOR_ONE."""
    return np.round(POSTERIOR_ONE * np.exp(-scale * np.arange(LEVELS))).astype(np.int64)


def tables(frames, hop, classes, scale):
    """Name to text of the two files that hold the application's numbers."""
    values = [f"{value}U" for value in exponentials(scale)]
    header = [
        f"/* {banner()} */",
        "#ifndef APPLICATION_TABLES_H_",
        "#define APPLICATION_TABLES_H_",
        "",
        "#include <stdint.h>",
        "",
        "/* Frames of a window, and between windows. */",
        f"#define APPLICATION_WINDOW {frames}U",
        f"#define APPLICATION_HOP {hop}U",
        f"#define APPLICATION_CLASSES {classes}U",
        "",
        "/* Of logits that lie so many levels below the highest, in parts of POSTERIOR_ONE. */",
        f"extern const uint32_t application_exponentials[{LEVELS}];",
        "",
        "#endif",
    ]
    source = [
        f"/* {banner()} */",
        '#include "application_tables.h"',
        "",
        f"const uint32_t application_exponentials[{LEVELS}] = {{",
        *wrapped(values, 8),
        "};",
    ]
    return {
        "application_tables.h": "\n".join(header) + "\n",
        "application_tables.c": "\n".join(source) + "\n",
    }
