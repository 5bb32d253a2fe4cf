"""The table over seeds, against hand-computed means; and what it refuses."""

import json

import pytest
import recipes_run

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from tfhrf.data.corpora import CORPORA
from tfhrf.studies.results import ResultsError, by_corpus, collect, group
from tfhrf.studies.tables import comparison, table
from tfhrf.studies.tables import seeds_table as one_table


def seeds_table(folders, folds=None):
    return "\n\n".join(one_table(*found) for found in group(folders, folds))


def write_study(
    folder, seed, right, int8=None, folds=("03", "08"), metrics=("wa", "ua"), **settings
):
    """A finished study of two classes; of 500 utterances per class and fold, `right` are right."""

    def scores(count):
        return {"confusion": [[count, 500 - count], [500 - count, count]]}

    def history(change):
        return {"loss": [2.0, 1.0 + change], "accuracy": [0.5, 0.8 - change]}

    kinds = {"trained": right, "folded": right} | ({} if int8 is None else {"int8": int8})
    results = {
        "settings": {"model": "conv_transformer", "hrf": 4, **settings, "seed": seed},
        "labels": ["sad", "happy"],
        "parameters": {"trained": 4000, "folded": 1000},
        "int8 bytes": 2048,
        "tflm": None,
        "scores": {kind: {} for kind in kinds},
        "metrics": list(metrics),
        "decisions": "utterances",
        "folds": {fold: {kind: scores(count) for kind, count in kinds.items()} for fold in folds},
        "history": {fold: history(0.1 * i) for i, fold in enumerate(folds)},
    }
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.mark.parametrize("content", ["", "{", "[]", '{"settings": {}}', "\xff"])
def test_damaged_results_are_named(tmp_path, content):
    folder = write_study(tmp_path / "a", 0, 400)
    (folder / "results.json").write_text(content, encoding="latin-1")
    with pytest.raises(ResultsError, match=r"are damaged.*Received: .*results\.json$"):
        group([folder])
    for missing in (tmp_path / "none", folder / "results.json"):
        with pytest.raises(ResultsError, match=rf"No finished study .*Received: {missing}$"):
            group([missing])


def test_mean_and_interval_over_seeds(tmp_path):
    folders = [
        write_study(tmp_path / f"{seed}", seed, right, right - 2)
        for seed, right in enumerate([400, 410, 435])
    ]
    lines = seeds_table(folders).splitlines()
    assert lines[:2] == [
        "model=conv_transformer, hrf=4",
        "2 speakers held out in turn, 2000 utterances, 3 seeds",
    ]
    assert lines[2].split() == ["WA", "UA", "95", "%", "of", "mean", "UA"]
    # Deviation 0.0361; Student's t of 2 degrees of freedom is 4.303, over the root of 3 seeds.
    assert " ".join(lines[4].split()) == (
        "folded (float32) 0.830 ± 0.036 0.830 ± 0.036 0.740 to 0.920"
    )
    assert lines[6] == "int8 against folded, points of UA: -0.40 (-0.40, -0.40, -0.40)"


def test_the_metrics_are_those_of_the_corpus(tmp_path):
    study = write_study(tmp_path / "a", 0, 400, metrics=("wa", "ua", "f1_macro"))
    lines = seeds_table([study]).splitlines()
    assert lines[2].split()[:4] == ["WA", "UA", "macro", "F1"]
    assert lines[3].split()[-3:] == ["0.800"] * 3


def test_groups_differ_in_settings_and_int8_may_be_missing(tmp_path):
    folders = [
        write_study(tmp_path / "a", 0, 400, hrf=0),
        write_study(tmp_path / "b", 0, 450, hrf=4),
    ]
    first, second = seeds_table(folders).split("\n\n")
    assert "hrf=0" in first
    assert "0.800" in first
    assert "hrf=4" in second
    assert "int8" not in first + second


def test_folds_of_several_folders_are_one_study(tmp_path):
    together = write_study(tmp_path / "all", 0, 400, 390, folds=("03", "08", "09"))
    parts = [
        write_study(tmp_path / "first", 0, 400, 390, folds=("09",)),
        write_study(tmp_path / "second", 0, 400, 390, folds=("03", "08")),
    ]
    assert seeds_table(parts) == seeds_table([together])
    with pytest.raises(ResultsError, match=r"Fold 09 .* in two folders\. Received: .*first"):
        seeds_table([together, parts[0]])


def test_some_folds_may_count(tmp_path):
    better = write_study(tmp_path / "0", 0, 450, folds=("a", "b"))
    worse = write_study(tmp_path / "1", 0, 300, folds=("c",))
    lines = seeds_table([better, worse], ["a", "c"]).splitlines()
    assert lines[1].startswith("2 speakers held out in turn, 2000 utterances")
    assert lines[4].split()[-2:] == ["0.750", "0.750"]
    with pytest.raises(ResultsError, match=r"has the folds a, b, c\. Received: d"):
        seeds_table([better, worse], ["a", "d"])


def test_side_by_side(tmp_path):
    folders = [
        write_study(tmp_path / f"{name}-{seed}", seed, right + seed, int8, dataset="emodb", **more)
        for name, right, int8, more in (
            ("light", 400, None, {"variant": "light", "hrf": 0}),
            ("hrf", 450, 440, {"variant": "light"}),
            ("large", 425, 420, {"variant": "large"}),
        )
        for seed in range(2)
    ]
    lines = comparison(group(folders)).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["hrf=0,", "variant=light"],
        ["hrf=4,", "variant=light"],
        ["hrf=4,", "variant=large"],
    ]
    numbers = ["4,000", "1,000", "2,048", "2", "UA"]
    assert lines[1].split()[2:] == [*numbers, "0.801", "±", "0.001", "-"]
    assert lines[2].split()[2:] == [*numbers, "0.901", "±", "0.001", "0.880", "±", "0.000"]


def test_other_corpora_and_protocols_are_not_compared(tmp_path):
    folders = [
        write_study(tmp_path / f"{i}", 0, 400, **settings)
        for i, settings in enumerate(
            [
                {"dataset": "emodb"},
                {"dataset": "cremad"},
                {"dataset": "emodb", "hrf": 0},
                {"dataset": "emodb", "speakers": "03"},
            ]
        )
    ]
    found = [[len(studies) for _, studies in groups] for groups in by_corpus(group(folders))]
    assert found == [[1, 1], [1], [1]]


def test_validation_is_spread_over_seeds_apart(tmp_path):
    folders = []
    for seed, right in enumerate([400, 420]):
        folders.append(write_study(tmp_path / f"{seed}", seed, 300, folds=("official",)))
        path = folders[-1] / "results.json"
        results = json.loads(path.read_text())
        counts = [[right, 500 - right], [500 - right, right]]
        results["validation"] = {"folds": {"official": {"folded": {"confusion": counts}}}}
        path.write_text(json.dumps(results))
    lines = [" ".join(line.split()) for line in seeds_table(folders).splitlines()]
    assert lines[2].startswith("test WA UA")
    assert lines[4].startswith("folded (float32) 0.600 ± 0.000 0.600 ± 0.000")
    assert lines[5].startswith("validation, 1000 utterances WA UA")
    assert lines[6].startswith("folded (float32) 0.820 ± 0.028 0.820 ± 0.028")


def test_refuses_what_cannot_be_compared(tmp_path):
    one = write_study(tmp_path / "one", 0, 400)
    part = write_study(tmp_path / "part", 1, 400, folds=("03",))
    with pytest.raises(ResultsError, match=r"did not test the same.*03 \(1000\); 03, 08 \(2000\)"):
        seeds_table([one, part])
    with pytest.raises(ResultsError, match=r"No finished study is in .*nowhere"):
        seeds_table([one, tmp_path / "nowhere"])


def test_recipe_prints_the_table_or_one_line(tmp_path):
    def collect(*arguments):
        return recipes_run.run("collect_results.py", f"--out={tmp_path / 'pictures'}", *arguments)

    folders = [
        str(write_study(tmp_path / f"{hrf}-{seed}", seed, 400, hrf=hrf, dataset="emodb"))
        for hrf in (0, 4)
        for seed in range(2)
    ]
    good = collect(*folders)
    assert good.returncode == 0, good.stderr
    assert "2 seeds" in good.stdout
    assert good.stdout.splitlines()[-3].startswith("hrf=4")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "comparison-emodb.png",
        "report-emodb.html",
        *(
            f"{kind}-conv_transformer-{hrf}-emodb.png"
            for kind in ("confusion", "learning_curves")
            for hrf in (0, 4)
        ),
    }
    bad = collect(str(tmp_path / "nowhere"))
    assert bad.returncode == 2
    assert f"Error: No finished study is in the folder. Received: {tmp_path}" in bad.stderr
    assert collect().returncode == 2


def write_fold(folder, **sides):
    """A finished fold's folder with the confusions of its sides."""
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
    for name in ("trained.keras", "folded.keras", "int8.tflite"):
        (folder / name).touch()


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


def test_a_study_that_only_deploys_says_that_it_tested_nothing(tmp_path):
    settings = {"dataset": "table", "model": "small", "protocol": "leave_one_speaker_out"}
    (tmp_path / "settings.json").write_text(json.dumps({**settings, "seed": 0}))
    write_fold(tmp_path / "deployed")
    results = collect(tmp_path, CORPORA["emodb"])
    assert table(results).splitlines()[0] == "table: not tested, small"
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert "\nnot tested, 1 seeds" in seeds_table([tmp_path])
