"""Studies whose models are made small after the fold."""

import json
import types

import numpy as np
import pytest
from needs import needs_tflm, needs_tfmot
from small_studies import larger, recordings, run

from tfhrf.compression import library
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.studies import shrink, study, tables
from tfhrf.studies.record import StudyError

SETTINGS = {"model": "larger", "dataset": "own", "seed": 0, "protocol": "leave_one_speaker_out"}
FLAGS = dict(shrink.DEFAULTS)


@pytest.fixture
def quick(monkeypatch):
    """Without counting instructions: that is tested where boards are."""
    monkeypatch.setattr(shrink, "TOOLS", ("no-such-tool",))


@needs_tfmot
@needs_tflm
def test_a_clustered_study_has_all_steps(tmp_path, quick, monkeypatch):
    totals, moves = [], []

    def watched(total, unit):
        totals.append(total)
        return types.SimpleNamespace(add=moves.append)

    monkeypatch.setattr(study, "progress_bar", watched)
    settings = {**SETTINGS, "cluster": 4}
    utterances = recordings(tmp_path / "sounds")
    found = run(tmp_path / "study", utterances, settings, build=larger, fold_numbers=[1])
    # One step of training and one after the fold, two utterances to test, the fold itself.
    assert totals == [sum(moves)] == [5]
    assert list(found["scores"]) == ["trained", "folded", "int8 folded", "int8"]
    assert list(found["steps"]) == ["folded", "clustered"]
    before, after = found["steps"].values()
    assert after["flash"] < before["flash"]
    text = tables.table(found)
    assert "clustered" in text
    assert f"{after['flash']:,}" in text
    (folder,) = (tmp_path / "study").glob("*/int8.tflite")
    graph = graphs.read(folder.read_bytes())
    buffers = [bytes(b.data) for b in graph.buffers if b.data is not None and len(b.data) == 2048]
    assert len(np.unique(np.frombuffer(buffers[0], np.int8))) <= 4


def test_calibration_clips_are_of_training_speakers_and_stored_by_name(tmp_path):
    utterances = recordings(tmp_path / "sounds")
    run(tmp_path / "study", utterances, fold_numbers=[1])
    (path,) = (tmp_path / "study").glob("*/calibration.json")
    clips = json.loads(path.read_text())
    held_out = {utterance.path.name for utterance in utterances if utterance.speaker == "Bob/x"}
    fold = json.loads((path.parent / "fold.json").read_text())["fold"]
    assert fold == "Bob/x" or fold in {u.speaker for u in utterances}
    tested = {u.path.name for u in utterances if u.speaker == fold} or held_out
    names = {name for name, _ in clips}
    assert names == {u.path.name for u in utterances} - tested
    assert all(number >= 0 for _, number in clips)


def test_flags_become_settings_where_they_are_not_the_defaults(monkeypatch):
    given = types.SimpleNamespace
    assert shrink.asked(given(**FLAGS)) == {}
    assert shrink.asked(given(**{**FLAGS, "ranges": "mse"})) == {"ranges": "mse"}
    with pytest.raises(StudyError, match=r"pruned or clustered.*Received: --prune=0.5 --cluster=4"):
        shrink.asked(given(**{**FLAGS, "prune": 0.5, "cluster": 4}))

    def missing():
        raise library.LibraryError("not here")

    monkeypatch.setattr(shrink, "load", missing)
    with pytest.raises(library.LibraryError):
        shrink.asked(given(**{**FLAGS, "quantize": "qat"}))
