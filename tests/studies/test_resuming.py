"""Studies that are resumed: with other data they are refused, damaged folds run again."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from places import ROOT

pytest.importorskip("sklearn", reason="scikit-learn comes with the recipes")

from small_studies import SPEAKERS, recordings, run
from sounds import write_wav

from tfhrf.data.decode import AudioError
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import results, tables
from tfhrf.studies.record import StudyError
from tfhrf.studies.study_files import MADE_OF, SETTINGS
from tfhrf.studies.training import TrainingSettings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_speaker_of_any_name_has_a_fold(tmp_path):
    found = run(tmp_path / "out", recordings(tmp_path / "sounds"))
    assert set(found["folds"]) == {"Bob/x", ".x", "deployed (tested)"}
    assert found["missing folds"] == []
    assert found["tflm"]
    folders = {path.parent.name for path in (tmp_path / "out").glob("*/fold.json")}
    assert len(folders) == 4
    assert "deployed" in folders
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/fold.json")}
    assert run(tmp_path / "out", recordings(tmp_path / "sounds")) == found
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_table_that_lacks_a_fold_says_so(tmp_path):
    found = run(tmp_path / "out", recordings(tmp_path / "sounds"), fold_numbers=[2])
    settings = found["settings"] | {"protocol": "leave_one_speaker_out"}
    assert found["missing folds"] == [".x", "deployed (tested)"]
    printed = tables.table(found | {"settings": settings})
    assert "Folds that are not in it: .x, deployed (tested)" in printed


def more_speakers(utterances, folder):
    return recordings(folder / "more", (*SPEAKERS, "eve"))


def more_takes(utterances, folder):
    return recordings(folder / "more", takes=3)


def another_label(utterances, folder):
    return [utterances[0]._replace(label="b"), *utterances[1:]]


def another_speaker(utterances, folder):
    return [utterances[0]._replace(speaker=".x"), *utterances[1:]]


def another_sound(utterances, folder):
    write_wav(utterances[0].path, np.random.default_rng(99).normal(0, 0.1, 4800))
    return utterances


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (more_speakers, r"recordings \(6 then, 8 now\); labels; speakers \(3 then, 4 now\); folds"),
        (more_takes, r"recordings \(6 then, 9 now\)"),
        (another_label, r"Received: labels; folds"),
        (another_speaker, r"Received: speakers \(as many, but others\); folds"),
        (another_sound, r"recordings \(as many, but others\)"),
    ],
)
def test_other_data_are_refused_until_restarted(change, words, tmp_path):
    utterances = recordings(tmp_path / "sounds")
    run(tmp_path / "out", utterances, fold_numbers=[1])
    owned = [tmp_path / "out" / name for name in ("note.txt", "confusion_mine.png")]
    # Of a study that was tested under stress, and of one that was pruned.
    stale = [tmp_path / "out" / name for name in ("stress.json", "confusion_int8_pruned.png")]
    for path in (*owned, *stale):
        path.write_text("{}")
    changed = change(utterances, tmp_path)
    with pytest.raises(StudyError, match=words):
        run(tmp_path / "out", changed, fold_numbers=[1])
    found = run(tmp_path / "out", changed, fold_numbers=[1], restart=True)
    assert list(found["folds"]) == [".x"]
    assert found["utterances"] == sum(one.speaker == ".x" for one in changed)
    assert all(path.exists() for path in owned)
    assert not any(path.exists() for path in stale)


def test_a_restart_that_cannot_run_removes_nothing(tmp_path):
    utterances = recordings(tmp_path / "sounds")
    run(tmp_path / "out", utterances, fold_numbers=[1])
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    utterances[0].path.write_bytes(b"no sound")
    with pytest.raises(AudioError):
        run(tmp_path / "out", utterances, fold_numbers=[1], restart=True)
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert after == before


def test_the_same_recordings_may_lie_elsewhere(tmp_path):
    found = run(tmp_path / "out", recordings(tmp_path / "sounds"), fold_numbers=[1])
    assert run(tmp_path / "out", recordings(tmp_path / "moved"), fold_numbers=[1]) == found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"config": LogMelConfig(mels=8, hop=80)}, r"front end \(hop 160 then, 80 now\)"),
        (
            {"training": TrainingSettings(frames=20, epochs=2, batch_size=4)},
            r"training \(epochs 1 then, 2 now\)",
        ),
        (
            {"settings": {"model": "small", "dataset": "own", "seed": 1}},
            r"seed \(0 then, 1 now\)",
        ),
    ],
)
def test_other_settings_are_refused(given, words, tmp_path):
    utterances = recordings(tmp_path / "sounds")
    run(tmp_path / "out", utterances, fold_numbers=[1])
    with pytest.raises(StudyError, match=words):
        run(tmp_path / "out", utterances, fold_numbers=[1], **given)


@pytest.mark.parametrize("name", [SETTINGS, MADE_OF])
@pytest.mark.parametrize("content", ["", "[1", '"text"'])
def test_a_damaged_record_is_named(name, content, tmp_path):
    utterances = recordings(tmp_path / "sounds")
    run(tmp_path / "out", utterances, fold_numbers=[1])
    (tmp_path / "out" / name).write_text(content)
    with pytest.raises(StudyError, match=rf"cannot be read.*Received: .*{name}"):
        run(tmp_path / "out", utterances, fold_numbers=[1])


@pytest.mark.parametrize("damage", ["", '{"fold"', '{"fold": "x"}', None])
def test_a_damaged_fold_runs_again(damage, tmp_path):
    utterances = recordings(tmp_path / "sounds")
    found = run(tmp_path / "out", utterances, fold_numbers=[1])
    (path,) = (tmp_path / "out").glob("*/fold.json")
    if damage is None:
        (path.parent / "int8.tflite").unlink()
    else:
        path.write_text(damage)
    again = run(tmp_path / "out", utterances, fold_numbers=[1])
    assert results.record_of(path.parent)
    assert again["folds"] == found["folds"]


WAITING = """
import os, sys, time
from tfhrf.workers import worker_pool

def wait(advance, path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    with worker_pool(1, print) as (submit, completed):
        for call in completed([submit(wait, sys.argv[1])]):
            call.result()
"""


def test_a_child_ends_with_its_parent(tmp_path):
    script, told = tmp_path / "waiting.py", tmp_path / "child"
    script.write_text(WAITING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, script, told], env=environment)
    while not (told.exists() and told.read_text()):
        assert parent.poll() is None
        time.sleep(0.1)
    child = int(told.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(100):
        state = pathlib.Path(f"/proc/{child}/stat")
        # An orphan that nobody waits for is a zombie, which is no process any more.
        if not state.exists() or state.read_text().rpartition(") ")[2][0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the child still runs")
