"""write_page: a model, its front end and endpointer as one file of HTML that needs no server."""

import base64
import dataclasses
import hashlib
import html
import json
import os
import pathlib
import re
import tempfile
from collections.abc import Sequence
from typing import Any

from tfhrf.deploy.page.wasm import compile_program
from tfhrf.deploy.project import write_project
from tfhrf.endpoint import EndpointConfig
from tfhrf.files import check_file, write_text
from tfhrf.log_mel import LogMelConfig

PARTS = pathlib.Path(__file__).parent / "html"
# In the order in which they stand in the page.
SCRIPTS = ("program.js", "sound.js", "pictures.js", "page.js")
# Nothing is fetched, nothing sent. What runs is the page's script, its program, and its worklet,
# whose address holds its text.
POLICY = (
    "default-src 'none'; script-src 'sha256-{script}' 'wasm-unsafe-eval' data:; "
    "style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'"
)


@dataclasses.dataclass(frozen=True)
class Costs:
    """What the same C costs on a board, as measured."""

    processor: str  # such as "Cortex-M4"
    second: int  # instructions of front end and endpointer for a second of sound
    window: int  # instructions of the model for a window
    ram: int  # bytes
    flash: int


def write_page(
    tflite_bytes: bytes,
    config: LogMelConfig,
    path: str | os.PathLike[str],
    *,
    name: str = "model",
    labels: Sequence[str] | None = None,
    summary: str = "",
    caution: str = "",
    about: str = "",
    costs: Costs | None = None,
    endpoint: EndpointConfig | None = None,
) -> dict[str, Any]:
    """Writes a web page that listens, by the C of `write_project` compiled to WebAssembly.

    The page hears a microphone or a file, draws the log-mel frames and the posteriors of each
    window, and gives an answer for each utterance: the integers that a board computes. It is one
    file, works without a server, and its policy forbids the browser to fetch or send anything.

    Args:
        tflite_bytes: what `to_tflite` returns for "int8", from (1, frames, mels) to (1, classes).
        config: LogMelConfig that the model was trained with.
        path: of the page. A file of this name is replaced.
        name: of the model, for the reader.
        labels: names of the classes; numbers if None.
        summary: a sentence about the model, for the reader.
        caution: what the answers must not be taken for, shown beside them.
        about: what else the reader should know of the model: HTML, put in as it is.
        costs: what the C costs on a board, to be shown beside the answers.
        endpoint: EndpointConfig; the defaults at the front end's rate if None.

    Returns:
        dict: what `to_c` reports; "files" is the page alone, "program_bytes" are those of
        WebAssembly, "page_bytes" those of the page.

    Raises:
        ValueError: as `write_project`.
        RuntimeError: clang or wasm-ld is missing, or refuses the sources.
        OSError: the page cannot be written.
    """
    check_file(path)
    rule = endpoint or EndpointConfig.at(config.sample_rate, config.hop)
    with tempfile.TemporaryDirectory() as folder:
        report = write_project(tflite_bytes, config, folder, labels=labels, endpoint=rule)
        program = compile_program(folder)
    known = {
        "labels": report["labels"],
        "rate": config.sample_rate,
        "mels": config.mels,
        "hop": config.hop,
        "frameLength": config.frame_length,
        "lowerHz": config.lower_hz,
        "upperHz": config.upper_hz,
        "window": report["inputs"][0]["shape"][1],
        "windowHop": config.hop_frames,
        "constants": report["constant_bytes"],
        "memory": report["arena_bytes"],
        "costs": costs and dataclasses.asdict(costs),
        "program": base64.b64encode(program).decode(),
    }
    words = {"NAME": name, "SUMMARY": summary, "CAUTION": caution}
    text = page({part: html.escape(word) for part, word in words.items()} | {"ABOUT": about}, known)
    write_text(path, text)
    files = [os.fspath(path)]
    sizes = {"program_bytes": len(program), "page_bytes": len(text.encode())}
    return {**report, "files": files, **sizes}


def page(parts, known):
    """The text of a page with these parts, whose script gets what is known."""
    script = "\n".join(read(part) for part in SCRIPTS)
    style = read("page.css")
    policy = POLICY.format(script=checksum(script), style=checksum(style))
    # No value ends the element that it stands in.
    data = json.dumps(known, ensure_ascii=False).replace("<", "\\u003c")
    parts = {**parts, "POLICY": policy, "STYLE": style, "KNOWN": data, "SCRIPT": script}
    return re.sub(r"\{\{(\w+)\}\}", lambda part: parts[part[1]], read("page.html"))


def read(part):
    return (PARTS / part).read_text(encoding="utf-8")


def checksum(text):
    """As a policy names a script or a style that it allows."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
