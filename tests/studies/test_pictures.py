"""Pictures are PNG files that show what they are given."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from tfhrf.studies.pictures import (
    save_comparison,
    save_confusion,
    save_groups,
    save_learning_curves,
    save_stress,
    save_study,
)

HISTORY = {"loss": [2.0, 1.0, 0.5], "accuracy": [0.3, 0.6, 0.9]}
SCORES = {"ua": 0.8, "confusion": [[4, 1], [1, 4]]}


def study(ua, history=HISTORY, **scores):
    return {
        "settings": {"dataset": "emodb"},
        "labels": ["sad", "happy"],
        "metrics": ["wa", "ua"],
        "scores": {"folded": {**SCORES, "ua": ua}, **scores},
        "parameters": {"trained": 4000, "folded": 1000},
        "history": {"03": history, "08": HISTORY, "deployed": HISTORY},
    }


def drawn(path):
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    path.unlink()
    assert not list(path.parent.iterdir())
    return content


def test_stress(tmp_path):
    def picture(**conditions):
        save_stress(tmp_path / "a.png", {"conditions": {"clean": {"ua": 0.8}, **conditions}}, "x")
        return drawn(tmp_path / "a.png")

    first = picture(room={"ua": 0.5})
    assert picture(room={"ua": 0.4}) != first
    assert picture(room={"ua": 0.5}, mp3={"missing": "no coder"}) == first


def test_confusion(tmp_path):
    def picture(counts):
        save_confusion(tmp_path / "a.png", counts, ["sad", "happy"], "title")
        return drawn(tmp_path / "a.png")

    first = picture([[2, 0], [1, 3]])
    assert picture([[4, 0], [2, 6]]) == first  # the same shares
    assert picture([[1, 1], [1, 3]]) != first
    picture([[0, 0], [1, 3]])


def test_learning_curves(tmp_path):
    def picture(*studies):
        save_learning_curves(tmp_path / "a.png", studies, "title")
        return drawn(tmp_path / "a.png")

    first = picture(study(0.8))
    other = {**HISTORY, "loss": [3.0, 1.0, 0.5]}
    assert picture(study(0.8, other)) != first
    validated = {**HISTORY, "validation loss": [2, 1, 1], "validation accuracy": [0.2, 0.4, 0.5]}
    assert picture(study(0.8, validated)) != first


def test_side_by_side(tmp_path):
    def picture(*seeds, **scores):
        groups = [({"hrf": hrf}, [study(ua, **scores) for ua in seeds]) for hrf in (0, 4)]
        save_comparison(tmp_path / "a.png", groups, "title")
        return drawn(tmp_path / "a.png")

    assert len({picture(0.8), picture(0.7), picture(0.7, 0.8), picture(0.8, int8=SCORES)}) == 4


def test_a_study_draws_what_it_has(tmp_path):
    save_study(tmp_path, study(0.8, int8=SCORES))
    names = ["confusion_folded.png", "confusion_int8.png", "learning_curves.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for path in tmp_path.iterdir():
        path.unlink()
    save_study(tmp_path, {**study(0.8), "history": {}})
    assert [path.name for path in tmp_path.iterdir()] == ["confusion_folded.png"]


def test_any_settings_are_names_of_files(tmp_path):
    labels = "+".join(f"class{number}" for number in range(60))  # longer than a name may be
    settings = {"dataset": "own", "labels": labels, "from": "runs/x/deployed"}
    save_groups(tmp_path, [({**settings, "hrf": hrf}, [study(0.8)]) for hrf in (0, 4)])
    kinds = sorted(path.name.partition("-")[0] for path in tmp_path.iterdir() if path.is_file())
    assert kinds == ["comparison", *["confusion"] * 2, *["learning_curves"] * 2]
