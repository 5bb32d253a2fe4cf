"""What recipes are asked to train and test on."""

import types
import unicodedata

import numpy as np
import pytest
import trees

pytest.importorskip("absl", reason="absl comes with the recipes")

from sounds import write_wav

from tfhrf.data.corpora import CorpusError, CorpusWarning
from tfhrf.data.corpora.classes import class_per_label, common_classes, parse_classes
from tfhrf.data.folds import FoldError
from tfhrf.studies import material

pytestmark = pytest.mark.filterwarnings("ignore:Partial copy:tfhrf.data.corpora.CorpusWarning")
NAMES = ("data_dir", "table", "columns", "labels", "protocol", "speakers", "folds")
NAMES += ("test_dataset", "test_data_dir")


def read(dataset, data_dir=None, **given):
    flags = dict.fromkeys(NAMES) | {"pattern": "{label}/{speaker}_*", "improvised": False}
    flags |= {"dataset": dataset, "data_dir": data_dir}
    return material.read(types.SimpleNamespace(**flags | given))


def read_again(found, dataset, data_dir=None, **given):
    """What the settings of a study of `found` lead to."""
    places = dict.fromkeys(material.PLACES) | {"pattern": "{label}/{speaker}_*"}
    places |= {"data_dir": data_dir, **given}
    settings = {"dataset": dataset, "protocol": found.protocol, **found.settings}
    return material.read_again(settings, types.SimpleNamespace(**places))


def quiet(speaker, label, seed):
    return np.zeros(800)


def test_four_classes_of_emodb_unless_others_are_asked_for(tmp_path):
    trees.small_emodb(tmp_path, quiet)
    four = read("emodb", tmp_path)
    assert four.corpus.labels == ("anger", "happiness", "neutral", "sadness")
    assert len(four.utterances) == 4 * 6
    assert four.settings == {}
    every = read("emodb", tmp_path, labels=["all"])
    assert len(every.corpus.labels) == 7
    assert len(every.utterances) == 7 * 6
    assert every.settings == {"labels": "all"}
    merged = read("emodb", tmp_path, labels=["bad=anger+disgust", "neutral"])
    assert merged.corpus.labels == ("bad", "neutral")
    assert [u.label for u in merged.utterances].count("bad") == 2 * 6
    assert {u.label for u in merged.utterances} == {"bad", "neutral"}
    for found in (four, every, merged):
        assert read_again(found, "emodb", tmp_path) == found
    chosen = read("emodb", tmp_path, speakers=["08", "03", "12"], protocol="leave_one_speaker_out")
    assert len(chosen.folds) == 3
    assert read_again(chosen, "emodb", tmp_path) == chosen


def test_excitement_is_happiness_unless_it_is_asked_for(tmp_path):
    trees.small_iemocap(tmp_path, quiet)
    assert {u.label for u in read("iemocap", tmp_path).utterances} >= {"happiness"}
    apart = read("iemocap", tmp_path, labels=["excitement", "neutral"])
    assert {u.label for u in apart.utterances} == {"excitement", "neutral"}
    turns = read("iemocap", tmp_path, improvised=True, protocol="leave_one_speaker_out")
    assert len(turns.folds) == 10
    assert read_again(turns, "iemocap", tmp_path) == turns


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "x"], r"has the labels a, b, c\. Received: 'x'"),
        (["a", "b=a+c"], r"belongs to one class\. Received: a,b=a\+c"),
        (["a=b", "a=c"], r"belongs to one class"),
        (["a"], r"two classes or more\. Received: 'a'"),
        ([], r"two classes or more"),
    ],
)
def test_wrong_classes_are_named(labels, message):
    with pytest.raises(CorpusError, match=message):
        parse_classes(labels, {"a", "b", "c"})


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_labels_and_speakers_are_the_same_in_both_forms(tmp_path, form):
    for speaker in ("Zoë", "Jürgen", "Ann"):
        for place, label in enumerate(("gêné", "calme", "fâché")):
            folder = tmp_path / label
            folder.mkdir(exist_ok=True)
            rng = np.random.default_rng([place, *map(ord, speaker)])
            write_wav(folder / f"{speaker}_1.wav", rng.normal(0, 0.1, 800))
    given = {
        "labels": ["tendu=gêné+fâché", "calme"],
        "speakers": ["Zoë", "Jürgen"],
    }
    in_form = {
        name: [unicodedata.normalize(form, one) for one in some] for name, some in given.items()
    }
    found = read("folders", tmp_path, **in_form)
    assert found.corpus.classes == {"tendu": ("gêné", "fâché"), "calme": ("calme",)}
    assert {one.speaker for one in found.utterances} == {"Zoë", "Jürgen"}
    for other in (read("folders", tmp_path, **given), read_again(found, "folders", tmp_path)):
        assert other.corpus.classes == found.corpus.classes
        assert other._replace(corpus=found.corpus) == found


@pytest.mark.parametrize(
    ("dataset", "given", "message"),
    [
        ("synthetic", {"pattern": "{label}/*"}, r"--pattern needs .*--dataset=synthetic$"),
        ("synthetic", {"test_data_dir": "x"}, r"needs --test_dataset.*--test_data_dir=x$"),
        ("table", {"table": "a.csv", "columns": ["path"]}, r"given as .*--columns=path$"),
        ("table", {"table": "a.csv", "columns": ["path="]}, r"given as .*--columns=path=$"),
    ],
)
def test_flags_that_nothing_would_come_of_are_named(dataset, given, message):
    with pytest.raises(CorpusError, match=message):
        read(dataset, **given)


def own(folder, speakers, column="speaker", **more):
    rows = [",".join(["path", "label", column, *more])]
    for place in range(4 * len(speakers)):
        path = folder / f"{place}.wav"
        write_wav(path, np.random.default_rng(place).normal(0, 0.1, 50))
        values = [values[place // 4] for values in more.values()]
        rows.append(",".join([path.name, "ab"[place % 2], speakers[place // 4], *values]))
    table = folder / "own.csv"
    table.write_text("\n".join(rows))
    return table


@pytest.mark.parametrize(
    ("speakers", "more", "protocol", "folds"),
    [
        ("xyz", {}, "leave_one_speaker_out", 3),
        ("abcdefghijkl", {}, "speaker_5_fold", 5),
        ("xyzw", {"group": "ggh" + "i"}, "group_3_fold", 3),
        ("xyz", {"split": ["train", "validation", "test"]}, "official", 1),
    ],
)
def test_a_table_has_the_folds_that_it_allows(speakers, more, protocol, folds, tmp_path):
    found = read("table", table=str(own(tmp_path, speakers, **more)))
    assert found.protocol == protocol
    assert len(found.folds) == folds
    assert found.settings == {"table": "own"}
    for fold in found.folds:
        train, test = ({found.utterances[i].speaker for i in side} for side in (fold[1], fold[3]))
        assert not train & test
    if protocol == "official":
        assert [len(side) for side in found.folds[0][1:]] == [4, 4, 4]


def test_without_speakers_folds_are_stratified_and_a_warning_says_so(tmp_path):
    table = own(tmp_path, "xyz", column="who")
    with pytest.warns(CorpusWarning, match="same voice may be in training and in test"):
        found = read("table", table=str(table))
    assert found.protocol == "stratified_5_fold"
    assert sorted(i for fold in found.folds for i in fold.test) == list(range(12))
    for fold in found.folds:
        assert {found.utterances[i].label for i in fold.test} == {"a", "b"}


@pytest.mark.parametrize(
    ("more", "protocol", "tested"),
    [
        ({"group": "gghi"}, "group_3_fold", [[*range(8)], [*range(8, 12)], [*range(12, 16)]]),
        ({"split": ["train", "train", "validation", "test"]}, "official", [[*range(12, 16)]]),
    ],
)
def test_groups_and_splits_count_without_speakers_too(more, protocol, tested, tmp_path):
    table = own(tmp_path, "xyzw", column="who", **more)
    with pytest.warns(CorpusWarning, match="same voice may be in training and in test"):
        found = read("table", table=str(table))
    assert found.protocol == protocol
    assert [fold.test for fold in found.folds] == tested


def test_one_group_alone_cannot_be_split(tmp_path):
    table = own(tmp_path, "xyz", group="ggg")
    with pytest.raises(FoldError, match=r"^Independent folds need two groups\. Received: g$"):
        read("table", table=str(table))


def test_a_speaker_in_two_splits_is_called_a_speaker(tmp_path):
    table = own(tmp_path, "xyx", split=["train", "train", "test"])
    with pytest.raises(FoldError, match=r"^Speaker x is in two splits\. Received: train, test$"):
        read("table", table=str(table))


def test_classes_that_a_side_of_the_split_lacks_are_named(tmp_path):
    table = own(tmp_path, "xyz", split=["train", "train", "test"])
    text = table.read_text()
    table.write_text(text.replace("8.wav,a", "8.wav,c").replace("10.wav,a", "10.wav,c"))
    with pytest.warns(CorpusWarning) as caught:
        read("table", table=str(table))
    texts = [str(warning.message) for warning in caught]
    assert "The split 'train' has no recording of: c" in texts
    assert "The split 'test' has no recording of: a" in texts
    with pytest.warns(CorpusWarning) as caught:
        read("table", table=str(table), labels=["a", "b"])
    texts = [str(warning.message) for warning in caught]
    assert [text for text in texts if "has no" in text] == [
        "The split 'test' has no recording of: a"
    ]


def test_a_study_without_a_corpus_is_named():
    with pytest.raises(CorpusError, match=r"Received: dataset=None"):
        material.read_again({}, types.SimpleNamespace())


def test_folders(tmp_path):
    for place, name in enumerate(("a/x_1", "b/x_1", "a/y_1", "b/y_1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_wav(tmp_path / f"{name}.wav", np.random.default_rng(place).normal(0, 0.1, 50))
    found = read("folders", tmp_path)
    assert found.corpus.labels == ("a", "b")
    assert [fold.name for fold in found.folds] == ["x", "y"]
    again = read_again(found, "folders", tmp_path)
    assert (again.utterances, again.folds) == (found.utterances, found.folds)


def test_one_corpus_to_train_another_to_test(tmp_path):
    trees.small_emodb(tmp_path / "emodb", quiet)
    trees.small_ravdess(tmp_path / "ravdess", quiet)
    found = read(
        "emodb",
        tmp_path / "emodb",
        labels=["all"],
        test_dataset="ravdess",
        test_data_dir=tmp_path / "ravdess",
    )
    (fold,) = found.folds
    assert found.corpus.labels == ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
    assert {found.utterances[i].speaker.split("/")[0] for i in fold.train} == {"emodb"}
    assert {found.utterances[i].speaker.split("/")[1] for i in fold.test} == {"ravdess"}
    assert {found.utterances[i].label for i in fold.test} == set(found.corpus.labels)
    assert found.protocol == "cross_corpus"
    assert found.settings["test_dataset"] == "ravdess"
    places = {"test_data_dir": tmp_path / "ravdess"}
    assert read_again(found, "emodb", tmp_path / "emodb", **places) == found


def test_names_of_emotions_meet_and_the_first_corpus_keeps_its_own():
    first, second = common_classes(
        class_per_label(["angry", "calm", "Surprised"]),
        class_per_label(["surprise", "anger", "boredom"]),
    )
    assert first == {"angry": ("angry",), "Surprised": ("Surprised",)}
    assert second == {"angry": ("anger",), "Surprised": ("surprise",)}
    with pytest.raises(CorpusError, match="less than two classes"):
        common_classes(class_per_label(["angry", "a"]), class_per_label(["anger", "b"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "emodb"}, "with --dataset=emodb. Received: no --data_dir"),
        ({"dataset": "table"}, "--table is needed with --dataset=table. Received: no --table"),
        ({"dataset": "emodb", "data_dir": ".", "table": "x.csv"}, "--table needs --dataset=table"),
        ({"dataset": "m3ed", "data_dir": ".", "improvised": True}, "--improvised is for IEMOCAP"),
    ],
)
def test_flags_that_do_not_go_together(given, message):
    with pytest.raises(CorpusError, match=message):
        read(**given)


def test_a_protocol_and_another_corpus_do_not_go_together(tmp_path):
    trees.small_emodb(tmp_path, quiet)
    given = {"test_dataset": "emodb", "test_data_dir": tmp_path, "protocol": "speaker_5_fold"}
    with pytest.raises(FoldError, match=r"of its own.*Received: --protocol=speaker_5_fold"):
        read("emodb", tmp_path, **given)
    with pytest.raises(FoldError, match=r"protocols leave_one.*Received: --protocol=official"):
        read("emodb", tmp_path, protocol="official")
