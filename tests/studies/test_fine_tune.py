"""fine_tune: a user's table and a trained model in, a model that recognizes out."""

import json

import numpy as np
import pytest
from small_models import CONFIG, FRAMES, write_model
from sounds import write_wav

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

import tfhrf
from tfhrf.data.corpora import CorpusError
from tfhrf.data.folds import FoldError
from tfhrf.recognition import packaged
from tfhrf.studies.record import StudyError

SPEAKERS = ("ann", "bob")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Low or high tones in noise; "calm" is a label of the trained model, "high" is none."""
    monkeypatch.chdir(tmp_path)
    rows = ["file;emotion;who"]
    for place, speaker in enumerate(SPEAKERS):
        for take in range(8):
            rng = np.random.default_rng([place, take])
            label, hertz = (("calm", 200), ("high", 2500))[take % 2]
            wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(11_200) / 16_000)
            write_wav(tmp_path / f"{speaker}-{take}.wav", wave + rng.normal(0, 0.01, 11_200))
            rows.append(f"{speaker}-{take}.wav;{label};{speaker}")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(rows))
    return path


COLUMNS = {"path": "file", "label": "emotion", "speaker": "who"}


def test_one_call_makes_a_model_that_recognizes(table, started, tmp_path):
    tuned = tfhrf.fine_tune(table, started, columns=COLUMNS, out="out", epochs=40)
    assert (tuned.labels, tuned.config, tuned.frames) == (("calm", "high"), CONFIG, FRAMES)
    assert tuned.folder.resolve() == tmp_path / "out" / "deployed"
    for name, label in (("ann-0.wav", "calm"), ("bob-1.wav", "high")):
        assert tfhrf.recognize(name, tuned).label == label
    settings = json.loads((tmp_path / "out/settings.json").read_text())
    assert (settings["from"], settings["epochs"]) == (str(started), 40)

    # The same call finds what is there; another one is refused.
    kept = (tmp_path / "out/deployed/fold.json").stat().st_mtime_ns
    again = tfhrf.fine_tune(
        str(table), packaged.find(started), columns=COLUMNS, out="out", epochs=40
    )
    assert again.int8 == tuned.int8
    assert (tmp_path / "out/deployed/fold.json").stat().st_mtime_ns == kept
    with pytest.raises(StudyError, match=r"Another study is in out.*Received: epochs"):
        tfhrf.fine_tune(table, started, columns=COLUMNS, out="out", epochs=1)


def test_speakers_are_held_out_if_asked_for(table, started, tmp_path):
    tfhrf.fine_tune(table, started, columns=COLUMNS, out="out", epochs=1, test=True)
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert sorted(results["folds"]) == list(SPEAKERS)
    assert results["utterances"] == 16
    assert results["missing folds"] == []


def rows_of(table, count, named):
    """Cuts a table to its first rows, of one speaker, whom it names or not."""
    lines = [line.split(";") for line in table.read_text().splitlines()[: count + 1]]
    table.write_text("\n".join(";".join(line[: 2 + named]) for line in lines))
    return {name: column for name, column in COLUMNS.items() if named or name != "speaker"}


@pytest.mark.parametrize(("count", "named"), [(8, True), (4, False)])
def test_what_cannot_be_split_trains_a_model_all_the_same(table, started, tmp_path, count, named):
    columns = rows_of(table, count, named)
    tuned = tfhrf.fine_tune(table, started, columns=columns, out="out", epochs=1)
    assert tuned.labels == ("calm", "high")
    assert tuned.recordings == count
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert (results["folds"], results["missing folds"]) == ({}, [])


def test_figures_need_two_speakers(table, started, tmp_path):
    columns = rows_of(table, 8, True)
    with pytest.raises(FoldError, match=r"two speakers\. Received: \['ann'\]"):
        tfhrf.fine_tune(table, started, columns=columns, out="out", epochs=1, test=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        *(({"epochs": epochs}, "Epochs are") for epochs in (-1, 0, 1.5, "3", True)),
        *(({"seed": seed}, "A seed is") for seed in (-1, 2**32, "a", 1.0, None)),
        *(({"columns": one}, "Columns are") for one in (["label=x"], "label", {"label": 1})),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_written(table, started, tmp_path, given, what):
    ((name, value),) = given.items()
    with pytest.raises(ValueError, match=f"^{what} ") as caught:
        tfhrf.fine_tune(table, started, **{"columns": COLUMNS, "out": "out"} | given)
    assert str(caught.value).endswith(f"Received: {name}={value!r}")
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_is_one_line(table, started):
    with pytest.raises(CorpusError, match="no column 'path'"):
        tfhrf.fine_tune(table, started, epochs=1)
    with pytest.raises(packaged.ModelError, match="Received: 'nobody'"):
        tfhrf.fine_tune(table, "nobody")
