"""Trained models: those that come with the package, and those that studies have finished.

A model is a folder with FILES in it. The packaged ones lie in `tfhrf/pretrained/`, which holds no
code, so that `tfhrf.pretrained` is the function here.
"""

import dataclasses
import functools
import json
import os
import pathlib
from typing import TYPE_CHECKING

from tfhrf.deploy import runners
from tfhrf.log_mel import LogMelConfig

if TYPE_CHECKING:
    import keras

FOLDER = pathlib.Path(__file__).parents[1] / "pretrained"
DEFAULT = "light-emodb-4"
START = "light-cremad-6"  # to train on from: that of the most recordings
MODEL, INT8, FRONT_END, LABELS, TRAINED_ON, CARD = FILES = (
    "model.keras",
    "int8.tflite",
    "front_end.json",
    "labels.json",
    "trained_on.json",
    "card.md",
)
# What a study's folder has instead: the folded model, and above it what all its models share.
STUDY_MODEL, STUDY = "folded.keras", "made_of.json"


class ModelError(ValueError):
    """There is no such model, or a file of it is missing or damaged; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A trained model, ready for sound, for a device, or to go on training."""

    name: str
    folder: pathlib.Path
    config: LogMelConfig  # the front end
    labels: tuple[str, ...]  # the classes, in the order of the logits
    # How many recordings trained the model, and the mean of each mel over their frames; None if
    # the model does not say it.
    recordings: int | None
    levels: tuple[float, ...] | None
    int8: bytes  # the integer graph, as of `tfhrf.to_tflite`
    card: str  # Markdown: figures, corpus, licence, what it is for and not for; may be empty

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The folded model, (batch, frames, mels) to logits (batch, classes); loaded once."""
        import keras

        path = self.folder / MODEL
        try:
            return keras.saving.load_model(
                path if path.exists() else self.folder / STUDY_MODEL, compile=False
            )
        except (KeyError, OSError, ValueError) as error:
            raise ModelError(f"A model cannot be loaded. Received: {path} ({error})") from error

    @functools.cached_property
    def frames(self) -> int:
        """Frames of the window that the model sees."""
        frames, mels = runners.input_shape(self.int8)
        if mels != self.config.mels:
            raise ModelError(
                f"A model and its front end must have the same mels: {self.folder}. "
                f"Received: {mels} and {self.config.mels}"
            )
        return frames

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
    if isinstance(model, str) and (model in names() or not pathlib.Path(model).is_dir()):
        return pretrained(model)
    return read(pathlib.Path(model))


def read(folder: pathlib.Path) -> Pretrained:
    """The model in a folder.

    Args:
        folder: of a packaged model, or of a model of a study in its place in the study's folder.

    Raises:
        ModelError: a file is missing or damaged.
    """
    card = folder / CARD
    try:
        content = (folder / INT8).read_bytes()
        if content[4:8] != b"TFL3":
            raise ValueError(f"{INT8} is no TensorFlow Lite graph")
        recordings, levels = _trained_on(folder)
        return Pretrained(
            folder.name,
            folder,
            LogMelConfig.load(folder / FRONT_END),
            _labels(folder),
            recordings,
            levels,
            content,
            card.read_text(encoding="utf-8") if card.exists() else "",
        )
    except OSError as error:
        raise ModelError(
            f"A model's folder must have {INT8}, {FRONT_END} and {LABELS}, or {STUDY} above it. "
            f"Received: {error.filename} ({error.strerror})"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"A model's file is damaged. Received: {folder} ({error})") from error


def _trained_on(folder: pathlib.Path) -> tuple[int, tuple[float, ...]] | tuple[None, None]:
    path = folder / TRAINED_ON
    if not path.exists():
        return None, None
    found = json.loads(path.read_text())
    return int(found["recordings"]), tuple(map(float, found["levels"]))


def _labels(folder: pathlib.Path) -> tuple[str, ...]:
    own, study = folder / LABELS, folder.resolve().parent / STUDY
    if own.exists() or not study.exists():
        return tuple(json.loads(own.read_text(encoding="utf-8")))
    return tuple(json.loads(study.read_text(encoding="utf-8"))["classes"])
