"""DAIC-WOZ, clinical interviews by a virtual interviewer (Gratch et al. 2014; licence-gated).

A session is `300_P/300_AUDIO.wav` and `300_P/300_TRANSCRIPT.csv`, separated by tabs, with the
columns start_time, stop_time, speaker (Ellie or Participant) and value. The splits with the labels
are those of AVEC 2017. These are health data of real people: no message repeats the content of a
row, and no result is kept per participant.
"""

import contextlib
import math
import warnings
import wave
from typing import NamedTuple

import numpy as np

from tfhrf.data.corpora.file_names import existing, sounds_by_name
from tfhrf.data.corpora.spans import checked_span, sound_seconds
from tfhrf.data.corpora.unquoted import finite, rows_of
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed
from tfhrf.data.sound_file import open_sound
from tfhrf.data.sound_header import AudioError

LABELS = ("healthy", "depressed")
THRESHOLD = 10  # PHQ-8 score from which on a participant counts as depressed
SESSIONS = [n for n in range(300, 493) if n not in (342, 394, 398, 460)]

SHORTEST = 1.0  # seconds of a turn; shorter ones hold a word or two

# Labelled 0 with a score of 10.
MISLABELLED = 409
# Seconds in which somebody else comes in.
INTERRUPTIONS = {373: (395.0, 428.0), 444: (286.0, 387.0)}
# The interviewer's lines are not in the transcript.
WITHOUT_ELLIE = (451, 458, 480)
# Seconds between transcript and sound; which of the two is early is heard in the sound.
MISALIGNED = {318: 34.32, 321: 3.838, 341: 6.189, 362: 16.858}
# What is said before is not interview.
SYNC = ("<sync>", "<synch>", "[sync]", "[synch]")


class Split(NamedTuple):
    """A file of labels: its columns, and the counts of the complete corpus."""

    file: str
    participant: str
    binary: str
    score: str
    sessions: int
    depressed: int  # as the file comes, without MISLABELLED


SPLITS = {
    "train": Split(
        "train_split_Depression_AVEC2017.csv",
        "Participant_ID",
        "PHQ8_Binary",
        "PHQ8_Score",
        107,
        30,
    ),
    "dev": Split(
        "dev_split_Depression_AVEC2017.csv", "Participant_ID", "PHQ8_Binary", "PHQ8_Score", 35, 12
    ),
    "test": Split("full_test_split.csv", "Participant_ID", "PHQ_Binary", "PHQ_Score", 47, 14),
}
# Who is in the test split, without labels.
TEST_WITHOUT_LABELS = "test_split_Depression_AVEC2017.csv"


def read(data_dir):
    """Reads the participants' turns: PHQ-8 binary, two classes.

    A turn is a line of the participant; lines that overlap are one turn. Turns before the marker
    of the interview's beginning, in interruptions, of removed names, and of less than a second are
    left out.

    Args:
        data_dir: the corpus folder, with `300_P` to `492_P` and the files of the splits.

    Returns:
        List of Utterance, by session and time. Speaker and group are the participant's number,
        the split is "train", "dev" or "test". Warns of a partial copy.

    Raises:
        CorpusError: a file is missing or malformed, a label contradicts its score, a participant
            is in two splits, a span is negative, empty or outside its sound, or the copy is
            complete and its counts are not those of the corpus. Names the file and the line.
    """
    data_dir = existing(data_dir)
    labels = _labels(data_dir)
    present = {}
    for number in SESSIONS:
        folder = data_dir / f"{number}_P"
        if folder.is_dir():
            present[number] = folder
    if not present:
        raise CorpusError(
            f"No session of DAIC-WOZ (like 300_P) is in the folder. Received: {data_dir}"
        )
    utterances, silent = [], []
    for number, folder in present.items():
        if number in labels:
            split, label = labels[number]
            name = f"{number}_AUDIO"
            path = {key.upper(): one for key, one in sounds_by_name(folder).items()}.get(name)
            if path is None:
                silent.append(f"{folder.name}/{name}.wav")
                continue
            utterances += [
                Utterance(path, label, str(number), str(number), span, split)
                for span in turns(number, path, folder / f"{number}_TRANSCRIPT.csv")
            ]
    _warn(data_dir, present, labels, silent)
    if not utterances:
        raise CorpusError(f"No session of DAIC-WOZ has a label and sound. Received: {data_dir}")
    return utterances


def turns(number, audio, transcript):
    """Spans of the participant's turns.

    Args:
        number: of the session.
        audio: path of its recording.
        transcript: path of its transcript.

    Returns:
        List of (start, end) in seconds of the recording, in order, without overlap.

    Raises:
        CorpusError: see `read`.
    """
    duration = sound_seconds(audio)
    spans = _participant(number, transcript)
    if number in MISALIGNED:
        shift = alignment(audio, [span for span, _ in spans], MISALIGNED[number])
        shifted = [((start + shift, end + shift), line) for (start, end), line in spans]
        # What falls off an end of the recording was not recorded.
        spans = [
            ((max(0.0, start), min(end, duration)), line)
            for (start, end), line in shifted
            if end > 0 and start < duration
        ]
    interruption = INTERRUPTIONS.get(number, (math.inf, math.inf))
    found: list[tuple[float, float]] = []
    for (start, end), line in sorted(spans):
        start, end = _span(start, end, f"{transcript}, line {line}", duration)
        if start < interruption[1] and end > interruption[0]:
            continue
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    found = [(start, end) for start, end in found if end - start >= SHORTEST]
    if not found:
        raise CorpusError(
            f"The participant says nothing of {SHORTEST:g} s or more. Received: {transcript}"
        )
    return found


def alignment(audio, spans, shift):
    """The shift of a transcript's times, `shift`, 0 or `-shift`, at which its spans are loudest.

    Args:
        audio: path of a recording.
        spans: list of (start, end) in seconds, of the person with the microphone.
        shift: seconds.
    """
    step = 0.05
    rate, samples = _samples(audio)
    block = int(step * rate)
    blocks = samples[: len(samples) // block * block].reshape(-1, block).astype(np.float32)
    level = np.log(np.mean(blocks**2, axis=1) + 1.0)
    best, loudest = 0.0, -math.inf
    for candidate in (shift, -shift, 0.0):
        inside = np.zeros(len(level), bool)
        for start, end in spans:
            first, last = (round(max(0.0, edge + candidate) / step) for edge in (start, end))
            inside[first:last] = True
        if inside.any() and not inside.all():
            contrast = level[inside].mean() - level[~inside].mean()
            if contrast > loudest:
                best, loudest = candidate, contrast
    return best


def _samples(audio):
    """Rate and samples of a recording, on the scale of 16 bits."""
    # What is there of a WAV file that was cut short is enough to hear who speaks when.
    with contextlib.suppress(wave.Error), wave.open(str(audio), "rb") as file:
        if file.getsampwidth() == 2 and file.getnchannels() == 1:
            content = file.readframes(file.getnframes())
            return file.getframerate(), np.frombuffer(content, "<i2", count=len(content) // 2)
    try:
        with open_sound(audio) as (rate, blocks):
            return rate, 2**15 * np.concatenate(list(blocks))
    except AudioError as error:
        raise CorpusError(str(error)) from None


def _participant(number, path):
    """Span and line number of the participant's lines in the interview."""
    header = ["start_time", "stop_time", "speaker", "value"]
    rows = rows_of(path, "\t", header)
    speakers = {row["speaker"] for _, row in rows}
    for speaker in speakers - {"Ellie", "Participant"}:
        line = next(line for line, row in rows if row["speaker"] == speaker)
        raise CorpusError(
            f"The speaker is neither Ellie nor Participant. Received: {path}, line {line}"
        )
    if "Ellie" not in speakers and number not in WITHOUT_ELLIE:
        raise CorpusError(f"The lines of Ellie are missing. Received: {path}")
    begin = 0
    for index, (_, row) in enumerate(rows):
        if any(marker in row["value"].lower() for marker in SYNC):
            begin = index + 1
            break
    spans = []
    for line, row in rows[begin:]:
        if row["speaker"] == "Participant" and row["value"].strip() != "scrubbed_entry":
            where = f"{path}, line {line}"
            start, end = (finite(row[name], where) for name in header[:2])
            spans.append((_span(start, end, where), line))
    return spans


def _labels(data_dir):
    """Split and label by session."""
    labels: dict[int, tuple[str, str]] = {}
    for name, split in SPLITS.items():
        path = data_dir / split.file
        if name == "test" and not path.is_file():
            known = " (only who is in it)" if (data_dir / TEST_WITHOUT_LABELS).is_file() else ""
            warnings.warn(
                f"The labels of the test split are missing{known}; there is no test: {path}",
                CorpusWarning,
                stacklevel=3,
            )
            continue
        depressed = 0
        rows = rows_of(path, ",", [split.participant, split.binary, split.score])
        for line, row in rows:
            where = f"{path}, line {line}"
            session = int(finite(row[split.participant], where))
            if session not in SESSIONS:
                raise CorpusError(f"There is no such session of DAIC-WOZ. Received: {where}")
            if session in labels:
                raise CorpusError(f"The session is already in a split. Received: {where}")
            positive = _positive(session, row[split.binary], row[split.score], where)
            depressed += positive and session != MISLABELLED
            labels[session] = name, LABELS[positive]
        if name == "test":
            _check_same_test(data_dir / TEST_WITHOUT_LABELS, path, labels)
        if (len(rows), depressed) != (split.sessions, split.depressed):
            message = (
                f"The {name} split of DAIC-WOZ has {split.sessions} sessions, {split.depressed} of "
                f"them labelled depressed ({MISLABELLED} aside): {path}. "
                f"Received: {len(rows)}, {depressed}"
            )
            if len(rows) >= split.sessions:
                raise CorpusError(message)
            warnings.warn(message, CorpusWarning, stacklevel=3)
    return labels


def _check_same_test(without, path, labels):
    """The list of the test split without labels, if it is there, names the same sessions."""
    if without.is_file():
        rows = rows_of(without, ",", ["Participant_ID"])
        for line, row in rows:
            session = int(finite(row["Participant_ID"], f"{without}, line {line}"))
            if labels.get(session, ("",))[0] != "test":
                raise CorpusError(f"A session is not in {path}. Received: {without}, line {line}")


def _positive(session, binary, score, where):
    """Whether a participant counts as depressed; one of the two cells may be empty."""
    if not binary.strip() and not score.strip():
        raise CorpusError(f"Neither a binary label nor a score. Received: {where}")
    by_score = finite(score, where) >= THRESHOLD if score.strip() else None
    if not binary.strip():
        return by_score
    if binary.strip() not in ("0", "1"):
        raise CorpusError(f"A binary label is neither 0 nor 1. Received: {where}")
    positive = binary.strip() == "1"
    if by_score is not None and by_score != positive:
        if session != MISLABELLED:
            raise CorpusError(f"The binary label contradicts the score. Received: {where}")
        return by_score
    return positive


def _span(start, end, where, duration=math.inf):
    """A span within its sound; the message does not repeat what is there instead."""
    try:
        return checked_span(start, end, where, duration)
    except CorpusError:
        raise CorpusError(
            f"A span is negative, empty or outside its sound. Received: {where}"
        ) from None


def _warn(data_dir, present, labels, silent):
    missing = [f"{number}_P" for number in SESSIONS if number not in present]
    unlabelled = [folder.name for number, folder in present.items() if number not in labels]
    parts = []
    if missing:
        parts.append(
            f"{len(present)} of {len(SESSIONS)} sessions are there, missing {listed(missing)}"
        )
    if unlabelled:
        parts.append(f"{len(unlabelled)} sessions are in no split with labels")
    if silent:
        parts.append(f"{len(silent)} recordings are missing ({listed(silent)})")
    if parts:
        warnings.warn(
            f"Partial copy of DAIC-WOZ in {data_dir}: {'; '.join(parts)}",
            CorpusWarning,
            stacklevel=3,
        )
