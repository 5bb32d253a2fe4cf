"""SAVEE, four men from Surrey (Haq and Jackson 2009; for research, from its authors).

Recordings are `AudioData/DC/sa01.wav`: speaker, emotion and number; copies that have all of them
in one folder name them `DC_sa01.wav`.
"""

import re

from tfhrf.data.corpora.file_names import acted, check_complete, existing, read_names, sound_files
from tfhrf.data.corpora.utterance import CorpusError

LABELS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
FILES = 480
SPEAKERS = ("DC", "JE", "JK", "KL")
_NAME = re.compile(r"(?:(?P<speaker>DC|JE|JK|KL)_)?(?P<emotion>[a-z]+)\d\d")


def read(data_dir):
    """Reads SAVEE, seven classes.

    Args:
        data_dir: the corpus folder; the recordings may lie in folders in it.

    Returns:
        List of Utterance, 480 of the complete corpus. The speaker is DC, JE, JK or KL. Warns of a
        partial copy.

    Raises:
        CorpusError: there are no recordings, a file name is not one of the corpus, or neither it
            nor its folder names the speaker.
    """
    data_dir = existing(data_dir)
    utterances = []
    for path, match, label in read_names(
        sound_files(data_dir, deep=True), _NAME, LABELS, "SAVEE", "DC/sa01.wav"
    ):
        speaker = match["speaker"] or path.parent.name
        if speaker not in SPEAKERS:
            raise CorpusError(f"The speaker is none of {', '.join(SPEAKERS)}. Received: {path}")
        utterances.append(acted(path, label, speaker))
    if not utterances:
        raise CorpusError(
            f"No recordings of SAVEE (AudioData/DC/sa01.wav) are in the folder. "
            f"Received: {data_dir}"
        )
    check_complete("SAVEE", data_dir, utterances, (FILES, len(SPEAKERS)))
    return utterances
