"""Recordings whose file names say who speaks and how, and copies of them that lack some."""

import pathlib
import warnings

from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed

# What corpora come in, as published or converted by who passed them on: what libsndfile or ffmpeg
# reads as sound.
SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".m4a",
    ".wave", ".bwf", ".rf64", ".w64", ".aifc", ".caf", ".au", ".snd", ".sph", ".nist", ".voc",
    ".oga", ".spx", ".mp2", ".m4b", ".aac", ".ac3", ".wma", ".amr", ".mka", ".ape", ".wv", ".tta",
)  # fmt: skip
# Their sound may be a recording, where the files are not videos beside the recordings.
VIDEOS = (".mp4", ".webm", ".3gp", ".mov", ".mkv", ".avi")


def existing(data_dir):
    """A folder that there is, as a path.

    Raises:
        CorpusError: there is none.
    """
    if not pathlib.Path(data_dir).is_dir():
        raise CorpusError(f"There is no such folder. Received: {data_dir}")
    return pathlib.Path(data_dir)


def is_file(path):
    """Whether there is a file of this name; there is none whose name is too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def sound_files(folder, *, deep=False, suffixes=SUFFIXES):
    """The sound files in a folder, in the order of their names, one a recording.

    Upper and lower case of the suffix are alike; what is hidden (`.name`) is no recording. Where a
    recording is there twice in different formats, the first of the suffixes counts.

    Args:
        folder: path.
        deep: whether those of the folders in it are found too, linked ones as well.
        suffixes: lower-case suffixes of sound files.

    Returns:
        List of paths.
    """
    found: dict[pathlib.Path, pathlib.Path] = {}
    for path in sorted(_files(pathlib.Path(folder), deep)):
        if path.suffix.lower() in suffixes:
            twin = found.setdefault(path.with_suffix(""), path)
            found[path.with_suffix("")] = min(twin, path, key=lambda one: _rank(one, suffixes))
    return list(found.values())


def _rank(path, suffixes=SUFFIXES):
    return suffixes.index(path.suffix.lower())


def _files(folder, deep, above=()):
    """Files in a folder, and in the folders in it but for those that link to one above them."""
    state = folder.stat()
    if (state.st_dev, state.st_ino) in above:
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if not path.is_dir():
            yield path
        elif deep:
            yield from _files(path, deep, (*above, (state.st_dev, state.st_ino)))


def once_each(paths):
    """Recordings in the order of their names; of one name, that of the first of SUFFIXES."""
    found: dict[str, pathlib.Path] = {}
    for path in paths:
        twin = found.setdefault(path.stem, path)
        found[path.stem] = min(twin, path, key=_rank)
    return [found[stem] for stem in sorted(found)]


def found_sounds(data_dir, inner, pattern):
    """The recordings of a corpus of one folder, and that folder.

    They are in a folder of a known name, in upper or lower case; or in the corpus folder itself;
    or else wherever files lie below it that are named like recordings of the corpus.

    Args:
        data_dir: the corpus folder.
        inner: name of the folder in it.
        pattern: compiled regular expression of a recording's name without suffix.

    Raises:
        CorpusError: the corpus folder does not exist.
    """
    data_dir = existing(data_dir)
    named = [one for one in data_dir.iterdir() if one.name.lower() == inner.lower()]
    folder = next((one for one in sorted(named) if one.is_dir()), data_dir)
    paths = sound_files(folder)
    if not paths:
        folder = data_dir
        deep = sound_files(data_dir, deep=True)
        paths = once_each(path for path in deep if pattern.fullmatch(path.stem))
    return paths, folder


def sounds_by_name(folder):
    """The sound files of a folder by their names without suffix; none if there is no folder."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sound_files(folder) if is_file(path)}


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
            raise CorpusError(f"Not a file name of {corpus} (like {example}). Received: {path}")
        if match["emotion"] not in labels:
            raise CorpusError(
                f"Unknown emotion '{match['emotion']}' in a file name. Received: {path}"
            )
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
        raise CorpusError(
            f"No recordings of {corpus} ({example}) are in the folder. Received: {where}"
        )
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
