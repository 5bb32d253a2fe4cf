"""What studies found: of one, as data and as a table; of several, the mean over seeds."""

import json
import pathlib

import numpy as np
import scipy.stats

from tfhrf import micro
from tfhrf.evaluation import scores

DEPLOYED = "deployed"  # the folder of the model that all speakers trained
KINDS = {
    "trained": "as trained (float32)",
    "folded": "folded (float32)",
    "int8": "int8 in TensorFlow Lite Micro",
}


class ReportError(ValueError):
    """Results cannot be reported; the message is one line that names the culprit."""


def collect(out, labels):
    """The results of the fold folders under `out`, test utterances of all folds pooled.

    Returns:
        Dict of plain values: settings, labels, scores per kind of model ("trained", "folded",
        "int8" as TensorFlow Lite Micro computes it), scores per fold, sizes and seconds.
    """
    out = pathlib.Path(out)
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*/fold.json"))]
    tested = [record for record in records if record["targets"]]
    deployed = [record for record in records if record["fold"] == DEPLOYED]
    kinds = list(tested[0]["posteriors"]) if tested else []

    def score(kind, some):
        targets = np.concatenate([record["targets"] for record in some])
        posteriors = np.concatenate([record["posteriors"][kind] for record in some])
        return scores(targets, posteriors)._asdict()

    return {
        "settings": json.loads((out / "settings.json").read_text()),
        "labels": labels,
        "utterances": sum(len(record["targets"]) for record in tested),
        "scores": {kind: score(kind, tested) for kind in kinds},
        "folds": {
            record["fold"]: {kind: score(kind, [record]) for kind in kinds} for record in tested
        },
        "folding error": max(record["folding error"] for record in records),
        "int8 bytes": max(record["int8 bytes"] for record in records),
        "parameters": records[0]["parameters"],
        "tflm": deployed[0]["tflm"] if deployed else None,
        "seconds": {record["fold"]: record["seconds"] for record in records},
    }


def table(results):
    """The results as a short table for people."""
    settings = results["settings"]
    lines = [
        f"{settings['dataset']}: {len(results['folds'])} speakers held out in turn, "
        f"{results['utterances']} utterances, {settings['model']}",
        f"{'':34}{'WA':>6}{'UA':>8}",
    ]
    for kind, score in results["scores"].items():
        lines.append(f"{KINDS[kind]:34}{score['wa']:6.3f}{score['ua']:8.3f}")
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


def seeds_table(folders):
    """Mean and spread over seeds of studies that differ in nothing else, as a table for people.

    Args:
        folders: folders of studies.

    Returns:
        Text: for each group of studies, WA and UA per kind of model with the standard deviation
        over seeds and the 95 % confidence interval of the mean (Student's t), and the UA that
        int8 loses, seed by seed.

    Raises:
        ReportError: a folder holds no results, or a group's studies did not test the same
            utterances.
    """
    groups: dict[str, dict[int, dict]] = {}
    for folder in folders:
        path = pathlib.Path(folder) / "results.json"
        if not path.exists():
            raise ReportError(f"No finished study is in {folder}")
        results = json.loads(path.read_text())
        settings = dict(results["settings"])
        seed = settings.pop("seed")
        group = groups.setdefault(json.dumps(settings), {})
        if seed in group:
            raise ReportError(f"Two studies have the same settings. Received: {folder}")
        group[seed] = results
    return "\n\n".join(
        _seeds_table(json.loads(settings), list(group.values()))
        for settings, group in groups.items()
    )


def _seeds_table(settings, studies):
    tested = {(len(study["folds"]), study["utterances"]) for study in studies}
    if len(tested) > 1:
        raise ReportError(
            f"Studies of {_join(settings)} did not test the same. Received: folds and "
            f"utterances {sorted(tested)}"
        )
    ((folds, utterances),) = tested
    lines = [
        _join(settings),
        f"{folds} speakers held out in turn, {utterances} utterances, {len(studies)} seeds",
        f"{'':34}{'WA':>16}{'UA':>18}{'95 % of mean UA':>20}",
    ]
    kinds = [kind for kind in KINDS if all(kind in study["scores"] for study in studies)]
    for kind in kinds:
        wa, ua = (
            np.array([study["scores"][kind][which] for study in studies]) for which in ("wa", "ua")
        )
        line = f"{KINDS[kind]:34}{_spread(wa):>16}{_spread(ua):>18}"
        if len(ua) > 1:
            half = scipy.stats.t.ppf(0.975, len(ua) - 1) * ua.std(ddof=1) / len(ua) ** 0.5
            line += f"{ua.mean() - half:13.3f} to {ua.mean() + half:.3f}"
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
