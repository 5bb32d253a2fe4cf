"""nEMO, nine Polish actors (Christop 2024; CC BY-NC-SA 4.0): `data.tsv` and `samples/`."""

import pathlib

from tfhrf.data.corpora.file_names import (
    SUFFIXES,
    acted,
    check_complete,
    existing,
    sounds_by_name,
)
from tfhrf.data.corpora.text import read_text
from tfhrf.data.corpora.utterance import CorpusError

LABELS = ("anger", "fear", "happiness", "neutral", "sadness", "surprise")
FILES = 4481
SPEAKERS = 9
_COLUMNS = ("file_id", "emotion", "speaker_id")


def read(data_dir):
    """Reads nEMO, six classes.

    Args:
        data_dir: the corpus folder, with `data.tsv` (columns file_id, emotion, speaker_id and
            others) and the folder `samples` in it.

    Returns:
        List of Utterance, 4,481 of the complete corpus, in the order of the table, recordings that
        are not there left out. Warns of a partial copy.

    Raises:
        CorpusError: the table is missing or has other columns, names an unknown emotion, or there
            are no recordings.
    """
    table = existing(data_dir) / "data.tsv"
    if not table.is_file():
        raise CorpusError(f"nEMO has its labels in a table that is missing. Received: no {table}")
    lines = read_text(table, "nEMO's table").split("\n")
    # What is said stands there too, unquoted: a quotation mark in it closes nothing.
    header = lines[0].split("\t")
    if not set(header) >= set(_COLUMNS):
        raise CorpusError(
            f"nEMO's table has the columns {', '.join(sorted(_COLUMNS))}: {table}. "
            f"Received: {', '.join(header)}"
        )
    sounds = sounds_by_name(table.with_name("samples"))
    found = [
        _utterance(
            sounds, dict(zip(header, line.split("\t"), strict=False)), f"{table}, line {number}"
        )
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    utterances = [one for one in found if one.path.stem in sounds]
    if not utterances:
        raise CorpusError(
            f"No recordings of nEMO are in the folder. Received: {table.with_name('samples')}"
        )
    missing = [one.path.stem for one in found if one.path.stem not in sounds]
    check_complete("nEMO", table.parent, utterances, (FILES, SPEAKERS), missing)
    return utterances


def _utterance(sounds, row, where):
    name, emotion, speaker = (row.get(column, "").strip() for column in _COLUMNS)
    for column, value in zip(_COLUMNS, (name, emotion, speaker), strict=True):
        if not value:
            raise CorpusError(f"A row has no {column}. Received: {where}")
    if emotion not in LABELS:
        raise CorpusError(f"Unknown emotion: {where}. Received: {emotion}")
    stem = name[: -len(pathlib.PurePath(name).suffix)] if name.lower().endswith(SUFFIXES) else name
    return acted(sounds.get(stem, pathlib.Path(f"{stem}.wav")), emotion, speaker)
