"""RAVDESS, North American actors, the speech part (Livingstone and Russo 2018; CC BY-NC-SA 4.0).

Recordings are `Actor_01/03-01-05-01-02-01-01.wav`: modality, channel, emotion, intensity,
statement, repetition, actor. 48 kHz, a few in stereo.
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
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
ACTORS = 24  # odd numbers are men
_NAME = re.compile(r"03-0(?P<channel>[12])-(?P<emotion>\d\d)-\d\d-\d\d-\d\d-(?P<actor>\d\d)")
_ACTOR = re.compile(r"Actor_(\d\d)", re.IGNORECASE)
_SONG = "2"


def read(data_dir):
    """Reads the speech of RAVDESS, eight classes; its songs are left out.

    Args:
        data_dir: the corpus folder, with `Actor_01` to `Actor_24` or the recordings anywhere in it.

    Returns:
        List of Utterance, 1,440 of the complete corpus, by actor and file name. The speaker is
        the actor's number, two digits. Warns of a partial copy; a recording that a copy has twice
        counts once.

    Raises:
        CorpusError: there are no recordings, or a file name is not one of the corpus.
    """
    data_dir = existing(data_dir)
    expected = {f"{actor:02d}": _names(actor) for actor in range(1, ACTORS + 1)}
    utterances = []
    paths = [
        path
        for path in sound_files(data_dir, deep=True)
        if _ACTOR.fullmatch(path.parent.name) or _NAME.fullmatch(path.stem)
    ]
    paths = sorted(once_each(paths), key=lambda path: (path.stem[-2:], path.stem))
    for path, match, label in read_names(
        paths, _NAME, LABELS, "RAVDESS", "03-01-05-01-02-01-01.wav"
    ):
        actor = _ACTOR.fullmatch(path.parent.name)
        if actor and actor[1] != match["actor"]:
            raise CorpusError(f"A recording of another actor, {match['actor']}. Received: {path}")
        if match["channel"] == _SONG:
            continue
        if path.stem not in expected.get(match["actor"], ()):
            raise CorpusError(f"RAVDESS has no such recording. Received: {path}")
        utterances.append(acted(path, label, match["actor"]))
    if not utterances:
        raise CorpusError(
            f"No recordings of RAVDESS (Actor_01/03-01-*.wav) are in the folder. "
            f"Received: {data_dir}"
        )
    every = {name for names in expected.values() for name in names}
    missing = sorted(every - {utterance.path.stem for utterance in utterances})
    check_complete("RAVDESS", data_dir, utterances, (len(every), ACTORS), missing)
    return utterances


def _names(actor):
    """The names of an actor's recordings; there is no strong form of neutral."""
    return {
        f"03-01-{emotion}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
        for emotion in LABELS
        for intensity in (1, 2)[: 1 if LABELS[emotion] == "neutral" else 2]
        for statement in (1, 2)
        for repetition in (1, 2)
    }
