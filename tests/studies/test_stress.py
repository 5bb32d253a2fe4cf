"""Stress: what a study found itself comes out again, and every condition beside it."""

import json
import types

import numpy as np
import pytest
import recipes_run

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

import keras
from sounds import write_wav

from tfhrf.data.distort import CONDITIONS, Missing
from tfhrf.data.tables import PATTERN
from tfhrf.deploy import runners
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import material, stress, study, tables
from tfhrf.studies.record import StudyError
from tfhrf.studies.training import TrainingSettings
from tfhrf.workers import Local

needs_micro = pytest.mark.skipif(
    not runners.available(), reason="tflite-micro has a wheel for x86-64 Linux only"
)
pytestmark = needs_micro
CONFIG = LogMelConfig(mels=8)
TRAINING = TrainingSettings(frames=20, epochs=20, batch_size=4, learning_rate=0.03)
SPEAKERS = ("ann", "Bob x", "deployed")


def small(shape, classes):
    pooling = keras.layers.GlobalAveragePooling1D()
    return keras.Sequential([keras.Input(shape), pooling, keras.layers.Dense(classes)])


def write_corpus(folder):
    """Recordings of two kinds of noise, which overlap, and their table."""
    folder.mkdir()
    rows = ["path,label,speaker"]
    for place, speaker in enumerate(SPEAKERS):
        for take in range(8):
            rng = np.random.default_rng([place, take])
            wave = np.cumsum(rng.normal(0, 0.02, 8000)) if take % 2 else rng.normal(0, 0.1, 8000)
            wave = np.clip((wave - wave.mean()) * rng.uniform(0.1, 1), -1, 1)
            write_wav(folder / f"{place}-{take}.wav", wave)
            rows.append(f"{place}-{take}.wav,{'ab'[take % 2]},{speaker}")
    (folder / "clips.csv").write_text("\n".join(rows))
    return folder


def places(folder):
    given = dict.fromkeys(material.PLACES) | {"pattern": PATTERN}
    return types.SimpleNamespace(**given | {"data_dir": folder, "table": folder / "clips.csv"})


def read(folder):
    settings = {"dataset": "table", "protocol": "leave_one_speaker_out", "table": "clips"}
    return material.read_again(settings, places(folder))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A corpus's folder, a study of two of its three folds, and what that found."""
    root = tmp_path_factory.mktemp("stress")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        made_of = read(write_corpus(root / "sounds"))
        settings = {"model": "small", "dataset": "table", "seed": 0}
        settings |= {"protocol": made_of.protocol, **made_of.settings}
        (found,) = study.run(
            [study.Study(small, settings, root / "out")],
            made_of.corpus,
            made_of.utterances,
            made_of.folds,
            TRAINING,
            fold_numbers=[1, 3],
            config=CONFIG,
            engine=Local(1),
        )
    return root / "sounds", root / "out", found


@pytest.fixture
def fresh(finished, tmp_path, monkeypatch):
    """The finished study where nothing was stressed yet."""
    monkeypatch.chdir(tmp_path)
    _, out, _ = finished
    for path in out.glob("stress.*"):
        path.unlink()
    return finished


def test_clean_sound_gives_the_figures_of_the_study(fresh):
    sounds, out, found = fresh
    results = stress.run(out, read(sounds))
    clean = results["conditions"]["clean"]
    own = found["scores"]["int8"]
    assert clean == {"ua": own["ua"], "confusion": own["confusion"]}
    assert clean["ua"] > 0.6
    assert list(results["conditions"]) == list(CONDITIONS)
    others = [one["ua"] for one in results["conditions"].values() if "ua" in one]
    assert min(others) < clean["ua"]
    assert (results["folds"], results["missing folds"]) == (2, ["ann"])
    assert json.loads((out / "stress.json").read_text()) == results
    assert (out / "stress.png").read_bytes().startswith(b"\x89PNG")

    lines = tables.stress_table(results).splitlines()
    assert lines[0].startswith("table: 2 speakers held out in turn, 16 utterances, small, int8")
    assert lines[1] == "Folds that are not in it: ann"
    assert [line[:24].strip() for line in lines[3:]] == list(CONDITIONS)
    assert lines[3].split() == ["clean", f"{clean['ua']:.3f}", "+0.0"]


def test_recordings_that_the_study_left_out_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sounds, out = write_corpus(tmp_path / "sounds"), tmp_path / "out"
    (sounds / "1-3.wav").write_bytes((sounds / "1-3.wav").read_bytes()[:600])
    made_of = read(sounds)
    settings = {"model": "small", "dataset": "table", "seed": 0}
    settings |= {"protocol": made_of.protocol, **made_of.settings}
    one, bad = study.Study(small, settings, out), {}
    (found,) = study.run([one], *made_of[:3], TRAINING, [1], CONFIG, Local(1), bad=bad)
    assert len(bad) == len(found["left out"]) == 1
    results = stress.run(out, read(sounds))
    assert results["conditions"]["clean"]["confusion"] == found["scores"]["int8"]["confusion"]
    assert np.sum(results["conditions"]["clean"]["confusion"]) == 7


def test_what_is_there_is_not_tested_again(fresh, monkeypatch):
    sounds, out, _ = fresh
    heard = []

    def counted(name, stop):
        def change(wave, rate, seed, voices):
            if name == stop:
                raise KeyboardInterrupt
            heard.append((name, seed))
            return CONDITIONS[name](wave, rate, seed, voices)

        return change

    def conditions(stop):
        return {name: counted(name, stop) for name in ("clean", "babble, 0 dB", "small room")}

    monkeypatch.setattr(stress, "CONDITIONS", conditions("small room"))
    with pytest.raises(KeyboardInterrupt):
        stress.run(out, read(sounds))
    assert [name for name, _ in heard] == ["clean"] * 16 + ["babble, 0 dB"] * 16
    # The same recordings meet the same seeds.
    assert [seed for _, seed in heard[:16]] == [seed for _, seed in heard[16:]]
    assert len({seed for _, seed in heard}) == 16
    before = json.loads((out / "stress.json").read_text())["conditions"]
    heard.clear()
    monkeypatch.setattr(stress, "CONDITIONS", conditions(None))
    results = stress.run(out, read(sounds))
    assert [name for name, _ in heard] == ["small room"] * 16
    assert list(results["conditions"].items())[:2] == list(before.items())

    # Another model: everything is tested again.
    path = out / "stress.json"
    path.write_text(path.read_text().replace('"distortions": ', '"distortions": 9'))
    heard.clear()
    assert stress.run(out, read(sounds)) == results
    assert len(heard) == 3 * 16


def test_what_cannot_be_made_says_why_and_is_tried_again(fresh, monkeypatch):
    sounds, out, _ = fresh

    def missing(*arguments):
        raise Missing("no coder is here")

    known = {name: CONDITIONS[name] for name in ("clean", "8-bit samples", "small room")}
    monkeypatch.setattr(stress, "CONDITIONS", {**known, "8-bit samples": missing})
    results = stress.run(out, read(sounds))
    assert results["conditions"]["8-bit samples"] == {"missing": "no coder is here"}
    assert tables.stress_table(results).splitlines()[-2].endswith("-  no coder is here")
    monkeypatch.setattr(stress, "CONDITIONS", known)
    again = stress.run(out, read(sounds))
    assert again["conditions"].keys() == known.keys()
    assert all("ua" in one for one in again["conditions"].values())
    assert json.loads((out / "stress.json").read_text()) == again
    assert stress.run(out, read(sounds)) == again


def test_nobody_hears_themselves(finished, tmp_path, monkeypatch):
    sounds, _, _ = finished
    made_of = read(sounds)
    decoded = []

    def decode(paths, spans, rate):
        decoded.extend(paths)
        return [np.ones(12 * rate, "f4") for _ in paths]

    monkeypatch.setattr(stress, "decode_spans", decode)
    names = [str(one.path) for one in made_of.utterances]
    for place, fold in enumerate(made_of.folds):
        decoded.clear()
        voices = stress._voices(fold, made_of.utterances, names, CONFIG)
        assert {len(voice) for voice in voices} == {10 * CONFIG.sample_rate}
        speakers = [path.name[0] for path in decoded]
        tested = {made_of.utterances[i].path.name[0] for i in fold.test}
        assert not tested & set(speakers), place
        assert speakers.count(speakers[0]) == 8
        assert len(set(decoded)) == 16
    unknown = [one._replace(speaker="") for one in made_of.utterances]
    assert stress._voices(fold, unknown, names, CONFIG) == []


def test_other_data_and_folders_without_a_study_are_refused(fresh, tmp_path):
    sounds, out, _ = fresh
    made_of = read(sounds)
    utterances = [made_of.utterances[0]._replace(label="b"), *made_of.utterances[1:]]
    with pytest.raises(StudyError, match=r"made of other data. Received: labels; folds"):
        stress.run(out, made_of._replace(utterances=utterances))
    with pytest.raises(StudyError, match=r"Received: folds"):
        stress.run(out, made_of._replace(folds=made_of.folds[::-1][:2]))
    assert not (out / "stress.json").exists()
    with pytest.raises(StudyError, match=r"Received: no .*nowhere.*made_of\.json"):
        stress.run(tmp_path / "nowhere", made_of)
    (tmp_path / "made_of.json").write_text('{"recordings": {}}')
    with pytest.raises(StudyError, match="another version"):
        stress.run(tmp_path, made_of)


def test_recipe_takes_the_rest_from_the_study(fresh, tmp_path):
    sounds, out, found = fresh
    stress.run(out, read(sounds))  # What is left for the recipe is quick.
    right = recipes_run.run(
        "stress.py", f"--data_dir={sounds}", f"--table={sounds / 'clips.csv'}", str(out)
    )
    assert right.returncode == 0, right.stderr
    assert f"clean{found['scores']['int8']['ua']:27.3f}" in right.stdout
    wrong = recipes_run.run("stress.py", f"--data_dir={sounds}", str(out))
    assert wrong.returncode == 2
    assert wrong.stderr == "Error: --table is needed with --dataset=table. Received: no --table\n"
