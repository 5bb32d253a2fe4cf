"""Spans of recordings, and how long recordings are."""

import contextlib
import wave

import soundfile

from tfhrf.data.corpora.utterance import CorpusError
from tfhrf.data.sound_file import open_sound
from tfhrf.data.sound_header import AudioError, read_header

_UNTOLD = 2**48  # samples; libsndfile gives more where a header tells none
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


def sound_seconds(path):
    """Duration of a recording in seconds, by its header where that tells.

    Raises:
        CorpusError: the file is missing or cannot be decoded.
    """
    # One that was cut short is for who decodes it to refuse or skip.
    damaged = (OSError, EOFError, ZeroDivisionError, wave.Error)
    with contextlib.suppress(*damaged), wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()
    try:
        with path.open("rb") as file:
            repaired = read_header(file, path).repaired
        with contextlib.suppress(soundfile.SoundFileError):
            told = None if repaired else soundfile.info(str(path))
            if told and 0 < told.frames < _UNTOLD:
                return told.frames / told.samplerate
        with open_sound(path) as (rate, blocks):
            return sum(map(len, blocks)) / rate
    except AudioError as error:
        raise CorpusError(str(error)) from None
    except OSError as error:
        raise CorpusError(
            f"A recording cannot be read ({error.strerror}). Received: {path}"
        ) from None
