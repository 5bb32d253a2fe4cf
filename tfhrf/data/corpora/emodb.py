"""EMO-DB, German acted emotions (Burkhardt et al. 2005; CC0): `wav/03a01Fa.wav`."""

import pathlib
import re

from tfhrf.data.corpora.utterance import CorpusError, Utterance

# Emotion letter of the file name to label: the four emotions of IEMOCAP's task.
LABELS = {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness"}
# The corpus's other emotions, which the four-class task leaves out: boredom, disgust, fear.
LEFT_OUT = "LEA"
_NAME = re.compile(r"(?P<speaker>\d{2})[ab]\d{2}(?P<emotion>[A-Z])[a-z]?\.wav")


def read(data_dir):
    """Reads the four-class task from an EMO-DB folder.

    Args:
        data_dir: the corpus folder (with `wav/` in it).

    Returns:
        List of Utterance, sorted by file name. The speaker is the first two digits.

    Raises:
        CorpusError: the folder is missing, holds no recordings, or a file name does not follow
            the corpus's scheme or names an unknown emotion.
    """
    folder = pathlib.Path(data_dir) / "wav"
    if not folder.is_dir():
        raise CorpusError(f"EMO-DB has its recordings in a folder that is missing: {folder}")
    utterances = []
    for path in sorted(folder.glob("*.wav")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise CorpusError(f"Not a file name of EMO-DB (like 03a01Fa.wav): {path}")
        emotion = match["emotion"]
        if emotion in LABELS:
            utterances.append(Utterance(path, LABELS[emotion], match["speaker"], match["speaker"]))
        elif emotion not in LEFT_OUT:
            raise CorpusError(f"Unknown emotion letter '{emotion}' in the file name: {path}")
    if not utterances:
        raise CorpusError(f"No EMO-DB recordings of {', '.join(LABELS.values())} in: {folder}")
    return utterances
