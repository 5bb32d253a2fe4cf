"""CREMA-D, American actors (Cao et al. 2014; ODbL): `AudioWAV/1001_DFA_ANG_XX.wav`."""

import pathlib
import re
import warnings

from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance

LABELS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
FILES = 7442
ACTORS = 91
# Actor, sentence, emotion, level; one file of the corpus has the level X.
_NAME = re.compile(r"(?P<actor>1\d{3})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(?:LO|MD|HI|XX?)\.wav")


def read(data_dir):
    """Reads CREMA-D, six classes: the emotion that was acted.

    Args:
        data_dir: the corpus folder, with the recordings in `AudioWAV` or in itself.

    Returns:
        List of Utterance, 7,442 of the complete corpus, by file name. The speaker is the actor's
        number, four digits. Warns of a partial copy.

    Raises:
        CorpusError: there are no recordings, a file name does not follow the corpus's scheme or
            names an unknown emotion, or there are more files or actors than in the corpus.
    """
    folder = pathlib.Path(data_dir) / "AudioWAV"
    if not folder.is_dir():
        folder = pathlib.Path(data_dir)
    utterances = []
    for path in sorted(folder.glob("*.wav")):
        if path.name.startswith("._"):
            continue
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise CorpusError(f"Not a file name of CREMA-D (like 1001_DFA_ANG_XX.wav): {path}")
        if match["emotion"] not in LABELS:
            raise CorpusError(f"Unknown emotion '{match['emotion']}' in the file name: {path}")
        utterances.append(
            Utterance(path, LABELS[match["emotion"]], match["actor"], group=match["actor"])
        )
    if not utterances:
        raise CorpusError(f"No CREMA-D recordings (1001_DFA_ANG_XX.wav) in: {folder}")
    files, actors = len(utterances), len({utterance.speaker for utterance in utterances})
    if files >= FILES and (files, actors) != (FILES, ACTORS):
        raise CorpusError(
            f"CREMA-D has {FILES:,} recordings of {ACTORS} actors in {folder}. "
            f"Received: {files:,} of {actors}"
        )
    if files < FILES:
        warnings.warn(
            f"Partial copy of CREMA-D in {folder}: {files:,} of {FILES:,} recordings and "
            f"{actors} of {ACTORS} actors are there",
            CorpusWarning,
            stacklevel=2,
        )
    return utterances
