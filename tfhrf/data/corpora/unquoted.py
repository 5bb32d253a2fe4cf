"""Tables of text whose cells are never quoted, as those of DAIC-WOZ."""

import csv
import math

from tfhrf.data.corpora.utterance import CorpusError


def rows_of(path, delimiter, columns):
    """The rows of a table that are not empty; lines end with LF or CRLF.

    Args:
        path: of the table, in UTF-8; no cell of it is quoted.
        delimiter: between cells.
        columns: names of those that are needed, in upper or lower case.

    Returns:
        List of (line number, cell by column).

    Raises:
        CorpusError: the file or a column is missing, or a cell is too long.
    """
    if not path.is_file():
        raise CorpusError(f"A file of the corpus is missing. Received: {path}")
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        # No cell is quoted, and transcripts hold quotation marks that close nothing.
        reader = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        header = [name.strip() for name in next(_cells(reader, path), [])]
        folded = [name.lower() for name in header]
        for column in columns:
            if column.lower() not in folded:
                raise CorpusError(f"The column {column} is missing. Received: {path}, line 1")
        rows = []
        for cells in _cells(reader, path):
            if any(cell.strip() for cell in cells):
                cells += [""] * (len(header) - len(cells))
                row = {name: cells[folded.index(name.lower())] for name in columns}
                rows.append((reader.line_num, row))
    return rows


def _cells(reader, path):
    """The rows of a reader as it gives them, one after the other."""
    try:
        yield from reader
    except csv.Error:
        raise CorpusError(
            f"A cell is longer than {csv.field_size_limit():,} letters. "
            f"Received: {path}, line {reader.line_num}"
        ) from None


def finite(text, where):
    """A finite number; the message does not repeat what is there instead."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CorpusError(f"A number is missing or malformed. Received: {where}")
    return value
