"""What studies found: of one, as data and as a table; of several, the mean over seeds."""

import json
import pathlib

import numpy as np
import scipy.stats

from tfhrf import micro
from tfhrf.evaluation import scores_of_counts

DEPLOYED = "deployed"  # the folder of the model that all speakers trained
KINDS = {
    "trained": "as trained (float32)",
    "folded": "folded (float32)",
    "int8": "int8 in TensorFlow Lite Micro",
}
METRICS = {"wa": "WA", "ua": "UA", "f1_macro": "macro F1", "f1_weighted": "weighted F1"}


class ReportError(ValueError):
    """Results cannot be reported; the message is one line that names the culprit."""


def collect(out, corpus):
    """The results of the fold folders under `out`, decisions of all folds pooled.

    Args:
        out: folder of the study.
        corpus: tfhrf.corpora.Corpus, for its classes, metrics and what it decides on.

    Returns:
        Dict of plain values: settings, labels, scores of the test per kind of model ("trained",
        "folded", "int8" as TensorFlow Lite Micro computes it), those of the validation, if there
        is one, scores per fold, sizes, seconds and learning curves.
    """
    out = pathlib.Path(out)
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*/fold.json"))]
    deployed = [record for record in records if record["fold"] == DEPLOYED]
    results = {
        "settings": json.loads((out / "settings.json").read_text()),
        "labels": list(corpus.labels),
        "metrics": list(corpus.metrics),
        "decisions": corpus.decisions,
        "utterances": _decided(records, "test"),
        "scores": _pooled(records, "test"),
        "folds": {
            record["fold"]: _pooled([record], "test") for record in records if "test" in record
        },
        "folding error": max(record["folding error"] for record in records),
        "int8 bytes": max(record["int8 bytes"] for record in records),
        "parameters": records[0]["parameters"],
        "tflm": deployed[0]["tflm"] if deployed else None,
        "seconds": {record["fold"]: record["seconds"] for record in records},
        # Not in the folders of earlier versions.
        "history": {r["fold"]: r["history"] for r in records if "history" in r},
    }
    if any("validation" in record for record in records):
        results["validation"] = {
            "utterances": _decided(records, "validation"),
            "scores": _pooled(records, "validation"),
        }
    return results


def _confusions(records, side):
    """Counts of all folds added up, by kind of model."""
    sides = [record[side]["confusion"] for record in records if side in record]
    return {
        kind: np.sum([confusion[kind] for confusion in sides], axis=0)
        for kind in (sides[0] if sides else ())
    }


def _decided(records, side):
    """Number of decisions."""
    return max((int(counts.sum()) for counts in _confusions(records, side).values()), default=0)


def _pooled(records, side):
    return {
        kind: scores_of_counts(counts)._asdict()
        for kind, counts in _confusions(records, side).items()
    }


def table(results):
    """The results as a short table for people."""
    settings, metrics = results["settings"], results["metrics"]
    lines = [
        f"{settings['dataset']}: {_protocol(settings, len(results['folds']))}, "
        f"{results['utterances']} {results['decisions']}, {settings['model']}",
    ]
    if results["scores"]:
        title = "test" if "validation" in results else ""
        lines += _score_lines(title, results["scores"], metrics)
    if "validation" in results:
        validation = results["validation"]
        title = f"validation, {validation['utterances']} {results['decisions']}"
        lines += ["", *_score_lines(title, validation["scores"], metrics)]
    for kind, score in results["scores"].items():
        lines += ["", f"{KINDS[kind]}, rows are the true classes:"]
        lines += [
            f"{label:>12}" + "".join(f"{count:6d}" for count in row)
            for label, row in zip(results["labels"], score["confusion"], strict=True)
        ]
    parameters = results["parameters"]
    lines += [
        "",
        f"parameters      {parameters['trained']:,} trained, {parameters['folded']:,} folded",
        f"folding error   {results['folding error']:.1e} of the largest logit",
        f"int8 file       {results['int8 bytes']:,} bytes",
    ]
    tflm = results["tflm"]
    if tflm:
        measured = "" if tflm["tflm_ran"] else " (an upper bound: tflite-micro has no wheel here)"
        lines.append(f"arena           {tflm['arena_bytes']:,} bytes{measured}")
    if not micro.available():
        lines.append("TensorFlow Lite Micro was not run: tflite-micro has no wheel here")
    return "\n".join(lines)


def _score_lines(title, scores, metrics):
    lines = [f"{title:34}" + "".join(f"{METRICS[metric]:>13}" for metric in metrics)]
    for kind, score in scores.items():
        values = "".join(f"{score[metric]:13.3f}" for metric in metrics)
        lines.append(f"{KINDS[kind]:34}{values}")
    return lines


def _protocol(settings, folds):
    """How a study was tested, in words."""
    protocol = settings.get("protocol", "leave_one_speaker_out")
    if protocol == "leave_one_speaker_out":
        return f"{folds} speakers held out in turn"
    if protocol == "leave_one_session_out":
        return f"{folds} sessions held out in turn"
    if protocol == "official":
        return "official split"
    return f"{folds} folds of speakers"


def seeds_table(folders, folds=None):
    """Mean and spread over seeds of studies that differ in nothing else, as a table for people.

    Folders of the same settings and seed with different folds, from several machines, count as
    one study.

    Args:
        folders: folders of studies.
        folds: names of the folds that count, such as test speakers; all if None.

    Returns:
        Text: for each group of studies, the corpus's metrics per kind of model with the standard
        deviation over seeds, the 95 % confidence interval of the mean (Student's t) of the last
        one, and the UA that int8 loses, seed by seed.

    Raises:
        ReportError: a folder holds no results, a fold is missing or comes twice, or a group's
            studies did not test the same utterances.
    """
    groups: dict[str, dict[int, list]] = {}
    for folder in folders:
        path = pathlib.Path(folder) / "results.json"
        if not path.exists():
            raise ReportError(f"No finished study is in {folder}")
        results = json.loads(path.read_text())
        settings = dict(results["settings"])
        seed = settings.pop("seed")
        parts = groups.setdefault(json.dumps(settings), {}).setdefault(seed, [])
        for part in parts:
            for fold in sorted(part["folds"].keys() & results["folds"].keys()):
                raise ReportError(
                    f"Fold {fold} of the same settings and seed is in two folders. "
                    f"Received: {folder}"
                )
        parts.append(results)
    return "\n\n".join(
        _seeds_table(json.loads(settings), [_merged(parts, folds) for parts in seeds.values()])
        for settings, seeds in groups.items()
    )


def _merged(parts, folds):
    """The results of one study whose folds lie in several folders, of all folds or of some."""
    found = {name: scores for part in parts for name, scores in part["folds"].items()}
    for fold in folds or ():
        if fold not in found:
            raise ReportError(
                f"Seed {parts[0]['settings']['seed']} has the folds {', '.join(found)}. "
                f"Received: {fold}"
            )
    chosen = {fold: found[fold] for fold in folds or found}
    counts = {
        kind: np.sum([scores[kind]["confusion"] for scores in chosen.values()], axis=0)
        for kind in KINDS
        if all(kind in scores for scores in chosen.values())
    }
    return {
        **parts[0],
        "folds": chosen,
        "scores": {kind: scores_of_counts(sums)._asdict() for kind, sums in counts.items()},
        "utterances": int(max(sums.sum() for sums in counts.values())),
    }


def _seeds_table(settings, studies):
    tested = {(tuple(sorted(study["folds"])), study["utterances"]) for study in studies}
    if len(tested) > 1:
        found = "; ".join(f"{', '.join(names)} ({count})" for names, count in sorted(tested))
        raise ReportError(
            f"Studies of {_join(settings)} did not test the same. Received: folds (and "
            f"{studies[0]['decisions']}) {found}"
        )
    ((folds, utterances),) = tested
    metrics = studies[0]["metrics"]
    interval = f"95 % of mean {METRICS[metrics[-1]]}"
    lines = [
        _join(settings),
        f"{_protocol(settings, len(folds))}, {utterances} {studies[0]['decisions']}, "
        f"{len(studies)} seeds",
        f"{'':34}" + "".join(f"{METRICS[metric]:>16}" for metric in metrics) + f"{interval:>26}",
    ]
    kinds = [kind for kind in KINDS if all(kind in study["scores"] for study in studies)]
    for kind in kinds:
        values = {
            metric: np.array([study["scores"][kind][metric] for study in studies])
            for metric in metrics
        }
        line = f"{KINDS[kind]:34}" + "".join(f"{_spread(v):>16}" for v in values.values())
        last = values[metrics[-1]]
        if len(last) > 1:
            half = scipy.stats.t.ppf(0.975, len(last) - 1) * last.std(ddof=1) / len(last) ** 0.5
            line += f"{last.mean() - half:17.3f} to {last.mean() + half:.3f}"
        lines.append(line)
    if "int8" in kinds:
        points = [100 * (s["scores"]["int8"]["ua"] - s["scores"]["folded"]["ua"]) for s in studies]
        listed = ", ".join(f"{value:+.2f}" for value in points)
        lines.append(f"int8 against folded, points of UA: {np.mean(points):+.2f} ({listed})")
    return "\n".join(lines)


def _spread(values):
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def _join(settings):
    return ", ".join(f"{name}={value}" for name, value in settings.items())
