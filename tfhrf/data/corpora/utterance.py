"""What every corpus reader returns."""

import pathlib
import wave
from typing import NamedTuple

OVERRUN = 0.1  # seconds by which a span may pass the end of its file


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


def checked_span(start, end, where, duration=float("inf")):
    """A span, cut at the end of its file; times are rounded, and may pass it by OVERRUN.

    Args:
        start: seconds.
        end: seconds.
        where: what the message names: a file and a line.
        duration: of the file, seconds.

    Returns:
        (start, end).

    Raises:
        CorpusError: the span is negative or empty or goes beyond the end of the file.
    """
    if not 0 <= start < end < float("inf"):
        raise CorpusError(
            f"A span must start at 0 s or later and end after it starts: {where}. "
            f"Received: {start:g} to {end:g} s"
        )
    if end > duration + OVERRUN or start >= duration:
        raise CorpusError(
            f"A span goes beyond the end of its sound of {duration:g} s: {where}. "
            f"Received: {start:g} to {end:g} s"
        )
    return start, min(end, duration)


def wav_seconds(path):
    """Duration of a WAV file by its header, in seconds.

    Raises:
        CorpusError: the file is missing or not a WAV file of integers.
    """
    try:
        with wave.open(str(path), "rb") as file:
            return file.getnframes() / file.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise CorpusError(f"Not a WAV file ({error or 'it ends early'}): {path}") from None


def listed(names, most=3):
    """The first few of many names, and how many more there are."""
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
