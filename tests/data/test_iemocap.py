"""IEMOCAP's reader on small trees in its layout, its traps included, and on a complete one."""

import collections

import pytest
import trees

from tfhrf.data.corpora import CorpusError, CorpusWarning, iemocap
from tfhrf.data.corpora.classes import of_classes

partial = pytest.mark.filterwarnings("ignore:Partial copy:tfhrf.data.corpora.CorpusWarning")


@partial
def test_classes_speakers_and_sessions(tmp_path):
    turns = {"F000": "neu", "M003": "exc", "F001": "hap", "M004": "xxx", "FXX0": "ang"}
    trees.iemocap_dialog(tmp_path, "Ses01F_impro05a", turns)
    trees.iemocap_dialog(tmp_path, "Ses02M_script01_1b", {"F000": "sad"})
    found = [(u.path.stem, u.label, u.speaker, u.group, u.span) for u in iemocap.read(tmp_path)]
    assert found == [
        ("Ses01F_impro05a_F000", "neutral", "Ses01F", "Ses01", None),
        ("Ses01F_impro05a_M003", "excitement", "Ses01M", "Ses01", None),
        ("Ses01F_impro05a_F001", "happiness", "Ses01F", "Ses01", None),
        ("Ses01F_impro05a_FXX0", "anger", "Ses01F", "Ses01", None),
        ("Ses02M_script01_1b_F000", "sadness", "Ses02F", "Ses02", None),
    ]
    assert all(u.path.is_file() for u in iemocap.read(tmp_path))
    improvised = iemocap.read(tmp_path, improvised=True)
    assert {u.path.parent.name for u in improvised} == {"Ses01F_impro05a"}
    every = iemocap.read_turns(tmp_path)
    assert [turn.emotion for turn in every] == ["neu", "exc", "hap", "xxx", "ang", "sad"]
    assert every[-1].dialog == "Ses02M_script01_1b"


@partial
def test_sub_folders_and_leftovers_of_macos_are_not_labels(tmp_path):
    path = trees.iemocap_dialog(tmp_path, "Ses01F_impro01", {"F000": "neu"})
    (path.parent / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07\xff[")
    for name in ("Categorical", "Self-evaluation", "Attribute"):
        (path.parent / name).mkdir()
        line = trees.iemocap_line("Ses01F_impro01_F000", "ang")
        (path.parent / name / "Ses01F_impro01.txt").write_text(line)
    (path.parent / "Ses01F_impro09.txt").mkdir()
    (utterance,) = iemocap.read(tmp_path)
    assert utterance.label == "neutral"


@partial
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            trees.iemocap_line("Ses01F_impro01_M001", "happy"),
            r"Unknown label: .*\. Received: happy$",
        ),
        (trees.iemocap_line("Ses01F_impro02_M001", "hap"), r"another dialog.*impro02_M001"),
        (trees.iemocap_line("Ses01F_impro01_F000", "hap"), r"twice"),
        (trees.iemocap_line("Ses01F_impro01_M001", "hap", 5, 4), r"end after it starts"),
        (trees.iemocap_line("Ses01F_impro01_M001", "hap", 4, 4), r"end after it starts"),
        (trees.iemocap_line("Ses01F_impro01_M001", "hap", -1, 4), r"start at 0 s or later"),
        ("[1.0 - x]\tSes01F_impro01_M001\thap\t[1, 2, 3]", r"Not a line of a turn"),
        ("[1.0 - 2.0]\tSes01F_impro01\thap\t[1, 2, 3]", r"Not a line of a turn"),
        ("[1.0 - 2.0] Ses01F_impro01_M001 hap", r"Not a line of a turn"),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, message):
    path = trees.iemocap_dialog(tmp_path, "Ses01F_impro01", {"F000": "neu"})
    lines = [*path.read_text().splitlines(), line]
    path.write_text("\n".join(lines))
    with pytest.raises(CorpusError, match=message) as caught:
        iemocap.read(tmp_path)
    assert f"{path}, line {len(lines)}" in str(caught.value)


def test_partial_copies_warn_of_what_is_missing(tmp_path):
    trees.iemocap_dialog(tmp_path, "Ses01F_impro01", {"F000": "neu", "M000": "sad"})
    (tmp_path / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav").unlink()
    trees.iemocap_dialog(tmp_path, "Ses03F_impro02", {"F000": "neu"}).unlink()
    with pytest.warns(CorpusWarning) as caught:
        (utterance,) = iemocap.read(tmp_path)
    assert utterance.path.stem == "Ses01F_impro01_F000"
    (warning,) = caught
    for part in (
        "Session2 is missing",
        "1 of 151 label files",
        "1 recordings of labelled turns are missing (Ses01F_impro01_M000.wav)",
        "1 dialogs have recordings but no label file (Ses03F_impro02)",
    ):
        assert part in str(warning.message)


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(CorpusError, match=r"no such folder. Received: .*nowhere"):
        iemocap.read(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=r"missing. Received: no .*/Session1"):
        iemocap.read(tmp_path)
    (tmp_path / "Session1" / "sentences" / "wav").mkdir(parents=True)
    with pytest.raises(CorpusError, match=r"missing. Received: no .*Session1/dialog/EmoEvaluation"):
        iemocap.read(tmp_path)


def test_labels_without_sound_are_no_copy(tmp_path):
    for dialog in ("Ses01F_impro01", "Ses02F_impro01"):
        trees.iemocap_dialog(tmp_path, dialog, {"F000": "neu", "M000": "sad"}, audio=False)
    with pytest.raises(
        CorpusError, match=r"no sound: 4 recordings .*Received: no .*Ses01F_impro01_F000\.wav$"
    ):
        iemocap.read(tmp_path)


@partial
def test_recordings_may_have_any_suffix(tmp_path):
    trees.iemocap_dialog(tmp_path, "Ses01F_impro01", {"F000": "neu", "M000": "sad"})
    folder = tmp_path / "Session1/sentences/wav/Ses01F_impro01"
    for name, suffix in (("F000", ".Wav"), ("M000", ".au")):
        path = folder / f"Ses01F_impro01_{name}.wav"
        path.rename(path.with_suffix(suffix))
    assert [u.path.suffix for u in iemocap.read(tmp_path)] == [".Wav", ".au"]


def test_complete_corpus_has_its_counts(tmp_path):
    trees.complete_iemocap(tmp_path)
    every = iemocap.read(tmp_path)
    assert len(every) == 7529
    utterances = of_classes(every, iemocap.FOUR)
    counts = collections.Counter(utterance.label for utterance in utterances)
    assert counts == {"neutral": 1708, "happiness": 1636, "anger": 1103, "sadness": 1084}
    assert len(iemocap.read_turns(tmp_path)) == 10_039
    improvised = iemocap.read(tmp_path, improvised=True)
    assert len(of_classes(improvised, iemocap.FOUR)) == 2943
    sessions = collections.Counter(utterance.group for utterance in utterances)
    assert [sessions[f"Ses0{n}"] for n in range(1, 6)] == [1085, 1023, 1151, 1031, 1241]

    path = tmp_path / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
    text = path.read_text()
    changed = text.replace("\tneu\t", "\tsad\t", 1)
    assert changed != text
    path.write_text(changed)
    with pytest.raises(CorpusError, match=r"1708 turns of 'neu' in .*Received: 1707"):
        iemocap.read(tmp_path)
    path.write_text(text)

    # The same labels, one of them in another session.
    other = tmp_path / "Session3/dialog/EmoEvaluation/Ses03F_script01_1.txt"
    assert "\tfru\t" in other.read_text()
    path.write_text(text.replace("\tneu\t", "\tfru\t", 1))
    other.write_text(other.read_text().replace("\tfru\t", "\tneu\t", 1))
    with pytest.raises(CorpusError, match=r"1023 turns of the four classes in .*Session2.*: 1022"):
        iemocap.read(tmp_path)
