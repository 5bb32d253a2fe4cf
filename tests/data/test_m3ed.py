"""M3ED's reader on small trees in its layout, from clips and from videos."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
import trees
from needs import needs
from sounds import sine, write_wav

from tfhrf.data.corpora import CorpusError, CorpusWarning, m3ed

partial = pytest.mark.filterwarnings("ignore:Partial copy:tfhrf.data.corpora.CorpusWarning")
ffmpeg = needs("ffmpeg")
SPLITS = {"train": ["anjia"], "val": ["xifu"], "test": ["qinmi"]}


def tree(root, entries, clips=True):
    """One dialog, anjia_1, of these entries by their number."""
    named = {f"anjia_1_{number}": entry for number, entry in entries.items()}
    trees.write_m3ed(root, {"anjia_1": named}, SPLITS)
    for name, entry in named.items() if clips else ():
        trees.quiet(root / "clips", f"{entry['Speaker']}_{name}.wav")
    return root


def video(root, samples, name="anjia_1"):
    """A video of a black picture, 25 frames a second, with this sound."""
    folder = root / name.rsplit("_", 1)[0]
    folder.mkdir(exist_ok=True)
    sound = write_wav(root / "sound.wav", samples)
    path = folder / f"{name}.mp4"
    picture = ["-f", "lavfi", "-i", "color=black:size=32x32:rate=25"]
    command = ["ffmpeg", "-loglevel", "error", "-y", "-i", sound, *picture, "-shortest", path]
    subprocess.run(command, check=True)
    sound.unlink()
    return path


@partial
def test_labels_speakers_splits_and_order(tmp_path):
    entries = {10: ("B", "Sad"), 9: ("A", "Happy"), 1: ("A", "Surprise")}
    tree(tmp_path, {n: trees.m3ed_entry(*entry) for n, entry in entries.items()})
    (tmp_path / "clips" / "._A_anjia_1_1.wav").write_bytes(b"junk")
    found = [(u.path.name, u.label, u.speaker, u.group, u.split) for u in m3ed.read(tmp_path)]
    assert found == [
        ("A_anjia_1_1.wav", "Surprise", "anjia_1_A", "anjia", "train"),
        ("A_anjia_1_9.wav", "Happy", "anjia_1_A", "anjia", "train"),
        ("B_anjia_1_10.wav", "Sad", "anjia_1_B", "anjia", "train"),
    ]
    assert m3ed.LABELS.index("Happy") == 0
    assert m3ed.LABELS.index("Surprise") == 6


@pytest.mark.parametrize(
    ("time", "expected"),
    [("00:00:01:03", 1.12), ("00:00:02:10", 2.4), ("01:02:03:24", 3723.96), ("00:00:00:00", 0)],
)
def test_times_count_frames(time, expected):
    assert m3ed.seconds(time) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("time", ["00:00:01:25", "00:00:01", "00:00:01.03", "", "-0:00:01:03"])
def test_wrong_times(time):
    with pytest.raises(ValueError, match="Not a time HH:MM:SS:FF"):
        m3ed.seconds(time)


@partial
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EmoAnnotation": {"final_main_emo": "Joy"}}, r"final_main_emo. Received: 'Joy'"),
        (
            {"EmoAnnotation": {"final_main_emo": "Sad", "final_mul_emo": "Sad,Joy"}},
            r"final_mul_emo. Received: 'Joy'",
        ),
        ({"EmoAnnotation": {}}, r"field EmoAnnotation is missing"),
        ({"Speaker": ""}, r"field Speaker is missing"),
        ({"Speaker": 1}, r"field Speaker is no str: .*Received: 1"),
        ({"EmoAnnotation": "Sad"}, r"field EmoAnnotation is no dict: .*Received: 'Sad'"),
        ({"EmoAnnotation": {"final_main_emo": 3}}, r"final_main_emo is no str: .*Received: 3"),
        (
            {"EmoAnnotation": {"final_main_emo": "Sad", "final_mul_emo": None}},
            r"field final_mul_emo is missing",
        ),
    ],
)
def test_wrong_labels_are_named(tmp_path, change, message):
    tree(tmp_path, {1: trees.m3ed_entry("A", "Sad"), 2: trees.m3ed_entry("A", "Sad") | change})
    with pytest.raises(CorpusError, match=message) as caught:
        m3ed.read(tmp_path)
    assert f"{tmp_path / 'annotation.json'}, utterance anjia_1_2" in str(caught.value)


@partial
def test_several_labels_are_split_on_commas(tmp_path):
    several = {
        1: trees.m3ed_entry("A", "Sad", several="Neutral,Sad"),
        2: trees.m3ed_entry("A", "Sad", several="Neutral, Sad"),
    }
    assert [u.label for u in m3ed.read(tree(tmp_path / "good", several))] == ["Sad", "Sad"]
    several[2] = trees.m3ed_entry("A", "Sad", several="Neutral,Fear")
    with pytest.warns(CorpusWarning, match=r"1 utterances have a main emotion .*anjia_1_2"):
        m3ed.read(tree(tmp_path / "odd", several))


@partial
def test_lists_of_the_split_are_checked(tmp_path):
    root = tree(tmp_path, {1: trees.m3ed_entry("A", "Sad")})
    lists = root / "splitInfo"
    (lists / "movie_list_test.txt").write_text("qinmi\n\nanjia")
    with pytest.raises(
        CorpusError, match=r"series is in two splits, train and test: .*, line 3. Received: anjia"
    ):
        m3ed.read(root)
    (lists / "movie_list_test.txt").write_text("qinmi")
    (lists / "movie_list_train.txt").write_text("other")
    with pytest.raises(CorpusError, match=r"series is in no list of .*splitInfo. Received: anjia"):
        m3ed.read(root)
    (lists / "movie_list_train.txt").write_bytes("anjia\n安家".encode("gbk"))
    with pytest.raises(
        CorpusError, match=r"is not UTF-8. Received: .*movie_list_train\.txt, line 2$"
    ):
        m3ed.read(root)
    (lists / "movie_list_train.txt").write_text("anjia\n", encoding="utf-8-sig")
    assert [u.split for u in m3ed.read(root)] == ["train"]
    (lists / "movie_list_train.txt").unlink()
    with pytest.raises(CorpusError, match=r"missing. Received: no .*movie_list_train\.txt"):
        m3ed.read(root)


def test_files_that_are_not_the_corpus_are_named(tmp_path):
    with pytest.raises(CorpusError, match=r"missing. Received: no .*annotation\.json"):
        m3ed.read(tmp_path)
    for text in (
        "{",
        "[]",
        '{"a": {"a_x": {"Dialog": {}}}}',
        '{"a": {"a_1": {}}}',
        '{"a": {"a_1": {"Dialog": ["a_1_1"]}}}',
    ):
        (tmp_path / "annotation.json").write_text(text)
        with pytest.raises(CorpusError, match=r"Not the annotation of M3ED .*annotation\.json"):
            m3ed.read(tmp_path)


@partial
def test_a_clip_cannot_be_there_twice(tmp_path):
    root = tree(tmp_path, {1: trees.m3ed_entry("A", "Sad")})
    trees.quiet(root / "again", "A_anjia_1_1.wav")
    with pytest.raises(CorpusError, match=r"twice. Received: .*again/A_anjia_1_1\.wav and .*clips"):
        m3ed.read(root)


@partial
def test_videos_are_no_clips(tmp_path):
    root = tree(tmp_path, {1: trees.m3ed_entry("A", "Sad")})
    for folder in ("anjia", "again"):
        (root / folder).mkdir()
        (root / folder / "A_anjia_1_1.mp4").touch()
    assert [u.path.suffix for u in m3ed.read(root)] == [".wav"]


def test_partial_copies_warn_of_what_is_missing(tmp_path):
    root = tree(tmp_path, {n: trees.m3ed_entry("A", "Sad") for n in (1, 2, 3)})
    (root / "clips" / "A_anjia_1_2.wav").unlink()
    with pytest.warns(CorpusWarning, match=r"1 of 990 dialogs are there; 1 utterances of 1 dialog"):
        assert len(m3ed.read(root)) == 2
    shutil.rmtree(root / "clips")
    with pytest.raises(
        CorpusError, match=r"neither clips nor videos, is in the folder. Received: "
    ):
        m3ed.read(root)


@ffmpeg
@partial
def test_sound_comes_from_videos_once(tmp_path, capsys):
    from tfhrf.data.decode import decode_spans

    # Another tone every second.
    samples = np.concatenate([sine(hertz, 1.0) for hertz in (300, 600, 900)])
    entries = {
        1: trees.m3ed_entry("A", "Sad", "00:00:00:05", "00:00:00:20"),
        2: trees.m3ed_entry("B", "Fear", "00:00:02:05", "00:00:02:20"),
    }
    root = tree(tmp_path / "m3ed", entries, clips=False)
    video(root, samples)
    cache = tmp_path / "cache"
    first, second = m3ed.read(root, cache)
    assert first.span == (0.2, 0.8)
    assert first.path == second.path
    assert first.path.parent == cache
    waves = decode_spans([first.path, second.path], [first.span, second.span])
    for wave, hertz in zip(waves, (300, 900), strict=True):
        assert len(wave) == 9600
        assert int(np.argmax(np.abs(np.fft.rfft(wave)))) * 16_000 / 9600 == pytest.approx(
            hertz, abs=2
        )
    assert "videos" in capsys.readouterr().out

    path = root / "anjia" / "anjia_1.mp4"
    path.rename(path.with_suffix(".MP4"))
    upper, _ = m3ed.read(root, tmp_path / "other")
    assert (upper.label, upper.span) == (first.label, first.span)
    path.with_suffix(".MP4").rename(path)
    capsys.readouterr()

    kept = first.path.stat().st_mtime_ns
    assert m3ed.read(root, cache) == [first, second]
    assert first.path.stat().st_mtime_ns == kept
    assert "videos" not in capsys.readouterr().out
    os.utime(root / "anjia" / "anjia_1.mp4", (1, 1))
    changed, _ = m3ed.read(root, cache)
    assert changed.path != first.path


@ffmpeg
@partial
@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("00:00:02:00", "00:00:01:00", r"end after it starts"),
        ("00:00:01:00", "00:00:01:00", r"end after it starts"),
        ("00:00:01:00", "00:00:09:00", r"beyond the end"),
        ("00:00:01:26", "00:00:02:00", r"Not a time"),
        (1.5, "00:00:02:00", r"field StartTime is no str"),
    ],
)
def test_wrong_spans_are_named(tmp_path, start, end, message):
    root = tree(tmp_path / "m3ed", {1: trees.m3ed_entry("A", "Sad", start, end)}, clips=False)
    video(root, sine(300, 3.0))
    with pytest.raises(CorpusError, match=message) as caught:
        m3ed.read(root, tmp_path / "cache")
    assert f"{root / 'annotation.json'}, utterance anjia_1_1" in str(caught.value)


@ffmpeg
@partial
def test_overlapping_spans_of_a_speaker_warn(tmp_path):
    spans = {1: ("A", 0, 10), 2: ("B", 5, 15), 3: ("A", 8, 20)}
    entries = {
        n: trees.m3ed_entry(speaker, "Sad", f"00:00:00:{start:02d}", f"00:00:00:{end:02d}")
        for n, (speaker, start, end) in spans.items()
    }
    root = tree(tmp_path / "m3ed", entries, clips=False)
    video(root, sine(300, 1.0))
    with pytest.warns(CorpusWarning, match=r"^1 utterances begin before .*annotation\.json"):
        m3ed.read(root, tmp_path / "cache")


@ffmpeg
@partial
def test_a_broken_video_is_named_and_leaves_nothing(tmp_path):
    entries = {1: trees.m3ed_entry("A", "Sad")}
    root = tree(tmp_path / "m3ed", entries, clips=False)
    (root / "anjia").mkdir()
    (root / "anjia" / "anjia_1.mp4").write_bytes(b"not a video" * 100)
    with pytest.raises(
        CorpusError, match=r"ffmpeg cannot take the sound from a video .*anjia_1\.mp4$"
    ):
        m3ed.read(root, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@partial
def test_without_ffmpeg_the_way_out_is_named(tmp_path, monkeypatch):
    root = tree(tmp_path, {1: trees.m3ed_entry("A", "Sad")}, clips=False)
    (root / "anjia").mkdir()
    (root / "anjia" / "anjia_1.mp4").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        CorpusError, match=r"ffmpeg is needed .*or give clips. Received: .*anjia_1\.mp4"
    ):
        m3ed.read(root, tmp_path / "cache")


def test_complete_corpus_has_its_counts(tmp_path):
    root = trees.complete_m3ed(tmp_path)
    read = m3ed.read(root)
    assert len(read) == 24_437
    series = {split: {u.group for u in read if u.split == split} for split in m3ed.SERIES}
    assert {split: len(names) for split, names in series.items()} == m3ed.SERIES

    path = root / "annotation.json"
    text = path.read_text()
    path.write_text(text.replace('"final_main_emo": "Fear"', '"final_main_emo": "Sad"', 1))
    with pytest.raises(CorpusError, match=r"3,957 utterances of Sad: .*Received: 3,958"):
        m3ed.read(root)

    annotation = json.loads(text)
    entries = annotation["series0"]["series0_1"]["Dialog"]
    entries |= {f"series0_1_{number}": trees.m3ed_entry("A", "Sad") for number in range(900, 912)}
    for number in range(900, 912):
        (root / "wav" / f"A_series0_1_{number}.wav").touch()
    path.write_text(json.dumps(annotation))
    assert len(m3ed.read(root)) == 24_449

    del entries["series0_1_900"]
    path.write_text(json.dumps(annotation))
    with pytest.raises(CorpusError, match=r"annotation\.json. Received: 990 and 24,448"):
        m3ed.read(root)

    path.write_text(text)
    validation = root / "splitInfo" / "movie_list_val.txt"
    moved, kept = validation.read_text().split("\n", 1)
    validation.write_text(kept)
    with (root / "splitInfo" / "movie_list_test.txt").open("a") as file:
        file.write(moved)
    with pytest.raises(CorpusError, match=r"'val': 7.*annotation\.json. Received: .*'val': 6"):
        m3ed.read(root)
