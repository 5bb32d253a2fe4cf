"""Recordings whose file names say who speaks and how, and copies of them that lack some."""

import pathlib
import warnings

from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed

# What corpora come in, as published or converted by who passed them on.
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".m4a")


def sound_files(folder, pattern="*"):
    """The sound files below a folder, in the order of their names, one a recording.

    Upper and lower case of the suffix are alike; what macOS leaves (`._*`) is no recording. Where
    a recording is there twice in different formats, the first of SUFFIXES counts.

    Args:
        folder: path.
        pattern: of `pathlib.Path.glob`, without a suffix.

    Returns:
        List of paths.
    """
    found: dict[pathlib.Path, pathlib.Path] = {}
    for path in sorted(pathlib.Path(folder).glob(pattern)):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("._"):
            twin = found.setdefault(path.with_suffix(""), path)
            found[path.with_suffix("")] = min(
                twin, path, key=lambda one: SUFFIXES.index(one.suffix.lower())
            )
    return list(found.values())


def sound_file(stem):
    """The sound file of a path without suffix: that of SUFFIXES that is there, else .wav."""
    twins = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    twins += [twin.with_suffix(twin.suffix.upper()) for twin in twins]
    return next((twin for twin in twins if twin.exists()), twins[0])


def read_names(paths, pattern, labels, corpus, example):
    """Yields path, match and label of each file name.

    Args:
        paths: of the recordings.
        pattern: compiled regular expression of the name without suffix, with a group "emotion".
        labels: dict of what that group may be to the label.
        corpus: its name, for messages.
        example: a file name of the corpus, for messages.

    Raises:
        CorpusError: a name does not match, or its emotion is not known.
    """
    for path in paths:
        match = pattern.fullmatch(path.stem)
        if match is None:
            raise CorpusError(f"Not a file name of {corpus} (like {example}): {path}")
        if match["emotion"] not in labels:
            raise CorpusError(f"Unknown emotion '{match['emotion']}' in the file name: {path}")
        yield path, match, labels[match["emotion"]]


def acted(path, label, speaker):
    """An utterance of an actor whom nothing ties to others."""
    return Utterance(path, label, speaker, group=speaker)


def read_acted(paths, pattern, labels, corpus, example, where):
    """Utterances of recordings whose names have a group "speaker" too, as of `read_names`.

    Args:
        where: folder to name if there are no recordings.

    Raises:
        CorpusError: as `read_names`, or there are none.
    """
    named = read_names(paths, pattern, labels, corpus, example)
    utterances = [acted(path, label, match["speaker"]) for path, match, label in named]
    if not utterances:
        raise CorpusError(f"No {corpus} recordings ({example}) in: {where}")
    return utterances


def check_complete(corpus, folder, utterances, complete, missing=()):
    """Warns of a partial copy.

    Args:
        corpus: its name.
        folder: that of the copy.
        utterances: list of Utterance that are there.
        complete: how many recordings and speakers the corpus has.
        missing: names of recordings that are not there, as far as they are known.

    Raises:
        CorpusError: there are more recordings, or as many but not of as many speakers.
    """
    found = len(utterances), len({utterance.speaker for utterance in utterances})
    if found[0] >= complete[0] and found != tuple(complete):
        raise CorpusError(
            f"{corpus} has {complete[0]:,} recordings of {complete[1]} actors in {folder}. "
            f"Received: {found[0]:,} of {found[1]}"
        )
    if found[0] < complete[0]:
        names = f", missing {listed(missing)}" if missing else ""
        warnings.warn(
            f"Partial copy of {corpus} in {folder}: {found[0]:,} of {complete[0]:,} recordings and "
            f"{found[1]} of {complete[1]} actors are there{names}",
            CorpusWarning,
            stacklevel=3,
        )
