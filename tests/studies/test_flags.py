"""What a recipe refuses, and what it says of itself, before anything is trained."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf
from recipes_run import assert_one_line, run, train
from sounds import write_broken, write_wav

from tfhrf.progress import progress_bar
from tfhrf.studies import cli
from tfhrf.studies.record import StudyError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Features go under runs/ of the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("flag", ["--hrf=0,3", "--seed=0,x", "--seed=", "--variant=huge"])
def test_a_wrong_value_in_a_list_is_named(flag):
    assert_one_line(train(flag), flag.partition("=")[0].lstrip("-"))


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_every_flag(flag):
    result = train(flag)
    assert result.returncode == 0
    assert result.stdout.startswith("Trains a ConvTransformer, folds it")
    for name in ("dataset", "labels", "table", "seed", "hrf", "[no]restart", "engine", "out"):
        assert f"  --{name}: " in result.stdout


@pytest.mark.parametrize(
    ("raised", "message", "code"),
    [
        (KeyboardInterrupt(), "Error: Stopped; what is complete stays", 130),
        (OSError(28, "No space left on device", "a/b"), "Error: No space left on device. R", 2),
        (OSError(28, "No space left on device"), "No space left on device. Received: runs", 2),
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
        (["--folds="], "Error: A value is needed. Received: --folds="),
        (["--seed=12345678901234567890"], "Error: Values are integers from 0 to 4294967295. R"),
        (["--dataset=table", "--table=nowhere.csv"], "cannot be read (No such file or directory)"),
    ],
)
def test_flags_that_cannot_be_are_one_line(flags, message, tmp_path):
    result = train("--epochs=1", f"--data_dir={tmp_path}", *flags)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        *((f"--{name}=", "A value is needed") for name in ("labels", "folds", "out")),
        ("--epochs=x", "Value should be a positive integer"),
        ("--epochs=0", "Value should be a positive integer"),
        ("--seed=a,b: c", "Values are integers from 0 to 4294967295"),
        ("--engine=x: y", "Value should be one of <local|ray>"),
        ("--restart=maybe", "Non-boolean argument to boolean flag"),
        ("--norestart=1", "--norestart=1 does not take an argument"),
        ("--epochs", "Missing value for flag --epochs"),
        ("--datasett=emodb", "There is no such flag; like it are dataset"),
        ("--what=1", "There is no such flag"),
    ],
)
def test_what_a_flag_received_is_at_the_end(flag, message):
    result = train(flag)
    assert result.returncode == 2
    assert result.stderr == f"Error: {message}. Received: {flag}\n"


def test_a_flag_that_is_needed_is_named():
    assert_one_line(run("package_model.py"), "A flag is needed. Received: no --study")


def test_a_reader_that_has_enough_ends_it_quietly(monkeypatch, capfd):
    # TensorFlow has begun here.
    monkeypatch.setattr(cli, "limit_threads", lambda: None)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        cli._guarded(lambda: print("more than is read"), [], False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("script", "given", "received"),
    [
        ("stress.py", [], "Received: none"),
        ("collect_results.py", [], "Received: none"),
        ("study_hrf.py", [], "Received: neither"),
        ("benchmarks/benchmark_quantization.py", [], "Received: none"),
        ("benchmarks/benchmark_quantization.py", ["a", "b"], "Received: a b"),
        ("train_conformer.py", ["a"], "Received: a"),
    ],
)
def test_folders_that_are_not_given_or_too_many(script, given, received):
    assert_one_line(run(script, *given), received)


def test_missing_folder_is_named(tmp_path):
    out = tmp_path / "out"
    result = train("--dataset=emodb", f"--data_dir={tmp_path / 'nowhere'}", f"--out={out}")
    assert_one_line(result, "nowhere")
    assert not out.exists()


@pytest.mark.parametrize("kind", ["junk", "not finite"])
def test_broken_file_is_named_and_nothing_is_left(tmp_path, kind):
    (tmp_path / "wav").mkdir()
    write_broken(tmp_path, kind).rename(tmp_path / "wav" / "03a01Wa.wav")
    write_wav(tmp_path / "wav" / "08a01Wa.wav", np.zeros(16_000))
    out = tmp_path / "out"
    result = train("--dataset=emodb", f"--data_dir={tmp_path}", f"--out={out}")
    assert_one_line(result, "03a01Wa.wav")
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_named_before_frames_are_computed(tmp_path):
    (tmp_path / "wav").mkdir()
    for name in ("03a01Wa.wav", "08a01Wa.wav"):
        write_wav(tmp_path / "wav" / name, np.zeros(16_000))
    result = train("--dataset=emodb", f"--data_dir={tmp_path}", "--out=/dev/null/study")
    assert_one_line(result, "Error: Not a directory. Received: /dev/null/study")
    assert not list(tmp_path.rglob("*.tfrecord"))
