"""What studies found, as text for people: of one study, over seeds, side by side."""

import numpy as np
import scipy.stats

from tfhrf.deploy import runners
from tfhrf.studies.results import KINDS, METRICS, in_words


def table(results):
    """The results as a short table for people."""
    settings, metrics = results["settings"], results["metrics"]
    begun = f", started from {settings['from']}" if "from" in settings else ""
    lines = [f"{settings['dataset']}: {tested_in_words(results)}, {settings['model']}{begun}"]
    missing = results.get("missing folds")
    if missing:
        lines.append(f"Folds that are not in it: {', '.join(missing)}")
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
    lines += _step_lines(results)
    tflm = results["tflm"]
    if tflm:
        measured = "" if tflm["tflm_ran"] else " (an upper bound: tflite-micro has no wheel here)"
        lines.append(f"arena           {tflm['arena_bytes']:,} bytes{measured}")
    if not runners.available():
        lines.append("TensorFlow Lite Micro was not run: tflite-micro has no wheel here")
    return "\n".join(lines)


def _step_lines(results):
    """UA, flash, RAM and instructions of a Cortex-M4 after every step behind the fold."""
    if not results["steps"]:
        return []
    lines = ["", f"{'int8, in C':16}{'UA':>8}{'flash':>10}{'RAM':>9}{'M4 instructions':>18}"]
    for place, (name, found) in enumerate(results["steps"].items(), start=1):
        kind = "int8" if place == len(results["steps"]) else f"int8 {name}"
        scores = results["scores"].get(kind)
        ua = "-" if scores is None else f"{scores['ua']:.3f}"
        count = "-" if found["instructions"] is None else f"{found['instructions'] / 1e6:.2f} M"
        lines.append(f"{name:16}{ua:>8}{found['flash']:10,}{found['ram']:9,}{count:>18}")
    return lines


def _score_lines(title, scores, metrics):
    lines = [f"{title:34}" + "".join(f"{METRICS[metric]:>13}" for metric in metrics)]
    for kind, score in scores.items():
        values = "".join(f"{score[metric]:13.3f}" for metric in metrics)
        lines.append(f"{KINDS[kind]:34}{values}")
    return lines


def tested_in_words(results):
    """How a study was tested, and on how much, in words."""
    folds = results["folds"] or results.get("validation", {}).get("folds", {})
    if not folds:
        return "not tested"
    how = protocol_in_words(results["settings"], len(folds))
    return f"{how}, {results['utterances']} {results['decisions']}"


def protocol_in_words(settings, folds):
    """How a study was tested, in words."""
    protocol = settings.get("protocol", "leave_one_speaker_out")
    if protocol == "leave_one_speaker_out":
        return f"{folds} speakers held out in turn"
    if protocol == "leave_one_session_out":
        return f"{folds} sessions held out in turn"
    if protocol == "official":
        return "official split"
    if protocol == "kept_speakers":
        return "a third of the speakers kept apart"
    if protocol == "cross_corpus":
        return f"tested on {settings['test_dataset']}"
    if protocol.startswith(("stratified", "group")):
        return f"{folds} folds {'of groups' if protocol.startswith('group') else 'of recordings'}"
    return f"{folds} folds of speakers"


def stress_table(results):
    """What `tfhrf.studies.stress.run` found as a table for people: UA per condition."""
    settings, conditions = results["settings"], results["conditions"]
    clean = conditions["clean"]["ua"]
    decided = np.sum(conditions["clean"]["confusion"])
    lines = [
        f"{settings['dataset']}: {protocol_in_words(settings, results['folds'])}, {decided} "
        f"{results['decisions']}, {settings['model']}, {KINDS['int8']}",
    ]
    if results["missing folds"]:
        lines.append(f"Folds that are not in it: {', '.join(results['missing folds'])}")
    lines.append(f"{'':24}{'UA':>8}{'points':>10}")
    for name, found in conditions.items():
        if "ua" in found:
            lines.append(f"{name:24}{found['ua']:8.3f}{100 * (found['ua'] - clean):+10.1f}")
        else:
            lines.append(f"{name:24}{'-':>8}{'-':>10}  {found['missing']}")
    return "\n".join(lines)


def seeds_table(settings, studies):
    """Mean and spread over seeds of studies that differ in nothing else, as a table for people.

    Args:
        settings: what the studies have in common, a dict.
        studies: their results, one per seed, as of `tfhrf.studies.results.group`.

    Returns:
        Text: per kind of model the corpus's metrics with the standard deviation over seeds, the
        95 % confidence interval of the mean (Student's t) of the last one, and the UA that int8
        loses, seed by seed; validation, where there is one, apart.
    """
    first = studies[0]
    lines = [
        in_words(settings),
        f"{tested_in_words(first)}, {len(studies)} seeds",
    ]
    if first["scores"]:
        lines += _spread_lines("test" if "validation" in first else "", studies, first["metrics"])
    if "validation" in first:
        validations = [study["validation"] for study in studies]
        title = f"validation, {validations[0]['utterances']} {first['decisions']}"
        lines += _spread_lines(title, validations, first["metrics"])
    if all("int8" in study["scores"] for study in studies):
        points = [100 * (s["scores"]["int8"]["ua"] - s["scores"]["folded"]["ua"]) for s in studies]
        listed = ", ".join(f"{value:+.2f}" for value in points)
        lines.append(f"int8 against folded, points of UA: {np.mean(points):+.2f} ({listed})")
    return "\n".join(lines)


def _spread_lines(title, sides, metrics):
    interval = f"95 % of mean {METRICS[metrics[-1]]}"
    lines = [
        f"{title:34}" + "".join(f"{METRICS[metric]:>16}" for metric in metrics) + f"{interval:>26}"
    ]
    for kind in KINDS:
        if all(kind in side["scores"] for side in sides):
            values = {name: values_of(sides, kind, name) for name in metrics}
            line = f"{KINDS[kind]:34}" + "".join(f"{_spread(v):>16}" for v in values.values())
            last = values[metrics[-1]]
            if len(last) > 1:
                half = half_interval(last)
                line += f"{last.mean() - half:17.3f} to {last.mean() + half:.3f}"
            lines.append(line)
    return lines


def comparison(groups):
    """Groups of studies side by side, one line each, as a table for people.

    Args:
        groups: list of (settings, studies) as of `tfhrf.studies.results.group`.

    Returns:
        Text: parameters as trained and as deployed, bytes of the int8 file, and the corpus's last
        metric of the folded and the int8 model, mean and standard deviation over seeds.
    """
    names = differing([settings for settings, _ in groups])
    width = max(map(len, names))
    lines = [
        f"{'':{width}}{'trained':>12}{'deployed':>12}{'int8 bytes':>12}{'seeds':>7}"
        f"{'':>6}{'folded':>16}{'int8':>16}"
    ]
    for name, (_, studies) in zip(names, groups, strict=True):
        first = studies[0]
        metric = first["metrics"][-1]
        line = (
            f"{name:{width}}{first['parameters']['trained']:12,}"
            f"{first['parameters']['folded']:12,}"
            f"{max(study['int8 bytes'] for study in studies):12,}{len(studies):7}"
            f"{METRICS[metric]:>6}"
        )
        for kind in ("folded", "int8"):
            known = all(kind in study["scores"] for study in studies)
            line += f"{_spread(values_of(studies, kind, metric)) if known else '-':>16}"
        lines.append(line)
    return "\n".join(lines)


def differing(settings):
    """What sets each of several settings apart from the others, as short texts."""
    keys = list(dict.fromkeys(key for one in settings for key in one))
    apart = [key for key in keys if len({str(one.get(key)) for one in settings}) > 1]
    return [in_words({key: one[key] for key in apart if key in one}) or "all" for one in settings]


def values_of(sides, kind, metric):
    """A metric of one kind of model, seed by seed, as an array."""
    return np.array([side["scores"][kind][metric] for side in sides])


def half_interval(values):
    """Half the width of the 95 % confidence interval of the mean (Student's t); two values up."""
    quantile = scipy.stats.t.ppf(0.975, len(values) - 1)
    return quantile * values.std(ddof=1) / len(values) ** 0.5


def _spread(values):
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
