"""The rows of a table as text: delimiters, columns by their names, cells."""

import csv
import difflib
import io
import re
import warnings

from tfhrf.data.corpora.text import composed, read_text
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning

COLUMNS = ("path", "label", "speaker", "start", "end", "split", "group")
NEEDED = ("path", "label")


def read_rows(table, columns):
    """Reads the rows of a table.

    Args:
        table: pathlib.Path of a file of text in UTF-8, separated by commas, semicolons or tabs.
        columns: dict of a name of COLUMNS to the name that it has in the table, where it differs.

    Returns:
        List of line number and dict of every name of COLUMNS to text without spaces around it, in
        the composed form of Unicode except for paths, "" where there is nothing. Rows in which
        there is nothing at all are left out. Warns of columns that may have been meant.

    Raises:
        CorpusError: the table cannot be read, is not UTF-8 or not well formed, or lacks a column,
            or a cell that is needed; names the line.
    """
    for name in columns.keys() - set(COLUMNS):
        raise CorpusError(f"Columns are {', '.join(COLUMNS)}. Received: {name}")
    lines = _cells(table)
    _, header = next(lines, (1, []))
    places = _places([composed(name.strip()) for name in header], columns, table)
    found = []
    for line, cells in lines:
        where = f"{table}, line {line}"
        if any(cell.strip() for cell in cells[len(header) :]):
            raise CorpusError(
                f"A row has more cells than there are columns: {where}. "
                f"Received: {len(cells)} cells, {len(header)} columns"
            )
        row = dict.fromkeys(COLUMNS, "")
        for name, place in places.items():
            row[name] = _value(name, cells[place] if place < len(cells) else "", where)
        for name in NEEDED:
            if not row[name]:
                raise CorpusError(f"A row has no {name}. Received: {where}")
        found.append((line, row))
    _check_filled(found, places, table)
    return found


def _cells(table):
    """Number of the first line and cells of the rows that hold anything."""
    text = read_text(table, "The table")
    place = text.find("\0")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise CorpusError(
            f"The table holds a character that is no text (NUL). Received: {table}, line {line}"
        )
    first, _, rest = text.partition("\n")
    told = re.fullmatch(r'"?sep=(.)"?', first.strip("\r"), re.IGNORECASE)  # Excel's, no row
    if told:
        text = rest
    delimiter = told[1] if told else max(",;\t", key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    begin = 2 if told else 1
    line = begin
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = begin + reader.line_num
    except csv.Error:
        # Without `strict` the rows up to the next mark would be one.
        raise CorpusError(
            "A quotation mark is not closed, or closes within a cell, or a cell is longer than "
            f"{csv.field_size_limit():,} letters. Received: {table}, line {line}"
        ) from None


def _places(header, columns, table):
    """The place of each column that the table has, by name of COLUMNS."""
    places = {}
    for name in COLUMNS:
        given = composed(columns.get(name, name).strip())
        found = [place for place, one in enumerate(header) if one == given]
        found = found or [
            place for place, one in enumerate(header) if one.casefold() == given.casefold()
        ]
        if len(found) > 1:
            raise CorpusError(
                f"The table has the column '{given}' {len(found)} times. Received: {table}"
            )
        if found:
            places[name] = found[0]
        elif name in columns or name in NEEDED:
            raise CorpusError(
                f"The table has no column '{given}': {table}. Received: {', '.join(header)}"
            )
    for place, one in enumerate(header):
        meant = None if place in places.values() else _resembled(one, set(COLUMNS) - places.keys())
        if meant:
            warnings.warn(
                f"The column '{one}' is not used; --columns={meant}={one} makes it the {meant}: "
                f"{table}",
                CorpusWarning,
                stacklevel=4,
            )
    return places


def _resembled(given, names):
    """The name of a column that another one contains as a word, or is spelt much like."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", given).casefold())
    for name in sorted(names):
        if name in words or (len(name) > 3 and words and words[0].startswith(name)):
            return name
    return next(iter(difflib.get_close_matches(given.casefold(), sorted(names), 1, 0.8)), None)


def _value(name, text, where):
    if "\n" in text or "\r" in text:
        raise CorpusError(
            f"A {name} goes over two lines, a quotation mark is missing. Received: {where}"
        )
    text = text.strip()
    return text if name == "path" else composed(text)


def _check_filled(rows, places, table):
    """Speakers and splits are told of all recordings or of none."""
    for name in ("speaker", "split", "group"):
        without = [line for line, row in rows if not row[name]]
        # A speaker takes the place of a group.
        replaced = name == "group" and "speaker" in places
        if without and len(without) < len(rows) and not replaced:
            raise CorpusError(f"A row has no {name}. Received: {table}, line {without[0]}")
