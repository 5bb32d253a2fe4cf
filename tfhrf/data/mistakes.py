"""What looks like a mistake in recordings of one's own, and what cannot be right."""

import difflib
import re
import warnings
from collections import Counter

from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed
from tfhrf.files import checksum


def check(utterances, where):
    """Warns of what looks like a mistake: labels and speakers much like others, files twice.

    Args:
        utterances: list of Utterance.
        where: table or folder that they come from.

    Raises:
        CorpusError: there is only one label, or one recording has two labels or two speakers.
    """
    counts = Counter(utterance.label for utterance in utterances)
    if len(counts) < 2:
        raise CorpusError(f"There is only one label in {where}. Received: {next(iter(counts))}")
    speakers = {one.speaker for one in utterances}
    for label, count in sorted(counts.items()):
        twin = _twin(label, count, counts)
        if twin:
            _warn(
                f"The label '{label}' ({count} recordings) looks like '{twin}' ({counts[twin]}): "
                f"{where}"
            )
        heard = {one.speaker for one in utterances if one.label == label}
        if len(heard) == 1 < len(speakers):
            _warn(f"The label '{label}' has one speaker, {heard.pop()}: {where}")
    _check_names("speakers", speakers, where)
    _check_names("groups", {one.group for one in utterances} - speakers, where)
    _check_twice(utterances)


def _twin(label, count, counts):
    """A label with at least ten times as many recordings, or as much else, that is much alike."""
    plain = {other: other.strip().lower() for other in counts if other != label}
    for other, text in plain.items():
        if text == label.strip().lower() and counts[other] >= count:
            return other
    close = difflib.get_close_matches(label.lower(), plain.values(), 1, 0.8)
    return next(
        (other for other, text in plain.items() if text in close and counts[other] >= 10 * count),
        None,
    )


def _check_names(what, names, where):
    """Warns of names that differ in case, spaces or leading zeros alone: they may be one."""
    alike: dict[str, list[str]] = {}
    for name in sorted(names):
        plain = re.sub(r"(?<!\d)0+(?=\d)", "", "".join(name.casefold().split()))
        alike.setdefault(plain, []).append(name)
    twins = [" and ".join(map(repr, some)) for some in alike.values() if len(some) > 1]
    if twins:
        _warn(f"Of the {what} some look like one: {listed(twins)}: {where}")


def _check_twice(utterances):
    """Looks for recordings of the same bytes."""
    sizes = {one.path: one.path.stat().st_size for one in utterances}
    counts = Counter(sizes.values())
    # A file of many spans is read once, one that no other is as long as not at all.
    sums = {path: checksum(path) for path, size in sizes.items() if counts[size] > 1}
    seen: dict[tuple, Utterance] = {}
    twice = []
    for one in utterances:
        first = seen.setdefault((sums.get(one.path, one.path), one.span), one)
        if first is one:
            continue
        for what in ("label", "speaker"):
            values = [getattr(first, what), getattr(one, what)]
            if values[0] != values[1]:
                raise CorpusError(
                    f"The same recording has two {what}s, {values[0]} and {values[1]}. "
                    f"Received: {first.path} and {one.path}"
                )
        twice.append(one.path)
    if twice:
        _warn(f"{len(twice)} recordings are there twice: {listed(twice)}")


def _warn(message):
    warnings.warn(message, CorpusWarning, stacklevel=4)
