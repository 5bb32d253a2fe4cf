"""Studies against each other, pair by pair: the same folds, utterances and seeds, another model.

What differs between two arms is bootstrapped over groups (speakers, or sessions or series that tie
some together) and seeds: both are drawn with replacement, the same ones for both arms, and the
unweighted average recall of each arm is that of all decisions on the drawn groups by the drawn
seeds.
"""

import os
from typing import NamedTuple

import numpy as np

from tfhrf.studies.metrics import confusion_counts, recall
from tfhrf.studies.results import ResultsError, complete

DRAWS = 10_000


class Difference(NamedTuple):
    """How two arms differ, in UA.

    Attributes:
        mean: second minus first.
        low, high: 95 % interval of it.
        groups: dict from a group to what it differs by there, in accuracy, mean over seeds.
    """

    mean: float
    low: float
    high: float
    groups: dict


def counts_of(runs, kind="int8", folds=None):
    """Confusions of every seed and group.

    Args:
        runs: folders of finished studies that differ in their seeds alone, or for a study whose
            folds lie in several folders the list of these.
        kind: "trained", "folded" or "int8".
        folds: names of the folds that count; all if None.

    Returns:
        Integer array of shape (runs, groups, classes, classes), and the groups' names.

    Raises:
        ResultsError: a study keeps no decisions on single utterances, its folds are gone, or
            studies did not test the same groups.
    """
    found = [_by_group(run, kind, folds) for run in runs]
    names = sorted(found[0])
    if not names:
        raise ResultsError(f"No fold of the study is there. Received: {runs[0]}")
    for run, counts in zip(runs, found, strict=True):
        if sorted(counts) != names:
            raise ResultsError(f"Studies did not test the same groups. Received: {run}")
    return np.stack([[counts[name] for name in names] for counts in found]), names


def compare(first, second, seed=0, kind="int8", folds=None):
    """How the second arm differs from the first one.

    Args:
        first, second: per corpus a list of the arm's runs, both in the same order of seeds. The
            differences on several corpora are averaged.
        seed: of the draws.
        kind, folds: as of `counts_of`.

    Returns:
        Difference.

    Raises:
        ResultsError: as `counts_of`, or the arms did not test the same.
    """
    rng = np.random.default_rng(seed)
    means, draws = [], []
    groups: dict[str, float] = {}
    for before, after in zip(first, second, strict=True):
        (a, names), (b, others) = (counts_of(side, kind, folds) for side in (before, after))
        # Of every seed and group as many of each class: an arm may have left recordings out.
        if names != others or not np.array_equal(a.sum(axis=3), b.sum(axis=3)):
            raise ResultsError(
                f"Arms did not test the same seeds, groups and utterances. Received: {after[0]}"
            )
        means.append(recall(b.sum(axis=(0, 1))) - recall(a.sum(axis=(0, 1))))
        one, other = draw([b, a], rng)
        draws.append(recall(one) - recall(other))
        right = np.trace(b - a, axis1=2, axis2=3).sum(axis=0) / a.sum(axis=(0, 2, 3))
        groups |= dict(zip(names, right.tolist(), strict=True))
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    return Difference(float(np.mean(means)), float(low), float(high), groups)


def draw(sides, rng, draws=DRAWS):
    """Confusions of draws of seeds and groups, the same draws for every side.

    Args:
        sides: list of arrays of one shape, as of `counts_of`.
        rng: numpy random Generator.
        draws: how many.

    Returns:
        List of arrays of shape (draws, classes, classes).
    """
    # How often each one is drawn is all that counts.
    times, heard = (
        rng.multinomial(count, np.full(count, 1 / count), size=draws)
        for count in sides[0].shape[:2]
    )
    return [
        np.einsum("dp,dpij->dij", heard, np.einsum("ds,spij->dpij", times, side)) for side in sides
    ]


def _by_group(run, kind, folds):
    counts: dict[str, np.ndarray] = {}
    places = [run] if isinstance(run, (str, os.PathLike)) else run
    for record in (one for place in places for one in complete(place).values()):
        side = record.get("test")
        if side is None or (folds is not None and record["fold"] not in folds):
            continue
        if "groups" not in side or kind not in side["posteriors"]:
            raise ResultsError(f"No decisions on each utterance are kept. Received: {run}")
        targets, groups = np.array(side["targets"]), np.array(side["groups"])
        posteriors = np.array(side["posteriors"][kind])
        for name in np.unique(groups):
            chosen = groups == name
            found = np.array(confusion_counts(targets[chosen], posteriors[chosen]))
            counts[str(name)] = counts.get(str(name), 0) + found
    return counts
