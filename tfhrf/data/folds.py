"""Protocols: which utterances train a model, which validate it, which test it.

Utterances of one speaker, and of one group (session, series, participant), are never both in
training and in anything else. Nothing is random: the same utterances give the same folds.
"""

import bisect
import collections
import hashlib
import math
from typing import NamedTuple


class FoldError(ValueError):
    """A corpus cannot be split as asked; the message is one line."""


class Fold(NamedTuple):
    """One fold: its name and the indices of its training, validation and test utterances.

    Validation utterances are scored apart; they choose nothing. There may be none.
    """

    name: str
    train: list[int]
    validation: list[int]
    test: list[int]

    @property
    def tests(self):
        """Whether it tests anything; else it trains the model to deploy."""
        return bool(self.validation or self.test)


def without(folds, left_out):
    """Folds of the utterances that remain when some are left out.

    Args:
        folds: list of Fold.
        left_out: indices of utterances.

    Returns:
        List of Fold of the same names; indices count what remains.

    Raises:
        FoldError: nothing remains to train a fold, or to test it.
    """

    def remaining(side):
        return [index - bisect.bisect(gone, index) for index in side if index not in left_out]

    gone = sorted(left_out)
    found = [Fold(fold.name, *map(remaining, fold[1:])) for fold in folds]
    for before, now in zip(folds, found, strict=True):
        if not now.train or (before.tests and not now.tests):
            raise FoldError(
                f"No recording of a fold is left that can be used. Received: fold {now.name}"
            )
    return found


def trained_on(folds):
    """Indices of the utterances that some fold trains on, in order.

    They are the size of a corpus; what is tested alone has no say in how a model trains.

    Args:
        folds: list of Fold.
    """
    return sorted({index for fold in folds for index in fold.train})


def leave_one_speaker_out(utterances):
    """One fold per speaker, in order of the speakers' names, no validation.

    Args:
        utterances: list of Utterance from at least two speakers.

    Returns:
        List of Fold, named by the test speaker.

    Raises:
        FoldError: all utterances are of one speaker.
    """
    return _leave_one_out(utterances, [utterance.speaker for utterance in utterances], "speakers")


def leave_one_group_out(utterances):
    """As `leave_one_speaker_out`, by group instead of speaker.

    With the sessions of IEMOCAP as groups this is its usual protocol of 5 folds.
    """
    return _leave_one_out(utterances, [utterance.group for utterance in utterances], "groups")


def leave_one_of_pair_out(utterances):
    """One fold per speaker of groups of two: the other one of the group is for validation.

    With the sessions of IEMOCAP as groups these are its 10 folds. The other speaker hears and
    answers the test speaker, so it is not trained on.

    Args:
        utterances: list of Utterance from at least two groups of no more than two speakers.

    Returns:
        List of Fold, named by the test speaker.

    Raises:
        FoldError: all utterances are of one group, or a group has more speakers than two.
    """
    pairs: dict[str, set[str]] = {}
    for utterance in utterances:
        pairs.setdefault(utterance.group, set()).add(utterance.speaker)
    for group, speakers in pairs.items():
        if len(speakers) > 2:
            raise FoldError(f"Group {group} has more than two speakers. Received: {len(speakers)}")
    if len(pairs) < 2:
        raise FoldError(f"Independent folds need two groups. Received: {sorted(pairs)}")
    return [
        Fold(
            speaker,
            [i for i, one in enumerate(utterances) if one.group != group],
            [
                i
                for i, one in enumerate(utterances)
                if one.group == group and one.speaker != speaker
            ],
            [i for i, one in enumerate(utterances) if one.speaker == speaker],
        )
        for group in sorted(pairs)
        for speaker in sorted(pairs[group])
    ]


def speaker_folds(utterances, count):
    """`count` folds of about as many speakers each, no validation.

    Speakers are dealt out in order of their names like cards; where odd and even numbers are men
    and women, as in RAVDESS, an odd `count` balances them.

    Args:
        utterances: list of Utterance from at least `count` speakers.
        count: number of folds.

    Returns:
        List of Fold, named "fold1" and so on.

    Raises:
        FoldError: there are fewer speakers than folds, or than two.
    """
    return _dealt([utterance.speaker for utterance in utterances], count, "speakers")


def group_folds(utterances, count):
    """`count` folds of about as many groups each, no validation, as `speaker_folds`.

    Raises:
        FoldError: there are fewer groups than folds, or than two, or a speaker is in two groups.
    """
    group_of: dict[str, str] = {}
    for one in utterances:
        if group_of.setdefault(one.speaker, one.group) != one.group and one.speaker:
            raise FoldError(
                f"Speaker {one.speaker} is in two groups. "
                f"Received: {group_of[one.speaker]}, {one.group}"
            )
    return _dealt([utterance.group for utterance in utterances], count, "groups")


def kept_speakers(utterances):
    """One fold that keeps a third of the speakers apart, to be looked at once.

    Which ones depends on the names alone: the first third in the order of the names' SHA-256.

    Args:
        utterances: list of Utterance from at least two speakers.

    Returns:
        List of one Fold, "kept".

    Raises:
        FoldError: all utterances are of one speaker.
    """
    names = {utterance.speaker for utterance in utterances}
    if len(names) < 2:
        raise FoldError(f"Independent folds need two speakers. Received: {sorted(names)}")
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    kept = set(order[: math.ceil(len(order) / 3)])
    sides: tuple[list[int], list[int]] = ([], [])
    for index, one in enumerate(utterances):
        sides[one.speaker in kept].append(index)
    return [Fold("kept", sides[0], [], sides[1])]


def stratified_folds(utterances, count):
    """`count` folds with the same share of every class each, whoever speaks; no validation.

    Only for recordings whose speakers nobody knows: figures are too good where one speaks on both
    sides.

    Raises:
        FoldError: a class has fewer utterances than there are folds.
    """
    place = []
    seen: collections.Counter[str] = collections.Counter()
    for one in utterances:
        place.append(seen[one.label] % count)
        seen[one.label] += 1
    for label, found in seen.items():
        if found < count:
            raise FoldError(f"{count} folds need as many of '{label}'. Received: {found}")
    return _numbered(place, count)


def _dealt(keys, count, what):
    """Folds of keys that are dealt out like cards."""
    names = sorted(set(keys))
    if count < 2:
        raise FoldError(f"Independent folds need two {what}. Received: {', '.join(names)}")
    if len(names) < count:
        raise FoldError(f"{count} folds need as many {what}. Received: {len(names)}")
    dealt = {name: index % count for index, name in enumerate(names)}
    return _numbered([dealt[key] for key in keys], count)


def _numbered(place, count):
    return [
        Fold(
            f"fold{number + 1}",
            [i for i, one in enumerate(place) if one != number],
            [],
            [i for i, one in enumerate(place) if one == number],
        )
        for number in range(count)
    ]


def one_fold(utterances, train, test, name):
    """One fold: all of some utterances to train, all of others to test.

    Args:
        utterances: list of Utterance.
        train: how many of them, from the first, are to train.
        test: how many from there are to test.
        name: of the fold.

    Returns:
        List of one Fold.
    """
    indices = list(range(len(utterances)))
    return [Fold(name, indices[:train], [], indices[train : train + test])]


def official(utterances, validation):
    """The corpus's own split, one fold.

    Args:
        utterances: list of Utterance with `split`.
        validation: name of the split for validation; the others are "train" and "test".

    Returns:
        List of one Fold, "official"; a partial copy may have no validation or no test.

    Raises:
        FoldError: no utterance is in training, or all are, or a group or speaker is in two splits.
    """
    split_of: dict[tuple[str, str], str] = {}
    for one in utterances:
        # A speaker whom nothing ties to others is a group too, and named as what it is.
        for what, name in (("Speaker", one.speaker), ("Group", one.group)):
            if name and split_of.setdefault((what, name), one.split) != one.split:
                raise FoldError(
                    f"{what} {name} is in two splits. Received: {split_of[what, name]}, {one.split}"
                )
    train, held_out, test = (
        [i for i, one in enumerate(utterances) if one.split == split]
        for split in ("train", validation, "test")
    )
    if not train or not (held_out or test):
        raise FoldError(
            "The official split needs utterances to train on and to test. "
            f"Received: {len(train)} train, {len(held_out)} {validation}, {len(test)} test"
        )
    return [Fold("official", train, held_out, test)]


def _leave_one_out(utterances, keys, what):
    names = sorted(set(keys))
    if len(names) < 2:
        raise FoldError(f"Independent folds need two {what}. Received: {names}")
    return [
        Fold(
            name,
            [i for i, key in enumerate(keys) if key != name],
            [],
            [i for i, key in enumerate(keys) if key == name],
        )
        for name in names
    ]
