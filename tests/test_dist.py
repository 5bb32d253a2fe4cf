"""What is released: wheel and source archive, built from a copy and used outside the tree."""

import configparser
import email
import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile

import numpy as np
import pytest
from places import ROOT
from sounds import write_wav

import tfhrf

pytestmark = pytest.mark.slow  # once, not on every TensorFlow

for needed in ("build", "twine"):
    pytest.importorskip(needed, reason=f"{needed} is in the extra dev")


def call(*command, cwd, **environment):
    """What a command prints; it must end with 0."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=clean | environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with a source archive, and a wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


def tracked(*places):
    """The files of folders that belong to the project, as paths in it."""
    listed = call(
        "git", "ls-files", "--cached", "--others", "--exclude-standard", *places, cwd=ROOT
    )
    return {path for path in listed.splitlines() if (ROOT / path).exists()}


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = f"tfhrf-{tfhrf.__version__}.dist-info"
        said = email.message_from_bytes(archive.read(f"{about}/METADATA"))
        assert archive.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert names == tracked("tfhrf")
    assert said["Version"] == tfhrf.__version__
    needed = {one.split(">")[0].split("=")[0] for one in said.get_all("Requires-Dist")}
    assert {"tensorflow", "keras", "numpy", "soundfile", "soxr"} <= needed


def test_the_source_archive_holds_the_project(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked("tfhrf", "recipes", "tests", "tflm", "docs") <= names
    assert {"LICENSE", "README.md", "Makefile", "constraints.txt"} <= names


def test_a_release_says_where_the_project_is(tmp_path):
    for name in ("setup.cfg", "README.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    call(
        sys.executable, ROOT / ".ci" / "write_urls.py", "https://x.org/a/b", "c0ffee", cwd=tmp_path
    )
    config = configparser.ConfigParser()
    config.read(tmp_path / "setup.cfg")
    assert config["metadata"]["url"] == "https://x.org/a/b"
    assert "Source = https://x.org/a/b" in config["metadata"]["project_urls"].splitlines()
    links = re.findall(r"\]\(([^)]+)\)", (tmp_path / "README.md").read_text())
    places = [link.removeprefix("https://x.org/a/b/blob/c0ffee/") for link in links]
    assert "docs/train.md" in places
    assert [place for place in places if not (ROOT / place.partition("#")[0]).exists()] == []


def test_an_index_takes_them(built):
    said = call(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir(), cwd=built)
    assert said.count("PASSED") == 2


def test_the_installed_wheel_recognizes_and_exports(wheel, tmp_path):
    """In an environment of its own, which finds what the package needs in this one's."""
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    call(*pip, "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = call(python, "-c", where, cwd=tmp_path).strip()
    with open(f"{own}/zz_borrowed.pth", "w") as file:  # noqa: PTH123
        file.write("\n".join(path for path in sys.path if path.endswith("site-packages")))
    place = call(python, "-c", "import tfhrf; print(tfhrf.__file__)", cwd=tmp_path).strip()
    assert place.startswith(str(tmp_path / "venv"))

    rng = np.random.default_rng(0)
    write_wav(tmp_path / "sound.wav", rng.normal(0, 0.1, 48_000))
    command = tmp_path / "venv" / "bin" / "tfhrf"
    said = call(command, "recognize", "--format=json", "sound.wav", cwd=tmp_path)
    assert json.loads(said)["posteriors"] == tfhrf.recognize(tmp_path / "sound.wav").posteriors
    assert "light-emodb-4" in call(command, "models", cwd=tmp_path)
    call(command, "export", "--tool=zephyr", "firmware", cwd=tmp_path)
    assert (tmp_path / "firmware" / "prj.conf").exists()
