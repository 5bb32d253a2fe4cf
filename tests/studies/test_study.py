"""Studies of every kind of protocol: a small network, one epoch, small trees of the corpora."""

import collections
import dataclasses
import json
import types

import keras
import numpy as np
import pytest
import recipes_run
import trees

from tfhrf.data import extract
from tfhrf.data.corpora import CORPORA, CorpusError
from tfhrf.data.corpora.classes import of_classes
from tfhrf.data.corpora.utterance import Utterance
from tfhrf.data.decode import AudioError
from tfhrf.data.folds import Fold, FoldError, trained_on
from tfhrf.data.tables import PATTERN
from tfhrf.data.windows import evaluation_windows
from tfhrf.hrf.fast import FastDropout
from tfhrf.hrf.layers import HRFDense
from tfhrf.log_mel import LogMelConfig
from tfhrf.models.devices import DEVICES
from tfhrf.studies import assess, cli, record, shrink, study, task
from tfhrf.studies.defaults import EPOCHS, settings_for
from tfhrf.studies.training import TrainingSettings
from tfhrf.workers import EngineError

pytestmark = pytest.mark.filterwarnings("ignore::tfhrf.data.corpora.CorpusWarning")
CONFIG = LogMelConfig(mels=16)
TRAINING = TrainingSettings(frames=50, epochs=1, batch_size=8)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Features go under runs/ of the current folder."""
    monkeypatch.chdir(tmp_path)


def small_network(shape, classes, preset, hrf, where):
    layers = keras.layers
    stack = [
        keras.Input(shape),
        HRFDense(8, expansion=hrf),
        FastDropout(0.1),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.1),
        layers.Dense(classes),
    ]
    return keras.Sequential(stack)


def train(dataset, data_dir, out, fixed=None, **given):
    """What a recipe does once its flags are parsed; quickly, if nothing is `fixed`."""
    flags = {"protocol": None, "improvised": False, "variant": ["light"], "hrf": ["2"]}
    flags |= {"seed": ["0"], "engine": "local", "ray_address": None, "strategy": "none"}
    flags |= {
        "restart": False,
        "teacher": [],
        "from": None,
        "augmentation": "usual",
        "trim": False,
        "on_bad_audio": "stop",
        "labels": None,
        "table": None,
        "columns": None,
        "pattern": PATTERN,
    }
    flags |= {"test_dataset": None, "test_data_dir": None, **shrink.DEFAULTS}
    flags |= {
        "folds": None,
        "speakers": None,
        "epochs": None,
        "dataset": dataset,
        "data_dir": data_dir,
        "out": out,
    }
    fixed = dataclasses.asdict(TRAINING) if fixed is None else fixed
    cli._train("small", small_network, fixed, types.SimpleNamespace(**flags | given))
    return json.loads((out / "results.json").read_text())


def count_of(dataset, corpora, protocol):
    corpus = CORPORA[dataset]
    utterances = of_classes(corpus.read(corpora / dataset), corpus.classes)
    return len(trained_on(corpus.protocols[protocol](utterances)))


def noise(speaker, label, seed):
    return np.random.default_rng([speaker, seed]).normal(0, 0.1, 16_000)


def noise_of_two_seconds(speaker, label, seed):
    return np.tile(noise(speaker, label, seed), 2)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    trees.small_iemocap(folder / "iemocap", noise)
    trees.small_m3ed(folder / "m3ed", noise)
    trees.small_ravdess(folder / "ravdess", noise)
    return folder


@pytest.mark.parametrize(
    ("dataset", "protocol", "names", "words", "tested", "validated"),
    [
        (
            "iemocap",
            "leave_one_session_out",
            ["Ses01", "Ses03"],
            "2 sessions held out in turn, 20 utterances",
            20,
            0,
        ),
        (
            "iemocap",
            "leave_one_speaker_out",
            ["Ses01F", "Ses02F"],
            "2 speakers held out in turn, 10 utterances",
            10,
            10,
        ),
        (
            "ravdess",
            "speaker_5_fold",
            ["fold1", "fold3"],
            "2 folds of speakers, 24 utterances",
            24,
            0,
        ),
        ("m3ed", "official", ["official"], "official split, 7 utterances", 7, 7),
    ],
)
def test_folds_are_pooled_and_validation_is_scored_apart(
    dataset, protocol, names, words, tested, validated, corpora, tmp_path, capsys, monkeypatch
):
    totals, moves = [], []

    def watched(total, unit):
        totals.append(total)
        return types.SimpleNamespace(add=moves.append)

    monkeypatch.setattr(study, "progress_bar", watched)
    numbers = ["1", "3"][: len(names)]
    results = train(dataset, corpora / dataset, tmp_path, protocol=protocol, folds=numbers)
    assert list(results["folds"]) == names
    assert results["settings"]["protocol"] == protocol
    steps = len(names) * max(1, count_of(dataset, corpora, protocol) // TRAINING.batch_size)
    assert totals == [sum(moves)] == [steps + tested + validated + len(names)]
    assert results["labels"] == list(CORPORA[dataset].labels)
    assert results["utterances"] == np.sum(results["scores"]["folded"]["confusion"]) == tested
    assert ("validation" in results) == (validated > 0)
    # Sessions of two speakers, series of several.
    assert results["unit"] == ("speaker" if dataset == "ravdess" else "group")
    printed = capsys.readouterr().out
    if validated:
        assert results["validation"]["utterances"] == validated
        assert np.sum(results["validation"]["scores"]["folded"]["confusion"]) == validated
        assert f"validation, {validated} utterances" in printed
    assert f"{dataset}: {words}" in printed
    assert ("weighted F1" in printed) == (dataset == "m3ed")
    record = json.loads((tmp_path / names[0] / "fold.json").read_text())
    curve = {"loss", "accuracy"} | (
        {"validation loss", "validation accuracy"} if validated else set()
    )
    assert set(record["history"]) == curve
    assert results["history"][names[0]] == record["history"]
    assert len(record["test"]["targets"]) == len(record["test"]["posteriors"]["folded"])


def test_a_study_may_be_of_some_speakers(corpora, tmp_path):
    given = {"protocol": "leave_one_speaker_out", "folds": ["1"]}
    results = train("ravdess", corpora / "ravdess", tmp_path, speakers=["01", "03", "02"], **given)
    assert list(results["folds"]) == ["01"]
    assert results["settings"]["speakers"] == "01+02+03"


@pytest.mark.parametrize("dataset", ["cremad", "daic_woz", "iemocap", "m3ed", "ravdess"])
def test_a_broken_recording_is_named_and_nothing_is_left(dataset, tmp_path):
    root, out = tmp_path / "corpus", tmp_path / "out"
    trees.SMALL[dataset](root, noise_of_two_seconds)
    path = sorted(root.rglob("*.wav"))[3]
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(AudioError, match=rf"was cut short: .*\. Received: .*{path.name}$"):
        train(dataset, root, out, folds=["1"])
    assert not out.exists()


def test_improvised_turns_alone(corpora, tmp_path):
    root = corpora / "iemocap"
    results = train("iemocap", root, tmp_path, improvised=True, folds=["1"])
    assert results["utterances"] == 8
    assert results["settings"]["turns"] == "improvised"
    with pytest.raises(record.StudyError, match="turns"):
        train("iemocap", root, tmp_path, folds=["1"])
    with pytest.raises(CorpusError, match=r"for IEMOCAP. Received: --dataset=m3ed"):
        train("m3ed", root, tmp_path, improvised=True)


def test_recipe_of_daic_woz_decides_once_per_participant_and_keeps_nobody(tmp_path):
    trees.small_daic(tmp_path / "daic")
    out = tmp_path / "out"
    arguments = [f"--data_dir={tmp_path / 'daic'}", "--epochs=1", f"--out={out}"]
    result = recipes_run.train("--dataset=daic_woz", *arguments)
    assert result.returncode == 0, result.stderr
    results = json.loads((out / "results.json").read_text())
    assert results["utterances"] == results["validation"]["utterances"] == 2
    for side in (results, results["validation"]):
        for score in side["scores"].values():
            assert np.sum(score["confusion"], axis=1).tolist() == [1, 1]
    assert "macro F1" in result.stdout
    assert "daic_woz: official split, 2 participants" in result.stdout
    assert "validation, 2 participants" in result.stdout
    warnings = [line for line in result.stderr.splitlines() if "Partial copy" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("Warning: Partial copy of DAIC-WOZ in ")
    # Nothing that is printed or written knows a participant of the tree.
    texts = [path for path in out.rglob("*") if path.suffix in (".json", ".md", ".h", ".cc")]
    assert {"results.json", "fold.json", "settings.json"} <= {path.name for path in texts}
    for path in texts:
        if path.suffix == ".json":
            content = path.read_text()
            assert "posteriors" not in content
            assert "targets" not in content
            assert "_AUDIO" not in content
    printed = result.stdout + result.stderr
    for number in (300, 301, 303, 304, 310):
        assert f"{number}_" not in printed
        assert f"{number}:" not in printed


def test_studies_share_their_features_and_a_fold_alone_is_the_same(corpora, tmp_path, monkeypatch):
    # In one process, so that a fold takes less time.
    assessing = task._assessing
    monkeypatch.setattr(task, "_assessing", lambda apart, advance: assessing(False, advance))
    train("iemocap", corpora / "iemocap", tmp_path / "one", folds=["1", "3"])
    (folder,) = (tmp_path / "runs" / "features").iterdir()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    names = ["00000-of-00001.tfrecord", "contents.json", "front_end.json"]
    assert sorted(path.name for path in before) == names

    monkeypatch.setattr(extract, "stream", lambda *_: pytest.fail("features are computed again"))
    train("iemocap", corpora / "iemocap", tmp_path / "two", folds=["3"])
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    weights = [
        keras.saving.load_model(tmp_path / out / "Ses03" / "trained.keras").get_weights()
        for out in ("one", "two")
    ]
    for series, alone in zip(*weights, strict=True):
        np.testing.assert_array_equal(series, alone)


def studies_of(monkeypatch, tmp_path, **given):
    """Settings by folder of what a recipe would study."""
    found = {}

    def run(studies, *_, **__):
        found.update((str(one.out), one.settings) for one in studies)
        raise record.StudyError("seen")

    monkeypatch.setattr(study, "run", run)
    with pytest.raises(record.StudyError, match="seen"):
        train("synthetic", tmp_path, **given)
    return found


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, [""]),
        ({"seed": ["0", "1", "1"]}, ["0", "1"]),
        ({"seed": ["0", "1"], "hrf": ["0", "4"]}, ["0-0", "0-1", "4-0", "4-1"]),
        ({"variant": ["light", "large"], "hrf": ["0"]}, ["light", "large"]),
    ],
)
def test_every_combination_of_lists_is_a_study(given, names, tmp_path, monkeypatch):
    nothing = CORPORA["synthetic"]._replace(
        read=lambda _: [], protocols={"leave_one_speaker_out": lambda utterances: []}
    )
    monkeypatch.setitem(CORPORA, "synthetic", nothing)
    out = tmp_path / "out"
    found = studies_of(monkeypatch, tmp_path, out=out, **given)
    assert list(found) == [str(out / name) for name in names]
    assert len({json.dumps(settings) for settings in found.values()}) == len(names)
    alone = studies_of(monkeypatch, tmp_path, out=None, **given)
    assert list(alone.values()) == list(found.values())
    for folder, settings in alone.items():
        assert folder == "runs/" + "-".join(str(value) for value in settings.values())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ray_address": "auto"}, r"needs --engine=ray. Received: --ray_address=auto"),
        ({"engine": "ray", "strategy": "mirrored"}, r"Received: --engine=ray --strategy=mirrored"),
    ],
)
def test_engines_that_make_no_sense_are_refused(given, message, tmp_path):
    with pytest.raises(EngineError, match=message):
        train("synthetic", tmp_path, tmp_path, **given)


def test_wrong_protocols_are_named(corpora, tmp_path):
    with pytest.raises(FoldError, match=r"protocols official. Received: --protocol=random"):
        train("m3ed", corpora / "m3ed", tmp_path, protocol="random")


def training_of(monkeypatch, tmp_path, **given):
    """The TrainingSettings of a study that the flags ask for, of 320 utterances to train on."""
    found = []

    def run(studies, corpus, utterances, folds, training, **_):
        found.append(training)
        raise record.StudyError("seen")

    utterance = Utterance(tmp_path / "a.wav", CORPORA["synthetic"].labels[0], "a", "a")
    many = CORPORA["synthetic"]._replace(
        read=lambda _: [utterance] * 3200,
        protocols={"leave_one_speaker_out": lambda _: [Fold("a", list(range(320)), [], [320])]},
    )
    for dataset in ("synthetic", "emodb"):
        monkeypatch.setitem(CORPORA, dataset, many)
    monkeypatch.setattr(study, "run", run)
    with pytest.raises(record.StudyError, match="seen"):
        train(out=tmp_path, fixed={}, **{"dataset": "emodb", "data_dir": tmp_path, **given})
    return found[0]


@pytest.mark.parametrize(
    ("given", "frames", "epochs"),
    [
        ({}, None, settings_for(320).epochs),
        ({"dataset": "synthetic"}, None, EPOCHS["synthetic"]),
        ({"epochs": 3}, None, 3),
        ({"variant": ["tiny"]}, DEVICES["tiny"]["frames"], 2 * settings_for(320).epochs),
    ],
)
def test_the_corpus_decides_how_long_training_takes_unless_the_user_does(
    given, frames, epochs, tmp_path, monkeypatch
):
    training = training_of(monkeypatch, tmp_path, **given)
    assert training == TrainingSettings(frames=frames, epochs=epochs)


def test_balanced_classes_keep_every_utterance():
    targets = np.array([0] * 10 + [1] * 4 + [0] * 5)
    chosen = task.balance(list(range(14)), targets, seed=0)
    times = collections.Counter(chosen)
    assert set(times) == set(range(14))
    assert [times[i] for i in range(10)] == [1] * 10
    assert sum(times[i] for i in range(10, 14)) == 10
    assert {times[i] for i in range(10, 14)} == {2, 3}
    assert task.balance(list(range(14)), targets, seed=0) == chosen
    assert task.balance([3, 12], targets, seed=0) == [3, 12]


@pytest.mark.parametrize(("dataset", "balanced"), [("daic_woz", True), ("m3ed", False)])
def test_who_is_balanced(dataset, balanced, tmp_path, monkeypatch):
    trained = []

    def fit(model, initial, features, labels, *_, **watching):
        trained.append(labels)
        return {"loss": [1.0], "accuracy": [0.5]}

    monkeypatch.setattr(task, "fit_averaged", fit)
    trees.SMALL[dataset](tmp_path / "corpus", noise_of_two_seconds)
    train(dataset, tmp_path / "corpus", tmp_path / "out", folds=["1"])
    (labels,) = trained
    counts = labels.sum(axis=0).tolist()
    # DAIC-WOZ: two participants of three turns, two of four; M3ED: two series.
    assert counts == ([8, 8] if balanced else [2] * 7)


def test_every_fold_draws_its_own_numbers():
    folds = [Fold(name, [], [], []) for name in ("03", "08")]
    seeds = {task.seed_of(seed, fold) for seed in range(50) for fold in folds}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_participant_is_decided_by_the_mean_of_the_segments():
    posteriors = {"trained": np.array([[0.4, 0.6], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])}
    groups, targets = ["b", "b", "b", "a"], np.array([0, 0, 0, 1])
    daic = assess.decide(posteriors, targets, groups, CORPORA["daic_woz"])
    # Two of three segments say 1, their mean says 0.
    assert daic == {"confusion": {"trained": [[1, 0], [0, 1]]}}
    each = assess.decide(posteriors, targets, groups, CORPORA["emodb"])
    assert each["confusion"]["trained"] == [[1, 2], [0, 1]]
    assert each["targets"] == [0, 0, 0, 1]
    assert each["groups"] == groups


def test_calibration_windows_are_those_of_all_windows_laid_out():
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(n, 16)).astype("f4") for n in (30, 50, 51, 150, 1000, 30_000)]
    hop = CONFIG.hop_frames
    windows = np.concatenate([evaluation_windows(one, 50, hop, CONFIG) for one in features])
    picked = np.linspace(0, len(windows) - 1, assess.CALIBRATION_WINDOWS).astype(int)
    assert len(windows) > assess.CALIBRATION_WINDOWS
    found = assess.calibration_windows(features, 50, CONFIG)
    np.testing.assert_array_equal(found, windows[picked])
    few = assess.calibration_windows(features[:4], 50, CONFIG)
    np.testing.assert_array_equal(few, windows[:6])
