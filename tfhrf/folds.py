"""Speaker-independent cross-validation folds."""

from typing import NamedTuple


class Fold(NamedTuple):
    """One fold: its name and the indices of its training and test utterances."""

    name: str
    train: list[int]
    test: list[int]


def leave_one_speaker_out(utterances):
    """One fold per speaker, in order of the speakers' names; nobody is on both sides.

    Args:
        utterances: list of Utterance from at least two speakers.

    Returns:
        List of Fold, named by the test speaker.

    Raises:
        ValueError: all utterances are of one speaker.
    """
    speakers = sorted({utterance.speaker for utterance in utterances})
    if len(speakers) < 2:
        raise ValueError(f"Speaker-independent folds need two speakers. Received: {speakers}")
    return [
        Fold(
            speaker,
            [i for i, utterance in enumerate(utterances) if utterance.speaker != speaker],
            [i for i, utterance in enumerate(utterances) if utterance.speaker == speaker],
        )
        for speaker in speakers
    ]
