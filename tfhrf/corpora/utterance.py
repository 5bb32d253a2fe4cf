"""What every corpus reader returns."""

import pathlib
from typing import NamedTuple


class CorpusError(ValueError):
    """A corpus cannot be read; the message is one line that names the culprit."""


class Utterance(NamedTuple):
    """One labelled recording of one speaker."""

    path: pathlib.Path
    label: str
    speaker: str
