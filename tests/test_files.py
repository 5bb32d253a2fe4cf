"""Folders that several processes write at the same time."""

import errno
import os
import platform
import subprocess
import sys

import pytest

from tfhrf.files import (
    begin_folder,
    check_file,
    finish_folder,
    replacing,
    replacing_folder,
    write_text,
    write_together,
)


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


def test_errors_name_the_file_not_the_temporary_one(tmp_path):
    (tmp_path / "folder").mkdir()
    long = "n" * 300
    calls = {
        "folder": lambda: write_text(tmp_path / "folder", "text"),
        long: lambda: write_text(tmp_path / long, "text"),
        f"{long}.c": lambda: write_together(tmp_path, {f"{long}.c": "text"}),
    }
    for name, call in calls.items():
        with pytest.raises(OSError, match=name) as caught:
            call()
        assert caught.value.filename == str(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    # What else went wrong in the block is told as it is.
    with pytest.raises(FileNotFoundError) as missing, replacing(tmp_path / "new"):
        (tmp_path / "none").read_text()
    assert missing.value.filename == str(tmp_path / "none")


def test_a_file_that_cannot_be_written_is_told_before(tmp_path):
    (tmp_path / "file").touch()
    for good in ("file", "new", "new/er"):
        check_file(tmp_path / good)
    for bad, code in (
        (".", errno.EISDIR),
        ("file/x", errno.ENOTDIR),
        ("n" * 300, errno.ENAMETOOLONG),
    ):
        with pytest.raises(OSError, match=r"\w") as caught:
            check_file(tmp_path / bad)
        assert caught.value.errno == code
        assert caught.value.filename == str(tmp_path / bad)
