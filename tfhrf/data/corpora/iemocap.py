"""IEMOCAP, English dyads of actors, improvised and scripted (Busso et al. 2008; licence-gated).

Audio is `Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav`, labels are the lines
`[12.3400 - 15.6700]<TAB>Ses01F_impro01_M003<TAB>hap<TAB>[3.5000, 2.5000, 1.5000]` of
`Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`.
"""

import collections
import pathlib
import re
import warnings
from typing import NamedTuple

from tfhrf.data.corpora.file_names import existing, sounds_by_name
from tfhrf.data.corpora.spans import checked_span
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed

LABELS = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "sur": "surprise",
}
# The common task of four classes.
FOUR = {
    "anger": ("anger",),
    "happiness": ("happiness", "excitement"),
    "neutral": ("neutral",),
    "sadness": ("sadness",),
}
TASK = {code for code, label in LABELS.items() if any(label in of for of in FOUR.values())}
SESSIONS = 5
DIALOGS = 151
# All turns of the complete corpus, by the label of its annotators; xxx: they did not agree.
TURNS = {
    "xxx": 2507,
    "fru": 1849,
    "neu": 1708,
    "ang": 1103,
    "sad": 1084,
    "exc": 1041,
    "hap": 595,
    "sur": 107,
    "fea": 40,
    "oth": 3,
    "dis": 2,
}
# Turns of the four-class task: by session, and those of improvised dialogs.
TASK_BY_SESSION = (1085, 1023, 1151, 1031, 1241)
TASK_IMPROVISED = 2943

_LINE = re.compile(
    r"\[(?P<start>[^\]]*?) - (?P<end>[^\]]*?)\]\t(?P<name>\S+)\t(?P<emotion>\S+)\t.*"
)
_NAME = re.compile(r"(?P<dialog>Ses0[1-5][FM]_(?:impro|script)\w*)_(?P<gender>[FM])\w*")


class Turn(NamedTuple):
    """One turn of a dialog with its label as it comes."""

    path: pathlib.Path
    emotion: str  # a key of TURNS
    session: str  # "Ses01"
    gender: str  # of who speaks: "F" or "M"
    dialog: str

    @property
    def improvised(self):
        return "_impro" in self.dialog


def read(data_dir, improvised=False):
    """Reads the turns whose annotators agreed on one of nine labels.

    Args:
        data_dir: the corpus folder, with `Session1` to `Session5` in it.
        improvised: the turns of improvised dialogs alone.

    Returns:
        List of Utterance: 7,529 of the complete corpus, of which 5,531 are of the four classes of
        FOUR, 2,943 of them improvised. The speaker is the session and the gender of who speaks
        ("Ses01M"); the group is the session.

    Raises:
        CorpusError: see `read_turns`.
    """
    return [
        Utterance(
            turn.path, LABELS[turn.emotion], f"{turn.session}{turn.gender}", group=turn.session
        )
        for turn in read_turns(data_dir)
        if turn.emotion in LABELS and (turn.improvised or not improvised)
    ]


def read_turns(data_dir):
    """Reads all turns, 10,039 of the complete corpus, with their labels as they come.

    Returns:
        List of Turn, by session, dialog and place in the label file. Warns of a partial copy.

    Raises:
        CorpusError: a folder or all sound is missing; a line of a label file is malformed, has an
            unknown label, names a turn of another dialog or one twice; or the copy is complete and
            its counts are not those of the corpus. Names the file and the line.
    """
    data_dir = existing(data_dir)
    sessions = [data_dir / f"Session{number}" for number in range(1, SESSIONS + 1)]
    present = [session for session in sessions if session.is_dir()]
    if not present:
        raise CorpusError(
            f"IEMOCAP has its sessions in folders that are missing. Received: no {sessions[0]}"
        )
    dialogs = [path for session in present for path in _label_files(session)]
    turns = [turn for path in dialogs for turn in _turns(path)]
    absent = [turn for turn in turns if not turn.path.is_file()]
    if turns and len(absent) == len(turns):
        raise CorpusError(
            f"There are labels of IEMOCAP and no sound: {len(turns):,} recordings are missing. "
            f"Received: no {turns[0].path}"
        )
    labelled = {path.stem for path in dialogs}
    unlabelled = [
        folder
        for session in present
        for folder in sorted((session / "sentences" / "wav").glob("Ses*"))
        if folder.is_dir() and folder.name not in labelled
    ]
    if len(dialogs) == DIALOGS and not absent:
        _check_counts(turns, data_dir)
    else:
        _warn(data_dir, [s for s in sessions if s not in present], dialogs, absent, unlabelled)
    missing = {turn.path for turn in absent}
    return [turn for turn in turns if turn.path not in missing]


def _label_files(session):
    """The label files of a session: neither its sub-folders nor what macOS leaves (`._*`)."""
    folder = session / "dialog" / "EmoEvaluation"
    if not folder.is_dir():
        raise CorpusError(
            f"IEMOCAP has its labels in a folder that is missing. Received: no {folder}"
        )
    return sorted(path for path in folder.glob("Ses*.txt") if path.is_file())


def _turns(path):
    session = path.parents[2]
    folder = session / "sentences" / "wav" / path.stem
    sounds = sounds_by_name(folder)
    seen = set()
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
        if not line.startswith("["):
            continue
        where = f"{path}, line {number}"
        match = _LINE.fullmatch(line)
        name = match and _NAME.fullmatch(match["name"])
        if match is None or name is None:
            raise CorpusError(f"Not a line of a turn of IEMOCAP: {where}. Received: {line!r}")
        if name["dialog"] != path.stem or name["dialog"][4] != session.name[-1]:
            raise CorpusError(f"A turn of another dialog: {where}. Received: {match['name']}")
        if match["name"] in seen:
            raise CorpusError(f"A turn is there twice: {where}. Received: {match['name']}")
        if match["emotion"] not in TURNS:
            raise CorpusError(f"Unknown label: {where}. Received: {match['emotion']}")
        try:
            start, end = float(match["start"]), float(match["end"])
        except ValueError:
            raise CorpusError(
                f"Not a line of a turn of IEMOCAP: {where}. Received: {line!r}"
            ) from None
        checked_span(start, end, where)
        seen.add(match["name"])
        # The gender after the session says who wears the markers; who speaks comes last.
        dialog, _ = match["name"].rsplit("_", 1)
        audio = sounds.get(match["name"], folder / f"{match['name']}.wav")
        yield Turn(audio, match["emotion"], dialog[:5], name["gender"], dialog)


def _check_counts(turns, data_dir):
    counts = collections.Counter(turn.emotion for turn in turns)
    for emotion, expected in TURNS.items():
        if counts[emotion] != expected:
            raise CorpusError(
                f"IEMOCAP has {expected} turns of '{emotion}' in "
                f"{data_dir}/Session*/dialog/EmoEvaluation. Received: {counts[emotion]}"
            )
    task = [turn for turn in turns if turn.emotion in TASK]
    for number, expected in enumerate(TASK_BY_SESSION, start=1):
        count = sum(turn.session == f"Ses0{number}" for turn in task)
        if count != expected:
            raise CorpusError(
                f"IEMOCAP has {expected} turns of the four classes in "
                f"{data_dir}/Session{number}/dialog/EmoEvaluation. Received: {count}"
            )
    count = sum(turn.improvised for turn in task)
    if count != TASK_IMPROVISED:
        raise CorpusError(
            f"IEMOCAP has {TASK_IMPROVISED} improvised turns of the four classes in "
            f"{data_dir}. Received: {count}"
        )


def _warn(data_dir, sessions, dialogs, absent, unlabelled):
    missing = [f"{session.name} is missing" for session in sessions]
    if len(dialogs) != DIALOGS:
        missing.append(f"{len(dialogs)} of {DIALOGS} label files are there")
    if absent:
        names = listed(turn.path.name for turn in absent)
        missing.append(f"{len(absent)} recordings of labelled turns are missing ({names})")
    if unlabelled:
        names = listed(folder.name for folder in unlabelled)
        missing.append(f"{len(unlabelled)} dialogs have recordings but no label file ({names})")
    warnings.warn(
        f"Partial copy of IEMOCAP in {data_dir}: {'; '.join(missing)}", CorpusWarning, stacklevel=4
    )
