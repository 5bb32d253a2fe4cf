"""The recipe from the command line, on a few files' worth of generated audio."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from places import ROOT
from sounds import write_broken, write_wav

from tfhrf.data.corpora import synthetic
from tfhrf.deploy import runners
from tfhrf.log_mel import LogMelConfig
from tfhrf.models.devices import DEVICES
from tfhrf.progress import progress_bar
from tfhrf.studies import cli
from tfhrf.studies.record import StudyError

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


def recipe(*arguments, backbone="convtransformer"):
    return subprocess.run(
        [sys.executable, str(ROOT / "recipes" / f"train_{backbone}.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def test_recipe_trains_reports_and_resumes(corpus, tmp_path):
    out = tmp_path / "study"
    arguments = ["--dataset=emodb", f"--data_dir={corpus}", "--epochs=1", f"--out={out}"]
    first = recipe(*arguments)
    assert first.returncode == 0, first.stderr
    for word in ("WA", "UA", "as trained (float32)", "folded (float32)", "arena", "parameters"):
        assert word in first.stdout
    results = json.loads((out / "results.json").read_text())
    kinds = ["trained", "folded"] + ["int8"] * runners.available()
    assert list(results["scores"]) == kinds
    assert sorted(results["folds"]) == sorted(SPEAKERS)
    assert results["utterances"] == len(SPEAKERS) * 8
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
    second = recipe(*arguments)
    assert second.returncode == 0, second.stderr
    assert "Training 1 folds" in second.stdout
    assert (out / SPEAKERS[0] / "fold.json").stat().st_mtime_ns == kept
    again = json.loads((out / "results.json").read_text())
    assert again["scores"]["trained"]["confusion"] == results["scores"]["trained"]["confusion"]

    other = recipe(*arguments, "--seed=1")
    assert other.returncode == 2
    assert "seed (0 then, 1 now)" in other.stderr


@pytest.mark.parametrize("flag", ["--hrf=0,3", "--seed=0,x", "--seed=", "--variant=huge"])
def test_a_wrong_value_in_a_list_is_named(flag):
    assert_one_line(recipe(flag), flag.partition("=")[0].lstrip("-"))


@pytest.mark.parametrize("backbone", ["conformer", "speechformer"])
def test_every_backbone_has_the_same_recipe(corpus, tmp_path, backbone):
    out = tmp_path / "study"
    result = recipe(
        "--dataset=emodb",
        f"--data_dir={corpus}",
        "--epochs=1",
        "--folds=2",
        f"--out={out}",
        backbone=backbone,
    )
    assert result.returncode == 0, result.stderr
    results = json.loads((out / "results.json").read_text())
    assert list(results["folds"]) == [SPEAKERS[1]]
    assert results["folding error"] <= 1e-5
    assert results["int8 bytes"] <= 100_000
    assert ("int8" in results["scores"]) == runners.available()


def test_the_smallest_variant_has_its_own_front_end(corpus, tmp_path):
    out = tmp_path / "study"
    arguments = ["--dataset=emodb", f"--data_dir={corpus}", "--variant=tiny", "--epochs=1"]
    result = recipe(*arguments, "--folds=1", f"--out={out}")
    assert result.returncode == 0, result.stderr
    tiny = DEVICES["tiny"]
    assert LogMelConfig.load(out / "front_end.json") == tiny["config"]
    if runners.available():
        content = (out / SPEAKERS[0] / "int8.tflite").read_bytes()
        shape = runners.load(content)[1][0]["shape"].tolist()
        assert shape == [1, tiny["frames"], tiny["config"].mels]
    other = recipe(*arguments, f"--out={out}", backbone="conformer")
    assert other.returncode == 2
    assert "tiny" in other.stderr


def assert_one_line(result, culprit):
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert culprit in lines[0]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_every_flag(flag):
    result = recipe(flag)
    assert result.returncode == 0
    assert result.stdout.startswith("Trains a ConvTransformer, folds it")
    for name in ("dataset", "labels", "table", "seed", "hrf", "[no]restart", "engine", "out"):
        assert f"  --{name}: " in result.stdout


@pytest.mark.parametrize(
    ("raised", "message", "code"),
    [
        (KeyboardInterrupt(), "Error: Stopped; what is complete stays", 130),
        (OSError(28, "No space left on device", "a/b"), "Error: No space left on device. R", 2),
        (PermissionError(13, "Permission denied", "a/b"), "Permission denied. Received: a/b", 2),
        (tf.errors.ResourceExhaustedError(None, None, "a/b; No space left"), "a/b; No space", 2),
        (StudyError("two\nlines"), "Error: two lines", 2),
    ],
)
def test_what_ends_a_recipe_is_one_line_of_its_own(raised, message, code, capsys, monkeypatch):
    # TensorFlow has begun here.
    monkeypatch.setattr(cli, "limit_threads", lambda: None)

    def main():
        progress_bar(10, "step").add(3)
        raise raised

    with pytest.raises(SystemExit) as caught:
        cli._guarded(main, [], False)
    printed = capsys.readouterr()
    assert caught.value.code == code
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out.endswith("\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds="], "Error: No number of a fold is given. Received: --folds="),
        (["--seed=12345678901234567890"], "values are integers from 0 to 4294967295"),
        (["--out=/dev/null/study"], "Error: Not a directory. Received: /dev/null/study"),
        (["--dataset=table", "--table=nowhere.csv"], "cannot be read (No such file or directory)"),
    ],
)
def test_flags_that_cannot_be_are_one_line(flags, message, tmp_path):
    result = recipe("--epochs=1", f"--data_dir={tmp_path}", *flags)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_misspelt_flag_is_named():
    assert_one_line(recipe("--datasett=emodb"), "datasett")


def test_missing_folder_is_named(tmp_path):
    out = tmp_path / "out"
    result = recipe("--dataset=emodb", f"--data_dir={tmp_path / 'nowhere'}", f"--out={out}")
    assert_one_line(result, "nowhere")
    assert not out.exists()


def test_bad_recordings_are_left_out_and_listed(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    first, second, *_ = sorted((tmp_path / "corpus" / "wav").glob("*.wav"))
    first.write_bytes(first.read_bytes()[:-1000])
    second.write_bytes(b"")
    out = tmp_path / "study"
    arguments = [f"--data_dir={tmp_path / 'corpus'}", "--epochs=1", "--folds=1", f"--out={out}"]
    done = recipe("--dataset=emodb", "--on_bad_audio=skip", *arguments)
    assert done.returncode == 0, done.stderr
    listed = done.stdout.partition("Left out, 2 that cannot be used:\n")[2].splitlines()
    assert [first.name in listed[0], second.name in listed[1]] == [True, True]
    results = json.loads((out / "results.json").read_text())
    assert results["left out"] == listed
    assert results["utterances"] == 6


@pytest.mark.parametrize("kind", ["junk", "not finite"])
def test_broken_file_is_named_and_nothing_is_left(tmp_path, kind):
    (tmp_path / "wav").mkdir()
    write_broken(tmp_path, kind).rename(tmp_path / "wav" / "03a01Wa.wav")
    write_wav(tmp_path / "wav" / "08a01Wa.wav", np.zeros(16_000))
    out = tmp_path / "out"
    result = recipe("--dataset=emodb", f"--data_dir={tmp_path}", f"--out={out}")
    assert_one_line(result, "03a01Wa.wav")
    assert not out.exists()
