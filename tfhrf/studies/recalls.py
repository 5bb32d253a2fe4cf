"""How sure the recalls of classes, and of speakers or groups, are."""

import contextlib

import numpy as np
import scipy.stats

from tfhrf.studies.paired import counts_of, draw
from tfhrf.studies.results import ResultsError

DRAWS = 2_000


def confusions(runs, results, kind):
    """Confusions by seed and by group; by fold where a study keeps no single decisions.

    Args:
        runs: as of `tfhrf.studies.paired.counts_of`.
        results: of each, as of `tfhrf.studies.results.collect`.
        kind: "trained", "folded" or "int8".

    Returns:
        Integer array of shape (runs, groups, classes, classes), the groups' names, and what they
        are: "speaker", "group" or "fold".
    """
    with contextlib.suppress(ResultsError):
        return *counts_of(runs, kind, results[0]["folds"]), unit(results[0])
    names = sorted(results[0]["folds"])
    by_fold = [[one["folds"][name][kind]["confusion"] for name in names] for one in results]
    return np.array(by_fold), names, "fold"


def unit(results):
    """What a study's groups are: "speaker", or "group" where that is more or is not known."""
    return results.get("unit", "group")


def by_class(counts, labels):
    """Recall of every class, pooled, with a 95 % interval.

    Args:
        counts: as of `confusions`.
        labels: names of the classes.

    Returns:
        Dict of a label to (recall, low, high), of the classes that occur. Groups and seeds are
        bootstrapped; of one group and one seed it is Wilson's interval of its decisions.
    """
    pooled = counts.sum(axis=(0, 1))
    heard = pooled.sum(axis=1)
    if np.prod(counts.shape[:2]) == 1:
        return {
            label: share(pooled[place, place], heard[place])
            for place, label in enumerate(labels)
            if heard[place]
        }
    (drawn,) = draw([counts], np.random.default_rng(0), DRAWS)
    totals = drawn.sum(axis=2)
    recalls = np.diagonal(drawn, axis1=1, axis2=2) / np.maximum(totals, 1)
    found = {}
    for place, label in enumerate(labels):
        if heard[place]:
            some = recalls[totals[:, place] > 0, place]
            interval = np.quantile(some, [0.025, 0.975]).tolist()
            found[label] = (float(pooled[place, place] / heard[place]), *interval)
    return found


def by_group(counts, names):
    """Accuracy on every group with Wilson's 95 % interval, a dict of a name to three floats."""
    summed = counts.sum(axis=0)
    rights = np.trace(summed, axis1=1, axis2=2)
    totals = summed.sum(axis=(1, 2))
    return {
        name: share(right, total)
        for name, right, total in zip(names, rights, totals, strict=True)
        if total
    }


def share(right, total):
    """A share with Wilson's 95 % interval."""
    found = scipy.stats.binomtest(int(right), int(total)).proportion_ci(method="wilson")
    return float(right / total), float(found.low), float(found.high)
