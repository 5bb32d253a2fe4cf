"""Corpora of one's own: a table of recordings, or folders whose names are labels."""

import csv
import difflib
import hashlib
import pathlib
import re
import warnings
from collections import Counter

from tfhrf.data.corpora.file_names import acted, sound_files
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed

COLUMNS = ("path", "label", "speaker", "start", "end", "split", "group")
_NEEDED = ("path", "label")
SPLITS = ("train", "validation", "test")
PATTERN = "{label}/{speaker}_*"


def read_table(table, data_dir=None, *, columns=None):
    """Reads a table of recordings.

    Args:
        table: path of a file of text in UTF-8, separated by commas, semicolons or tabs, with a
            header. A row is a recording, or a span of one: path (in `data_dir`), label and, where
            there are such columns, speaker, start and end (seconds), split ("train", "validation"
            or "test") and group (what must stay on one side of a split: session, series).
        data_dir: folder of the recordings; that of the table if None.
        columns: dict of a name of COLUMNS to the name that it has in the table, where it differs.

    Returns:
        List of Utterance in the order of the rows. Without speakers every `speaker` is "". Warns
        of what looks like a mistake: a label much like another, a class of one speaker, a
        recording that is there twice.

    Raises:
        CorpusError: the table or a recording is missing, a row is not what it should be, or one
            recording has two labels or two speakers; names the row.
    """
    table = pathlib.Path(table)
    folder = pathlib.Path(data_dir) if data_dir is not None else table.parent
    names = {name: name for name in COLUMNS} | (columns or {})
    for name in names.keys() - set(COLUMNS):
        raise CorpusError(f"Columns are {', '.join(COLUMNS)}. Received: {name}")
    rows = _rows(table, names, set(columns or {}) | set(_NEEDED))
    utterances = [_utterance(row, folder, f"{table}, line {line}") for line, row in rows]
    if not utterances:
        raise CorpusError(f"The table has no rows: {table}")
    without = [line for line, row in rows if not row.get("speaker")]
    if without and len(without) < len(rows):
        raise CorpusError(f"A row has no speaker: {table}, line {without[0]}")
    _check(utterances, table)
    return utterances


def read_folders(data_dir, pattern=PATTERN):
    """Reads recordings whose folders and names say label and speaker.

    Args:
        data_dir: folder.
        pattern: path of a recording in it without suffix; {label} and {speaker} stand for what it
            says, * for anything else: "{label}/{speaker}_*", "{speaker}/*-{label}".

    Returns:
        List of Utterance by path; warns as `read_table`.

    Raises:
        CorpusError: the pattern has no {label}, there are no recordings, or one does not fit.
    """
    if pattern.count("{label}") != 1 or pattern.count("{speaker}") > 1:
        raise CorpusError(f"A pattern has one {{label}}, at most one {{speaker}}: {pattern!r}")
    escaped = re.escape(pattern)
    for name in ("label", "speaker"):
        escaped = escaped.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>[^/]+?)")
    regex = re.compile(escaped.replace(re.escape("*"), "[^/]*"))
    folder = pathlib.Path(data_dir)
    utterances, others = [], []
    for path in sound_files(folder, deep=True):
        match = regex.fullmatch(path.relative_to(folder).with_suffix("").as_posix())
        if match is None:
            others.append(path)
        else:
            found = match.groupdict()
            utterances.append(acted(path, found["label"], found.get("speaker") or ""))
    if others:
        raise CorpusError(
            f"{len(others)} of {len(others) + len(utterances)} recordings do not fit the pattern "
            f"{pattern!r}: {others[0]}"
        )
    if not utterances:
        raise CorpusError(f"There are no recordings in: {folder}")
    _check(utterances, folder)
    return utterances


def _rows(table, names, needed):
    """Line number and values by name of COLUMNS of every row."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CorpusError(f"The table cannot be read ({error.strerror}): {table}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CorpusError(f"The table is not UTF-8: {table}, line {line}") from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    known = [name.strip() for name in reader.fieldnames or ()]
    for name in sorted(needed):
        if names[name] not in known:
            raise CorpusError(
                f"The table has no column '{names[name]}': {table}. Received: {', '.join(known)}"
            )
    reader.fieldnames = known
    found = []
    for row in reader:
        values = {name: (row.get(given) or "").strip() for name, given in names.items()}
        for name in _NEEDED:
            if not values[name]:
                raise CorpusError(f"A row has no {name}: {table}, line {reader.line_num}")
        found.append((reader.line_num, values))
    return found


def _utterance(row, folder, where):
    path = folder / row["path"]
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CorpusError(f"A path leaves the folder {folder}: {where}. Received: {row['path']}")
    if not path.is_file():
        raise CorpusError(f"There is no such recording: {where}. Received: {path}")
    if row["split"] and row["split"] not in SPLITS:
        raise CorpusError(
            f"A split is one of {', '.join(SPLITS)}: {where}. Received: {row['split']}"
        )
    group = row["group"] or row["speaker"]
    return Utterance(path, row["label"], row["speaker"], group, _span(row, where), row["split"])


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


def _check(utterances, where):
    """Warns of what looks like a mistake, and refuses what cannot be right."""
    counts = Counter(utterance.label for utterance in utterances)
    if len(counts) < 2:
        raise CorpusError(f"There is only one label in {where}. Received: {next(iter(counts))}")
    for label, count in sorted(counts.items()):
        twin = _twin(label, count, counts)
        if twin:
            _warn(
                f"The label '{label}' ({count} recordings) looks like '{twin}' ({counts[twin]}): "
                f"{where}"
            )
        speakers = {one.speaker for one in utterances if one.label == label}
        if len(speakers) == 1 and speakers != {""}:
            _warn(f"The label '{label}' has one speaker, {speakers.pop()}: {where}")
    _check_twice(utterances)


def _twin(label, count, counts):
    """A label with at least ten times as many recordings, or as much else, that is much alike."""
    plain = {other: other.strip().lower() for other in counts if other != label}
    for other, text in plain.items():
        if text == label.strip().lower() and counts[other] >= count:
            return other
    close = difflib.get_close_matches(label.lower(), plain.values(), 1, 0.8)
    return next(
        (other for other, text in plain.items() if text in close and counts[other] >= 10 * count),
        None,
    )


def _check_twice(utterances):
    """Looks for recordings of the same bytes."""
    sizes = Counter(one.path.stat().st_size for one in utterances)
    seen: dict[tuple, Utterance] = {}
    twice = []
    for one in utterances:
        if sizes[one.path.stat().st_size] == 1:
            continue
        content = hashlib.sha256(one.path.read_bytes()).digest()
        first = seen.setdefault((content, one.span), one)
        if first is one:
            continue
        for what in ("label", "speaker"):
            values = [getattr(first, what), getattr(one, what)]
            if values[0] != values[1]:
                raise CorpusError(
                    f"The same recording has two {what}s, {values[0]} and {values[1]}: "
                    f"{first.path} and {one.path}"
                )
        twice.append(one.path)
    if twice:
        _warn(f"{len(twice)} recordings are there twice: {listed(twice)}")


def _warn(message):
    warnings.warn(message, CorpusWarning, stacklevel=4)
