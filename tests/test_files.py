"""Folders that several processes write at the same time."""

import os
import platform
import subprocess
import sys

import pytest

from tfhrf.files import begin_folder, finish_folder, replacing_folder


def test_a_folder_is_replaced_whole(tmp_path):
    for content in ("a", "b"):
        with replacing_folder(tmp_path / "03") as folder:
            (folder / content).touch()
    assert [path.name for path in (tmp_path / "03").iterdir()] == ["b"]
    with pytest.raises(FileNotFoundError), replacing_folder(tmp_path / "03") as folder:
        (folder / "none" / "c").touch()
    assert [path.name for path in (tmp_path / "03").iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["03"]


def test_what_dead_processes_left_goes_and_what_others_write_stays(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    here = f".unfinished-03-{platform.node()}-"
    names = {
        "dead": f"{here}{dead.stdout.decode().strip()}",
        "dead while it renamed": f"{here}{dead.stdout.decode().strip()}-old",
        "own while it renamed": f"{here}{os.getpid()}-old",
        "alive": f"{here}{os.getppid()}",
        "another machine": f".unfinished-03-{platform.node()}x-1",
        "another fold": f".unfinished-033-{platform.node()}-1",
        "own": f"{here}{os.getpid()}",
    }
    for name in names.values():
        (tmp_path / name / "file").mkdir(parents=True)
    folder = begin_folder(tmp_path / "03")
    assert list(folder.iterdir()) == []
    left = {path.name for path in tmp_path.iterdir()}
    gone = ("dead", "dead while it renamed", "own while it renamed")
    assert left == {*names.values()} - {names[one] for one in gone}
    finish_folder(folder, tmp_path / "03")
    assert (tmp_path / "03").is_dir()
