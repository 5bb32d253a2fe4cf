"""Corpora of one's own: right tables and folders are read, every mistake is one line."""

import warnings

import numpy as np
import pytest
from sounds import write_wav

from tfhrf.data import read_folders, read_table
from tfhrf.data.corpora import CorpusError, CorpusWarning


@pytest.fixture
def sounds(tmp_path):
    """Recordings of four speakers, all different."""
    for place in range(8):
        wave = np.random.default_rng(place).normal(0, 0.1, 400)
        write_wav(tmp_path / f"{place}.wav", wave)
    return tmp_path


ROWS = [
    "path,label,speaker",
    *(f"{place}.wav,{'calm' if place % 2 else 'angry'},s{place // 2}" for place in range(8)),
]


def write(folder, rows, encoding="utf-8", name="table.csv"):
    path = folder / name
    path.write_bytes("\n".join(rows).encode(encoding))
    return path


def replaced(line, row):
    return [*ROWS[:line], row, *ROWS[line + 1 :]]


def test_a_table_is_read(sounds):
    found = read_table(write(sounds, ROWS))
    assert [u.path for u in found] == [sounds / f"{place}.wav" for place in range(8)]
    assert [u.label for u in found[:2]] == ["angry", "calm"]
    assert [u.speaker for u in found[:3]] == ["s0", "s0", "s1"]
    assert all(u.group == u.speaker and u.span is None and u.split == "" for u in found)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_bom_spaces_and_line_ends(sounds, delimiter, encoding):
    rows = [row.replace(",", f" {delimiter} ") + "\r" for row in ROWS]
    assert read_table(write(sounds, rows, encoding)) == read_table(write(sounds, ROWS))


def test_names_of_columns_may_be_given_and_the_folder_be_another(sounds, tmp_path):
    rows = ["file;emotion;actor", *(row.replace(",", ";") for row in ROWS[1:])]
    other = tmp_path / "tables"
    other.mkdir()
    columns = {"path": "file", "label": "emotion", "speaker": "actor"}
    assert read_table(write(other, rows), sounds, columns=columns) == read_table(
        write(sounds, ROWS)
    )


@pytest.mark.filterwarnings("ignore:The label:tfhrf.data.corpora.CorpusWarning")
def test_spans_splits_and_groups(sounds):
    rows = ["path,label,speaker,start,end,split,group"]
    rows += ["0.wav,a,x,0,0.01,train,g1", "0.wav,b,x,0.01,0.02,train,g1", "1.wav,a,y,,,test,g2"]
    first, second, third = read_table(write(sounds, rows))
    assert (first.span, second.span, third.span) == ((0.0, 0.01), (0.01, 0.02), None)
    assert [u.split for u in (first, second, third)] == ["train", "train", "test"]
    assert third.group == "g2"


def test_without_speakers(sounds):
    found = read_table(write(sounds, [row.rpartition(",")[0] for row in ROWS]))
    assert {u.speaker for u in found} == {""}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["path,label,speaker"], r"no rows: .*table\.csv"),
        (["file,label"], r"no column 'path': .*Received: file, label"),
        ([""], r"no column 'label'"),
        (replaced(3, "2.wav,,s1"), r"no label: .*table\.csv, line 4"),
        (replaced(3, ",calm,s1"), r"no path: .*line 4"),
        (replaced(3, "2.wav,calm,"), r"no speaker: .*line 4"),
        (replaced(3, "9.wav,calm,s1"), r"no such recording: .*line 4\. Received: .*9\.wav"),
        (replaced(3, "../2.wav,calm,s1"), r"leaves the folder .*line 4\. Received: \.\./2\.wav"),
        (["path,label", "0.wav,a", "1.wav,a"], r"only one label .*Received: a"),
        (["path,label,start,end", "0.wav,a,1,x"], r"are seconds: .*line 2\. Received: '1', 'x'"),
        (["path,label,start,end", "0.wav,a,1,0.5"], r"ends after that: .*Received: 1 to 0\.5 s"),
        (["path,label,split", "0.wav,a,dev"], r"one of train, validation, test: .*Received: dev"),
    ],
)
def test_mistakes_are_one_line(sounds, rows, message):
    with pytest.raises(CorpusError, match=message) as caught:
        read_table(write(sounds, rows))
    assert "\n" not in str(caught.value)


def test_a_missing_table_and_another_encoding_are_named(sounds):
    with pytest.raises(CorpusError, match=r"cannot be read \(No such file.*nowhere\.csv"):
        read_table(sounds / "nowhere.csv")
    rows = replaced(3, "2.wav,fröhlich,s1")
    with pytest.raises(CorpusError, match=r"not UTF-8: .*table\.csv, line 4"):
        read_table(write(sounds, rows, "latin-1"))
    with pytest.raises(CorpusError, match=r"not UTF-8: .*line 1"):
        read_table(write(sounds, rows, "utf-16"))
    with pytest.raises(CorpusError, match=r"Columns are path.*Received: voice"):
        read_table(write(sounds, ROWS), columns={"voice": "speaker"})


def many(folder, labels):
    rows = ["path,label,speaker"]
    for place, label in enumerate(labels):
        wave = np.random.default_rng(place).normal(0, 0.1, 50)
        write_wav(folder / f"many{place}.wav", wave)
        rows.append(f"many{place}.wav,{label},s{place % 3}")
    return rows


@pytest.mark.parametrize("typo", ["hapyy", "Happy"])
def test_a_label_like_another_is_pointed_out(tmp_path, typo):
    rows = many(tmp_path, ["happy"] * 12 + ["sad"] * 12 + [typo] * 1)
    with pytest.warns(CorpusWarning) as caught:
        read_table(write(tmp_path, rows))
    texts = [str(warning.message) for warning in caught]
    expected = f"The label '{typo}' (1 recordings) looks like 'happy' (12): "
    assert any(text.startswith(expected) for text in texts)
    assert any(text.startswith(f"The label '{typo}' has one speaker, s0: ") for text in texts)


def test_different_labels_are_left_alone(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_table(write(tmp_path, many(tmp_path, ["sad"] * 12 + ["mad"] * 12 + ["bad"] * 6)))


def test_a_recording_that_is_there_twice(sounds):
    (sounds / "copy.wav").write_bytes((sounds / "0.wav").read_bytes())
    with pytest.warns(CorpusWarning, match=r"^1 recordings are there twice: .*copy\.wav$"):
        read_table(write(sounds, [*ROWS, "copy.wav,angry,s0"]))
    with pytest.raises(CorpusError, match=r"two labels, angry and calm: .*0\.wav and .*copy\.wav"):
        read_table(write(sounds, [*ROWS, "copy.wav,calm,s0"]))
    with pytest.raises(CorpusError, match=r"two speakers, s0 and s3: .*0\.wav and .*copy\.wav"):
        read_table(write(sounds, [*ROWS, "copy.wav,angry,s3"]))


def folders(root):
    for place, name in enumerate(("angry/bob_1", "angry/ann_1", "calm/bob_2", "calm/ann_b_2")):
        path = root / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.random.default_rng(place).normal(0, 0.1, 400))


def test_folders_are_labels(tmp_path):
    folders(tmp_path)
    (tmp_path / "calm" / "._bob_2.wav").write_bytes(b"junk")
    (tmp_path / "calm" / "notes.txt").write_text("no sound")
    found = [(u.path.stem, u.label, u.speaker, u.group) for u in read_folders(tmp_path)]
    assert found == [
        ("ann_1", "angry", "ann", "ann"),
        ("bob_1", "angry", "bob", "bob"),
        ("ann_b_2", "calm", "ann", "ann"),
        ("bob_2", "calm", "bob", "bob"),
    ]
    alone = read_folders(tmp_path, "{label}/*")
    assert {u.speaker for u in alone} == {""}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{speaker}/*", r"one \{label\}.*'\{speaker\}/\*'"),
        ("{label}/{label}_*", r"one \{label\}"),
        ("{label}/x_*", r"4 of 4 recordings do not fit the pattern .*ann_1\.wav"),
        ("{label}/bob_*", r"2 of 4 recordings do not fit the pattern .*ann_1\.wav"),
    ],
)
def test_patterns_that_do_not_fit_are_named(tmp_path, pattern, message):
    folders(tmp_path)
    with pytest.raises(CorpusError, match=message):
        read_folders(tmp_path, pattern)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"no recordings in: .*nowhere"):
        read_folders(tmp_path / "nowhere")
