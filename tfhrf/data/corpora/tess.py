"""TESS, two actresses from Toronto (Pichora-Fuller and Dupuis 2020; CC BY-NC-ND 4.0).

Recordings are `OAF_angry/OAF_back_angry.wav`: actress, word, emotion. The folders' names differ
between copies and are not looked at.
"""

import re

from tfhrf.data.corpora.file_names import (
    acted,
    check_complete,
    existing,
    once_each,
    read_names,
    sound_files,
)
from tfhrf.data.corpora.utterance import CorpusError

LABELS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
FILES = 2800
SPEAKERS = 2
# One file of the corpus is named OA.
_NAME = re.compile(r"(?P<speaker>OAF|YAF|OA)_[A-Za-z]+_(?P<emotion>[a-z]+)")


def read(data_dir):
    """Reads TESS, seven classes.

    Args:
        data_dir: the corpus folder; the recordings may lie in folders in it.

    Returns:
        List of Utterance, 2,800 of the complete corpus. The speaker is OAF or YAF. Warns of a
        partial copy; a recording that a copy has twice counts once.

    Raises:
        CorpusError: there are no recordings, or a file name is not one of the corpus.
    """
    data_dir = existing(data_dir)
    paths = once_each(sound_files(data_dir, deep=True))
    named = read_names(paths, _NAME, LABELS, "TESS", "OAF_back_angry.wav")
    utterances = [acted(path, label, match["speaker"][:2] + "F") for path, match, label in named]
    if not utterances:
        raise CorpusError(
            f"No recordings of TESS (OAF_angry/OAF_back_angry.wav) are in the folder. "
            f"Received: {data_dir}"
        )
    check_complete("TESS", data_dir, utterances, (FILES, SPEAKERS))
    return utterances
