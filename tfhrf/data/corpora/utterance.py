"""What every corpus reader returns."""

import pathlib
from typing import NamedTuple


class CorpusError(ValueError):
    """A corpus cannot be read; the message is one line that names the culprit."""


class CorpusWarning(UserWarning):
    """A corpus is a partial copy or has a fault that is worked around; one line."""


class Utterance(NamedTuple):
    """One labelled recording of one speaker.

    `group` must stay on one side of a split: the session, the series, the participant, or the
    speaker where nothing larger ties utterances together. `span` is the start and the end within
    the file in seconds, None for the whole file. `split` is the name of the official split, or
    empty.
    """

    path: pathlib.Path
    label: str
    speaker: str
    group: str
    span: tuple[float, float] | None = None
    split: str = ""


def of_speakers(utterances, speakers):
    """The utterances of some speakers, in their order.

    Raises:
        CorpusError: there is nothing of one of the speakers.
    """
    known = {utterance.speaker for utterance in utterances}
    for speaker in speakers:
        if speaker not in known:
            raise CorpusError(
                f"The corpus has the speakers {', '.join(sorted(known))}. Received: {speaker}"
            )
    return [utterance for utterance in utterances if utterance.speaker in speakers]


def listed(names, most=3):
    """The first few of many names, and how many more there are."""
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
