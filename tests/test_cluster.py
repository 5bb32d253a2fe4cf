"""The examples of docs/cluster.md: they parse, and the recipes know their flags."""

import os
import re
import subprocess
import sys

import pytest
from places import ROOT

TEXT = (ROOT / "docs" / "cluster.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_manifests_are_yaml_of_the_stated_kinds():
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with Ray")
    job, ray_job = [yaml.safe_load(block) for block in blocks("yaml")]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["spec"]["completionMode"] == "Indexed"
    assert (ray_job["apiVersion"], ray_job["kind"]) == ("ray.io/v1", "RayJob")
    for template in (
        job["spec"]["template"],
        ray_job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"],
        ray_job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"],
    ):
        (container,) = template["spec"]["containers"]
        (volume,) = template["spec"]["volumes"]
        assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"]]
    (shell,) = job["spec"]["template"]["spec"]["containers"][0]["args"]
    for command in (shell, ray_job["spec"]["entrypoint"]):
        assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


def test_the_batch_script_is_bash():
    (script,) = blocks("bash")
    result = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
    assert result.returncode == 0


def test_the_recipes_know_every_flag():
    recipe = ROOT / "recipes" / "train_convtransformer.py"
    known = subprocess.run(
        [sys.executable, str(recipe), "--helpfull"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    ).stdout
    commands = re.sub(r"\\?\n +", " ", TEXT)
    given = re.findall(r"train_\w+\.py((?:\s+--\w+(?:=(?:\$\(\(.*?\)\)|[^\s`])+)?)+)", commands)
    flags = {flag for arguments in given for flag in re.findall(r"--(\w+)", arguments)}
    assert {"engine", "ray_address", "strategy", "folds", "seed", "hrf", "out"} <= flags
    for flag in flags:
        assert re.search(rf"--(\[no\])?{flag}:", known), flag
