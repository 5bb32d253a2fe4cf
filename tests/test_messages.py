"""What errors say: one line whose end is what was received."""

import ast
import os
import subprocess
import sys

import commandline
import pytest
from places import ROOT, TFLM

from tfhrf.data.decode import AudioError

# Whose messages a user reads; AudioError adds the file itself.
NAMES = {
    *("CacheError", "CorpusError", "EngineError", "FlagError", "FoldError", "ModelError"),
    *("ResultsError", "StudyError", "TrainingError"),
}
MODULES = [
    path
    for wing in ("command", "data", "recognition", "studies")
    for path in sorted((ROOT / "tfhrf" / wing).rglob("*.py"))
] + sorted((ROOT / "recipes").rglob("*.py"))
SHARED = ("commandline.py", "emulator.py")
SCRIPTS = [path for path in sorted(TFLM.glob("*.py")) if path.name not in SHARED]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_was_received_is_at_the_end(path):
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
            continue
        name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
        written = isinstance(node.exc.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp))
        if name in NAMES and written:
            # One that ends with another error ends with what that says.
            message = ast.get_source_segment(text, node.exc)
            assert "Received: " in message or message.endswith('{error}")'), message


def test_a_sound_file_is_named_at_the_end():
    assert str(AudioError("Audio file is empty", "a b.wav")) == (
        "Audio file is empty. Received: a b.wav"
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_ends_as_the_others(path):
    text = path.read_text()
    assert text.count("commandline.parser_of(__doc__)") == 1
    assert text.endswith('\n\nif __name__ == "__main__":\n    commandline.run(main)\n')


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (KeyboardInterrupt(), "Stopped"),
        (FileNotFoundError(2, "No such file or directory", "a b"), "directory. Received: a b"),
        (OSError(28, "No space left on device"), "left on device. Received: fuzz.py 'a b'"),
        (RuntimeError("Error: two\nlines"), "Error: two lines"),
        (ValueError("No model. Received: 'a'"), "Error: No model. Received: 'a'"),
    ],
)
def test_what_ends_a_script_is_one_line(raised, line, monkeypatch, capsys):
    def main():
        raise raised

    monkeypatch.setattr(sys, "argv", ["fuzz.py", "a b"])
    with pytest.raises(SystemExit) as caught:
        commandline.run(main)
    assert caught.value.code == (130 if line == "Stopped" else 2)
    told = capsys.readouterr().err
    assert (told.startswith("Error: "), told.count("Error"), told.count("\n")) == (True, 1, 1)
    assert told.endswith(f"{line}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["count_instructions.py", "--nonsense"], "arguments are required: tflite"),
        (["estimate_cycles.py", "junk"], "TFL3). Received: 4 bytes that begin with b'junk'"),
        (["demo.py", "--wav=none"], "Audio file does not exist. Received: none"),
        (["write_page.py", "--out=junk/page.html"], "Not a directory. Received: junk/page.html"),
    ],
)
def test_what_a_script_cannot_use_is_one_line(arguments, message, tmp_path):
    (tmp_path / "junk").write_text("junk")
    done = subprocess.run(
        [sys.executable, str(TFLM / arguments[0]), *arguments[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["junk"]
