"""The notebooks run from top to bottom, and say what they are said to say."""

import json
import os
import subprocess
import sys

import pytest
from places import ROOT

for needed in ("ipykernel", "nbclient"):
    pytest.importorskip(needed, reason=f"{needed} is in the extra dev")

DOCS = ROOT / "docs"
NOTEBOOKS = sorted(DOCS.glob("*.ipynb"))
RUN = """
import pathlib, sys
import nbclient, nbformat
path = pathlib.Path(sys.argv[1])
notebook = nbformat.read(path, as_version=4)
place = {"metadata": {"path": str(path.parent)}}
nbclient.NotebookClient(notebook, timeout=600, resources=place).execute()
nbformat.write(notebook, sys.argv[2])
"""


def said(notebook):
    """The letters of what the cells of a notebook print, line by line; progress bars apart."""
    outputs = [one for cell in notebook["cells"] for one in cell.get("outputs", ())]
    text = "".join("".join(one.get("text", "")) for one in outputs if one.get("name") == "stdout")
    lines = [line for line in text.splitlines() if not {"\x1b", "\x08"} & {*line}]
    letters = ["".join(filter(str.isalpha, line)) for line in lines]
    return [line for line in letters if line and not line.startswith("Training")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    arguments = [sys.executable, "-c", RUN, str(path), str(tmp_path / "run.ipynb")]
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kept, now = (json.loads(one.read_text()) for one in (path, tmp_path / "run.ipynb"))
    assert said(kept) == said(now)


def test_what_is_kept_of_them_is_small():
    assert [path.stem for path in NOTEBOOKS] == ["quickstart", "speech"]
    for path in NOTEBOOKS:
        assert path.stat().st_size < 30_000
        for cell in json.loads(path.read_text())["cells"]:
            assert cell.get("execution_count") is None
            assert not any(one["output_type"] == "error" for one in cell.get("outputs", ()))
