"""The command `tfhrf`: what it prints, and that whatever goes wrong is one line."""

import configparser
import importlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from needs import needs
from places import ROOT
from small_models import CARD, LABELS, write_model
from sounds import write_wav

import tfhrf
from tfhrf.command import main, training
from tfhrf.deploy.page import writer
from tfhrf.recognition import packaged

LEVELS = 0.02  # of a posterior, for a step of an input: the front ends differ in their last bits


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / packaged.DEFAULT)
    return folder


@pytest.fixture(autouse=True)
def here(models, tmp_path, monkeypatch):
    """The package has one model; sounds lie in the current folder."""
    monkeypatch.setattr(packaged, "FOLDER", models)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, seconds in (("a.wav", 1.5), ("b.wav", 0.4)):
        write_wav(tmp_path / name, rng.normal(0, 0.1, int(16_000 * seconds)))


def run(capsys, *arguments):
    """Exit code, lines of standard output and of standard error."""
    try:
        code = main.main(arguments)
    except SystemExit as stop:
        code = stop.code
    output = capsys.readouterr()
    return code, output.out.splitlines(), output.err.splitlines()


def test_the_entry_point_is_there():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    scripts = config["options.entry_points"]["console_scripts"].strip()
    name, _, place = scripts.partition(" = ")
    module, _, function = place.partition(":")
    assert name == "tfhrf"
    assert getattr(importlib.import_module(module), function) is main.main


def test_a_line_for_every_file(capsys):
    code, lines, errors = run(capsys, "recognize", "a.wav", "b.wav")
    assert (code, errors) == (0, [])
    head, *rows = [line.split("\t") for line in lines]
    assert head == ["file", "label", *LABELS]
    for name, row in zip(("a.wav", "b.wav"), rows, strict=True):
        found = tfhrf.recognize(name)
        assert row[:2] == [name, found.label]
        assert row[2:] == [f"{value:.4f}" for value in found.posteriors.values()]


def test_windows_over_time(capsys):
    code, lines, _ = run(capsys, "recognize", "--every=0.5", "a.wav")
    head, *rows = [line.split("\t") for line in lines]
    assert code == 0
    assert head == ["file", "start", "end", "label", *LABELS]
    assert [row[1] for row in rows] == ["0.00", "0.50", "0.88"]
    assert {row[0] for row in rows} == {"a.wav"}


def test_json_has_all_digits(capsys):
    code, lines, _ = run(capsys, "recognize", "--format=json", "--float", "a.wav", "b.wav")
    assert code == 0
    for name, line in zip(("a.wav", "b.wav"), lines, strict=True):
        found = tfhrf.recognize(name, precision="float32")
        values = {"file": name, "label": found.label, "posteriors": found.posteriors}
        assert json.loads(line) == values
    _, (line,), _ = run(capsys, "recognize", "--format=json", "--every=0.5", "a.wav")
    assert len(json.loads(line)["windows"]) == 3


def test_standard_input_is_a_file(capsys, monkeypatch, tmp_path):
    content = io.TextIOWrapper(io.BytesIO((tmp_path / "a.wav").read_bytes()))
    monkeypatch.setattr(sys, "stdin", content)
    _, (_, from_pipe), _ = run(capsys, "recognize", "-")
    _, (_, from_file), _ = run(capsys, "recognize", "a.wav")
    assert from_pipe.split("\t")[1:] == from_file.split("\t")[1:]


def test_a_pipe_is_a_file(capsys, tmp_path):
    for name, content in (("pipe", (tmp_path / "a.wav").read_bytes()), ("junk", b"no sound")):
        os.mkfifo(name)
        feeder = threading.Thread(target=(tmp_path / name).write_bytes, args=[content])
        feeder.start()
        code, lines, errors = run(capsys, "recognize", name)
        feeder.join()
        if name == "pipe":
            _, (_, from_file), _ = run(capsys, "recognize", "a.wav")
            assert (code, errors) == (0, [])
            assert lines[1].split("\t") == ["pipe", *from_file.split("\t")[1:]]
        else:
            assert code == 2
            assert errors[0].endswith("Received: junk")


def test_names_and_lines_stay_apart(capsys, tmp_path):
    name = "a\tb\nc.wav"
    shutil.copyfile("a.wav", name)
    for arguments in ([], ["--every=0.5"]):
        code, (head, *rows), _ = run(capsys, "recognize", *arguments, name)
        assert code == 0
        for row in rows:
            assert len(row.split("\t")) == len(head.split("\t"))
            assert row.split("\t")[0] == r"a\tb\nc.wav"


@pytest.mark.parametrize("arguments", [[], ["--format=json"]])
def test_silence_is_answered_with_a_warning(capsys, tmp_path, arguments):
    write_wav(tmp_path / "silent.wav", np.zeros(16_000))
    code, lines, errors = run(capsys, "recognize", *arguments, "a.wav", "silent.wav")
    assert code == 0
    assert "silent.wav" in lines[-1]
    assert errors == [
        "Warning: Nothing is louder than silence, the answer means nothing: silent.wav"
    ]
    if arguments:
        assert json.loads(lines[-1]).keys() == {"file", "label", "posteriors"}


@pytest.mark.parametrize(
    ("arguments", "closing", "error"),
    [
        (["-"], "<&-", "Error: Standard input is closed. Received: -\n"),
        (["a.wav"], ">&-", "Error: Standard output is closed\n"),
        (["none.wav"], "2>&-", ""),
    ],
)
def test_closed_streams_are_told(models, arguments, closing, error):
    command = [sys.executable, "-m", "tfhrf", "recognize", f"--model={models / packaged.DEFAULT}"]
    done = subprocess.run(
        f"{shlex.join([*command, *arguments])} {closing}",
        shell=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, error)
    assert "Error" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["export", "--model=", "out"], "there is no such folder. Received: ''"),
        (["export", ""], "A folder for the files is needed. Received: ''"),
        (["export", f"--name={'a' * 300}", "out"], "of file names. Received: 300 letters"),
        (["page", ""], "A file for the page is needed, such as emotions.html. Received: ''"),
        (["page", "folder"], "Is a directory. Received: folder"),
        (["page", "a.wav/page.html"], "Not a directory. Received: a.wav/page.html"),
        (["page", "p" * 300], f"File name too long. Received: {'p' * 300}"),
        (["train"], "required: conv_transformer | conformer | speech_former"),
        (["train", "--dataset=emodb"], "required: conv_transformer | conformer | speech_former"),
        (["train", "transformer"], "invalid choice: 'transformer'"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    capsys, tmp_path, monkeypatch, arguments, error
):
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(writer, "compile_program", pytest.fail)
    code, lines, (line,) = run(capsys, *arguments)
    assert (code, lines) == (2, [])
    assert error in line
    assert {path.name for path in tmp_path.rglob("*")} == {"a.wav", "b.wav", "folder"}


def test_a_file_that_cannot_be_used_does_not_stop_the_others(capsys):
    code, lines, errors = run(capsys, "recognize", "none.wav", "a.wav")
    assert code == 2
    assert errors == ["Error: Audio file does not exist. Received: none.wav"]
    assert [line.split("\t")[0] for line in lines] == ["file", "a.wav"]


def test_a_folder_is_a_model(capsys, models, tmp_path):
    shutil.copytree(models / packaged.DEFAULT, tmp_path / "mine")
    _, by_folder, _ = run(capsys, "recognize", "--model=mine", "a.wav")
    assert by_folder == run(capsys, "recognize", "a.wav")[1]


def test_models_are_listed_with_their_cards(capsys, models):
    code, lines, _ = run(capsys, "models")
    assert code == 0
    size = (models / packaged.DEFAULT / "int8.tflite").stat().st_size
    assert [line.split("\t") for line in lines] == [
        ["name", "bytes", "classes", "what it is"],
        [packaged.DEFAULT, str(size), ",".join(LABELS), "Calm, tense, glad in noise."],
    ]
    assert run(capsys, "models", packaged.DEFAULT)[1] == CARD.splitlines()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "required"),
        (["listen"], "invalid choice: 'listen'"),
        (["recognize"], "required: FILE"),
        (["recognize", "--evry=1", "a.wav"], "--evry=1"),
        (["recognize", "--every=0", "a.wav"], "positive number of seconds is needed. Received: 0"),
        (["recognize", "--every=x", "a.wav"], "Received: x"),
        (["recognize", "--model=nobody", "a.wav"], "there is no such folder. Received: 'nobody'"),
        (["models", "nobody"], "Received: 'nobody'"),
        (["recognize", "--model=.", "a.wav"], "must have int8.tflite"),
    ],
)
def test_what_goes_wrong_is_one_line(capsys, arguments, what):
    code, _, errors = run(capsys, *arguments)
    assert code == 2
    (error,) = errors
    assert error.startswith("Error: ")
    assert what in error


@pytest.mark.parametrize("arguments", [["export", "out"], ["models"]])
def test_a_full_disk_is_one_line_and_leaves_nothing(models, tmp_path, arguments):
    command = [sys.executable, "-m", "tfhrf", *arguments]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            ["sh", "-c", f"ulimit -f 1; exec {shlex.join(command)}"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    place = "File too large. Received: out" if "export" in arguments else "standard output"
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.endswith(f"{place}\n")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".wav"] == []


def test_a_reader_that_has_enough_ends_it_quietly(models):
    options = [f"--model={models / packaged.DEFAULT}", "--every=0.01"]
    with subprocess.Popen(
        [sys.executable, "-m", "tfhrf", "recognize", *options, *["a.wav"] * 200],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout.readline().startswith(b"file\tstart")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_help_loads_no_tensorflow():
    code = f"""
import contextlib, sys
sys.path.insert(0, {str(ROOT)!r})
from tfhrf.command.main import main
for name in ("recognize", "models", "train", "export", "demo", "page", None):
    with contextlib.suppress(SystemExit):
        main([*filter(None, [name]), "--help"])
heavy = {{"tensorflow", "keras", "soundfile", "sklearn", "matplotlib", "absl"}} & set(sys.modules)
sys.exit(", ".join(heavy) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "trains and tests a backbone on a corpus" in done.stdout


def test_training_takes_the_flags_of_the_recipes():
    def train(*flags):
        return subprocess.run(
            [sys.executable, "-m", "tfhrf", "train", *flags],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )

    helped = train("speech_former", "--help")
    recipe = subprocess.run(
        [sys.executable, str(ROOT / "recipes/train_speechformer.py"), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    flags = [text.partition("Flags:")[2] for text in (helped.stdout, recipe.stdout)]
    assert "--dataset" in flags[0]
    assert flags[0] == flags[1]
    wrong = train("conv_transformer", "--dataset=emodb")
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "Error: --data_dir is needed with --dataset=emodb. Received: no --data_dir\n"
    )


def test_without_the_extra_it_is_named(capsys, monkeypatch):
    monkeypatch.setattr(training, "NEEDED", ("numpy", "nothing_of_that_name"))
    code, _, errors = run(capsys, "train", "conv_transformer")
    assert code == 2
    assert errors == [
        "Error: To train, install the extra: pip install 'tfhrf[recipes]'. "
        "Received: no nothing_of_that_name"
    ]


@pytest.mark.parametrize("runtime", ["c", "tflm"])
def test_export_writes_a_project(capsys, tmp_path, runtime):
    arguments = [f"--runtime={runtime}", "--tool=cmake", "--name=mood", "firmware"]
    code, lines, errors = run(capsys, "export", *arguments)
    assert (code, errors) == (0, [])
    written = [path for path in (tmp_path / "firmware").rglob("*") if path.is_file()]
    assert lines[-1] == f"Written to firmware: {len(written)} files"
    assert "mood" in (tmp_path / "firmware/CMakeLists.txt").read_text()
    code, _, (error,) = run(capsys, "export", "--name=9", "firmware")
    assert code == 2
    assert error.endswith("Received: '9'")


@needs("gcc")
def test_the_demo_hears_the_same_in_python_and_in_c(capsys, tmp_path):
    rng = np.random.default_rng(0)
    quiet, loud = rng.normal(0, 1e-3, 16_000), rng.normal(0, 0.2, 12_000)
    write_wav(tmp_path / "two.wav", np.concatenate([quiet, loud, quiet, loud, quiet]))
    for arguments, count in ((["--wav=two.wav"], 2), ([], 3)):
        code, (_, head, *rows), errors = run(capsys, "demo", *arguments)
        assert (code, errors) == (0, [])
        assert head.split() == [*LABELS]
        assert len(rows) == 2 * count
        for in_python, in_c in zip(rows[::2], rows[1::2], strict=True):
            assert in_c.startswith(in_python.split(":")[0] + ": C, int8")
            np.testing.assert_allclose(
                [float(x) for x in in_c.split()[3:6]],
                [float(x) for x in in_python.split()[3:6]],
                atol=LEVELS,
            )
    assert run(capsys, "demo", "--wav=none.wav")[2] == [
        "Error: Audio file does not exist. Received: none.wav"
    ]


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (0.01, "Audio file is shorter than one frame of 400 samples (160 samples)"),
        (1.0, "Nothing in the audio file stands out as an utterance"),
    ],
)
def test_the_demo_says_what_a_sound_lacks(capsys, tmp_path, seconds, message):
    write_wav(tmp_path / "quiet.wav", np.zeros(round(16_000 * seconds)))
    code, lines, errors = run(capsys, "demo", "--wav=quiet.wav")
    assert (code, lines, errors) == (2, [], [f"Error: {message}. Received: quiet.wav"])


def test_the_demo_says_why_a_compiler_fails(capsys, tmp_path, monkeypatch):
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'In a file' >&2\necho 'a.c:1: error: no' >&2\nexit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    code, lines, errors = run(capsys, "demo")
    assert (code, lines) == (2, [])
    assert errors == ["Error: `cc` ended with exit code 3. Received: a.c:1: error: no"]


@needs("clang", "wasm-ld")
def test_page_writes_one_file(capsys, tmp_path):
    code, (line,), errors = run(capsys, "page", "heard.html")
    assert (code, errors) == (0, [])
    size = (tmp_path / "heard.html").stat().st_size
    assert line == f"Written to heard.html: {size:,} bytes"
