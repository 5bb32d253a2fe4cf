"""The readers of corpora of actors."""

import collections

import pytest
import trees
from sounds import write_wav

from tfhrf.data.corpora import CorpusError, CorpusWarning, cremad, emodb, nemo, ravdess, savee, tess

partial = pytest.mark.filterwarnings("ignore:Partial copy:tfhrf.data.corpora.CorpusWarning")


@partial
def test_ravdess_labels_and_actors(tmp_path):
    trees.ravdess_file(tmp_path, "03-01-05-02-02-01-12")
    trees.ravdess_file(tmp_path, "03-01-02-01-01-02-03", channels=2)
    trees.ravdess_file(tmp_path, "03-02-05-01-01-01-03")  # a song
    (tmp_path / "Actor_03" / "._03-01-02-01-01-02-03.wav").write_bytes(b"junk")
    found = [(u.path.name, u.label, u.speaker, u.group) for u in ravdess.read(tmp_path)]
    assert found == [
        ("03-01-02-01-01-02-03.wav", "calm", "03", "03"),
        ("03-01-05-02-02-01-12.wav", "angry", "12", "12"),
    ]


def test_ravdess_stereo_at_48_khz_is_mono_at_16_khz(tmp_path):
    from tfhrf.data.decode import decode

    speech = trees.speech(1, "anger", 0)
    paths = [
        trees.ravdess_file(tmp_path, f"03-01-05-02-02-01-{actor}", speech, channels=channels)
        for actor, channels in (("01", 1), ("02", 2))
    ]
    mono, stereo = decode(paths)
    assert abs(len(mono) - len(speech) / 3) <= 2
    assert abs(mono - stereo).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("03-01-09-01-01-01-01", "Actor_01", r"Unknown emotion '09'.*03-01-09"),
        ("03-01-05-01-01-01-02", "Actor_01", r"another actor, 02\. Received: .*Actor_01/03-01-05"),
        ("03-01-01-02-01-01-01", "Actor_01", r"no such recording\. Received: .*03-01-01-02"),
        ("03-01-05-01-01-01-25", "Actor_25", r"no such recording\. Received: .*Actor_25"),
        ("hello", "Actor_01", r"Not a file name of RAVDESS .*hello\.wav"),
    ],
)
def test_ravdess_errors_name_the_file(tmp_path, name, folder, message):
    trees.quiet(tmp_path / folder, f"{name}.wav")
    with pytest.raises(CorpusError, match=message):
        ravdess.read(tmp_path)


def test_ravdess_complete_and_partial(tmp_path):
    for actor in range(1, 25):
        folder = tmp_path / f"Actor_{actor:02d}"
        folder.mkdir()
        for emotion in range(1, 9):
            for tail in ("01-01-01", "01-01-02", "01-02-01", "01-02-02"):
                (folder / f"03-01-{emotion:02d}-{tail}-{actor:02d}.wav").touch()
                if emotion > 1:
                    (folder / f"03-01-{emotion:02d}-02{tail[2:]}-{actor:02d}.wav").touch()
    utterances = ravdess.read(tmp_path)
    counts = collections.Counter(utterance.label for utterance in utterances)
    assert len(utterances) == 1440
    assert set(counts.values()) == {96, 192}
    assert counts["neutral"] == 96
    (tmp_path / "Actor_07" / "03-01-05-01-01-01-07.wav").unlink()
    with pytest.warns(CorpusWarning, match=r"1,439 of 1,440 .* missing 03-01-05-01-01-01-07$"):
        ravdess.read(tmp_path)


def test_nothing_to_read_is_named(tmp_path):
    for reader, corpus in ((ravdess, "RAVDESS"), (cremad, "CREMA-D"), (emodb, "EMO-DB")):
        with pytest.raises(CorpusError, match=rf"No recordings of {corpus} .*"):
            reader.read(tmp_path)
    for reader in (ravdess, cremad, emodb, savee, tess, nemo):
        with pytest.raises(CorpusError, match=r"^There is no such folder\. Received: .*nowhere$"):
            reader.read(tmp_path / "nowhere")


@partial
@pytest.mark.parametrize(
    ("reader", "names"),
    [
        (ravdess, ["audio_speech_actors_01-24/Actor_01/03-01-05-01-01-01-01"]),
        (ravdess, ["actor_01/03-01-05-01-01-01-01"]),
        (ravdess, ["Actor_01/03-01-05-01-01-01-01", "speech/Actor_01/03-01-05-01-01-01-01"]),
        (ravdess, ["all/03-01-05-01-01-01-01"]),
        (cremad, ["audiowav/1001_DFA_ANG_XX"]),
        (cremad, ["data/AudioWAV/1001_DFA_ANG_XX"]),
        (emodb, ["emodb/wav/03a01Wa"]),
    ],
)
def test_copies_in_other_folders_are_found(reader, names, tmp_path):
    for name in names:
        path = tmp_path / f"{name}.wav"
        trees.quiet(path.parent, path.name)
    trees.quiet(tmp_path / "other", "music.wav")
    (found,) = reader.read(tmp_path)
    assert found.path == tmp_path / f"{names[0]}.wav"
    assert found.label == ("angry" if reader is ravdess else "anger")


@partial
def test_of_two_formats_in_two_folders_one_counts(tmp_path):
    for folder, suffix in (("mp3", ".mp3"), ("wav", ".wav")):
        trees.quiet(tmp_path / "a" / folder, f"1001_DFA_ANG_XX{suffix}.wav").rename(
            tmp_path / "a" / folder / f"1001_DFA_ANG_XX{suffix}"
        )
    (found,) = cremad.read(tmp_path)
    assert found.path.suffix == ".wav"


@partial
@pytest.mark.parametrize("folder", ["AudioWAV", "."])
def test_cremad_labels_and_actors(tmp_path, folder):
    for name in ("1001_DFA_ANG_XX", "1040_ITH_SAD_X", "1091_IEO_NEU_LO"):
        trees.quiet(tmp_path / folder, f"{name}.wav")
    (tmp_path / folder / "._1001_DFA_ANG_XX.wav").write_bytes(b"junk")
    found = [(u.path.stem, u.label, u.speaker) for u in cremad.read(tmp_path)]
    assert found == [
        ("1001_DFA_ANG_XX", "anger", "1001"),
        ("1040_ITH_SAD_X", "sadness", "1040"),
        ("1091_IEO_NEU_LO", "neutral", "1091"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1001_DFA_JOY_XX.wav", r"Unknown emotion 'JOY'.*1001_DFA_JOY"),
        ("1001-DFA-ANG-XX.wav", r"Not a file name of CREMA-D .*1001-DFA"),
    ],
)
def test_cremad_errors_name_the_file(tmp_path, name, message):
    write_wav(tmp_path / name, [0.0] * 400)
    with pytest.raises(CorpusError, match=message):
        cremad.read(tmp_path)


def test_cremad_complete_partial_and_too_many(tmp_path):
    folder = tmp_path / "AudioWAV"
    folder.mkdir()
    for number in range(7442):
        actor, take = 1001 + number % 91, number // 91
        sentence = "".join(chr(65 + take // 26**place % 26) for place in range(3))
        (folder / f"{actor}_{sentence}_ANG_XX.wav").touch()
    assert len(cremad.read(tmp_path)) == 7442
    (folder / "1001_AAA_ANG_XX.wav").rename(tmp_path / "aside")
    with pytest.warns(CorpusWarning, match=r"7,441 of 7,442 recordings and 91 of 91 actors"):
        cremad.read(tmp_path)
    (tmp_path / "aside").rename(folder / "1999_AAA_ANG_XX.wav")
    with pytest.raises(CorpusError, match=r"7,442 recordings of 91 actors .*Received: 7,442 of 92"):
        cremad.read(tmp_path)


@partial
def test_the_silent_recording_of_cremad_is_left_out(tmp_path):
    for name in ("1076_MTI_SAD_XX", "1076_MTI_SAD_LO"):
        trees.quiet(tmp_path, f"{name}.wav")
    with pytest.warns(CorpusWarning, match="1076_MTI_SAD_XX is silent"):
        (heard,) = cremad.read(tmp_path)
    assert heard.path.stem == "1076_MTI_SAD_LO"


@partial
@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (cremad, "AudioWAV/1001_DFA_ANG_XX"),
        (ravdess, "Actor_01/03-01-05-01-01-01-01"),
        (tess, "OAF_angry/OAF_back_angry"),
        (savee, "AudioData/DC/a01"),
    ],
)
def test_a_recording_may_come_in_any_format_and_counts_once(reader, name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    for suffix in (".flac", ".FLAC", ".Wav", ".mp3", ".txt"):
        path.with_suffix(suffix).write_bytes(b"not looked into")
        if suffix != ".flac":
            continue
        (found,) = reader.read(tmp_path)
        assert found.path.suffix == ".flac"
    path.with_name(f"._{path.name}.wav").write_bytes(b"junk")
    (found,) = reader.read(tmp_path)
    assert (found.path.suffix, found.label) == (".Wav", "angry" if reader is ravdess else "anger")


@partial
def test_tess_of_copies_with_other_folders(tmp_path):
    for folder in ("OAF_Fear", "TESS data/OAF_Fear"):
        trees.quiet(tmp_path / folder, "OAF_back_fear.wav")
    trees.quiet(tmp_path / "YAF_pleasant_surprised", "YAF_king_ps.wav")
    trees.quiet(tmp_path / "OAF_neutral", "OA_bite_neutral.wav")
    found = [(u.path.stem, u.label, u.speaker) for u in tess.read(tmp_path)]
    assert found == [
        ("OAF_back_fear", "fear", "OAF"),
        ("OA_bite_neutral", "neutral", "OAF"),
        ("YAF_king_ps", "surprise", "YAF"),
    ]


@partial
def test_savee_of_both_layouts(tmp_path):
    trees.quiet(tmp_path / "ALL", "JK_su15.wav")
    trees.quiet(tmp_path / "AudioData" / "DC", "sa01.wav")
    found = [(u.label, u.speaker) for u in savee.read(tmp_path)]
    assert found == [("surprise", "JK"), ("sadness", "DC")]
    trees.quiet(tmp_path / "AudioData", "n01.wav")
    with pytest.raises(
        CorpusError, match=r"speaker is none of DC, JE, JK, KL. Received: .*n01\.wav"
    ):
        savee.read(tmp_path)


def test_nemo_reads_its_table(tmp_path):
    trees.small_nemo(tmp_path, actors=2)
    gone = tmp_path / "samples" / "S0_anger_1.wav"
    gone.unlink()
    with pytest.warns(CorpusWarning, match=r"11 of 4,481 .* missing S0_anger_1"):
        found = nemo.read(tmp_path)
    assert {(u.label, u.speaker) for u in found} >= {("anger", "S1"), ("surprise", "S0")}
    table = tmp_path / "data.tsv"
    table.write_text(table.read_text().replace("\tfear\t", "\tangst\t", 1))
    with pytest.raises(CorpusError, match=r"Unknown emotion: .*data\.tsv, line 3. Received: angst"):
        nemo.read(tmp_path)
    table.write_text("path\tlabel\n")
    with pytest.raises(CorpusError, match=r"columns emotion, file_id.*Received: path, label"):
        nemo.read(tmp_path)


@partial
def test_damage_of_nemo_s_table_is_named(tmp_path):
    trees.small_nemo(tmp_path, actors=2)
    table = tmp_path / "data.tsv"
    whole = nemo.read(tmp_path)
    rows = table.read_text().splitlines()
    rows[2] = rows[2].replace("Do", '"Do')
    table.write_text("\n".join(rows))
    assert nemo.read(tmp_path) == whole
    table.write_text("\n".join([*rows[:2], rows[2].rpartition("\t")[0], *rows[3:]]))
    with pytest.raises(CorpusError, match=r"no speaker_id. Received: .*data\.tsv, line 3$"):
        nemo.read(tmp_path)
    table.write_bytes("\n".join(rows).encode() + "\nżółw".encode("iso8859_2"))
    with pytest.raises(
        CorpusError, match=rf"not UTF-8. Received: .*data\.tsv, line {len(rows) + 1}$"
    ):
        nemo.read(tmp_path)
