"""Protocols: nobody is on two sides, everybody is tested, the same folds every time."""

import numpy as np
import pytest
import trees

from tfhrf.data.corpora import CORPORA, Utterance
from tfhrf.data.corpora.classes import of_classes
from tfhrf.data.folds import (
    Fold,
    FoldError,
    group_folds,
    kept_speakers,
    leave_one_group_out,
    leave_one_of_pair_out,
    leave_one_speaker_out,
    official,
    speaker_folds,
    trained_on,
    without,
)

pytestmark = pytest.mark.filterwarnings("ignore::tfhrf.data.corpora.CorpusWarning")

SMALL = {**trees.SMALL, "synthetic": lambda root, speech: trees.empty_synthetic(root)}
CASES = [(name, protocol) for name in sorted(CORPORA) for protocol in CORPORA[name].protocols]


def long_silence(speaker, label, seed):
    return np.zeros(24_000)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Utterances of a corpus by name, read once."""
    known = {}

    def read(name):
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            SMALL[name](folder, speech=long_silence)
            known[name] = of_classes(CORPORA[name].read(folder), CORPORA[name].classes)
        return known[name]

    return read


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_nobody_is_on_two_sides(name, protocol, corpora):
    utterances = corpora(name)
    folds = CORPORA[name].protocols[protocol](utterances)
    for fold in folds:
        sides = [fold.train, fold.validation, fold.test]
        assert fold.train
        assert fold.test
        assert len({i for side in sides for i in side}) == sum(map(len, sides))
        train, validation, test = ({utterances[i].speaker for i in side} for side in sides)
        assert not train & validation
        assert not train & test
        assert not validation & test
        train, validation, test = ({utterances[i].group for i in side} for side in sides)
        assert not train & validation
        assert not train & test
        if protocol == "official":
            assert not validation & test
    tested = [i for fold in folds for i in fold.test]
    assert len(tested) == len(set(tested))
    if protocol not in ("official", "kept_speakers"):
        assert sorted(tested) == list(range(len(utterances)))
        assert len({fold.name for fold in folds}) == len(folds)
    assert CORPORA[name].protocols[protocol](utterances) == folds


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_every_class_and_every_split_is_there(name, corpora):
    utterances = corpora(name)
    assert {utterance.label for utterance in utterances} == set(CORPORA[name].labels)
    splits = {"daic_woz": {"train", "dev", "test"}, "m3ed": {"train", "val", "test"}}
    assert {utterance.split for utterance in utterances} == splits.get(name, {""})


def test_iemocap_has_five_and_ten_folds(corpora):
    utterances = corpora("iemocap")
    by_session = leave_one_group_out(utterances)
    assert [fold.name for fold in by_session] == [f"Ses0{n}" for n in range(1, 6)]
    by_speaker = leave_one_of_pair_out(utterances)
    assert [fold.name for fold in by_speaker[:3]] == ["Ses01F", "Ses01M", "Ses02F"]
    assert len(by_speaker) == 10
    for fold in by_speaker:
        (other,) = {utterances[i].speaker for i in fold.validation}
        assert other[:5] == fold.name[:5]
        assert other != fold.name
        assert len({utterances[i].speaker for i in fold.train}) == 8


def test_official_split_is_what_the_lists_say(corpora):
    for name, validation in (("m3ed", "val"), ("daic_woz", "dev")):
        utterances = corpora(name)
        (fold,) = official(utterances, validation)
        for side, split in ((fold.train, "train"), (fold.validation, validation)):
            assert {utterances[i].split for i in side} == {split}
        assert sum(map(len, fold[1:])) == len(utterances)


@pytest.mark.parametrize("count", [2, 5, 24])
def test_speakers_and_sexes_are_balanced(count):
    utterances = [
        Utterance("x.wav", "sad", f"{actor:02d}", f"{actor:02d}")
        for actor in range(1, 25)
        for _ in range(3)
    ]
    for fold in speaker_folds(utterances, count):
        actors = {int(utterances[i].speaker) for i in fold.test}
        assert 24 // count <= len(actors) <= -(-24 // count)
        if count == 5:
            assert abs(sum(actor % 2 for actor in actors) - len(actors) / 2) <= 0.5


def test_who_is_kept_apart_depends_on_names_alone():
    def kept(names):
        utterances = [Utterance("x", "sad", name, name) for name in names]
        (fold,) = kept_speakers(utterances)
        assert sorted(fold.train + fold.test) == list(range(len(names)))
        return {names[index] for index in fold.test}

    # SHA-256: "c" 2e7d..., "b" 3e23..., "a" ca97...
    assert kept("abc") == kept("cba") == kept("abcabc") == {"c"}
    assert len(kept([f"{number:04}" for number in range(46)])) == 16


def test_too_few_to_split():
    one = [Utterance("x", label, "speaker1", "speaker1") for label in ("anger", "sadness")]
    with pytest.raises(FoldError, match=r"two speakers. Received: \['speaker1'\]"):
        leave_one_speaker_out(one)
    with pytest.raises(FoldError, match=r"two groups"):
        leave_one_group_out(one)
    with pytest.raises(FoldError, match=r"two groups"):
        leave_one_of_pair_out(one)
    with pytest.raises(FoldError, match=r"5 folds need as many speakers. Received: 1"):
        speaker_folds(one, 5)
    with pytest.raises(FoldError, match=r"Received: 0 train, 0 dev, 0 test"):
        official(one, "dev")
    with pytest.raises(FoldError, match=r"two speakers. Received: \['speaker1'\]"):
        kept_speakers(one)
    three = [Utterance("x", "sad", speaker, "1") for speaker in "abc"]
    with pytest.raises(FoldError, match=r"Group 1 has more than two speakers. Received: 3"):
        leave_one_of_pair_out(three)
    torn = [Utterance("x", "sad", "a", "a", None, split) for split in ("train", "test")]
    with pytest.raises(FoldError, match=r"Speaker a is in two splits"):
        official(torn, "dev")
    with pytest.raises(FoldError, match=r"Group a is in two splits. Received: train, test"):
        official([one._replace(speaker="") for one in torn], "dev")
    with pytest.raises(FoldError, match=r"Independent folds need two groups. Received: speaker1"):
        group_folds(one, 1)
    heard = [Utterance("x", "sad", "a", group, None, group) for group in ("train", "test")]
    with pytest.raises(FoldError, match=r"Speaker a is in two splits. Received: train, test"):
        official(heard, "dev")
    nobody = [one._replace(speaker="") for one in heard]
    assert official(nobody, "dev") == [Fold("official", [0], [], [1])]


def test_folds_without_some_utterances_hold_the_others():
    names = "abcdefgh"
    folds = [Fold("x", [0, 2, 4, 5], [1], [3]), Fold("y", [1, 3, 6], [], [0, 2, 7])]
    left = [name for index, name in enumerate(names) if index not in (2, 6)]
    for before, now in zip(folds, without(folds, {6: "", 2: ""}), strict=True):
        assert now.name == before.name
        for old, new in zip(before[1:], now[1:], strict=True):
            kept = [names[index] for index in old if index not in (2, 6)]
            assert [left[index] for index in new] == kept
    for gone in ([1, 3], [0, 2, 4, 5]):
        with pytest.raises(FoldError, match=r"No recording of a fold is left .*Received: fold x"):
            without(folds, gone)


def test_what_is_only_tested_is_no_part_of_what_is_trained_on():
    folds = [Fold("a", [3, 0], [1], [4, 5]), Fold("b", [1, 3], [], [0])]
    assert trained_on(folds) == [0, 1, 3]
