"""DAIC-WOZ's reader on small trees in its layout: made-up rows, every known fault."""

import numpy as np
import pytest
import soundfile
import trees
from sounds import write_broken

from tfhrf.data.corpora import CorpusError, CorpusWarning, daic_woz

pytestmark = pytest.mark.filterwarnings("ignore::tfhrf.data.corpora.CorpusWarning")
ELLIE = (0.5, 1.0, "Ellie", "hi")


def two_seconds(speaker, label, seed):
    return np.zeros(2 * 16_000)


def spans(root, number, rows, samples=None):
    """Spans that the reader makes of a transcript's rows."""
    transcript = trees.daic_session(root, number, rows, samples)
    return daic_woz.turns(number, transcript.with_name(f"{number}_AUDIO.wav"), transcript)


def test_reads_the_three_splits(tmp_path):
    trees.small_daic(tmp_path, two_seconds)
    utterances = daic_woz.read(tmp_path)
    found = {(u.speaker, u.group, u.split, u.label) for u in utterances}
    assert found == {
        ("303", "303", "train", "healthy"),
        ("304", "304", "train", "depressed"),
        ("305", "305", "train", "healthy"),
        ("310", "310", "train", "depressed"),
        ("302", "302", "dev", "healthy"),
        ("307", "307", "dev", "depressed"),
        ("300", "300", "test", "healthy"),
        ("301", "301", "test", "depressed"),
    }
    assert sum(utterance.speaker == "300" for utterance in utterances) == 3
    assert all(u.path.name == f"{u.speaker}_AUDIO.wav" for u in utterances)


def test_participant_alone_and_short_turns_left_out(tmp_path):
    rows = [
        ELLIE,
        (1.5, 3.0, "Participant", 'he said "yes'),
        (3.0, 4.0, "Ellie", "mhm"),
        (4.0, 4.5, "Participant", "no"),
        (5.0, 6.5, "Participant", ""),
        (6.5, 7.9, "Participant", "scrubbed_entry"),
    ]
    assert spans(tmp_path, 300, rows) == [(1.5, 3.0), (5.0, 6.5)]


@pytest.mark.parametrize("marker", ["<sync>", "<synch>", "[sync]", "[synch] <SYNC>"])
def test_speech_before_the_marker_is_not_interview(tmp_path, marker):
    rows = [
        (0.1, 1.9, "Participant", "testing"),
        (2.0, 3.5, "Participant", marker),
        (3.5, 4.0, "Ellie", "hi"),
        (4.0, 5.5, "Participant", "hello"),
    ]
    assert spans(tmp_path, 300, rows) == [(4.0, 5.5)]
    rows[1] = (2.0, 3.5, "Ellie", marker)
    assert spans(tmp_path, 300, rows) == [(4.0, 5.5)]


def test_overlapping_turns_are_one(tmp_path):
    rows = [
        ELLIE,
        (1.0, 3.0, "Participant", "a"),
        (2.0, 2.5, "Participant", "b"),
        (2.9, 4.0, "Participant", "c"),
        (4.0, 5.5, "Participant", "d"),
    ]
    assert spans(tmp_path, 300, rows) == [(1.0, 4.0), (4.0, 5.5)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((3.25, 1.0, "Participant", "secret"), "negative, empty or outside"),
        ((3.25, 3.25, "Participant", "secret"), "negative, empty or outside"),
        ((-1.25, 2.0, "Participant", "secret"), "negative, empty or outside"),
        ((3.25, 30.0, "Participant", "secret"), "negative, empty or outside"),
        ((3.25, "", "Participant", "secret"), "missing or malformed"),
        (("nan", 4.0, "Participant", "secret"), "missing or malformed"),
        ((3.25, 4.5, "Someone", "secret"), "neither Ellie nor Participant"),
        ((3.25,), "neither Ellie nor Participant"),
    ],
)
def test_wrong_rows_are_named_and_not_repeated(tmp_path, row, message):
    transcript = tmp_path / "300_P" / "300_TRANSCRIPT.csv"
    with pytest.raises(CorpusError, match=message) as caught:
        spans(tmp_path, 300, [ELLIE, (1.5, 2.75, "Participant", "hello"), row])
    assert str(caught.value).endswith(f"{transcript}, line 4")
    for cell in ("3.25", "secret", "Someone"):
        assert cell not in str(caught.value)


@pytest.mark.parametrize("place", [0, 2])
def test_a_cell_that_is_too_long_is_named_and_not_repeated(tmp_path, place):
    transcript = trees.daic_session(tmp_path, 300)
    lines = transcript.read_text().split("\n")
    lines[place] += "secret" * 30_000
    transcript.write_text("\n".join(lines))
    with pytest.raises(CorpusError, match=r"^A cell is longer than 131,072 letters") as caught:
        daic_woz.turns(300, transcript.with_name("300_AUDIO.wav"), transcript)
    assert str(caught.value).endswith(f". Received: {transcript}, line {place + 1}")
    assert "secret" not in str(caught.value)


def test_rounded_times_may_pass_the_end_a_little(tmp_path):
    assert spans(tmp_path, 300, [ELLIE, (6.0, 8.05, "Participant", "bye")]) == [(6.0, 8.0)]


def test_a_silent_participant_is_named(tmp_path):
    with pytest.raises(
        CorpusError, match=r"says nothing of 1 s or more. Received: .*300_TRANSCRIPT"
    ):
        spans(tmp_path, 300, [ELLIE, (1.0, 1.5, "Participant", "no")])


def test_ellie_is_missing_where_it_is_known(tmp_path):
    row = (1.0, 3.0, "Participant", "hello")
    for number in (451, 458, 480):
        assert spans(tmp_path, number, [row]) == [(1.0, 3.0)]
    with pytest.raises(
        CorpusError, match=r"lines of Ellie are missing. Received: .*300_TRANSCRIPT\.csv"
    ):
        spans(tmp_path, 300, [row])


@pytest.mark.parametrize(("number", "start", "end"), [(373, 395, 428), (444, 286, 387)])
def test_interruptions_are_left_out(tmp_path, number, start, end):
    rows = [
        ELLIE,
        (start - 3, start - 1, "Participant", "before"),
        (start - 1, start + 1, "Participant", "into"),
        (start + 5, start + 8, "Participant", "within"),
        (end - 1, end + 1, "Participant", "out of"),
        (end, end + 2, "Participant", "after"),
    ]
    samples = np.zeros((end + 4) * 16_000)
    found = spans(tmp_path, number, rows, samples)
    assert found == [(start - 3, start - 1), (end, end + 2)]
    assert len(spans(tmp_path, 300, rows, samples)) == 4


def add_tone(samples, hertz, amplitude, start, end):
    place = np.arange(round(start * 16_000), round(end * 16_000))
    samples[place] += amplitude * np.sin(2 * np.pi * hertz * place / 16_000)


@pytest.mark.parametrize("sign", [1, -1, 0])
@pytest.mark.parametrize(("number", "shift"), daic_woz.MISALIGNED.items())
def test_misaligned_transcripts_are_moved_to_where_the_sound_is(tmp_path, number, shift, sign):
    rng = np.random.default_rng(number)
    samples = rng.normal(0, 0.001, 90 * 16_000)
    true = [(38.0, 39.5), (41.0, 44.0), (49.0, 50.2), (52.5, 54.0)]
    for start, end in true:
        add_tone(samples, 200, 0.5, start, end)
    # Ellie, faint in the participant's microphone.
    for start, end in ((20.0, 24.0), (39.6, 40.9), (44.2, 48.8)):
        add_tone(samples, 400, 0.03, start, end)
    moved = [(start - sign * shift, end - sign * shift) for start, end in true]
    rows = [ELLIE, *((*span, "Participant", "hello") for span in moved)]
    np.testing.assert_allclose(spans(tmp_path, number, rows, samples), true, atol=1e-6)


def test_a_recording_that_ends_within_a_sample_can_be_listened_to(tmp_path):
    samples = np.zeros(20 * 16_000)
    add_tone(samples, 200, 0.5, 4.838, 6)
    transcript = trees.daic_session(tmp_path, 321, samples=samples)
    audio = transcript.with_name("321_AUDIO.wav")
    audio.write_bytes(audio.read_bytes()[:200_001])
    assert daic_woz.alignment(audio, [(1.0, 2.162)], 3.838) == 3.838


def test_what_a_move_pushes_off_the_recording_is_left_out(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.001, 20 * 16_000)
    add_tone(samples, 200, 0.5, 10, 13)
    shift = daic_woz.MISALIGNED[321]
    rows = [ELLIE, (10 - shift, 13 - shift, "Participant", "a"), (18, 19.9, "Participant", "b")]
    assert spans(tmp_path, 321, rows, samples) == [(pytest.approx(10), pytest.approx(13))]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(409, 0, 10)], "depressed"),
        ([(409, 1, 10)], "depressed"),
        ([(303, "", 10)], "depressed"),
        ([(303, "", 9)], "healthy"),
        ([(303, 1, "")], "depressed"),
        ([(303, 0, "")], "healthy"),
    ],
)
def test_labels_with_faults(tmp_path, rows, expected):
    for split in daic_woz.SPLITS:
        trees.daic_split(tmp_path, split, rows if split == "train" else [])
    trees.daic_session(tmp_path, rows[0][0])
    (utterance,) = daic_woz.read(tmp_path)
    assert utterance.label == expected


@pytest.mark.parametrize("split", daic_woz.SPLITS)
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((303, 0, 17), "contradicts the score"),
        ((303, 1, 7), "contradicts the score"),
        ((303, 7, 7), "neither 0 nor 1"),
        ((303, "", ""), "Neither a binary label nor a score"),
        ((303, 1, "many"), "missing or malformed"),
        (("", 1, 17), "missing or malformed"),
        ((342, 1, 17), "no such session"),
        ((300, 1, 17), "already in a split"),
    ],
)
def test_wrong_labels_are_named_and_not_repeated(tmp_path, split, row, message):
    for other in daic_woz.SPLITS:
        trees.daic_split(tmp_path, other, [(300, 0, 3), row] if other == split else [])
    with pytest.raises(CorpusError, match=message) as caught:
        daic_woz.read(tmp_path)
    assert str(caught.value).endswith(f"{daic_woz.SPLITS[split].file}, line 3")
    told = str(caught.value).split(". Received: ")[0]
    assert not {str(cell) for cell in row if cell} & set(told.split())


def test_a_session_in_two_splits_is_named(tmp_path):
    for split in daic_woz.SPLITS:
        trees.daic_split(tmp_path, split, [(300, 0, 3)] if split != "test" else [])
    with pytest.raises(CorpusError, match=r"already in a split. Received: .*dev_split.*, line 2"):
        daic_woz.read(tmp_path)


def test_lists_of_the_test_split_must_agree(tmp_path):
    trees.small_daic(tmp_path, two_seconds)
    (tmp_path / daic_woz.TEST_WITHOUT_LABELS).write_text("participant_ID,Gender\n300,0\n303,1")
    with pytest.raises(
        CorpusError, match=r"not in .*full_test_split.*Received: .*test_split.*, line 3"
    ):
        daic_woz.read(tmp_path)


def test_a_missing_column_is_named(tmp_path):
    trees.small_daic(tmp_path, two_seconds)
    path = tmp_path / "dev_split_Depression_AVEC2017.csv"
    path.write_text(path.read_text().replace("PHQ8_Binary", "Binary"))
    with pytest.raises(
        CorpusError, match=r"column PHQ8_Binary is missing. Received: .*dev_split.*, line 1"
    ):
        daic_woz.read(tmp_path)
    transcript = trees.daic_session(tmp_path, 303)
    transcript.write_text("start_time,stop_time,speaker,value")
    with pytest.raises(
        CorpusError, match=r"column start_time is missing. Received: .*303_TRANSCRIPT"
    ):
        daic_woz.turns(303, transcript.with_name("303_AUDIO.wav"), transcript)


def test_a_session_without_one_of_its_files_is_named(tmp_path):
    trees.small_daic(tmp_path, two_seconds)
    (tmp_path / "303_P" / "303_AUDIO.wav").unlink()
    with pytest.warns(CorpusWarning, match=r"1 recordings are missing \(303_P/303_AUDIO\.wav\)"):
        assert "303" not in {u.speaker for u in daic_woz.read(tmp_path)}
    (tmp_path / "304_P" / "304_TRANSCRIPT.csv").unlink()
    with pytest.raises(CorpusError, match=r"304_TRANSCRIPT\.csv$"):
        daic_woz.read(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(".WAV", "PCM_16"), (".Flac", "PCM_16"), (".wav", "FLOAT"), (".au", None)],
)
def test_a_recording_may_be_of_any_format(tmp_path, suffix, subtype):
    trees.small_daic(tmp_path, two_seconds)
    path = tmp_path / "303_P" / "303_AUDIO.wav"
    samples, rate = soundfile.read(path)
    before = daic_woz.read(tmp_path)
    path.unlink()
    soundfile.write(path.with_suffix(suffix), samples, rate, subtype)
    expected = [u._replace(path=path.with_suffix(suffix)) if u.path == path else u for u in before]
    assert daic_woz.read(tmp_path) == expected


def test_a_misaligned_recording_may_be_of_any_format(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.001, 20 * 16_000)
    add_tone(samples, 200, 0.5, 10, 13)
    audio = tmp_path / "321_AUDIO.flac"
    soundfile.write(audio, np.stack([samples, samples], axis=1), 16_000)
    assert daic_woz.alignment(audio, [(10 - 3.838, 13 - 3.838)], 3.838) == 3.838


@pytest.mark.parametrize("kind", ["empty", "junk"])
def test_a_broken_recording_is_named(tmp_path, kind):
    trees.small_daic(tmp_path, two_seconds)
    write_broken(tmp_path, kind).rename(tmp_path / "303_P" / "303_AUDIO.wav")
    with pytest.raises(CorpusError, match=r"^Audio file is .*303_AUDIO\.wav"):
        daic_woz.read(tmp_path)


def test_partial_copies_warn_of_what_is_missing(tmp_path):
    trees.small_daic(tmp_path, two_seconds)
    (tmp_path / daic_woz.SPLITS["test"].file).unlink()
    with pytest.warns(CorpusWarning) as caught:
        utterances = daic_woz.read(tmp_path)
    assert {utterance.split for utterance in utterances} == {"train", "dev"}
    text = " ".join(str(warning.message) for warning in caught)
    assert "labels of the test split are missing (only who is in it)" in text
    assert "8 of 189 sessions are there, missing 306_P, 308_P, 309_P and 178 more" in text
    assert "2 sessions are in no split with labels" in text
    assert "107 sessions, 30 of them labelled depressed" in text


def test_missing_everything_is_named(tmp_path):
    with pytest.raises(
        CorpusError, match=r"missing. Received: .*train_split_Depression_AVEC2017\.csv"
    ):
        daic_woz.read(tmp_path)
    for split in daic_woz.SPLITS:
        trees.daic_split(tmp_path, split, [])
    with pytest.raises(
        CorpusError, match=r"No session of DAIC-WOZ \(like 300_P\) is in the folder. Received: "
    ):
        daic_woz.read(tmp_path)


def test_complete_corpus_has_its_counts(tmp_path, recwarn):
    trees.complete_daic(tmp_path)
    recwarn.clear()
    utterances = daic_woz.read(tmp_path)
    assert not recwarn
    assert len(daic_woz.SESSIONS) == len({utterance.group for utterance in utterances}) == 189
    counts = {
        split: (
            len({u.group for u in utterances if u.split == split}),
            len({u.group for u in utterances if u.split == split and u.label == "depressed"}),
        )
        for split in daic_woz.SPLITS
    }
    # 30 as the file comes, and session 409.
    assert counts == {"train": (107, 31), "dev": (35, 12), "test": (47, 14)}
    path = tmp_path / "dev_split_Depression_AVEC2017.csv"
    path.write_text(path.read_text().replace(",1,15,", ",0,2,", 1))
    with pytest.raises(CorpusError, match=r"dev split .* 12 of them .*dev_split.*Received: 35, 11"):
        daic_woz.read(tmp_path)
