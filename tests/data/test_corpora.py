"""Corpus readers and speaker-independent folds."""

import collections

import numpy as np
import pytest
from sounds import sine, write_wav

from tfhrf.data.corpora import CorpusError, CorpusWarning, emodb, of_speakers, synthetic
from tfhrf.data.extract import extract
from tfhrf.data.folds import leave_one_speaker_out
from tfhrf.log_mel import LogMelConfig


def emodb_tree(folder, names):
    (folder / "wav").mkdir()
    for name in names:
        write_wav(folder / "wav" / name, sine(200, 0.1))
    return folder


def test_emodb_counts(emodb_dir):
    utterances = emodb.read(emodb_dir)
    counts = collections.Counter(utterance.label for utterance in utterances)
    expected = {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71}
    assert counts == {**expected, "neutral": 79, "sadness": 62}
    assert len({utterance.speaker for utterance in utterances}) == 10


def test_emodb_reads_labels_and_speakers_and_warns_of_a_partial_copy(tmp_path):
    emodb_tree(tmp_path, ["03a01Wa.wav", "08b02Tb.WAV", "08b02Lb.wav"])
    (tmp_path / "wav" / "._03a01Wa.wav").write_bytes(b"junk")
    with pytest.warns(CorpusWarning, match=r"3 of 535 recordings and 2 of 10 actors"):
        utterances = emodb.read(tmp_path)
    assert [(u.path.name, u.label, u.speaker) for u in utterances] == [
        ("03a01Wa.wav", "anger", "03"),
        ("08b02Lb.wav", "boredom", "08"),
        ("08b02Tb.WAV", "sadness", "08"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["03a01Xa.wav"], r"Unknown emotion 'X' .*03a01Xa\.wav"),
        (["hello.wav"], r"Not a file name of EMO-DB .*hello\.wav"),
        ([], r"No recordings of EMO-DB \(wav/03a01Fa\.wav\) are in the folder\. Received: "),
    ],
)
def test_emodb_errors_name_the_culprit(tmp_path, names, message):
    with pytest.raises(CorpusError, match=message):
        emodb.read(emodb_tree(tmp_path, names))


def test_emodb_missing_folder_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"no such folder. Received: .*nowhere"):
        emodb.read(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return synthetic.read(tmp_path_factory.mktemp("corpora"))


def test_synthetic_is_complete_and_read_again(corpus):
    assert len(corpus) == synthetic.SPEAKERS * 4 * synthetic.UTTERANCES
    assert all(utterance.path.parent.name == synthetic.VERSION for utterance in corpus)
    assert synthetic.read(corpus[0].path.parents[1]) == corpus


def test_synthetic_is_deterministic():
    first, second = (synthetic.utterance(2, "anger", np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first).max() <= 1


def test_synthetic_missing_file_is_named(tmp_path):
    folder = tmp_path / synthetic.VERSION
    folder.mkdir()
    with pytest.raises(CorpusError, match=r"lacks a file.*speaker1_anger_1\.wav"):
        synthetic.read(tmp_path)


def test_synthetic_is_neither_trivial_nor_hopeless(corpus):
    """Mean and spread of each mel band, a linear classifier, held-out speakers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = extract([utterance.path for utterance in corpus], LogMelConfig())
    functionals = np.array([np.r_[one.mean(axis=0), one.std(axis=0)] for one in features])
    loudness = functionals[:, :64].mean(axis=1, keepdims=True)
    targets = np.array([utterance.label for utterance in corpus])

    def held_out(inputs):
        predicted = np.empty_like(targets)
        for fold in leave_one_speaker_out(corpus):
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
            classifier.fit(inputs[fold.train], targets[fold.train])
            predicted[fold.test] = classifier.predict(inputs[fold.test])
        return balanced_accuracy_score(targets, predicted)

    assert held_out(loudness) < 0.6
    assert 0.35 < held_out(functionals) < 0.85


@pytest.mark.filterwarnings("ignore:Partial copy:tfhrf.data.corpora.CorpusWarning")
def test_some_speakers_of_a_corpus(tmp_path):
    names = ["03a01Wa.wav", "08a01Fa.wav", "08a01Na.wav", "09a01Ta.wav"]
    utterances = emodb.read(emodb_tree(tmp_path, names))
    some = of_speakers(utterances, ["09", "08"])
    assert [utterance.path.name for utterance in some] == names[1:]
    with pytest.raises(CorpusError, match=r"has the speakers 03, 08, 09\. Received: 10"):
        of_speakers(utterances, ["08", "10"])
