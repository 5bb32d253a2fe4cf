"""Engines: the same results from local processes and from a Ray cluster that loses a node."""

import functools
import json
import os
import pathlib
import sys
import time

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow_io", reason="tensorflow-io does not load with this TensorFlow")

from sounds import write_wav

from tfhrf import cache, engine, report, study
from tfhrf.corpora import CORPORA
from tfhrf.engine import EngineError, Local, Task
from tfhrf.fast import FastDropout
from tfhrf.layers import HRFDense
from tfhrf.training import TrainingSettings

ROOT = pathlib.Path(__file__).resolve().parents[1]
TRAINING = TrainingSettings(frames=50, epochs=2, batch_size=4)
SPEAKERS = ("03", "08", "09", "10")
DEADLINE = 240  # seconds


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A tree in EMO-DB's layout, features in six shards under the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cache, "SHARD", 3)
    (tmp_path / "emodb" / "wav").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for speaker in SPEAKERS:
        for letter in "WFNT":
            samples = rng.normal(0, 0.1, rng.integers(6_000, 16_000))
            write_wav(tmp_path / "emodb" / "wav" / f"{speaker}a01{letter}a.wav", samples)
    return tmp_path / "emodb"


def small_network(shape, classes):
    layers = keras.layers
    stack = [
        keras.Input(shape),
        HRFDense(8, expansion=2, activation="relu"),
        FastDropout(0.1),
        layers.GlobalAveragePooling1D(),
        layers.Dense(classes),
    ]
    return keras.Sequential(stack)


def run(corpus, out, engine=None, build=small_network, seeds=(0,), fold_numbers=None):
    settings = {"model": "small", "dataset": "emodb"}
    studies = [study.Study(build, {**settings, "seed": seed}, out / f"{seed}") for seed in seeds]
    emodb = CORPORA["emodb"]
    utterances = emodb.read(corpus)
    folds = emodb.protocols["leave_one_speaker_out"](utterances)
    return study.run(studies, emodb, utterances, folds, TRAINING, fold_numbers, engine=engine)


def records(out):
    """What the fold folders hold, but for times."""
    found = {}
    for path in out.glob("*/*/fold.json"):
        record = json.loads(path.read_text())
        del record["seconds"]
        weights = keras.saving.load_model(path.with_name("trained.keras")).get_weights()
        found[path.parent.relative_to(out)] = record, [array.tobytes() for array in weights]
    return found


def names(folder):
    """Of all files but TensorBoard's, which hold the time."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if "tensorboard" not in path.parts)


def shards(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.tfrecord")}


def count(folder, advance, number):
    for _ in range(number):
        advance(1)
    (folder / f"{number}").write_text(f"{os.getpid()}")
    if number == 3:
        raise EngineError("three")
    return number


@pytest.mark.parametrize("processes", [1, 2])
def test_local_tasks_write_return_count_and_fail(processes, tmp_path):
    local, units = Local(processes), []
    tasks = [Task(count, (number,), tmp_path, number) for number in (2, 1, 4)]
    assert dict(local.map(tasks, units.append)) == {0: 2, 1: 1, 2: 4}
    assert sum(units) == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "4"]
    if processes > 1:
        assert str(os.getpid()) not in {path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(EngineError, match="three"):
        list(local.map([Task(count, (3,), tmp_path, 3), *tasks], units.append))


def test_runs_keep_all_processes_busy():
    assert Local(1).runs([1, 2, 3]) == [[1, 2, 3]]
    assert Local(2).runs([1, 2, 3]) == [[1], [2, 3]]
    assert Local(4).runs([1, 2, 3]) == [[1], [2], [3]]
    assert Local(4).runs([1, 2, 3, 4], jobs=2) == [[1, 2], [3, 4]]
    assert Local(4).runs([1, 2, 3, 4], jobs=9) == [[1, 2, 3, 4]]
    assert Local(2).runs([]) == []


def test_files_of_a_task_arrive_complete(tmp_path):
    (tmp_path / "03").mkdir()
    (tmp_path / "03" / "old").touch()
    paths = {"03/a": b"1", "03/deep/b": b"2", "c": b"3"}
    engine._write({pathlib.Path(path): content for path, content in paths.items()}, tmp_path)
    assert {path: (tmp_path / path).read_bytes() for path in paths} == paths
    assert names(tmp_path) == sorted(paths)


def test_without_ray_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"^Ray is not installed: pip install \"\.\[ray\]\""):
        engine.Ray()


@pytest.mark.slow  # two processes start and trace
def test_several_processes_find_what_one_finds_for_every_seed(corpus, tmp_path):
    expected = run(corpus, tmp_path / "one", seeds=(0, 1), fold_numbers=[1, 2])
    before = shards(tmp_path / "runs")
    for path in (tmp_path / "runs").rglob("*.tfrecord"):
        path.unlink()
    found = run(corpus, tmp_path / "two", Local(2), seeds=(0, 1), fold_numbers=[1, 2])
    assert shards(tmp_path / "runs") == before
    assert len(before) == 6
    assert records(tmp_path / "two") == records(tmp_path / "one")
    for one, other in zip(expected, found, strict=True):
        assert report.table(one) == report.table(other)
    # A fold alone, in a process that has trained others before.
    run(corpus, tmp_path / "alone", seeds=(1,), fold_numbers=[2])
    alone = records(tmp_path / "alone")
    assert alone == {fold: records(tmp_path / "one")[fold] for fold in alone}
    assert len(alone) == 1


def watched_network(starts, victim, shape, classes):
    """As small_network; every start of a fit leaves a file, and the victim's second never ends."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    model = small_network(shape, classes)
    fit = model.fit

    def watched(*arguments, **options):
        number = len(list(starts.glob(f"{node}-*"))) + 1
        (starts / f"{node}-{number}").touch()
        if number == 2:
            # The other node leaves the victim a second fold.
            wait_for(lambda: node != victim and (starts / f"{victim}-2").exists())
        return fit(*arguments, **options)

    model.fit = watched
    return model


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow  # starts two nodes
@pytest.mark.filterwarnings("default")
def test_a_cluster_that_loses_a_node_finds_what_one_process_finds(corpus, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is an extra of its own")
    from ray.cluster_utils import Cluster

    (expected,) = run(corpus, tmp_path / "one")
    before = shards(tmp_path / "runs")
    for path in (tmp_path / "runs").rglob("*.tfrecord"):
        path.unlink()

    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    starts, returned = tmp_path / "starts", []
    starts.mkdir()
    options = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
    try:
        second = cluster.add_node(**options)
        cluster.wait_for_nodes()
        nodes = engine.Ray(cluster.address)
        here = ray.get_runtime_context().get_node_id()
        (victim,) = {node["NodeID"] for node in ray.nodes() if node["Alive"]} - {here}

        class LosingOne(engine.Ray):
            def map(self, tasks, advance):
                for result in super().map(tasks, advance):
                    yield result
                    if tasks[0].function is study.run_folds:
                        returned.append(result)
                        if len(returned) == 1:
                            wait_for((starts / f"{victim}-2").exists)
                            cluster.remove_node(second, allow_graceful=False)

        assert (nodes.cpus, nodes.gpus) == (1, 0)
        build = functools.partial(watched_network, starts, victim)
        (found,) = run(corpus, tmp_path / "ray", LosingOne(), build)
    finally:
        ray.shutdown()
        cluster.shutdown()

    # The victim gave one fold and was lost with a second, which the other node trained again.
    started = [path.name.rpartition("-")[0] for path in starts.iterdir()]
    assert started.count(victim) == 2
    assert started.count(here) == len(SPEAKERS)
    assert len(returned) == len(SPEAKERS) + 1

    assert shards(tmp_path / "runs") == before
    assert report.table(found) == report.table(expected)
    assert records(tmp_path / "ray") == records(tmp_path / "one")
    assert names(tmp_path / "ray") == names(tmp_path / "one")
    for key in ("scores", "folds", "history", "tflm", "utterances"):
        assert found[key] == expected[key]
