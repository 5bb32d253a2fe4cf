"""The page of a study: what it found, how sure that is, what the model costs, and the commands."""

import json
import pathlib

from tfhrf.studies import card, page, recalls
from tfhrf.studies.page import Section, Table, picture
from tfhrf.studies.pictures import (
    save_confusion,
    save_costs,
    save_learning_curves,
    save_recalls,
    save_stress,
)
from tfhrf.studies.results import KINDS, METRICS, in_words
from tfhrf.studies.study_files import DEPLOYED, INSTRUCTIONS, PAGE, STRESS
from tfhrf.studies.tables import tested_in_words

CAVEAT = (
    "Figures hold for recordings like those of the corpus: of acted speech they say nothing about "
    "everyday speech."
)


def write(out, results):
    """Writes the page of a study into its folder.

    Args:
        out: folder of the study.
        results: as of `tfhrf.studies.results.collect`.
    """
    out = pathlib.Path(out)
    settings = results["settings"]
    kind = kind_of([results])
    sections = [_summary(results)]
    if kind:
        sections += [
            confusions_of([results], kind),
            recalls_of([out], [results], kind),
            _curves(results),
            _stress(out),
            _costs(out, results, kind),
        ]
    else:
        sections.append(_curves(results))
    sections.append(_commands(out, results))
    ua = f": UA {results['scores'][kind]['ua']:.3f} ({KINDS[kind]})" if kind else ""
    page.write(
        out / PAGE,
        f"{settings['model']} on {settings['dataset']}",
        f"{tested_in_words(results).capitalize()}{ua}. {CAVEAT}",
        sections,
    )


def kind_of(studies):
    """The kind of model that studies are judged by: as deployed, or float32 if that is all."""
    kinds = [k for k in ("int8", "folded") if all(k in study["scores"] for study in studies)]
    return kinds[0] if kinds else None


def _summary(results):
    metrics = results["metrics"]
    sides = {"test": results}
    if "validation" in results:
        sides["validation"] = results["validation"]
    rows = [
        [f"{KINDS[kind]}, {side}", *(f"{score[metric]:.3f}" for metric in metrics)]
        for side, found in sides.items()
        for kind, score in found["scores"].items()
    ]
    missing = results.get("missing folds")
    words = in_words(results["settings"])
    if missing:
        words += f". Folds that are not in it: {', '.join(missing)}"
    return Section(
        "Figures",
        f"{words}. UA is the mean recall of the classes, WA the accuracy.",
        tables=[Table(["", *(METRICS[metric] for metric in metrics)], rows)],
    )


def confusions_of(studies, kind, title="Confusions"):
    """A section of the confusions of a study, or of seeds together."""
    shown = []
    for one in dict.fromkeys(["folded", kind]):
        counts = sum_of([study["scores"][one]["confusion"] for study in studies])
        words = f"Confusion matrix, {KINDS[one]}, in shares of the true class"
        shown.append(picture(save_confusion, counts, studies[0]["labels"], KINDS[one], shows=words))
    rows = [
        [label, *map(str, row)] for label, row in zip(studies[0]["labels"], counts, strict=True)
    ]
    words = f"Rows are the true classes. Below: counts, {KINDS[kind]}."
    return Section(title, words, shown, [Table(["", *studies[0]["labels"]], rows)])


def sum_of(matrices):
    """The sum of matrices of integers, as lists."""
    return [
        [sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]


def recalls_of(runs, studies, kind, name=""):
    """A section of the recall of every class and the accuracy on every speaker or group."""
    counts, names, what = recalls.confusions(runs, studies, kind)
    classes = recalls.by_class(counts, studies[0]["labels"])
    groups = recalls.by_group(counts, names)
    some = dict(sorted(groups.items(), key=lambda item: item[1][0]))
    shown = [
        picture(save_recalls, classes, KINDS[kind], shows="Recall of every class"),
        picture(save_recalls, some, KINDS[kind], "accuracy", shows=f"Accuracy on every {what}"),
    ]
    totals = counts.sum(axis=(0, 2, 3))
    heard = dict(zip(studies[0]["labels"], counts.sum(axis=(0, 1, 3)), strict=True))
    by_class = [[label, f"{heard[label]}", *_three(found)] for label, found in classes.items()]
    by_group = [
        [group, f"{total}", *_three(groups[group])]
        for group, total in zip(names, totals, strict=True)
        if group in groups
    ]
    decided = studies[0]["decisions"]
    words = (
        f"Intervals of classes: {what}s and seeds, drawn with replacement; of a {what}: Wilson's."
        if counts.shape[0] * counts.shape[1] > 1
        else "Intervals are Wilson's."
    )
    return Section(
        f"Classes and {what}s{f': {name}' if name else ''}",
        words,
        shown,
        [
            Table(["class", decided, "recall", "95 % interval"], by_class),
            Table([what, decided, "accuracy", "95 % interval"], by_group),
        ],
    )


def _three(found):
    value, low, high = found
    return [f"{value:.3f}", f"{low:.3f} to {high:.3f}"]


def _curves(results):
    if not results["history"].keys() - {DEPLOYED}:
        return None
    shows = "Loss and accuracy of every epoch, mean and range over the folds"
    shown = picture(save_learning_curves, [results], results["settings"]["model"], shows=shows)
    return Section("Learning curves", "They choose nothing.", [shown])


def _stress(out):
    try:
        found = json.loads((out / STRESS[0]).read_text(encoding="utf-8"))
        clean = found["conditions"]["clean"]["ua"]
    except (OSError, ValueError, KeyError):
        return None
    rows = [
        [name, f"{one['ua']:.3f}", f"{100 * (one['ua'] - clean):+.1f}"]
        if "ua" in one
        else [name, "-", one["missing"]]
        for name, one in found["conditions"].items()
    ]
    shown = picture(save_stress, found, "int8", shows="UA in every condition")
    return Section(
        "Sound as users send it",
        "The int8 models on the same test utterances at other levels, in noise, in a room.",
        [shown],
        [Table(["condition", "UA", "points"], rows)],
    )


def costs_of(out, results):
    """What the int8 model costs, a dict of names to numbers; what is not known is not in it."""
    costs = {"bytes of the int8 file": results["int8 bytes"]}
    if results["tflm"]:
        costs["bytes of RAM, TensorFlow Lite Micro"] = results["tflm"]["arena_bytes"]
    path = pathlib.Path(out) / DEPLOYED / INSTRUCTIONS
    if path.exists():
        counted = json.loads(path.read_text(encoding="utf-8"))
        if "cortex-m4" in counted:
            costs["instructions on a Cortex-M4"] = counted["cortex-m4"]
    return costs


def _costs(out, results, kind):
    parameters, scores = results["parameters"], results["scores"]
    sizes = {
        KINDS[one]: (size, scores[one]["ua"])
        for one, size in (
            ("trained", 4 * parameters["trained"]),
            ("folded", 4 * parameters["folded"]),
            ("int8", results["int8 bytes"]),
        )
        if one in scores
    }
    shown = picture(
        save_costs, {"bytes of the weights": sizes}, "", shows="UA against the size of the models"
    )
    rows = [[name, f"{value:,}"] for name, value in costs_of(out, results).items()]
    rows += [
        ["parameters in training", f"{parameters['trained']:,}"],
        ["parameters deployed", f"{parameters['folded']:,}"],
        ["folding error, of the largest logit", f"{results['folding error']:.1e}"],
    ]
    return Section(
        "Costs",
        "The line leads along what nothing beats in both.",
        [shown],
        [Table(["", ""], rows)],
    )


def _commands(out, results):
    commands = [f"{card.command(results['settings'])} --out={out}"]
    if results["tflm"]:
        graph = f"{out}/{DEPLOYED}/int8.tflite"
        commands += [
            f"python recipes/stress.py {out}",
            f"python tflm/count_instructions.py --write {graph}",
            f"tfhrf recognize --model={out}/{DEPLOYED} sound.wav",
            f"tfhrf export --model={out}/{DEPLOYED} firmware",
        ]
    words = "Where the recordings are is said with --data_dir, for a table also with --table."
    return Section("Commands", words, commands=commands)
