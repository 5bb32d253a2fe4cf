"""CREMA-D, American actors (Cao et al. 2014; ODbL): `AudioWAV/1001_DFA_ANG_XX.wav`."""

import re
import warnings

from tfhrf.data.corpora.file_names import check_complete, found_sounds, read_acted
from tfhrf.data.corpora.utterance import CorpusWarning

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
SILENT = "1076_MTI_SAD_XX"  # digital silence
# Actor, sentence, emotion, level; one file of the corpus has the level X.
NAME = re.compile(r"(?P<speaker>1\d{3})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(?:LO|MD|HI|XX?)")


def read(data_dir):
    """Reads CREMA-D, six classes: the emotion that was acted.

    Args:
        data_dir: the corpus folder, with the recordings in `AudioWAV` or elsewhere in it.

    Returns:
        List of Utterance, 7,441 of the complete corpus, by file name. The speaker is the actor's
        number, four digits. Warns of a partial copy, and of the silent recording, which is left
        out.

    Raises:
        CorpusError: there are no recordings, a file name does not follow the corpus's scheme or
            names an unknown emotion, or there are more files or actors than in the corpus.
    """
    paths, folder = found_sounds(data_dir, "AudioWAV", NAME)
    utterances = read_acted(paths, NAME, LABELS, "CREMA-D", "1001_DFA_ANG_XX.wav", folder)
    check_complete("CREMA-D", folder, utterances, (FILES, ACTORS))
    heard = [utterance for utterance in utterances if utterance.path.stem != SILENT]
    if len(heard) < len(utterances):
        warnings.warn(f"{SILENT} is silent and left out", CorpusWarning, stacklevel=2)
    return heard
