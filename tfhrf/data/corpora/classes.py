"""Classes of a task: labels of a corpus, chosen and merged."""

from tfhrf.data.corpora.utterance import CorpusError

# One emotion under the names that corpora give it.
_SAME = {
    "angry": "anger",
    "calm": "neutral",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}


def class_per_label(labels):
    """A class for each label."""
    return {label: (label,) for label in labels}


def parse_classes(texts, known):
    """Classes as users write them.

    Args:
        texts: list of labels, of "class=label+label" to merge some, or "all" alone.
        known: the labels that the corpus has.

    Returns:
        Dict of a class's name to the labels that belong to it.

    Raises:
        CorpusError: a label is not known, or comes twice.
    """
    if list(texts) == ["all"]:
        return class_per_label(sorted(known))
    classes: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, labels = text.strip().partition("=")
        members = tuple((labels or name).split("+"))
        taken = [label for others in classes.values() for label in others]
        for label in members:
            if label not in known:
                raise CorpusError(
                    f"The corpus has the labels {', '.join(sorted(known))}. Received: {label!r}"
                )
            if label in taken or name in classes or members.count(label) > 1:
                raise CorpusError(f"A label belongs to one class. Received: {','.join(texts)}")
        classes[name] = members
    if len(classes) < 2:
        raise CorpusError(f"A task has two classes or more. Received: {','.join(texts)!r}")
    return classes


def of_classes(utterances, classes):
    """The utterances of some classes, in their order, labelled by class.

    Args:
        utterances: list of Utterance.
        classes: dict of a class's name to the labels that belong to it.
    """
    names = {label: name for name, labels in classes.items() for label in labels}
    return [one._replace(label=names[one.label]) for one in utterances if one.label in names]


def common_classes(first, second):
    """What two corpora have in common, by the names of emotions.

    Args:
        first: classes of one, a dict as of `parse_classes`.
        second: those of the other.

    Returns:
        Two dicts with the same keys, the names of `first`.

    Raises:
        CorpusError: less than two classes are in both.
    """
    there = {_common_name(name): labels for name, labels in second.items()}
    shared = [name for name in first if _common_name(name) in there]
    if len(shared) < 2:
        raise CorpusError(
            "The corpora have less than two classes in common. "
            f"Received: {', '.join(first)} and {', '.join(second)}"
        )
    return (
        {name: first[name] for name in shared},
        {name: there[_common_name(name)] for name in shared},
    )


def _common_name(name):
    return _SAME.get(name.lower(), name.lower())
