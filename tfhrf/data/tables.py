"""Corpora of one's own: a table of recordings, or folders whose names are labels."""

import os
import pathlib
import re
import unicodedata

from tfhrf.data import mistakes
from tfhrf.data.corpora.file_names import SUFFIXES, VIDEOS, acted, existing, is_file, sound_files
from tfhrf.data.corpora.text import composed
from tfhrf.data.corpora.utterance import CorpusError, Utterance
from tfhrf.data.table_rows import COLUMNS, read_rows

__all__ = ["COLUMNS", "PATTERN", "SPLITS", "read_folders", "read_table"]

SPLITS = ("train", "validation", "test")
# What they are called elsewhere; "eval" is validation to some and test to others.
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val"), "validation"),
    **dict.fromkeys(("dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
PATTERN = "{label}/{speaker}_*"


def read_table(table, data_dir=None, *, columns=None):
    """Reads a table of recordings.

    Args:
        table: path of a file of text in UTF-8, separated by commas, semicolons or tabs, with a
            header. A row is a recording, or a span of one: path (in `data_dir`), label and, where
            there are such columns, speaker, start and end (seconds), split ("train", "validation"
            or "test") and group (what must stay on one side of a split: session, series).
        data_dir: folder of the recordings; that of the table if None.
        columns: dict of a name of COLUMNS to the name that it has in the table, where it differs
            by more than case.

    Returns:
        List of Utterance in the order of the rows. Without speakers every `speaker` is "". Warns
        of what looks like a mistake: a label or a speaker much like another, a class of one
        speaker, a recording that is there twice, a column that may have been meant.

    Raises:
        CorpusError: the table or a recording is missing, a row is not what it should be, or one
            recording has two labels or two speakers; names the row.
    """
    table = pathlib.Path(table)
    rows = read_rows(table, columns or {})
    if not rows:
        raise CorpusError(f"The table has no rows. Received: {table}")
    folder = table.parent if data_dir is None else existing(data_dir)
    utterances = [_utterance(row, folder, f"{table}, line {line}") for line, row in rows]
    missing = [number for number, one in enumerate(utterances) if not is_file(one.path)]
    if missing:
        raise CorpusError(
            f"There is no such recording: {table}, line {rows[missing[0]][0]}; {len(missing):,} "
            f"of {len(rows):,} are missing. Received: {utterances[missing[0]].path}"
        )
    mistakes.check(utterances, table)
    return utterances


def read_folders(data_dir, pattern=PATTERN):
    """Reads recordings whose folders and names say label and speaker.

    Args:
        data_dir: folder.
        pattern: path of a recording in it, whose suffix does not count; {label} and {speaker}
            stand for what it says, * for anything else: "{label}/{speaker}_*",
            "{speaker}/*-{label}".

    Returns:
        List of Utterance by path; warns as `read_table`.

    Raises:
        CorpusError: the pattern has no {label}, there are no recordings, or one does not fit.
    """
    if pattern.count("{label}") != 1 or pattern.count("{speaker}") > 1:
        raise CorpusError(
            f"A pattern has one {{label}}, at most one {{speaker}}. Received: {pattern!r}"
        )
    stem, suffix = os.path.splitext(composed(pattern))  # noqa: PTH122
    escaped = re.escape(stem if suffix.lower() in SUFFIXES + VIDEOS else stem + suffix)
    for name in ("label", "speaker"):
        escaped = escaped.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>[^/]+?)")
    regex = re.compile(escaped.replace(re.escape("*"), "[^/]*"))
    folder = existing(data_dir)
    utterances, others = [], []
    for path in sound_files(folder, deep=True, suffixes=SUFFIXES + VIDEOS):
        match = regex.fullmatch(composed(path.relative_to(folder).with_suffix("").as_posix()))
        if match is None:
            others.append(path)
        else:
            found = match.groupdict()
            utterances.append(acted(path, found["label"], found.get("speaker", "")))
    if others:
        raise CorpusError(
            f"{len(others)} of {len(others) + len(utterances)} recordings do not fit the pattern "
            f"{pattern!r}. Received: {others[0]}"
        )
    if not utterances:
        raise CorpusError(f"There are no recordings in the folder. Received: {folder}")
    missing = [one.path for one in utterances if not is_file(one.path)]
    if missing:
        raise CorpusError(
            f"Links lead to recordings that are not there; {len(missing):,} of "
            f"{len(utterances):,} are missing. Received: {missing[0]}"
        )
    mistakes.check(utterances, folder)
    return utterances


def _utterance(row, folder, where):
    split = _SPLIT_WORDS.get(row["split"].casefold(), "")
    if row["split"] and not split:
        raise CorpusError(
            f"A split is one of {', '.join(SPLITS)}: {where}. Received: {row['split']}"
        )
    group = row["group"] or row["speaker"]
    path = _path(row["path"], folder, where)
    return Utterance(path, row["label"], row["speaker"], group, _span(row, where), split)


def _path(given, folder, where):
    """The path of a recording, that of a file if there is one under another spelling.

    Tables of Windows have backslashes, those of macOS may have letters and accents apart, or have
    them together where the files do not.
    """
    spellings = [
        spelt
        for text in (given, given.replace("\\", "/"))
        for spelt in (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    ]
    paths = [folder / text for text in dict.fromkeys(spellings) if _inside(folder, folder / text)]
    if not paths:
        if pathlib.PurePath(given).is_absolute():
            raise CorpusError(
                f"Paths are relative to --data_dir (or absolute with --data_dir=/), this one is "
                f"not in {folder}: {where}. Received: {given}"
            )
        raise CorpusError(f"A path leaves the folder {folder}: {where}. Received: {given}")
    return next((path for path in paths if is_file(path)), paths[0])


def _inside(folder, path):
    """Whether a path as it is written is in a folder, wherever links in it lead."""
    written = [pathlib.Path(os.path.abspath(one)) for one in (path, folder)]  # noqa: PTH100
    return written[0].is_relative_to(written[1]) or path.resolve().is_relative_to(folder.resolve())


def _span(row, where):
    if not row["start"] and not row["end"]:
        return None
    try:
        start, end = float(row["start"]), float(row["end"])
    except ValueError:
        raise CorpusError(
            f"Start and end are seconds: {where}. Received: {row['start']!r}, {row['end']!r}"
        ) from None
    if not 0 <= start < end < float("inf"):
        raise CorpusError(
            f"A span starts at 0 s or later and ends after that: {where}. "
            f"Received: {start:g} to {end:g} s"
        )
    return start, end
