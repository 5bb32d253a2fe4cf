"""Scripts of recipes/, run in processes of their own that begin with TensorFlow loaded."""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

from places import ROOT

# Loading takes three seconds, which most runs here would take for nothing else.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tfhrf.studies.cli"])


def run(script, *arguments):
    """What a script of recipes/ returns and prints.

    Args:
        script: its name.
        arguments: its flags.

    Returns:
        subprocess.CompletedProcess, its output as text.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [pathlib.Path(folder, name) for name in ("stdout", "stderr")]
        command = [str(ROOT / "recipes" / script), *map(str, arguments)]
        given = command, pathlib.Path.cwd(), dict(os.environ), outputs
        process = CONTEXT.Process(target=_main, args=given)
        process.start()
        process.join()
        texts = [path.read_text() for path in outputs]
    return subprocess.CompletedProcess(command, process.exitcode, *texts)


def train(*arguments, backbone="convtransformer"):
    """The same of a recipe that trains."""
    return run(f"train_{backbone}.py", *arguments)


def assert_one_line(result, culprit):
    """A script refused what was asked for, and named the culprit in one line."""
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert culprit in lines[0]
    assert "Traceback" not in result.stderr


def _main(command, folder, environment, outputs):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = command
    sys.path.insert(0, str(pathlib.Path(command[0]).parent))
    runpy.run_path(command[0], run_name="__main__")
