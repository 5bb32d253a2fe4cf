"""EMO-DB, German acted emotions (Burkhardt et al. 2005; CC0): `wav/03a01Fa.wav`."""

import re

from tfhrf.data.corpora.file_names import check_complete, found_sounds, read_acted

# Emotion letter of the file name, of the German word, to label.
LABELS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}
FOUR = ("anger", "happiness", "neutral", "sadness")  # the emotions of IEMOCAP's task
FILES = 535
SPEAKERS = 10
NAME = re.compile(r"(?P<speaker>\d{2})[ab]\d{2}(?P<emotion>[A-Z])[a-z]?")


def read(data_dir):
    """Reads EMO-DB, seven classes.

    Args:
        data_dir: the corpus folder (with `wav/` in it), the folder of the recordings, or one above.

    Returns:
        List of Utterance, 535 of the complete corpus, by file name. The speaker is the first two
        digits. Warns of a partial copy.

    Raises:
        CorpusError: the folder is missing, holds no recordings, or a file name does not follow
            the corpus's scheme or names an unknown emotion.
    """
    paths, folder = found_sounds(data_dir, "wav", NAME)
    utterances = read_acted(paths, NAME, LABELS, "EMO-DB", "wav/03a01Fa.wav", data_dir)
    check_complete("EMO-DB", folder, utterances, (FILES, SPEAKERS))
    return utterances
