"""nEMO, nine Polish actors (Christop 2024; CC BY-NC-SA 4.0): `data.tsv` and `samples/`."""

import csv
import pathlib

from tfhrf.data.corpora.file_names import SUFFIXES, acted, check_complete, sound_file
from tfhrf.data.corpora.utterance import CorpusError

LABELS = ("anger", "fear", "happiness", "neutral", "sadness", "surprise")
FILES = 4481
SPEAKERS = 9
_COLUMNS = {"file_id", "emotion", "speaker_id"}


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
    table = pathlib.Path(data_dir) / "data.tsv"
    if not table.is_file():
        raise CorpusError(f"nEMO has its labels in a table that is missing: {table}")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        if not set(rows.fieldnames or ()) >= _COLUMNS:
            raise CorpusError(
                f"nEMO's table has the columns {', '.join(sorted(_COLUMNS))}: {table}. "
                f"Received: {', '.join(rows.fieldnames or ())}"
            )
        found = [_utterance(table, rows.line_num, row) for row in rows]
    utterances = [utterance for utterance in found if utterance.path.exists()]
    if not utterances:
        raise CorpusError(f"No nEMO recordings in: {table.with_name('samples')}")
    missing = [one.path.stem for one in found if not one.path.exists()]
    check_complete("nEMO", table.parent, utterances, (FILES, SPEAKERS), missing)
    return utterances


def _utterance(table, line, row):
    if row["emotion"] not in LABELS:
        raise CorpusError(f"Unknown emotion '{row['emotion']}': {table}, line {line}")
    name = row["file_id"]
    stem = name[: -len(pathlib.PurePath(name).suffix)] if name.lower().endswith(SUFFIXES) else name
    return acted(sound_file(table.with_name("samples") / stem), row["emotion"], row["speaker_id"])
