"""Spans of recordings, and how long recordings are."""

import wave

from tfhrf.data.corpora.utterance import CorpusError

OVERRUN = 0.1  # seconds by which a span may pass the end of its file


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
