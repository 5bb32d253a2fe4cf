"""What a study was made of, so that no other study can pass for it when it is resumed."""

import dataclasses
import hashlib
import json
import pathlib

import tensorflow as tf

from tfhrf.data import store
from tfhrf.files import write_text
from tfhrf.recognition.packaged import MARK
from tfhrf.studies.study_files import FOLD, MADE_OF


class StudyError(ValueError):
    """A study cannot run as asked; the message is one line that names the culprit."""


def made_of(utterances, contents, folds, classes, training, config):
    """What the figures of a study depend on besides its settings; checksums, no names.

    Args:
        utterances, contents, folds, classes: as of `data_of`.
        training: TrainingSettings.
        config: LogMelConfig.

    Returns:
        Dict of plain values.
    """
    trained = dataclasses.asdict(training)
    for field in dataclasses.fields(training):
        # As studies say it that are older than averages.
        if field.name in ("averaged", "start_counts") and trained[field.name] == field.default:
            del trained[field.name]
    return {
        **data_of(utterances, contents, folds, classes),
        "front end": config.values,
        "training": trained,
        "arithmetic": {"features": store.VERSION, "tensorflow": tf.__version__},
    }


def data_of(utterances, contents, folds, classes):
    """What of `made_of` is the corpus's.

    Args:
        utterances: list of Utterance.
        contents: checksum of the recording of each, as of `tfhrf.data.store.contents`.
        folds: list of Fold of these utterances, all of the protocol.
        classes: names of the classes in their order.

    Returns:
        Dict of plain values.
    """
    spoken = _spoken(utterances, contents)
    labelled = [f"{s} {one.label}" for s, one in zip(spoken, utterances, strict=True)]
    by_whom = [f"{s} {one.speaker}" for s, one in zip(spoken, utterances, strict=True)]
    return {
        "recordings": {"count": len(spoken), "checksum": _checksum(sorted(spoken))},
        "labels": _checksum(sorted(labelled)),
        "speakers": {
            "count": len({one.speaker for one in utterances}),
            "checksum": _checksum(sorted(by_whom)),
        },
        "folds": {
            fold.name: _checksum([sorted(labelled[i] for i in side) for side in fold[1:]])
            for fold in folds
        },
        "classes": list(classes),
    }


def marks(utterances, contents):
    """MARK hexadecimal digits per utterance, by which what has heard it knows it again.

    Args:
        utterances, contents: as of `data_of`.
    """
    return [_checksum(one)[:MARK] for one in _spoken(utterances, contents)]


def check_same(out, name, now):
    """Raises StudyError unless the file `name` in a study's folder, if it is there, holds `now`.

    Args:
        out: folder of the study.
        name: SETTINGS or MADE_OF.
        now: dict of plain values.
    """
    path = pathlib.Path(out) / name
    if not path.exists():
        if any(pathlib.Path(out).glob(f"[!.]*/{FOLD}")):
            raise StudyError(
                f"A study that does not say what it was made of is in {out}; choose another "
                f"folder, or begin again with --restart. Received: no {name}"
            )
        return
    found = _differences(read(out, name), now)
    if found:
        raise StudyError(
            f"Another study is in {out}; choose another folder, or begin again with --restart. "
            f"Received: {found}"
        )


def check_data(out, now):
    """Raises StudyError unless the study in `out` was made of the data that `data_of` returned."""
    before = read(out, MADE_OF)
    found = _differences({key: before.get(key) for key in now}, now)
    if found:
        raise StudyError(f"The study in {out} was made of other data. Received: {found}")


def read(out, name):
    """The dict in the file `name` of a study's folder.

    Raises:
        StudyError: the file is missing or damaged.
    """
    path = pathlib.Path(out) / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"No study that says what it was made of. Received: no {path}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StudyError(
            f"A file of the study cannot be read; choose another folder, or begin again with "
            f"--restart. Received: {path}"
        )
    return found


def write(out, name, now):
    write_text(pathlib.Path(out) / name, json.dumps(now, indent=2) + "\n")


def _differences(before, now):
    """In which keys two dicts differ and how, in a few words; empty if they are the same."""
    differing = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return "; ".join(f"{key}{_difference(before.get(key), now.get(key))}" for key in differing)


def _difference(before, now):
    """How two values differ, in a few words."""
    if isinstance(before, dict) and isinstance(now, dict):
        differing = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if "checksum" in now:
            return (
                f" ({before.get('count')} then, {now['count']} now)"
                if before.get("count") != now["count"]
                else " (as many, but others)"
            )
        if any(len(str(side.get(key))) == LENGTH for side in (before, now) for key in differing):
            return f" ({', '.join(differing)})"
        pairs = (f"{key} {before.get(key)} then, {now.get(key)} now" for key in differing)
        return f" ({', '.join(pairs)})"
    if isinstance(now, str) and len(now) == LENGTH:
        return ""
    return f" ({before!r} then, {now!r} now)"


def _spoken(utterances, contents):
    return [f"{c} {one.span}" for c, one in zip(contents, utterances, strict=True)]


LENGTH = 32  # of a checksum


def _checksum(value):
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:LENGTH]
