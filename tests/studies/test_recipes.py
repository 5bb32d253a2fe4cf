"""The recipe from the command line, on a few files' worth of generated audio."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT
from recipes_run import train
from sounds import write_wav

from tfhrf.data.corpora import synthetic
from tfhrf.deploy import runners
from tfhrf.log_mel import LogMelConfig
from tfhrf.models.devices import DEVICES

SPEAKERS = ("03", "08", "10")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A tree in EMO-DB's layout: three speakers, four emotions, two recordings of each."""
    folder = tmp_path_factory.mktemp("emodb")
    (folder / "wav").mkdir()
    letters = {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness"}
    for number, speaker in enumerate(SPEAKERS):
        for letter, label in letters.items():
            for take in "ab":
                rng = np.random.default_rng([number, ord(letter), ord(take)])
                samples = synthetic.utterance(number, label, rng)
                write_wav(folder / "wav" / f"{speaker}a01{letter}{take}.wav", samples)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Features go under runs/ of the current folder."""
    monkeypatch.chdir(tmp_path)


def test_recipe_trains_reports_and_resumes(corpus, tmp_path):
    out = tmp_path / "study"
    speakers = SPEAKERS[:2]
    arguments = ["--dataset=emodb", f"--data_dir={corpus}", "--epochs=1", f"--out={out}"]
    arguments.append(f"--speakers={','.join(speakers)}")
    first = train(*arguments)
    assert first.returncode == 0, first.stderr
    for word in ("WA", "UA", "as trained (float32)", "folded (float32)", "arena", "parameters"):
        assert word in first.stdout
    results = json.loads((out / "results.json").read_text())
    kinds = ["trained", "folded"] + ["int8"] * runners.available()
    assert list(results["scores"]) == kinds
    assert sorted(results["folds"]) == sorted(speakers)
    assert results["utterances"] == len(speakers) * 8
    assert results["folding error"] <= 1e-5
    assert np.sum(results["scores"]["trained"]["confusion"]) == results["utterances"]
    deployed = sorted(path.name for path in (out / "deployed").iterdir())
    assert {"trained.keras", "folded.keras", "int8.tflite", "tflm", "tensorboard"} <= set(deployed)
    assert (out / "confusion_folded.png").read_bytes().startswith(b"\x89PNG")
    assert "deployed sound.wav" in (out / "report.html").read_text()

    # As if killed while the second fold was running: only that fold is trained again.
    kept = (out / SPEAKERS[0] / "fold.json").stat().st_mtime_ns
    for path in sorted((out / SPEAKERS[1]).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (out / SPEAKERS[1]).rmdir()
    second = train(*arguments)
    assert second.returncode == 0, second.stderr
    assert "Training 1 folds" in second.stdout
    assert (out / SPEAKERS[0] / "fold.json").stat().st_mtime_ns == kept
    again = json.loads((out / "results.json").read_text())
    assert again["scores"]["trained"]["confusion"] == results["scores"]["trained"]["confusion"]

    other = train(*arguments, "--seed=1")
    assert other.returncode == 2
    assert "seed (0 then, 1 now)" in other.stderr


@pytest.mark.parametrize("backbone", ["conformer", "speechformer"])
def test_every_backbone_has_the_same_recipe(corpus, tmp_path, backbone):
    out = tmp_path / "study"
    # As users start it, where most of these tests have loaded TensorFlow before.
    command = [sys.executable, str(ROOT / "recipes" / f"train_{backbone}.py"), "--dataset=emodb"]
    command += [f"--data_dir={corpus}", "--epochs=1", "--folds=2", f"--out={out}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    results = json.loads((out / "results.json").read_text())
    assert list(results["folds"]) == [SPEAKERS[1]]
    assert results["folding error"] <= 1e-5
    assert results["int8 bytes"] <= 100_000
    assert ("int8" in results["scores"]) == runners.available()


def test_the_smallest_variant_has_its_own_front_end(corpus, tmp_path):
    out = tmp_path / "study"
    arguments = ["--dataset=emodb", f"--data_dir={corpus}", "--variant=tiny", "--epochs=1"]
    result = train(*arguments, "--folds=1", f"--out={out}")
    assert result.returncode == 0, result.stderr
    tiny = DEVICES["tiny"]
    assert LogMelConfig.load(out / "front_end.json") == tiny["config"]
    if runners.available():
        content = (out / SPEAKERS[0] / "int8.tflite").read_bytes()
        shape = runners.load(content)[1][0]["shape"].tolist()
        assert shape == [1, tiny["frames"], tiny["config"].mels]
    other = train(*arguments, f"--out={out}", backbone="conformer")
    assert other.returncode == 2
    assert "tiny" in other.stderr


def test_bad_recordings_are_left_out_and_listed(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    first, second, *_ = sorted((tmp_path / "corpus" / "wav").glob("*.wav"))
    first.write_bytes(first.read_bytes()[:-1000])
    second.write_bytes(b"")
    out = tmp_path / "study"
    arguments = [f"--data_dir={tmp_path / 'corpus'}", "--epochs=1", "--folds=1", f"--out={out}"]
    done = train("--dataset=emodb", "--on_bad_audio=skip", *arguments)
    assert done.returncode == 0, done.stderr
    listed = done.stdout.partition("Left out, 2 that cannot be used:\n")[2].splitlines()
    assert [first.name in listed[0], second.name in listed[1]] == [True, True]
    results = json.loads((out / "results.json").read_text())
    assert results["left out"] == listed
    assert results["utterances"] == 6
