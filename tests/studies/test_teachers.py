"""Distillation: students learn from teachers of the same fold, which no test speaker reaches."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from small_studies import CONFIG, TRAINING, recordings, run
from sounds import write_wav

from tfhrf.data.folds import Fold
from tfhrf.data.store import prepare
from tfhrf.studies import study_page, task
from tfhrf.studies.record import StudyError
from tfhrf.studies.teachers import name_teachers, soft_targets

TAUGHT = dataclasses.replace(TRAINING, taught=0.5)
SETTINGS = {"model": "small", "variant": "light", "hrf": 0, "dataset": "own", "seed": 0}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


NAMES = ("teacher0", "teacher1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of recordings and of two finished studies of them that differ by their seed."""
    folder = tmp_path_factory.mktemp("teachers")
    utterances = recordings(folder / "sounds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cache"))
        patch.setattr(study_page, "write", lambda out, results: None)
        for seed, name in enumerate(NAMES):
            run(folder / name, utterances, SETTINGS | {"seed": seed})
    return folder, utterances


@pytest.fixture
def teachers(trained, tmp_path):
    """Recordings and studies of a test's own, which it may damage."""
    folder, utterances = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    moved = [one._replace(path=tmp_path / one.path.relative_to(folder)) for one in utterances]
    return moved, [tmp_path / name for name in NAMES]


def test_soft_targets_are_the_mean_of_the_teachers_where_the_fold_trains(teachers, capsys):
    _, runs = teachers
    rng = np.random.default_rng(0)
    # As long as a window: one window each.
    features = [rng.normal(size=(TRAINING.frames, 8)).astype("f4") for _ in range(6)]
    fold = Fold("Bob/x", [2, 3, 5], [], [0, 1])
    found = soft_targets(runs, [fold], features, 2, CONFIG)[fold.name]
    assert "6/6" in capsys.readouterr().out  # three utterances, two teachers
    places = [next(run.glob("Bob*")) for run in runs]
    logits = [
        keras.saving.load_model(place / "folded.keras")(np.stack(features)).numpy()
        for place in places
    ]
    expected = np.mean([np.exp(one) / np.exp(one).sum(1, keepdims=True) for one in logits], axis=0)
    np.testing.assert_allclose(found[fold.train], expected[fold.train], rtol=1e-5)
    assert np.isnan(found[[0, 1, 4]]).all()


def test_teachers_hear_through_the_front_end_of_their_fold(teachers):
    utterances, runs = teachers
    fold = Fold("Bob/x", [2, 3, 5], [], [0, 1])
    own = dataclasses.replace(CONFIG, mean=CONFIG.mean + 2, equalizer=(-6.0,) * CONFIG.mels)
    features, equalized = (
        prepare([one.path for one in utterances], config) for config in (CONFIG, own)
    )
    plain = soft_targets(runs, [fold], features, 2, CONFIG)[fold.name]
    paths = [next(one.glob("Bob*")) / "front_end.json" for one in runs]
    for path in paths:
        path.unlink()  # features are taken as they are
    expected = soft_targets(runs, [fold], equalized, 2, own)[fold.name]
    for path in paths:
        own.save(path)
    found = soft_targets(runs, [fold], features, 2, CONFIG)[fold.name]
    np.testing.assert_allclose(found[fold.train], expected[fold.train], atol=1e-4)
    assert np.abs(found - plain)[fold.train].max() > 0.05


def test_what_a_student_learns_does_not_depend_on_test_utterances(teachers, monkeypatch, tmp_path):
    utterances, runs = teachers
    seen = []
    fit = task.fit_averaged

    def watched(model, initial, features, targets, *more, **watching):
        seen.append((len(features), targets))
        return fit(model, initial, features, targets, *more, **watching)

    monkeypatch.setattr(task, "fit_averaged", watched)
    results = run(tmp_path / "student", utterances, SETTINGS, TAUGHT, teachers=runs)
    assert sorted(count for count, _ in seen) == [4, 4, 4, 6]
    for _, targets in seen:
        # Half of the label, half of what teachers say; a test utterance would be NaN.
        assert np.isfinite(targets).all()
        np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-6)
        assert ((targets.max(axis=1) > 0.5) & (targets.max(axis=1) < 1.0)).all()
    assert set(results["folds"]) == {"Bob/x", ".x", "deployed (tested)"}
    # The same teachers: nothing runs again. Others: another study.
    seen.clear()
    run(tmp_path / "student", utterances, SETTINGS, TAUGHT, teachers=runs)
    assert not seen
    with pytest.raises(StudyError, match=r"Another study is in .*: teachers"):
        run(tmp_path / "student", utterances, SETTINGS, TAUGHT, teachers=runs[:1])


def test_teachers_of_other_folds_or_data_are_refused(teachers, tmp_path):
    utterances, runs = teachers
    # A speaker's take goes to another: the teacher of a fold may have heard its test speaker.
    moved = [utterances[0]._replace(speaker=".x", group=".x"), *utterances[1:]]
    with pytest.raises(StudyError, match=r"teacher0 was made of other data. Received: .*folds"):
        run(tmp_path / "student", moved, SETTINGS, TAUGHT, teachers=runs)
    config = dataclasses.replace(CONFIG, hop=CONFIG.hop // 2)
    with pytest.raises(StudyError, match=r"teacher0 was made of other data. Received: front end"):
        run(tmp_path / "student", utterances, SETTINGS, TAUGHT, config, teachers=runs)
    write_wav(utterances[0].path, np.random.default_rng(99).normal(0, 0.1, 4800))
    with pytest.raises(StudyError, match=r"teacher0 was made of other data. Received: recordings"):
        run(tmp_path / "student", utterances, SETTINGS, TAUGHT, teachers=runs)
    assert not (tmp_path / "student").exists()


def test_a_teacher_without_a_fold_is_refused(teachers, tmp_path):
    utterances, runs = teachers
    shutil.rmtree(next(runs[1].glob("Bob*")))
    with pytest.raises(StudyError, match=r"no complete fold Bob/x. Received: --teacher=.*teacher1"):
        run(tmp_path / "student", utterances, SETTINGS, TAUGHT, teachers=runs)
    with pytest.raises(StudyError, match=r"Received: no .*nowhere"):
        run(tmp_path / "student", utterances, SETTINGS, TAUGHT, teachers=[tmp_path / "nowhere"])


def test_students_are_named_after_their_teachers(teachers, tmp_path):
    _, runs = teachers
    assert name_teachers(runs) == "small light hrf 0 seed 0 & small light hrf 0 seed 1"
    settings = json.loads((runs[0] / "settings.json").read_text())
    (runs[0] / "settings.json").write_text(json.dumps(settings | {"teacher": "x"}))
    assert name_teachers(runs[:1]) == "small light hrf 0 seed 0 by x"
