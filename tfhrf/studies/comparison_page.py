"""The page of studies side by side: seeds together, pair by pair, costs against recall."""

import collections
import json
import pathlib

import numpy as np

from tfhrf.files import safe_name
from tfhrf.studies import card, page, paired, recalls
from tfhrf.studies.page import Section, Table, picture
from tfhrf.studies.pictures import (
    save_changes,
    save_comparison,
    save_costs,
    save_learning_curves,
)
from tfhrf.studies.results import METRICS, SHARED, ResultsError, in_words
from tfhrf.studies.study_files import DEPLOYED, RESULTS
from tfhrf.studies.study_page import CAVEAT, confusions_of, costs_of, kind_of, recalls_of
from tfhrf.studies.tables import differing, half_interval, tested_in_words, values_of


def write(path, groups, folders):
    """Writes the page of groups of studies that tested the same.

    Args:
        path: of the file.
        groups: list of (settings, studies) of one corpus, as of `tfhrf.studies.results.group`.
        folders: all folders that the studies were read from.
    """
    places = _places(folders)
    runs = [places[json.dumps(settings)] for settings, _ in groups]
    names = differing([settings for settings, _ in groups])
    first = groups[0][1][0]
    shared = {key: groups[0][0][key] for key in SHARED if key in groups[0][0]}
    kind = kind_of([study for _, studies in groups for study in studies])
    sections = [_figures(groups, names)]
    if kind:
        sections += [_pairs(groups, names, runs, kind), _costs(groups, names, runs, kind)]
        for name, (_, studies), some in zip(names, groups, runs, strict=True):
            sections += [
                confusions_of(studies, kind, f"Confusions: {name}"),
                recalls_of(some, studies, kind, name),
            ]
    sections += [_curves(name, studies) for name, (_, studies) in zip(names, groups, strict=True)]
    sections.append(_commands(groups, runs))
    page.write(
        path,
        f"{len(groups)} models on {shared['dataset']}",
        f"{in_words(shared)}: {tested_in_words(first)}. {CAVEAT}",
        sections,
    )


def name_of(groups):
    """The file name of the page of groups of studies."""
    settings = groups[0][0]
    shared = [str(settings[key]) for key in SHARED if key in settings]
    return f"report-{safe_name('-'.join(shared))}.html"


def _places(folders):
    """The folders of every group's studies, a list for each, in the order of their seeds."""
    found: dict[str, dict] = collections.defaultdict(dict)
    for folder in folders:
        settings = json.loads((pathlib.Path(folder) / RESULTS).read_text())["settings"]
        seed = settings.pop("seed")
        found[json.dumps(settings)].setdefault(seed, []).append(folder)
    return {text: [seeds[seed] for seed in sorted(seeds)] for text, seeds in found.items()}


def _figures(groups, names):
    metric = groups[0][1][0]["metrics"][-1]
    kinds = [kind for kind in ("trained", "folded", "int8") if _all_have(groups, kind)]
    rows = []
    for name, (_, studies) in zip(names, groups, strict=True):
        row = [name, str(len(studies))]
        for kind in kinds:
            values = values_of(studies, kind, metric)
            half = f" ± {half_interval(values):.3f}" if len(values) > 1 else ""
            row.append(f"{values.mean():.3f}{half}")
        rows.append(row)
    shown = []
    if kinds:
        shows = f"{METRICS[metric]} of every model, folded and int8"
        shown.append(picture(save_comparison, groups, "", shows=shows))
    return Section(
        "Figures",
        f"{METRICS[metric]}, mean over seeds; ± is half the 95 % interval of the mean over seeds.",
        shown,
        [Table(["", "seeds", *kinds], rows)],
    )


def _all_have(groups, kind):
    return all(kind in study["scores"] for _, studies in groups for study in studies)


def _pairs(groups, names, runs, kind):
    """What every group changes against the first one, on the same folds and seeds."""
    if len(groups) < 2:
        return None
    rows, apart, unit = [], {}, recalls.unit(groups[0][1][0])
    seeds = [[study["settings"]["seed"] for study in studies] for _, studies in groups]
    for name, some, own in list(zip(names, runs, seeds, strict=True))[1:]:
        try:
            if own != seeds[0]:
                raise ResultsError(f"Arms did not test the same seeds. Received: {own}")
            one = paired.compare([runs[0]], [some], kind=kind, folds=groups[0][1][0]["folds"])
        except ResultsError as error:
            rows.append([name, "-", str(error), ""])
            continue
        values = np.array([*one.groups.values()])
        apart[name] = one.groups
        rows.append(
            [
                name,
                f"{100 * one.mean:+.1f}",
                f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
                f"{np.sum(values > 0)} / {np.sum(values < 0)}",
            ]
        )
    shown = []
    if apart:
        shows = f"What every {unit} gains or loses"
        shown.append(picture(save_changes, apart, "", names[0], unit, shows=shows))
    return Section(
        "Pair by pair",
        f"Against {names[0]}: the same folds, utterances and seeds. Seeds and {unit}s are drawn "
        f"with replacement, the same for both; a {unit} is helped whose accuracy is higher.",
        shown,
        [Table(["", "points of UA", "95 % interval", f"{unit}s helped / hurt"], rows)],
    )


def _costs(groups, names, runs, kind):
    costs: dict[str, dict] = {}
    for name, (_, studies), some in zip(names, groups, runs, strict=True):
        ua = values_of(studies, kind, "ua").mean()
        for study, places in zip(studies, some, strict=True):
            known = {cost: one for place in places for cost, one in costs_of(place, study).items()}
            for cost, value in known.items():
                costs.setdefault(cost, {}).setdefault(name, (value, ua))
    shown = picture(save_costs, costs, "", shows="UA against the costs of the models")
    rows = [
        [name, *(f"{costs[cost][name][0]:,}" if name in costs[cost] else "-" for cost in costs)]
        for name in names
    ]
    return Section(
        "Costs",
        "The line leads along what nothing beats in both. Instructions are known where "
        "tflm/count_instructions.py --write has counted them.",
        [shown],
        [Table(["", *costs], rows)],
    )


def _curves(name, studies):
    if not any(study["history"].keys() - {DEPLOYED} for study in studies):
        return None
    shows = "Loss and accuracy of every epoch, mean and range over folds and seeds"
    shown = picture(save_learning_curves, studies, name, shows=shows)
    return Section(f"Learning curves: {name}", "", [shown])


def _commands(groups, runs):
    commands = [
        f"{card.command({**settings, 'seed': study['settings']['seed']})} --out={place}"
        for (settings, studies), some in zip(groups, runs, strict=True)
        for study, places in zip(studies, some, strict=True)
        for place in places
    ]
    folders = " ".join(str(place) for some in runs for places in some for place in places)
    commands.append(f"python recipes/collect_results.py {folders}")
    words = "Where the recordings are is said with --data_dir, for a table also with --table."
    return Section("Commands", words, commands=commands)
