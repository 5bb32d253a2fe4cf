"""The table over seeds, against hand-computed means; and what it refuses."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from tfhrf.corpora import CORPORA
from tfhrf.report import ReportError, collect, seeds_table, table

ROOT = pathlib.Path(__file__).resolve().parents[1]


def write_study(folder, seed, ua, int8=None, utterances=20, **settings):
    """A finished study with what the table reads."""
    kinds = {"trained": ua, "folded": ua} | ({} if int8 is None else {"int8": int8})
    results = {
        "settings": {"model": "conv_transformer", "hrf": 4, **settings, "seed": seed},
        "folds": {"03": {}, "08": {}},
        "utterances": utterances,
        "scores": {kind: {"wa": value + 0.01, "ua": value} for kind, value in kinds.items()},
    }
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_mean_and_interval_over_seeds(tmp_path):
    folders = [
        write_study(tmp_path / f"{seed}", seed, ua, ua - 0.004)
        for seed, ua in enumerate([0.80, 0.82, 0.87])
    ]
    lines = seeds_table(folders).splitlines()
    assert lines[:2] == [
        "model=conv_transformer, hrf=4",
        "2 speakers held out in turn, 20 utterances, 3 seeds",
    ]
    # Deviation 0.0361; Student's t of 2 degrees of freedom is 4.303, over the root of 3 seeds.
    assert " ".join(lines[4].split()) == (
        "folded (float32) 0.840 ± 0.036 0.830 ± 0.036 0.740 to 0.920"
    )
    assert lines[6] == "int8 against folded, points of UA: -0.40 (-0.40, -0.40, -0.40)"


def test_some_folds_may_count(tmp_path):
    study = write_study(tmp_path / "0", 0, 0.5)
    results = json.loads((study / "results.json").read_text())
    counts = {"a": [[8, 2], [0, 10]], "b": [[1, 1], [0, 2]], "c": [[0, 9], [9, 0]]}
    results["folds"] = {
        fold: {kind: {"confusion": confusion} for kind in results["scores"]}
        for fold, confusion in counts.items()
    }
    (study / "results.json").write_text(json.dumps(results))
    lines = seeds_table([study], ["a", "b"]).splitlines()
    assert lines[1].startswith("2 speakers held out in turn, 24 utterances")
    assert lines[4].split()[-2:] == ["0.875", "0.875"]
    with pytest.raises(ReportError, match=r"has the folds a, b, c\. Received: d"):
        seeds_table([study], ["a", "d"])


def test_groups_differ_in_settings_and_int8_may_be_missing(tmp_path):
    folders = [
        write_study(tmp_path / "a", 0, 0.8, hrf=0),
        write_study(tmp_path / "b", 0, 0.9, hrf=4),
    ]
    first, second = seeds_table(folders).split("\n\n")
    assert "hrf=0" in first
    assert "0.800" in first
    assert "hrf=4" in second
    assert "int8" not in first + second


def test_refuses_what_cannot_be_compared(tmp_path):
    one = write_study(tmp_path / "one", 0, 0.8)
    part = write_study(tmp_path / "part", 1, 0.8, utterances=10)
    again = write_study(tmp_path / "again", 0, 0.8)
    with pytest.raises(ReportError, match=r"did not test the same.*\(2, 10\), \(2, 20\)"):
        seeds_table([one, part])
    with pytest.raises(ReportError, match=r"same settings. Received: .*again"):
        seeds_table([one, again])
    with pytest.raises(ReportError, match=r"No finished study is in .*nowhere"):
        seeds_table([one, tmp_path / "nowhere"])


def test_recipe_prints_the_table_or_one_line(tmp_path):
    def collect(*arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / "recipes" / "collect_results.py"), *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )

    folders = [str(write_study(tmp_path / f"{seed}", seed, 0.8)) for seed in range(2)]
    good = collect(*folders)
    assert good.returncode == 0, good.stderr
    assert "2 seeds" in good.stdout
    bad = collect(str(tmp_path / "nowhere"))
    assert bad.returncode == 2
    assert "Error: No finished study is in" in bad.stderr
    assert collect().returncode == 2


def write_fold(folder, **sides):
    """A fold's record with the confusions of its sides."""
    record = {
        "fold": folder.name,
        "folding error": 1e-6,
        "int8 bytes": 10,
        "parameters": {"trained": 2, "folded": 1},
        "seconds": {},
        **{side: {"confusion": {"folded": counts}} for side, counts in sides.items()},
    }
    folder.mkdir()
    (folder / "fold.json").write_text(json.dumps(record))


def test_sides_are_pooled_apart(tmp_path):
    settings = {"dataset": "daic_woz", "model": "small", "protocol": "official"}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    write_fold(tmp_path / "a", validation=[[2, 1], [0, 1]], test=[[1, 0], [0, 1]])
    write_fold(tmp_path / "b", validation=[[1, 1], [1, 1]], test=[[2, 2], [0, 2]])
    results = collect(tmp_path, CORPORA["daic_woz"])
    assert results["scores"]["folded"]["confusion"] == [[3, 2], [0, 3]]
    assert results["scores"]["folded"]["ua"] == pytest.approx((3 / 5 + 1) / 2)
    assert results["folds"]["b"]["folded"]["ua"] == pytest.approx((1 / 2 + 1) / 2)
    assert results["utterances"] == 8
    assert results["validation"]["utterances"] == 8
    assert results["validation"]["scores"]["folded"]["confusion"] == [[3, 2], [1, 2]]
    lines = table(results).splitlines()
    assert lines[0] == "daic_woz: official split, 8 participants, small"
    assert lines[1].split() == ["test", "WA", "UA", "macro", "F1"]
    assert lines[2].split()[-3:] == ["0.750", "0.800", "0.750"]
    assert lines[4].split() == ["validation,", "8", "participants", "WA", "UA", "macro", "F1"]


def test_there_may_be_validation_and_no_test(tmp_path):
    settings = {"dataset": "daic_woz", "model": "small", "protocol": "official"}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    write_fold(tmp_path / "official", validation=[[2, 1], [0, 1]])
    results = collect(tmp_path, CORPORA["daic_woz"])
    assert results["scores"] == {}
    assert "official split, 0 participants" in table(results)
    assert "validation, 4 participants" in table(results)
