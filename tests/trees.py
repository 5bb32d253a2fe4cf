"""Small corpora in the exact layout of the real ones: made-up rows, generated sound."""

import json

import numpy as np
from sounds import write_wav

from tfhrf.data.corpora import cremad, daic_woz, emodb, iemocap, m3ed, nemo, savee, synthetic, tess

VOICES = ("anger", "happiness", "neutral", "sadness")


def speech(speaker, label, seed):
    """Generated speech; labels that the synthesizer lacks take a voice of another."""
    voice = label if label in VOICES else VOICES[sum(map(ord, label)) % len(VOICES)]
    return synthetic.utterance(speaker, voice, np.random.default_rng([speaker, seed]))


def quiet(folder, name, seconds=0.1):
    """A recording whose content does not matter."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_wav(folder / name, np.zeros(round(16_000 * seconds)))


# IEMOCAP


def iemocap_line(turn, emotion, start=12.34, end=15.67):
    return f"[{start:.4f} - {end:.4f}]\t{turn}\t{emotion}\t[3.5000, 2.5000, 1.5000]"


def iemocap_dialog(root, dialog, turns, audio=True):
    """A dialog's label file and recordings; `turns` maps the last token of a turn to its label.

    Args:
        audio: True for short silence, False for none, or a function of a turn's name and label
            that returns samples.
    """
    session = root / f"Session{int(dialog[3:5])}"
    labels = session / "dialog" / "EmoEvaluation"
    sound = session / "sentences" / "wav" / dialog
    labels.mkdir(parents=True, exist_ok=True)
    sound.mkdir(parents=True, exist_ok=True)
    text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    for token, emotion in turns.items():
        name = f"{dialog}_{token}"
        text += iemocap_line(name, emotion) + "\n"
        text += "C-E1:\tExcited;\t()\nC-F1:\tHappiness;\t()\nA-E1:\tval 3; act 2; dom  2;\t()\n\n"
        if audio is True:
            quiet(sound, f"{name}.wav")
        elif audio:
            write_wav(sound / f"{name}.wav", audio(name, emotion))
    (labels / f"{dialog}.txt").write_text(text)
    return labels / f"{dialog}.txt"


def small_iemocap(root, speech=speech):
    """Ten speakers with a turn of every class each and one that nobody agreed on, in speech."""
    for session in range(1, iemocap.SESSIONS + 1):

        def voice(name, emotion, session=session):
            label = iemocap.LABELS.get(emotion, "neutral")
            return speech(2 * session + (name.rsplit("_", 1)[1][0] == "F"), label, 0)

        emotions = ["ang", "exc", "neu", "sad", "xxx"]
        turns = {
            f"{gender}{number:03d}": emotion
            for gender in "FM"
            for number, emotion in enumerate(emotions)
        }
        iemocap_dialog(root, f"Ses0{session}F_impro05a", turns, audio=voice)
        iemocap_dialog(root, f"Ses0{session}M_script01_1b", {"F000": "hap", "M000": "neu"}, voice)
    return root


def complete_iemocap(root):
    """All 10,039 turns in 151 dialogs, with empty recordings."""
    per_session = iemocap.TASK_BY_SESSION
    task = [
        label for label in ("neu", "ang", "sad", "exc", "hap") for _ in range(iemocap.TURNS[label])
    ]
    task = np.random.default_rng(0).permutation(task).tolist()
    others = [
        label
        for label, count in iemocap.TURNS.items()
        if label not in iemocap.TASK
        for _ in range(count)
    ]
    improvised_left = iemocap.TASK_IMPROVISED
    for session, (count, dialogs) in enumerate(
        zip(per_session, (28, 30, 32, 30, 31), strict=True), start=1
    ):
        improvised = min(improvised_left, count * 3 // 4)
        improvised_left -= improvised
        mine, task = task[:count], task[count:]
        rest = len(others) if session == 5 else len(others) // (6 - session)
        scripted, others = mine[improvised:] + others[:rest], others[rest:]
        half = dialogs // 2
        parts = [(f"impro{n:02d}", part) for n, part in _dealt(mine[:improvised], half)]
        parts += [(f"script{n:02d}_1", part) for n, part in _dealt(scripted, dialogs - half)]
        for dialog, part in parts:
            turns = {f"{'FM'[n % 2]}{n:03d}": label for n, label in enumerate(part)}
            name = f"Ses0{session}F_{dialog}"
            iemocap_dialog(root, name, turns, audio=False)
            for token in turns:
                (root / f"Session{session}/sentences/wav/{name}/{name}_{token}.wav").touch()
    return root


def _dealt(items, piles):
    return [(n + 1, items[n::piles]) for n in range(piles)]


# M3ED


def m3ed_entry(speaker, label, start="00:00:01:03", end="00:00:02:10", several=None):
    return {
        "StartTime": start,
        "EndTime": end,
        "Text": "-",
        "Speaker": speaker,
        "EmoAnnotation": {
            "EmoAnnotator1": label,
            "EmoAnnotator2": f"{label},Neutral",
            "final_mul_emo": several or label,
            "final_main_emo": label,
        },
    }


def write_m3ed(root, dialogs, splits):
    """Annotation and split lists.

    Args:
        dialogs: entries by utterance's name, by dialog's name.
        splits: names of series by split.
    """
    annotation: dict = {}
    for dialog, entries in dialogs.items():
        info = {letter: {"Name": "-", "Age": "mid", "Gender": "Female"} for letter in "AB"}
        series = annotation.setdefault(dialog.rsplit("_", 1)[0], {})
        series[dialog] = {"SpeakerInfo": info, "Dialog": entries}
    root.mkdir(parents=True, exist_ok=True)
    (root / "annotation.json").write_text(json.dumps(annotation), encoding="utf-8")
    (root / "splitInfo").mkdir(exist_ok=True)
    for split in ("train", "val", "test"):
        text = "".join(f"{series}\n" for series in splits.get(split, ()))
        (root / "splitInfo" / f"movie_list_{split}.txt").write_text(text, encoding="utf-8")
    return root


def small_m3ed(root, speech=speech):
    """Two series to train, one to validate, one to test, two speakers, all classes, in clips."""
    splits = {"train": ["anjia", "xifu"], "val": ["daojia"], "test": ["qinmi"]}
    dialogs = {}
    for number, series in enumerate([name for names in splits.values() for name in names]):
        entries = {}
        for index, label in enumerate(m3ed.LABELS, start=1):
            speaker = "AB"[index % 2]
            entries[f"{series}_1_{index}"] = m3ed_entry(speaker, label)
            folder = root / "wav" / series
            folder.mkdir(parents=True, exist_ok=True)
            clip = folder / f"{speaker}_{series}_1_{index}.wav"
            write_wav(clip, speech(2 * number + index % 2, label, index))
        dialogs[f"{series}_1"] = entries
    return write_m3ed(root, dialogs, splits)


def complete_m3ed(root):
    """990 dialogs of 56 series, the utterances of the public list, with empty clips."""
    names = [f"series{number}" for number in range(sum(m3ed.SERIES.values()))]
    splits, left = {}, list(names)
    for split, count in m3ed.SERIES.items():
        splits[split], left = left[:count], left[count:]
    dialogs: dict = {f"{names[n % 56]}_{n // 56 + 1}": {} for n in range(m3ed.DIALOGS)}
    clips = root / "wav"
    clips.mkdir(parents=True)
    labels = [label for label, count in m3ed.LISTED_LABELS.items() for _ in range(count)]
    for split, count in m3ed.LISTED.items():
        mine = [name for name in dialogs if name.rsplit("_", 1)[0] in splits[split]]
        for number in range(count):
            dialog = mine[number % len(mine)]
            name = f"{dialog}_{number // len(mine) + 1}"
            dialogs[dialog][name] = m3ed_entry("A", labels.pop())
            (clips / f"A_{name}.wav").touch()
    return write_m3ed(root, dialogs, splits)


# DAIC-WOZ

HEADERS = {
    "train": "Participant_ID,PHQ8_Binary,PHQ8_Score,Gender,PHQ8_NoInterest",
    "dev": "Participant_ID,PHQ8_Binary,PHQ8_Score,Gender,PHQ8_NoInterest",
    "test": "Participant_ID,PHQ_Binary,PHQ_Score,Gender",
}


def daic_session(root, number, rows=None, samples=None):
    """A session's transcript, CRLF without a last one, and recording.

    Args:
        rows: list of (start, stop, speaker, value).
        samples: of the recording; 8 s of silence if None.
    """
    folder = root / f"{number}_P"
    folder.mkdir(parents=True, exist_ok=True)
    if rows is None:
        rows = [(0.5, 1.0, "Ellie", "hi"), (1.5, 3.5, "Participant", "hello <laughter>")]
    lines = ["start_time\tstop_time\tspeaker\tvalue"]
    lines += ["\t".join(map(str, row)) for row in rows]
    transcript = folder / f"{number}_TRANSCRIPT.csv"
    transcript.write_bytes("\r\n".join(lines).encode())
    if samples is None:
        samples = np.zeros(8 * 16_000)
    write_wav(folder / f"{number}_AUDIO.wav", samples)
    return transcript


def daic_split(root, split, rows):
    """A file of labels; `rows` is a list of (number, binary, score), cells may be empty."""
    root.mkdir(parents=True, exist_ok=True)
    tail = ",1" if split == "test" else ",1,"
    lines = [HEADERS[split], *(f"{n},{binary},{score}{tail}" for n, binary, score in rows)]
    path = root / daic_woz.SPLITS[split].file
    path.write_bytes("\n".join(lines).encode())
    return path


def small_daic(root, speech=speech):
    """Four participants to train, two to develop, two to test; three turns of speech each."""
    splits = {"train": (303, 304, 305, 310), "dev": (302, 307), "test": (300, 301)}
    for split, numbers in splits.items():
        rows = []
        for place, number in enumerate(numbers):
            depressed = place % 2
            rows.append((number, depressed, 12 if depressed else 3))
            sound, turns = [np.zeros(8_000)], [(0.0, 0.5, "Ellie", "<sync>")]
            for turn in range(3 + depressed):
                samples = speech(number, "sadness" if depressed else "neutral", turn)
                start = sum(map(len, sound)) / 16_000
                sound += [samples, np.zeros(8_000)]
                stop = start + len(samples) / 16_000
                turns.append((f"{start:.3f}", f"{stop:.3f}", "Participant", "um"))
                turns.append((f"{stop:.3f}", f"{stop + 0.4:.3f}", "Ellie", "okay"))
            daic_session(root, number, turns, np.concatenate(sound))
        daic_split(root, split, rows)
    (root / daic_woz.TEST_WITHOUT_LABELS).write_text("participant_ID,Gender\n300,0\n301,1")
    return root


def complete_daic(root):
    """All 189 sessions, with silence."""
    numbers = list(daic_woz.SESSIONS)
    numbers.remove(409)
    for split, info in daic_woz.SPLITS.items():
        first = [409] if split == "train" else []
        mine = first + numbers[: info.sessions - len(first)]
        numbers = numbers[info.sessions - len(first) :]
        positive = mine[len(first) : len(first) + info.depressed]
        rows = [
            (n, int(n in positive), 10 if n == 409 else 15 if n in positive else 2) for n in mine
        ]
        daic_split(root, split, rows)
    samples = np.zeros(4 * 16_000)
    spans = [(0.5, 1.0, "Ellie", "hi"), (1.5, 3.5, "Participant", "hello")]
    for number in daic_woz.SESSIONS:
        rows = [row for row in spans if number not in daic_woz.WITHOUT_ELLIE or row[2] != "Ellie"]
        daic_session(root, number, rows, samples)
    return root


# RAVDESS and CREMA-D


def ravdess_file(root, name, samples=None, **options):
    """A recording in its actor's folder, by the corpus's name without `.wav`."""
    folder = root / f"Actor_{name[-2:]}"
    folder.mkdir(parents=True, exist_ok=True)
    samples = np.zeros(4800) if samples is None else samples
    return write_wav(folder / f"{name}.wav", samples, **{"sample_rate": 48_000, **options})


def small_ravdess(root, speech=speech, actors=6):
    """A recording of every emotion per actor, the first actor in stereo."""
    for actor in range(1, actors + 1):
        for emotion in range(1, 9):
            samples = np.repeat(speech(actor, VOICES[emotion % 4], emotion), 3)
            channels = 2 if actor == 1 else 1
            ravdess_file(
                root, f"03-01-{emotion:02d}-01-01-01-{actor:02d}", samples, channels=channels
            )
    return root


def small_cremad(root, speech=speech, actors=6):
    for actor in range(1, actors + 1):
        for number, emotion in enumerate(cremad.LABELS):
            path = quiet(root / "AudioWAV", f"{1000 + actor}_DFA_{emotion}_XX.wav")
            write_wav(path, speech(actor, cremad.LABELS[emotion], number))
    return root


def small_emodb(root, speech=speech, speakers=("03", "08", "09", "10", "11", "12")):
    for place, speaker in enumerate(speakers):
        for number, letter in enumerate(emodb.LABELS):
            write_wav(
                quiet(root / "wav", f"{speaker}a0{number}{letter}a.wav"),
                speech(place, VOICES[number % 4], number),
            )
    return root


def small_tess(root, speech=speech):
    for place, speaker in enumerate(("OAF", "YAF")):
        for number, emotion in enumerate(tess.LABELS):
            path = quiet(root / f"{speaker}_{emotion}", f"{speaker}_back_{emotion}.wav")
            write_wav(path, speech(place, VOICES[number % 4], number))
    return root


def small_savee(root, speech=speech):
    for place, speaker in enumerate(savee.SPEAKERS):
        for number, emotion in enumerate(savee.LABELS):
            path = quiet(root / "AudioData" / speaker, f"{emotion}01.wav")
            write_wav(path, speech(place, VOICES[number % 4], number))
    return root


def small_nemo(root, speech=speech, actors=6):
    rows = ["file_id\temotion\traw_text\tspeaker_id"]
    for actor in range(actors):
        for number, emotion in enumerate(nemo.LABELS):
            name = f"S{actor}_{emotion}_1"
            write_wav(quiet(root / "samples", f"{name}.wav"), speech(actor, VOICES[0], number))
            rows.append(f"{name}\t{emotion}\tDo widzenia\tS{actor}")
    (root / "data.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


# The synthetic corpus


def empty_synthetic(root):
    """Its files, with nothing in them."""
    folder = root / synthetic.VERSION
    folder.mkdir()
    for speaker in range(1, synthetic.SPEAKERS + 1):
        for label in synthetic.EMOTIONS:
            for take in range(1, synthetic.UTTERANCES + 1):
                (folder / f"speaker{speaker}_{label}_{take}.wav").touch()
    return root


# A small tree of every corpus, by the name of the dataset.
SMALL = {
    "cremad": small_cremad,
    "daic_woz": small_daic,
    "emodb": small_emodb,
    "iemocap": small_iemocap,
    "m3ed": small_m3ed,
    "nemo": small_nemo,
    "ravdess": small_ravdess,
    "savee": small_savee,
    "tess": small_tess,
}
