"""What studies found, as data: of the folds of one study, and of studies over seeds."""

import json
import pathlib

import numpy as np

from tfhrf.studies.metrics import scores_of_counts
from tfhrf.studies.study_files import FOLD, FOLDED, INT8, MADE_OF, RESULTS, SETTINGS, TRAINED

# What a complete fold has: keys of its fold.json, and files beside it.
_KEYS = {"fold", "folding error", "int8 bytes", "parameters", "seconds"}
_FILES = (TRAINED, FOLDED, INT8)
# What the results of a study have.
_RESULTS = {
    *("settings", "labels", "metrics", "decisions", "folds", "scores"),
    *("int8 bytes", "parameters", "tflm"),
}
KINDS = {
    "trained": "as trained (float32)",
    "folded": "folded (float32)",
    "int8 folded": "int8 of the folded model",
    "int8 pruned": "int8, pruned",
    "int8 clustered": "int8, clustered",
    "int8": "int8 in TensorFlow Lite Micro",
}
# Studies that have these settings in common tested the same.
SHARED = ("dataset", "protocol", "turns", "table", "labels", "speakers", "test_dataset")
METRICS = {"wa": "WA", "ua": "UA", "f1_macro": "macro F1", "f1_weighted": "weighted F1"}


class ResultsError(ValueError):
    """Results cannot be put together; the message is one line that names the culprit."""


def collect(out, corpus):
    """The results of the fold folders under `out`, decisions of all folds pooled.

    Args:
        out: folder of the study.
        corpus: tfhrf.data.corpora.Corpus, for its classes, metrics and what it decides on.

    Returns:
        Dict of plain values: settings, labels, scores of the test per kind of model ("trained",
        "folded", "int8" as TensorFlow Lite Micro computes it), those of the validation, if there
        is one, scores per fold, sizes and seconds.
    """
    out = pathlib.Path(out)
    records = [record for _, record in sorted(complete(out).items())]
    made_of = out / MADE_OF
    asked = json.loads(made_of.read_text())["folds"] if made_of.exists() else {}
    deployed = [record for record in records if "tflm" in record]
    results = {
        "settings": json.loads((out / SETTINGS).read_text()),
        "labels": list(corpus.labels),
        "metrics": list(corpus.metrics),
        "decisions": corpus.decisions,
        **_side(records, "test"),
        "folding error": max(record["folding error"] for record in records),
        "int8 bytes": max(record["int8 bytes"] for record in records),
        "parameters": records[0]["parameters"],
        "tflm": deployed[0]["tflm"] if deployed else None,
        "steps": records[0].get("steps", {}),
        "seconds": {record["fold"]: record["seconds"] for record in records},
        "missing folds": sorted(asked.keys() - {record["fold"] for record in records}),
        "history": {record["fold"]: record["history"] for record in records if "history" in record},
    }
    if any("validation" in record for record in records):
        results["validation"] = _side(records, "validation")
    return results


def read(folder):
    """What `collect` returned for a study, as its folder keeps it.

    Raises:
        ResultsError: there is none, or it is damaged.
    """
    path = pathlib.Path(folder) / RESULTS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.keys() >= _RESULTS and "seed" in found["settings"]:
            return found
    except (FileNotFoundError, NotADirectoryError):
        raise ResultsError(f"No finished study is in the folder. Received: {folder}") from None
    except (AttributeError, TypeError, ValueError):
        pass
    raise ResultsError(
        f"The results of a study are damaged; its recipe writes them again. Received: {path}"
    )


def complete(out):
    """The records of the folds that are complete in a study's folder, by the folds' folders."""
    folders = (path.parent for path in pathlib.Path(out).glob(f"[!.]*/{FOLD}"))
    records = {folder.name: record_of(folder) for folder in folders}
    return {name: record for name, record in records.items() if record}


def record_of(folder):
    """What fold.json in a fold's folder holds, None if the fold is not complete or damaged."""
    folder = pathlib.Path(folder)
    try:
        record = json.loads((folder / FOLD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and record.keys() >= _KEYS
    return record if whole and all((folder / name).is_file() for name in _FILES) else None


def _side(records, side):
    """What was decided on the test or the validation utterances of all folds."""
    sides = {record["fold"]: record[side]["confusion"] for record in records if side in record}
    return _sum({fold: _scores(confusions) for fold, confusions in sides.items()})


def _scores(confusions):
    return {kind: scores_of_counts(counts)._asdict() for kind, counts in confusions.items()}


def _sum(folds):
    """Scores of all folds' decisions together, by kind of model, from those of every fold."""
    confusions = {
        kind: np.sum([scores[kind]["confusion"] for scores in folds.values()], axis=0)
        for kind in KINDS
        if folds and all(kind in scores for scores in folds.values())
    }
    return {
        "folds": folds,
        "scores": _scores(confusions),
        "utterances": max((int(counts.sum()) for counts in confusions.values()), default=0),
    }


def group(folders, folds=None):
    """Studies by their settings, whose seeds alone differ within a group.

    Folders of the same settings and seed with different folds, from several machines, count as
    one study.

    Args:
        folders: folders of studies.
        folds: names of the folds that count, such as test speakers; all if None.

    Returns:
        List of (settings without the seed, list of results as of `collect`, one per seed in the
        order of the seeds).

    Raises:
        ResultsError: a folder holds no results or damaged ones, a fold is missing or comes twice,
            or a group's studies did not test the same utterances.
    """
    groups: dict[str, dict[int, list]] = {}
    for folder in folders:
        results = read(folder)
        settings = dict(results["settings"])
        seed = settings.pop("seed")
        parts = groups.setdefault(json.dumps(settings), {}).setdefault(seed, [])
        for part in parts:
            for fold in sorted(part["folds"].keys() & results["folds"].keys()):
                raise ResultsError(
                    f"Fold {fold} of the same settings and seed is in two folders. "
                    f"Received: {folder}"
                )
        parts.append(results)
    grouped = []
    for text, seeds in groups.items():
        settings = json.loads(text)
        studies = [_merged(seeds[seed], folds) for seed in sorted(seeds)]
        tested = sorted({(", ".join(sorted(s["folds"])), s["utterances"]) for s in studies})
        if len(tested) > 1:
            found = "; ".join(f"{names} ({count})" for names, count in tested)
            raise ResultsError(
                f"Studies of {in_words(settings)} did not test the same. Received: folds (and "
                f"{studies[0]['decisions']}) {found}"
            )
        grouped.append((settings, studies))
    return grouped


def by_corpus(groups):
    """Groups of studies that can be compared: a list of groups for every corpus and protocol."""
    apart: dict = {}
    for settings, studies in groups:
        key = tuple(settings.get(name) for name in SHARED)
        apart.setdefault(key, []).append((settings, studies))
    return list(apart.values())


def _merged(parts, folds):
    """The results of one study whose folds lie in several folders, of all folds or of some."""
    tested = {name for part in parts for name in part["folds"]}
    for fold in folds or ():
        if fold not in tested:
            raise ResultsError(
                f"Seed {parts[0]['settings']['seed']} has the folds {', '.join(sorted(tested))}. "
                f"Received: {fold}"
            )
    merged = {**parts[0], **_sum(_joined(parts, "folds", folds))}
    validations = [part["validation"] for part in parts if "validation" in part]
    if validations:
        merged["validation"] = _sum(_joined(validations, "folds", folds))
    merged["history"] = _joined(parts, "history", folds)
    merged["int8 bytes"] = max(part["int8 bytes"] for part in parts)
    # The model to deploy lies in one of the folders.
    merged["tflm"] = next((part["tflm"] for part in parts if part["tflm"]), None)
    return merged


def _joined(parts, key, folds):
    """What the parts have under a key, by fold, of all folds or of some."""
    found = {name: value for part in parts for name, value in part.get(key, {}).items()}
    return found if folds is None else {name: found[name] for name in folds if name in found}


def in_words(settings):
    """Settings as name=value, one after the other."""
    return ", ".join(f"{name}={value}" for name, value in settings.items())
