"""Corpora of one's own: right tables and folders are read, every mistake is one line."""

import unicodedata
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
        (["path,label,speaker"], r"no rows\. Received: .*table\.csv"),
        (["file,label"], r"no column 'path': .*Received: file, label"),
        ([""], r"no column 'path'"),
        (replaced(3, "2.wav,,s1"), r"no label. Received: .*table\.csv, line 4"),
        (replaced(3, ",calm,s1"), r"no path\. Received: .*line 4"),
        (replaced(3, "2.wav,calm,"), r"no speaker\. Received: .*line 4"),
        (replaced(3, "9.wav,calm,s1"), r"no such recording: .*line 4; 1 of 8 are .*9\.wav"),
        (["path,label", "8.wav,a", "9.wav,b"], r"line 2; 2 of 2 are missing\. Received: .*8\.wav"),
        (replaced(3, "/2.wav,calm,s1"), r"relative to --data_dir .*line 4\. Received: /2\.wav"),
        (replaced(3, "x" * 300 + ",calm,s1"), r"no such recording: .*line 4"),
        (replaced(3, "2\0.wav,calm,s1"), r"no text \(NUL\)\. Received: .*table\.csv, line 4"),
        (replaced(3, '2.wav,"calm,s1'), r"quotation mark is not closed.*table\.csv, line 4"),
        (replaced(3, '"2.wav,calm,s1' + " " * 2**17), r"quotation mark is not closed.*line 4"),
        (replaced(3, '2.wav,"calm\n",s1'), r"label goes over two lines.*line 4"),
        (
            replaced(3, "2.wav,calm,rather,s1"),
            r"more cells .*line 4\. Received: 4 cells, 3 columns",
        ),
        (["path,LABEL,Label", "0.wav,a,b"], r"column 'label' 2 times\. Received: .*table\.csv"),
        (["path,label,label", "0.wav,a,b"], r"column 'label' 2 times\. Received: .*table\.csv"),
        (["path,label,split", "0.wav,a,train", "1.wav,b,"], r"no split\. Received: .*line 3"),
        (["path,label,group", "0.wav,a,", "1.wav,b,g"], r"no group\. Received: .*line 2"),
        (replaced(3, "../2.wav,calm,s1"), r"leaves the folder .*line 4\. Received: \.\./2\.wav"),
        (["path,label", "0.wav,a", "1.wav,a"], r"only one label .*Received: a"),
        (["path,label,start,end", "0.wav,a,1,x"], r"are seconds: .*line 2\. Received: '1', 'x'"),
        (["path,label,start,end", "0.wav,a,1,0.5"], r"ends after that: .*Received: 1 to 0\.5 s"),
        (["path,label,split", "0.wav,a,eval"], r"one of train, validation, .*Received: eval"),
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
    with pytest.raises(CorpusError, match=r"not UTF-8. Received: .*table\.csv, line 4"):
        read_table(write(sounds, rows, "latin-1"))
    with pytest.raises(CorpusError, match=r"not UTF-8. Received: .*line 1"):
        read_table(write(sounds, rows, "utf-16"))
    with pytest.raises(CorpusError, match=r"Columns are path.*Received: voice"):
        read_table(write(sounds, ROWS), columns={"voice": "speaker"})


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [rows[0].replace("path,label,speaker", " Path , LABEL,Speaker"), *rows[1:]],
        lambda rows: ["sep=,", *rows],
        lambda rows: ["SEP=;\r", *(row.replace(",", ";") + "\r" for row in rows)],
        lambda rows: [*rows[:3], ",,", " , ,", *rows[3:], ",,,"],
        lambda rows: [row.replace("2.wav", ".\\2.wav") for row in rows],
        lambda rows: [f'"{row}"'.replace(",", '", "') for row in rows],
    ],
)
def test_what_programs_make_of_a_table_is_read(sounds, change):
    found = read_table(write(sounds, change(ROWS)))
    assert found == read_table(write(sounds, ROWS))


def test_lines_are_counted_below_what_is_no_row(sounds):
    rows = ["sep=,", *replaced(3, "2.wav,,s1")]
    with pytest.raises(CorpusError, match=r"no label. Received: .*table\.csv, line 5"):
        read_table(write(sounds, rows))
    rows = replaced(3, '2.wav,calm,"s1')
    with pytest.raises(CorpusError, match=r"not closed.*table\.csv, line 6"):
        read_table(write(sounds, ["sep=,", ",,", *rows]))


@pytest.mark.filterwarnings("ignore:The label:tfhrf.data.corpora.CorpusWarning")
def test_usual_names_of_splits(sounds):
    words = ["train", "Train", "training", "dev", "VAL", "valid", "validation", "Test"]
    rows = [f"{place}.wav,{'ab'[place % 2]},{word}" for place, word in enumerate(words)]
    found = read_table(write(sounds, ["path,label,Split", *rows]))
    assert [u.split for u in found] == ["train"] * 3 + ["validation"] * 4 + ["test"]


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("speaker_id", "speaker"),
        ("SpeakerID", "speaker"),
        ("speakr", "speaker"),
        ("start time", "start"),
        ("spilt", "split"),
        ("session group", "group"),
    ],
)
def test_columns_that_may_have_been_meant_are_named(sounds, column, meant):
    rows = [row.rpartition(",")[0] for row in ROWS]
    rows = [f"{row},{column if place == 0 else ''}" for place, row in enumerate(rows)]
    with pytest.warns(CorpusWarning) as caught:
        read_table(write(sounds, rows))
    (warning,) = caught
    assert str(warning.message).startswith(
        f"The column '{column}' is not used; --columns={meant}={column} makes it the {meant}: "
    )


def test_other_columns_are_left_alone(sounds):
    for column in ("gender", "calendar", "age", "text", "transcript", "speaker_age", "Label"):
        rows = [f"{row},{column if place == 0 else ''}" for place, row in enumerate(ROWS)]
        assert len(read_table(write(sounds, rows))) == 8


def test_linked_recordings_are_in_the_folder(sounds, tmp_path):
    folder = tmp_path / "snapshot"
    folder.mkdir()
    for place in range(8):
        (folder / f"{place}.wav").symlink_to(sounds / f"{place}.wav")
    found = read_table(write(folder, ROWS))
    assert [u.path for u in found] == [folder / f"{place}.wav" for place in range(8)]
    absolute = [ROWS[0], *(f"{sounds}/{row}" for row in ROWS[1:])]
    assert len(read_table(write(folder, absolute), "/")) == 8
    with pytest.raises(CorpusError, match=r"relative to --data_dir .*line 2\. Received: /"):
        read_table(write(folder, absolute))


@pytest.mark.parametrize(("here", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_letters_with_accents_are_the_same_in_both_forms(sounds, here, there):
    name, label, speaker = "é.wav", "gêné", "Zoë"
    (sounds / "0.wav").rename(sounds / unicodedata.normalize(here, name))
    row = unicodedata.normalize(there, ",".join((name, label, speaker)))
    rows = [ROWS[0], row, f"1.wav,{label},{speaker}", *ROWS[3:]]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The label")
        found = read_table(write(sounds, rows))
    assert found[0].path == sounds / unicodedata.normalize(here, name)
    assert {(u.label, u.speaker) for u in found[:2]} == {(label, speaker)}


@pytest.mark.parametrize(("here", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_of_columns_and_patterns_are_the_same_in_both_forms(sounds, tmp_path, here, there):
    column, pattern = "Gefühl", "{label}/é_{speaker}"
    rows = [unicodedata.normalize(here, ROWS[0].replace("label", column)), *ROWS[1:]]
    columns = {"label": unicodedata.normalize(there, column)}
    assert read_table(write(sounds, rows), columns=columns) == read_table(write(sounds, ROWS))
    for place, label in enumerate(("gêné", "calm")):
        folder = tmp_path / "folders" / unicodedata.normalize(here, label)
        folder.mkdir(parents=True)
        (sounds / f"{place}.wav").rename(folder / unicodedata.normalize(here, "é_Zoë.wav"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CorpusWarning)
        found = read_folders(tmp_path / "folders", unicodedata.normalize(there, pattern))
    assert {(u.label, u.speaker) for u in found} == {("gêné", "Zoë"), ("calm", "Zoë")}


def test_speakers_like_another_are_pointed_out(sounds):
    names = ["Anna", "anna", "1", "01", "s 1", "s1", "10", "100"]
    rows = [f"{row.rpartition(',')[0]},{name}" for row, name in zip(ROWS[1:], names, strict=True)]
    with pytest.warns(CorpusWarning) as caught:
        read_table(write(sounds, [ROWS[0], *rows]))
    (warning,) = caught
    assert str(warning.message).startswith(
        "Of the speakers some look like one: '01' and '1', 'Anna' and 'anna', 's 1' and 's1': "
    )


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
    with pytest.raises(
        CorpusError, match=r"two labels, angry and calm. Received: .*0\.wav and .*copy\.wav"
    ):
        read_table(write(sounds, [*ROWS, "copy.wav,calm,s0"]))
    with pytest.raises(
        CorpusError, match=r"two speakers, s0 and s3. Received: .*0\.wav and .*copy\.wav"
    ):
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
    assert read_folders(tmp_path, "{label}/{speaker}_*.wav") == read_folders(tmp_path)
    alone = read_folders(tmp_path, "{label}/*")
    assert {u.speaker for u in alone} == {""}


def test_folders_hold_sound_of_every_format_and_nothing_hidden(tmp_path):
    folders(tmp_path)
    suffixes = [
        "au",
        "AU",
        "aac",
        "wma",
        "mp4",
        "webm",
        "amr",
        "3gp",
        "caf",
        "w64",
        "sph",
        "oga",
        "aifc",
    ]
    for number, suffix in enumerate(suffixes):
        (tmp_path / "calm" / f"bob_x{number}.{suffix}").write_bytes(b"%d" % number)
    for name in ("calm/.DS_Store", "calm/.bob_3.wav", ".ipynb_checkpoints/bob_1.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert len(read_folders(tmp_path)) == 4 + len(suffixes)


def test_linked_folders_are_entered_and_loops_are_not(tmp_path):
    folders(tmp_path / "real")
    (tmp_path / "linked").mkdir()
    for label in ("angry", "calm"):
        (tmp_path / "linked" / label).symlink_to(tmp_path / "real" / label)
    (tmp_path / "real" / "calm" / "loop").symlink_to(tmp_path / "linked")
    (tmp_path / "real" / "calm" / "here").symlink_to(tmp_path / "real" / "calm")
    found = read_folders(tmp_path / "linked")
    assert [u.path.relative_to(tmp_path / "linked").as_posix() for u in found] == [
        *("angry/ann_1.wav", "angry/bob_1.wav", "calm/ann_b_2.wav", "calm/bob_2.wav")
    ]
    (tmp_path / "real" / "calm" / "bob_2.wav").unlink()
    (tmp_path / "real" / "calm" / "bob_2.wav").symlink_to(tmp_path / "annex")
    with pytest.raises(CorpusError, match=r"1 of 4 are missing\. Received: .*bob_2\.wav$"):
        read_folders(tmp_path / "linked")


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


def test_a_cell_that_is_too_long_is_named(sounds):
    rows = [
        f"{ROWS[0]},note",
        *(f"{row},{'x' * (200_000 if row[0] == '2' else 1)}" for row in ROWS[1:]),
    ]
    with pytest.raises(CorpusError, match=r"longer than 131,072 letters.*table\.csv, line 4$"):
        read_table(write(sounds, rows))


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"no recordings in the folder. Received: "):
        read_folders(tmp_path)
    for read in (read_folders, lambda folder: read_table(write(tmp_path, ROWS), folder)):
        with pytest.raises(CorpusError, match=r"no such folder\. Received: .*nowhere$"):
            read(tmp_path / "nowhere")
