"""Trained models: those that come with the package, and those that studies have finished.

A model is a folder with FILES in it. The packaged ones lie in `tfhrf/pretrained/`, which holds no
code, so that `tfhrf.pretrained` is the function here.
"""

import dataclasses
import functools
import json
import math
import os
import pathlib
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tfhrf.log_mel import LogMelConfig

if TYPE_CHECKING:
    import keras

FOLDER = pathlib.Path(__file__).parents[1] / "pretrained"
DEFAULT = "light-emodb-4"
START = "light-cremad-6"  # to train on from: that of the most recordings
SCRATCH = "none"  # in the place of a model to train on from
MODEL, INT8, FRONT_END, LABELS, TRAINED_ON, CARD = FILES = (
    "model.keras",
    "int8.tflite",
    "front_end.json",
    "labels.json",
    "trained_on.json",
    "card.md",
)
MARK = 10  # hexadecimal digits that tell a recording from others
# What a study's folder has instead: the folded model, and above it what all its models share.
STUDY_MODEL, STUDY = "folded.keras", "made_of.json"
Content = TypeVar("Content")


class ModelError(ValueError):
    """There is no such model, or a file of it is missing or damaged; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A trained model, ready for sound, for a device, or to go on training."""

    name: str
    folder: pathlib.Path
    config: LogMelConfig  # the front end
    frames: int  # of the window that the model sees
    labels: tuple[str, ...]  # the classes, in the order of the logits
    # How many recordings trained the model, and the mean of each mel over their frames; None if
    # the model does not say it.
    recordings: int | None
    levels: tuple[float, ...] | None
    # The corpora that trained it and what it started from, and a mark of each of their recordings;
    # empty if the model does not say it.
    datasets: tuple[str, ...]
    heard: tuple[str, ...]
    int8: bytes  # the integer graph, as of `tfhrf.to_tflite`
    card: str  # Markdown: figures, corpus, licence, what it is for and not for; may be empty

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The folded model, (batch, frames, mels) to logits (batch, classes); loaded once."""
        import keras

        path = self.folder / MODEL
        path = path if path.exists() else self.folder / STUDY_MODEL
        try:
            model = keras.saving.load_model(path, compile=False)
        except (KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ModelError(f"A model cannot be loaded. Received: {path} ({error})") from error
        shapes = [(None, self.frames, self.config.mels), (None, len(self.labels))]
        if [model.input_shape, model.output_shape] != shapes:
            raise ModelError(
                f"A model must map {shapes[0]} to {shapes[1]}, as {INT8} and {LABELS} do: {path}. "
                f"Received: {model.input_shape} to {model.output_shape}"
            )
        return model

    @property
    def summary(self) -> str:
        """The first paragraph of the card, in one line."""
        paragraphs = [text for text in self.card.split("\n\n") if not text.startswith("#")]
        return " ".join(paragraphs[0].split()) if paragraphs else ""


def names() -> list[str]:
    """The names of the packaged models."""
    return sorted(path.parent.name for path in FOLDER.glob(f"[!.]*/{INT8}"))


def pretrained(name: str = DEFAULT) -> Pretrained:
    """A trained model that comes with the package.

    `tfhrf models` lists them. Nothing loads TensorFlow until the `model` is asked for.

    Args:
        name: such as "light-emodb-4".

    Returns:
        Pretrained.

    Raises:
        ModelError: no model has this name.
    """
    if name not in names():
        raise ModelError(
            f"The packaged models are {', '.join(names()) or 'none'}. Received: {name!r}"
        )
    return read(FOLDER / name)


def find(model: str | os.PathLike[str]) -> Pretrained:
    """A packaged model by its name, else the one in a folder, such as `runs/STUDY/deployed`.

    Raises:
        ModelError: there is none, or it is not complete.
    """
    if isinstance(model, str) and model in names():
        return pretrained(model)
    # An empty name would be the current folder.
    if not (os.fspath(model) and pathlib.Path(model).is_dir()):
        raise ModelError(
            f"The packaged models are {', '.join(names()) or 'none'}, and there is no such folder. "
            f"Received: {os.fspath(model)!r}"
        )
    return read(pathlib.Path(model))


def read(folder: pathlib.Path) -> Pretrained:
    """The model in a folder.

    Args:
        folder: of a packaged model, or of a model of a study in its place in the study's folder.

    Raises:
        ModelError: a file is missing or damaged.
    """
    labels, path = _labels(folder)
    config = _parsed(folder / FRONT_END, LogMelConfig.load)
    content, inputs, outputs = _parsed(folder / INT8, _graph)
    if len(inputs) != 3 or inputs[2] != config.mels:
        raise ModelError(
            f"A model and its front end must have the same mels: {folder}. "
            f"Received: {inputs[2] if len(inputs) == 3 else inputs} and {config.mels}"
        )
    if outputs != [1, len(labels)]:
        raise ModelError(
            f"A model must have a label for each of its outputs: {path}. "
            f"Received: {len(labels)} labels, outputs {outputs}"
        )
    card, heard = folder / CARD, folder / TRAINED_ON
    recordings, levels, datasets, marks = (
        _parsed(heard, lambda path: _trained_on(path, config.mels))
        if heard.exists()
        else (None, None, (), ())
    )
    return Pretrained(
        folder.name,
        folder,
        config,
        inputs[1],
        labels,
        recordings,
        levels,
        datasets,
        marks,
        content,
        _parsed(card, lambda path: path.read_text(encoding="utf-8")) if card.exists() else "",
    )


def _parsed(path: pathlib.Path, parse: Callable[[pathlib.Path], Content]) -> Content:
    """What a function makes of a file of a model."""
    try:
        return parse(path)
    except OSError as error:
        raise ModelError(
            f"A model's folder must have {INT8}, {FRONT_END} and {LABELS}, or {STUDY} above it. "
            f"Received: {path} ({error.strerror})"
        ) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelError(f"A model's file is damaged. Received: {path} ({error})") from error


def _graph(path: pathlib.Path) -> tuple[bytes, list[int], list[int]]:
    """A graph, and the shapes of its input and its output."""
    from tfhrf.deploy.tflite import graph

    content = path.read_bytes()
    inputs, outputs = graph.interface(graph.read(content))
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs in place of one each")
    return content, inputs[0]["shape"], outputs[0]["shape"]


def _trained_on(
    path: pathlib.Path, mels: int
) -> tuple[int, tuple[float, ...], tuple[str, ...], tuple[str, ...]]:
    found = json.loads(path.read_text(encoding="utf-8"))
    recordings, levels = int(found["recordings"]), tuple(map(float, found["levels"]))
    # Models of earlier versions do not say whom they have heard.
    datasets, heard = tuple(map(str, found.get("datasets", []))), str(found.get("heard", ""))
    if recordings < 1 or len(levels) != mels or not all(map(math.isfinite, levels)):
        raise ValueError(f"no recordings, or no level for each of {mels} mels")
    marks = tuple(heard[place : place + MARK] for place in range(0, len(heard), MARK))
    if len(heard) % MARK:
        raise ValueError(f"marks of recordings have {MARK} digits each")
    return recordings, levels, datasets, marks


def _labels(folder: pathlib.Path) -> tuple[tuple[str, ...], pathlib.Path]:
    """The labels, and the file that has them."""
    own, study = folder / LABELS, folder.resolve().parent / STUDY
    if own.exists() or not study.exists():
        return _parsed(own, lambda path: _names(json.loads(path.read_text("utf-8")))), own
    classes = _parsed(study, lambda path: _names(json.loads(path.read_text("utf-8"))["classes"]))
    return classes, study


def _names(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError("labels are a list of names")
    if len(set(found)) < len(found):
        raise ValueError(f"a label is there twice: {', '.join(found)}")
    return tuple(found)
