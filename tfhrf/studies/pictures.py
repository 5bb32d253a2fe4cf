"""Pictures of what studies found: confusions, learning curves, models side by side.

They are PNG files, or SVG files where a path ends so.
"""

import contextlib
import pathlib

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from tfhrf.files import replacing, safe_name
from tfhrf.studies.results import KINDS, METRICS, SHARED
from tfhrf.studies.study_files import DEPLOYED
from tfhrf.studies.tables import differing, half_interval, values_of

CURVES = "learning_curves.png"
COLORS = {"folded": "tab:blue", "int8": "tab:orange"}


def save_study(out, results):
    """Draws one study into its folder: a confusion matrix per kind of model, learning curves.

    Args:
        out: folder of the study.
        results: as of `tfhrf.studies.results.collect`.
    """
    for kind, score in results["scores"].items():
        title = f"{results['settings']['dataset']}, {kind}: UA {score['ua']:.3f}"
        save_confusion(
            out / confusion_name(kind),
            score["confusion"],
            results["labels"],
            title,
        )
    if results["history"].keys() - {DEPLOYED}:
        save_learning_curves(out / CURVES, [results], out.name)


def confusion_name(kind):
    """The file name of a study's confusion matrix of a kind of model."""
    return f"confusion_{kind.replace(' ', '_')}.png"


def save_groups(folder, groups):
    """Draws groups of studies: a confusion matrix and learning curves of each, all side by side.

    Args:
        folder: folder of the pictures.
        groups: list of (settings, studies) of one corpus, as of `tfhrf.studies.results.group`.
    """
    for settings, studies in groups:
        name = "-".join(map(str, settings.values()))
        safe = safe_name(name)
        kind = "int8" if all("int8" in study["scores"] for study in studies) else "folded"
        if all(kind in study["scores"] for study in studies):
            confusion = np.sum([s["scores"][kind]["confusion"] for s in studies], axis=0)
            title = f"{kind}: UA {values_of(studies, kind, 'ua').mean():.3f}"
            save_confusion(folder / f"confusion-{safe}.png", confusion, studies[0]["labels"], title)
        if any(study["history"].keys() - {DEPLOYED} for study in studies):
            save_learning_curves(folder / f"learning_curves-{safe}.png", studies, name)
    if len(groups) > 1:
        shared = [str(groups[0][0][name]) for name in SHARED if name in groups[0][0]]
        path = folder / f"comparison-{safe_name('-'.join(shared))}.png"
        save_comparison(path, groups, ", ".join(shared))


def save_confusion(path, confusion, labels, title):
    """Draws a confusion matrix, row by row in shares of the true class.

    Args:
        path: path of the picture.
        confusion: counts or means of counts, confusion[true][predicted], (classes, classes).
        labels: names of the classes.
        title: of the picture.
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = (1.6 + len(labels), 1.4 + len(labels))
    with _axes(path, size) as axes:
        ConfusionMatrixDisplay(shares, display_labels=labels).plot(
            ax=axes, cmap="Blues", values_format=".2f", colorbar=False
        )
        axes.set_title(title)


def save_learning_curves(path, studies, title):
    """Draws loss and accuracy of every epoch: the mean over folds and seeds, and their range.

    Args:
        path: path of the picture.
        studies: results with a "history" per fold, as of `tfhrf.studies.results.collect`.
        title: of the picture.
    """
    histories = [
        history
        for study in studies
        for fold, history in study["history"].items()
        if fold != DEPLOYED
    ]
    with _axes(path, (9, 3.6), columns=2) as both:
        for axes, quantity in zip(both, ("loss", "accuracy"), strict=True):
            for name, color in ((quantity, "tab:blue"), (f"validation {quantity}", "tab:orange")):
                curves = [history[name] for history in histories if name in history]
                if curves:
                    _band(axes, np.array(curves), name, color)
            axes.set(xlabel="epoch", ylabel=quantity)
            axes.grid(alpha=0.3)
            axes.legend()
        both[0].figure.suptitle(f"{title}: mean and range of {len(histories)} trainings")


def save_comparison(path, groups, title):
    """Draws the corpus's last metric of groups of studies side by side, folded and int8.

    A bar is the mean over seeds, its whisker the 95 % confidence interval of the mean (Student's
    t), a dot one seed. Under a group's name are the parameters that are deployed.

    Args:
        path: path of the picture.
        groups: list of (settings, studies) as of `tfhrf.studies.results.group`.
        title: of the picture.
    """
    metric = groups[0][1][0]["metrics"][-1]
    names = differing([settings for settings, _ in groups])
    ticks = [
        f"{name.replace(', ', chr(10))}\n{studies[0]['parameters']['folded']:,} parameters"
        for name, (_, studies) in zip(names, groups, strict=True)
    ]
    with _axes(path, (2 + 1.6 * len(groups), 4.5)) as axes:
        for offset, (kind, color) in zip((-0.2, 0.2), COLORS.items(), strict=True):
            for place, (_, studies) in enumerate(groups):
                if all(kind in study["scores"] for study in studies):
                    _bar(axes, place + offset, values_of(studies, kind, metric), color)
            axes.bar(0, 0, color=color, label=KINDS[kind])
        axes.set_xticks(range(len(groups)), ticks)
        axes.set(ylabel=METRICS[metric], title=title, ylim=(0, 1))
        axes.grid(axis="y", alpha=0.3)
        axes.figure.legend(loc="outside lower center", ncols=2)


def save_stress(path, results, title):
    """Draws the UA of every condition that a study's int8 models were tested in.

    Args:
        path: path of the picture.
        results: as of `tfhrf.studies.stress.run`.
        title: of the picture.
    """
    found = [(name, one["ua"]) for name, one in results["conditions"].items() if "ua" in one]
    names, values = zip(*found, strict=True)
    with _axes(path, (7, 1.2 + 0.28 * len(names))) as axes:
        axes.barh(names, values, color=COLORS["int8"], alpha=0.6)
        axes.axvline(values[0], color="black", linewidth=1)
        for place, value in enumerate(values):
            axes.annotate(f"{value:.3f}", (0.01, place), va="center", fontsize="small")
        axes.invert_yaxis()
        axes.set(xlabel=METRICS["ua"], title=title, xlim=(0, 1))
        axes.grid(axis="x", alpha=0.3)


def save_arms(path, values, title):
    """Draws arms of a study side by side, a row of bars for each corpus.

    Args:
        path: path of the picture.
        values: dict from (corpus, arm) to UA of every seed, an array.
        title: of the picture.
    """
    corpora, names = (list(dict.fromkeys(key[place] for key in values)) for place in (0, 1))
    with _axes(path, (2 + 0.9 * len(names), 1 + 3.2 * len(corpora)), rows=len(corpora)) as every:
        for axes, corpus in zip(np.atleast_1d(every), corpora, strict=True):
            for place, name in enumerate(names):
                if (corpus, name) in values:
                    _bar(axes, place, values[corpus, name], COLORS["int8"])
            axes.set_xticks(range(len(names)), [name.replace(", ", chr(10)) for name in names])
            axes.tick_params(axis="x", rotation=60)
            axes.set(ylabel=f"{METRICS['ua']}, {corpus}", ylim=(0, 1))
            axes.grid(axis="y", alpha=0.3)
        np.atleast_1d(every)[0].set_title(title)


def save_changes(path, differences, title, reference="light", unit="speaker"):
    """Draws what an arm changes for each speaker, or group of them, a row for each arm.

    Args:
        path: path of the picture.
        differences: dict from the name of an arm to a dict from a group to a difference of
            accuracy.
        title: of the picture.
        reference: what they differ from.
        unit: what a group is.
    """
    with _axes(path, (7, 1.2 + 0.4 * len(differences))) as axes:
        for place, groups in enumerate(differences.values()):
            points = 100 * np.array([*groups.values()])
            axes.plot(points, np.full(len(points), place), "o", alpha=0.4, color=COLORS["int8"])
            axes.plot(points.mean(), place, "|", markersize=18, color="black")
        axes.axvline(0, color="black", linewidth=1)
        axes.set_yticks(range(len(differences)), list(differences))
        axes.invert_yaxis()
        axes.set(xlabel=f"points of accuracy against {reference}; a dot is a {unit}", title=title)
        axes.grid(axis="x", alpha=0.3)


def save_recalls(path, recalls, title, xlabel="recall"):
    """Draws shares with their intervals, a row for each, such as the recall of every class.

    Args:
        path: path of the picture.
        recalls: dict of a name to (value, low, high).
        title: of the picture.
        xlabel: what the shares are.
    """
    values, low, high = np.array([*recalls.values()]).T
    places = np.arange(len(values))
    # Rounding may put an end a little inside.
    around = np.maximum(0, [values - low, high - values])
    with _axes(path, (6, 1.2 + 0.28 * len(values))) as axes:
        axes.errorbar(values, places, xerr=around, fmt="o", capsize=3)
        axes.set_yticks(places, list(recalls))
        axes.invert_yaxis()
        axes.set(xlabel=f"{xlabel}, 95 % interval", title=title, xlim=(-0.02, 1.02))
        axes.grid(alpha=0.3)


def save_costs(path, costs, title):
    """Draws UA against what models cost, a panel for each cost, and a line along the models that no
    other beats in both (Pareto).

    Args:
        path: path of the picture.
        costs: dict of the name of a cost to a dict of a model's name to (cost, UA).
        title: of the picture.
    """
    with _axes(path, (1 + 3.8 * len(costs), 3.8), columns=len(costs)) as every:
        for axes, (name, models) in zip(np.atleast_1d(every), costs.items(), strict=True):
            for place, (model, (cost, ua)) in enumerate(models.items()):
                axes.plot(cost, ua, "o", color=f"C{place % 10}", label=model)
            best = np.array(pareto([*models.values()])).T
            axes.plot(*best, color="black", linewidth=1, alpha=0.5, drawstyle="steps-post")
            axes.set(xlabel=name, ylabel=METRICS["ua"], xscale="log")
            axes.margins(0.15)
            axes.grid(alpha=0.3)
        figure = np.atleast_1d(every)[0].figure
        figure.suptitle(title)
        figure.legend(
            *np.atleast_1d(every)[0].get_legend_handles_labels(), loc="outside lower center"
        )


def pareto(points):
    """The points (cost, value) that cost less than all of at least the same value, by cost."""
    best: list = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or value > best[-1][1]:
            best.append((cost, value))
    return best


def _band(axes, curves, name, color):
    epochs = np.arange(1, curves.shape[1] + 1)
    axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.2)
    axes.plot(epochs, curves.mean(axis=0), color=color, label=name)


def _bar(axes, place, values, color):
    half = half_interval(values) if len(values) > 1 else 0
    axes.bar(place, values.mean(), 0.36, yerr=half or None, capsize=4, color=color, alpha=0.6)
    axes.plot(np.full(len(values), place), values, ".", color="black", markersize=4)
    axes.annotate(f"{values.mean():.3f}", (place, 0.02), ha="center", rotation=90, fontsize="small")


@contextlib.contextmanager
def _axes(path, size, columns=1, rows=1):
    """Axes to draw on, or an array of them; the picture is written if the block succeeds."""
    # Without pyplot: no display, no global state.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    yield figure.subplots(rows, columns)
    kind = pathlib.Path(path).suffix[1:]
    # The same figures give the same bytes: no date, no random names.
    metadata = {"Date": None} if kind == "svg" else {}
    with replacing(path) as temporary, rc_context({"svg.hashsalt": "tfhrf"}):
        figure.savefig(temporary, dpi=120, format=kind, metadata=metadata)
