"""A study's deployed model becomes a packaged one; its card says what the study found."""

import json
import shutil

import numpy as np
import pytest
import recipes_run
import small_studies

import tfhrf
from tfhrf.recognition import packaged
from tfhrf.studies import package
from tfhrf.studies.card import SOURCES, command
from tfhrf.studies.record import StudyError
from tfhrf.studies.results import ResultsError

WORDS = {"licence": "CC BY 4.0", "attribution": "Our team, 2026"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study and its recordings."""
    folder = tmp_path_factory.mktemp("studies")
    utterances = small_studies.recordings(folder / "sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small_studies.run(folder / "run", utterances)
    return folder / "run", utterances


@pytest.fixture
def study(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "run")


def pretend(study, **changed):
    """Changes the settings that a study's results tell of."""
    path = study / "results.json"
    results = json.loads(path.read_text())
    results["settings"] |= changed
    path.write_text(json.dumps(results))
    return results


def test_a_packaged_model_says_what_the_studys_says(study, finished, tmp_path, monkeypatch):
    place = package.package(study, "small-own-2", tmp_path / "models", **WORDS)
    assert sorted(path.name for path in place.iterdir()) == sorted(packaged.FILES)
    small, large = place / "model.keras", study / "deployed" / "folded.keras"
    assert small.stat().st_size < large.stat().st_size
    monkeypatch.setattr(packaged, "FOLDER", tmp_path / "models")
    sound = finished[1][0].path
    for precision in ("int8", "float32"):
        by_name = tfhrf.recognize(sound, "small-own-2", precision=precision)
        assert by_name == tfhrf.recognize(sound, study / "deployed", precision=precision)
        assert tuple(by_name.posteriors) == small_studies.CORPUS.labels
    content = {path.name: path.read_bytes() for path in place.iterdir()}
    again = package.package(study, "small-own-2", tmp_path / "models", **WORDS)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == content
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["small-own-2"]


def test_the_card_has_the_figures(study, tmp_path):
    results = json.loads((study / "results.json").read_text())
    card = (package.package(study, "small-own-2", tmp_path, **WORDS) / "card.md").read_text()
    for kind, name in (("folded", "float32"), ("int8", "int8, TensorFlow Lite Micro")):
        if kind not in results["scores"]:
            continue
        score = results["scores"][kind]
        assert f"| {name} | {score['ua']:.3f} | {score['wa']:.3f} |" in card
        recalls = np.diagonal(score["confusion"]) / np.sum(score["confusion"], axis=1)
        assert f"| a | {recalls[0]:.3f}" in card or kind == "int8"
    for words in (
        *WORDS.values(),
        "must not be used",
        "3 speakers held out in turn",
        "6 recordings of 3",
    ):
        assert words in card
    assert "Actors were asked" not in card
    summary = packaged.read(tmp_path / "small-own-2").summary
    assert summary.startswith("A, b in speech (own): UA ")


def test_what_training_started_from_brings_its_words(study, tmp_path):
    started = shutil.copytree(study, tmp_path / "started")
    pretend(started, **{"from": "light-cremad-6"})
    path = started / "deployed/trained_on.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "datasets": ["cremad", "own"]}))
    place = package.package(started, "small-own-2", tmp_path / "models", **WORDS)
    card = (place / "card.md").read_text()
    assert "Training started from light-cremad-6, a model of CREMA-D" in card
    assert SOURCES["cremad"].attribution in card
    assert "--from=light-cremad-6" in card


def test_known_corpora_bring_their_words(study, tmp_path):
    pretend(study, dataset="cremad")
    other = shutil.copytree(study, tmp_path / "other")
    pretend(other, test_dataset="emodb", protocol="cross_corpus")
    place = package.package(study, "small-cremad-2", tmp_path / "models", across=[other])
    card = (place / "card.md").read_text()
    for words in (
        "ODbL",
        SOURCES["cremad"].attribution,
        "American English acted",
        "Actors were asked",
    ):
        assert words in card
    assert "| emodb | a, b |" in card
    with pytest.raises(StudyError, match=r"train on cremad and test on another\. Received: .*run"):
        package.package(study, "small-cremad-2", tmp_path / "models", across=[study])


@pytest.mark.parametrize("name", ["", "Light-emodb-4", "a/b", ".a", "a--b", "-a"])
def test_names_are_plain(study, tmp_path, name):
    with pytest.raises(StudyError, match=r"single hyphens\. Received: "):
        package.package(study, name, tmp_path, **WORDS)


def test_what_may_not_be_given_away_is_refused(study, tmp_path):
    with pytest.raises(StudyError, match=r"--licence and --attribution .* dataset=own"):
        package.package(study, "small", tmp_path / "models")
    pretend(study, dataset="daic_woz")
    with pytest.raises(StudyError, match=r"not given away\. Received: dataset=daic_woz"):
        package.package(study, "small", tmp_path / "models", **WORDS)
    assert not (tmp_path / "models").exists()


def test_a_study_that_is_not_finished_is_refused(study, tmp_path):
    shutil.rmtree(study / "deployed")
    with pytest.raises(StudyError, match=r"not finished, it lacks deployed\. Received: .*run"):
        package.package(study, "small", tmp_path / "models", **WORDS)
    with pytest.raises(ResultsError, match=rf"No finished study .*Received: {tmp_path}$"):
        package.package(tmp_path, "small", tmp_path / "models", **WORDS)


def test_the_recipe_packages(study, tmp_path):
    into = tmp_path / "models"
    arguments = [f"--study={study}", "--name=small-own-2", f"--into={into}"]
    arguments += [f"--{name}={value}" for name, value in WORDS.items()]
    done = recipes_run.run("package_model.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Written to {into / 'small-own-2'}: ")


def test_the_command_is_one_that_can_be_given_again():
    settings = {
        "model": "conv_transformer",
        "dataset": "cremad",
        "variant": "light",
        "hrf": 0,
        "seed": 3,
        "epochs": 20,
        "protocol": "speaker_5_fold",
        "labels": "negative=anger&fear+at ease",
        "speakers": "1001+1002",
        "trim": True,
        "augmentation": "wide",
        "prune": 0.5,
        "quantize": "qat",
        "ranges": "mse",
        "teacher": "conv_transformer large hrf 0 seed 0",
    }
    assert command(settings) == (
        "python recipes/train_convtransformer.py --dataset=cremad --variant=light --hrf=0 --seed=3 "
        "--epochs=20 --augmentation=wide --protocol=speaker_5_fold --speakers=1001,1002 "
        "--prune=0.5 --quantize=qat --ranges=mse '--labels=negative=anger+fear,at ease' "
        "--from=none --trim (and --teacher: conv_transformer large hrf 0 seed 0)"
    )
    assert " --cluster=16" in command({**settings, "cluster": 16})
    assert " --from=light-cremad-6 " in command({**settings, "from": "light-cremad-6"})
