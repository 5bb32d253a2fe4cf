"""Arms against each other, by hand-made studies; the report and the commands that lead to it."""

import json
import re

import numpy as np
import pytest
import recipes_run
from places import ROOT

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from tfhrf.studies import arms, paired, report
from tfhrf.studies.metrics import recall
from tfhrf.studies.results import ResultsError


def write_run(folder, right, corpus="emodb", backbone="conv_transformer"):
    """A finished study of two classes; `right` of 10 decisions per class, by speaker."""
    place = folder / "fold1"
    place.mkdir(parents=True)
    targets, groups, posteriors = [], [], []
    for speaker, count in right.items():
        for label in (0, 1):
            targets += [label] * 10
            groups += [speaker] * 10
            decided = [label] * count + [1 - label] * (10 - count)
            posteriors += np.eye(2)[decided].tolist()
    confusion = [[0, 0], [0, 0]]
    for label, posterior in zip(targets, posteriors, strict=True):
        confusion[label][int(np.argmax(posterior))] += 1
    kinds = {"int8": posteriors, "folded": posteriors}
    side = {"targets": targets, "groups": groups, "posteriors": kinds}
    record = {
        "fold": "fold1",
        "folding error": 0.0,
        "int8 bytes": 1,
        "parameters": {"trained": 4000, "folded": 1000},
        "seconds": {},
        "test": {"confusion": dict.fromkeys(kinds, confusion), **side},
    }
    (place / "fold.json").write_text(json.dumps(record))
    for name in ("trained.keras", "folded.keras", "int8.tflite"):
        (place / name).touch()
    ua = float(recall(np.array(confusion)))
    results = {
        "settings": {"seed": 0},
        **dict.fromkeys(("labels", "metrics", "decisions", "folds", "tflm", "int8 bytes")),
        "scores": {"int8": {"ua": ua}},
        "parameters": record["parameters"],
    }
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_differences_of_arms_are_those_of_their_decisions(tmp_path):
    first = [write_run(tmp_path / f"a{seed}", {"x": 5 + seed, "y": 6, "z": 8}) for seed in range(3)]
    second = [
        write_run(tmp_path / f"b{seed}", {"x": 7 + seed, "y": 5, "z": 8}) for seed in range(3)
    ]
    found = paired.compare([first], [second])
    assert found.mean == pytest.approx((2 - 1 + 0) / 30)
    assert found.groups == pytest.approx({"x": 0.2, "y": -0.1, "z": 0.0})
    # Drawn speakers: from three times y to three times x.
    assert found.low == pytest.approx(-0.1, abs=0.04)
    assert found.high == pytest.approx(0.2, abs=0.04)
    assert paired.compare([first], [second]) == found
    twice = paired.compare([first, first], [second, first])
    assert twice.mean == pytest.approx(found.mean / 2)
    assert paired.compare([first], [first])[:3] == (0.0, 0.0, 0.0)


def test_what_helps_everybody_has_an_interval_above_zero(tmp_path):
    speakers = {f"s{place}": 4 + place % 3 for place in range(8)}
    first = [write_run(tmp_path / f"a{seed}", speakers) for seed in range(2)]
    better = {name: count + 1 for name, count in speakers.items()}
    second = [write_run(tmp_path / f"b{seed}", better) for seed in range(2)]
    found = paired.compare([first], [second])
    assert [found.low, found.high] == pytest.approx([0.1, 0.1])


def test_studies_of_other_speakers_are_refused(tmp_path):
    first, second = (write_run(tmp_path / name, {name: 5}) for name in "ab")
    with pytest.raises(ResultsError, match=r"same seeds, groups and utterances\. .*b"):
        paired.compare([[first]], [[second]])
    with pytest.raises(ResultsError, match=r"same groups. Received: .*b"):
        paired.counts_of([first, second])
    with pytest.raises(ResultsError, match=r"No decisions .* Received: .*a"):
        paired.counts_of([first], "trained")


def test_an_arm_that_left_recordings_out_is_refused(tmp_path):
    first, second = (write_run(tmp_path / name, {"x": 6, "y": 5}) for name in "ab")
    path = second / "fold1/fold.json"
    record = json.loads(path.read_text())
    side = record["test"]
    for one in (side["targets"], side["groups"], *side["posteriors"].values()):
        del one[0]
    path.write_text(json.dumps(record))
    with pytest.raises(ResultsError, match=r"the same seeds, groups and utterances\. .*b"):
        paired.compare([[first]], [[second]])


def test_recall_leaves_out_classes_that_do_not_occur():
    assert recall(np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]])) == pytest.approx(0.625)


def test_the_report_has_every_arm_beside_its_command(tmp_path):
    out = tmp_path / "study"
    for corpus in arms.CORPORA:
        for arm, right in (("light", 5), ("light with HRF", 6), ("light, distilled", 4)):
            runs = arms.runs_of(out, corpus, "conformer", arm, 2)
            for seed, run in enumerate(runs):
                write_run(run, {f"{corpus}1": right, f"{corpus}2": right + seed})
    path = tmp_path / "results.md"
    path.write_text(f"before\n{report.BEGIN}\nstale\n{report.END}\nafter\n")
    report.write(path, out, 2)
    text = path.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "stale" not in text
    assert "| emodb | conformer | light with HRF | 4,000 | 1,000 | 0.625 ± 0.035 |" in text
    assert (
        "| emodb and cremad | conformer, light with HRF | +10.0 | +10.0 to +10.0 | 4 / 0 |" in text
    )
    assert "| cremad | conformer, light, distilled | -10.0 | -10.0 to -10.0 | 0 / 2 |" in text
    commands = re.findall(r"^    python (recipes/train_\w+.py .*)$", text, re.MULTILINE)
    assert len(commands) == 6
    assert all((ROOT / command.split()[0]).is_file() for command in commands)
    for picture in re.findall(r"\]\((pictures/.*)\)", text):
        assert (tmp_path / picture).stat().st_size > 1000
    report.write(path, out, 2)
    assert path.read_text() == text


def test_a_report_of_nothing_is_one_line(tmp_path):
    with pytest.raises(ResultsError, match=r"No arm of the study is complete. Received: .*nowhere"):
        report.write(tmp_path / "a.md", tmp_path / "nowhere", 2)
    run = write_run(arms.runs_of(tmp_path, "emodb", "conformer", "light", 1)[0], {"x": 5})
    assert run.is_dir()
    (tmp_path / "a.md").write_text("no marks")
    with pytest.raises(ResultsError, match=r"between .* Received: .*a.md"):
        report.write(tmp_path / "a.md", tmp_path, 1)


@pytest.mark.parametrize("backbone", arms.BACKBONES)
def test_students_learn_from_the_first_seeds_of_an_arm(backbone, tmp_path):
    taught = arms.command(tmp_path, "emodb", backbone, "light, distilled", 5, "EMODB")
    (flag,) = [one for one in taught if one.startswith("--teacher=")]
    places = flag.removeprefix("--teacher=").split(",")
    light, expanded = (
        arms.runs_of(tmp_path, "emodb", backbone, arm, 2) for arm in ("light", "light with HRF")
    )
    assert places == list(map(str, light + expanded))
    alone = arms.command(tmp_path, "emodb", backbone, "large", 5, "EMODB")
    assert not any(one.startswith("--teacher") for one in alone)
    assert (ROOT / alone[0]).is_file()


@pytest.mark.parametrize("wrong", ["--arms=0", "--arms=6", "--arms=x", "--backbones=rnn"])
def test_arms_and_backbones_that_there_are_not_are_one_line(wrong):
    done = recipes_run.run("study_hrf.py", "--emodb=nowhere", wrong)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert wrong.partition("=")[2] in line


def test_an_arm_that_stops_stops_the_study(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = recipes_run.run("study_hrf.py", "--emodb=nowhere", f"--out={tmp_path}")
    assert done.returncode == 2
    assert (
        "python recipes/train_convtransformer.py --dataset=emodb --data_dir=nowhere" in done.stdout
    )
    assert done.stderr.splitlines()[-1] == (
        "Error: An arm stopped. Received: emodb, conv_transformer, light"
    )
