"""Engines: the same results from local processes and from a Ray cluster that loses a node."""

import dataclasses
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import types
import uuid

import keras
import numpy as np
import pytest
import trees
from places import ROOT
from sounds import write_wav

from tfhrf import workers
from tfhrf.data import store
from tfhrf.data.corpora import CORPORA
from tfhrf.hrf.fast import FastDropout
from tfhrf.hrf.layers import HRFDense
from tfhrf.studies import cli, study, tables, task
from tfhrf.studies.training import TrainingSettings
from tfhrf.workers import EngineError, Local, Task

pytestmark = pytest.mark.filterwarnings("ignore::tfhrf.data.corpora.CorpusWarning")
TRAINING = TrainingSettings(frames=50, epochs=1, batch_size=4)
SPEAKERS = ("03", "08", "10")
DEADLINE = 240  # seconds
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A tree in EMO-DB's layout, features in four shards under the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "SHARD", 3)
    (tmp_path / "emodb" / "wav").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for speaker in SPEAKERS:
        for letter in "WFNT":
            samples = rng.normal(0, 0.1, rng.integers(6_000, 16_000))
            write_wav(tmp_path / "emodb" / "wav" / f"{speaker}a01{letter}a.wav", samples)
    return tmp_path / "emodb"


@pytest.fixture
def one_process(monkeypatch):
    """Folds are tested in this process, which takes less time for few."""
    assessing = task._assessing
    monkeypatch.setattr(task, "_assessing", lambda apart, advance: assessing(False, advance))


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


def run(folder, out, engine=None, build=small_network, seeds=(0,), dataset="emodb", **given):
    settings = {"model": "small", "dataset": dataset}
    studies = [study.Study(build, {**settings, "seed": seed}, out / f"{seed}") for seed in seeds]
    corpus = CORPORA[dataset]
    utterances = corpus.read(folder)
    folds = next(iter(corpus.protocols.values()))(utterances)
    given = {"training": TRAINING, "engine": engine or Local(1), **given}
    return study.run(studies, corpus, utterances, folds, **given)


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
    assert list(local.map([], units.append)) == []
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
    workers._write({pathlib.Path(path): content for path, content in paths.items()}, tmp_path)
    assert {path: (tmp_path / path).read_bytes() for path in paths} == paths
    assert names(tmp_path) == sorted(paths)


def test_without_ray_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"^Ray is not installed: pip install \"\.\[ray\]\""):
        workers.Ray()


def test_one_process_alone_uses_the_gpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    assert Local().processes == 4
    monkeypatch.setattr(workers.tf.config, "list_physical_devices", {"GPU": ["a", "b"]}.get)
    assert Local().processes == 1
    assert Local(3).processes == 3


def error_line(function, monkeypatch, capsys):
    """What a recipe prints that ends with an error."""
    monkeypatch.setattr(cli, "limit_threads", lambda: None)
    with pytest.raises(SystemExit) as caught:
        cli._guarded(function, [], False)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:70000"])
def test_an_address_where_nothing_answers_is_named_at_once(address, monkeypatch, capsys):
    pytest.importorskip("ray", reason="Ray is an extra of its own")
    start = time.monotonic()
    line = error_line(lambda: workers.Ray(address), monkeypatch, capsys)
    assert time.monotonic() - start < workers.CONNECT
    assert line.startswith("Error: No Ray cluster answers (")
    assert line.endswith(f"). Received: --ray_address={address}\n")


def watch_bars(monkeypatch):
    """Units of every bar of a study, (in all, moved on by)."""
    bars = []

    def watched(total, unit):
        bars.append([total, 0])

        def add(units):
            bars[-1][1] += units

        return types.SimpleNamespace(add=add)

    monkeypatch.setattr(study, "progress_bar", watched)
    return bars


@pytest.mark.slow  # two processes start and trace
def test_several_processes_find_what_one_finds_for_every_seed(
    corpus, tmp_path, monkeypatch, one_process
):
    bars = watch_bars(monkeypatch)
    expected = run(corpus, tmp_path / "one", seeds=(0, 1), fold_numbers=[1, 2])
    before = shards(tmp_path / "runs")
    for path in (tmp_path / "runs").rglob("*.tfrecord"):
        path.unlink()
    found = run(corpus, tmp_path / "two", Local(2), seeds=(0, 1), fold_numbers=[1, 2])
    assert shards(tmp_path / "runs") == before
    assert len(before) == 4
    assert records(tmp_path / "two") == records(tmp_path / "one")
    for one, other in zip(expected, found, strict=True):
        assert tables.table(one) == tables.table(other)
    # Each fold: 3 steps, 4 utterances to test, and the fold itself.
    assert bars == [[4 * 8] * 2] * 2


@pytest.fixture(scope="module")
def cluster():
    """Ray on one node of one CPU, to which this process is connected."""
    ray = pytest.importorskip("ray", reason="Ray is an extra of its own")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        try:
            workers.Ray(cluster.address)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def on_ray(test):
    return pytest.mark.slow(pytest.mark.filterwarnings("default")(test))


@on_ray
def test_errors_of_nodes_end_as_those_of_this_process(
    cluster, corpus, tmp_path, monkeypatch, capsys
):
    def line(where, **given):
        return error_line(
            lambda: run(corpus, tmp_path / "out", where, **given), monkeypatch, capsys
        )

    path = sorted(corpus.rglob("*.wav"))[5]
    content = path.read_bytes()
    path.write_bytes(content[:2000])
    local, ray = line(Local(1)), line(workers.Ray())
    assert local == ray
    assert local.startswith("Error: Audio file was cut short: ")
    assert local.endswith(f" bytes of sound are there. Received: {path}\n")
    assert not (tmp_path / "out").exists()

    path.write_bytes(content)
    given = {"training": dataclasses.replace(TRAINING, learning_rate=1e30), "fold_numbers": [1]}
    local, ray = line(Local(1), **given), line(workers.Ray(), **given)
    assert local == ray
    assert ray.startswith("Error: Training diverged")
    assert ray.endswith("learning_rate=1e+30\n")
    assert [path.name for path in (tmp_path / "out" / "0").iterdir() if path.is_dir()] == []


@on_ray
def test_errors_while_other_tasks_end_leave_this_process_alone(cluster, tmp_path):
    tasks = [Task(count, (number,), tmp_path, number) for number in (3, 1, 1, 1)]
    for _ in range(30):
        with pytest.raises(EngineError, match="three"):
            list(workers.Ray().map(tasks, lambda units: None))


def die(folder, advance):
    os.kill(os.getpid(), signal.SIGKILL)


@on_ray
def test_a_task_that_is_lost_for_good_is_one_line(cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workers, "RETRIES", 0)
    tasks = [Task(die, (), tmp_path, 1)]
    line = error_line(lambda: list(workers.Ray().map(tasks, None)), monkeypatch, capsys)
    assert line.startswith("Error: The cluster lost a task for good. Received: ")
    assert line.count("\n") == 1


def counted_network(starts, shape, classes):
    """As small_network; every start of a fit leaves a file."""
    model = small_network(shape, classes)
    fit = model.fit

    def counted(*arguments, **options):
        (starts / uuid.uuid4().hex).touch()
        return fit(*arguments, **options)

    model.fit = counted
    return model


def counted_run(corpus, out, starts, where):
    starts.mkdir()
    return run(corpus, out, where, functools.partial(counted_network, starts), fold_numbers=[1, 2])


def killed_run(address, *folders):
    """In a process of its own: a driver that is killed when the first fold is there."""

    class Killed(workers.Ray):
        def map(self, tasks, advance):
            for result in super().map(tasks, advance):
                if tasks[0].function is task.run_folds:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield result

    counted_run(*map(pathlib.Path, folders), Killed(address))


@on_ray
def test_folds_that_came_back_before_the_driver_was_killed_stay(cluster, corpus, tmp_path):
    out = tmp_path / "out"
    code = "import sys, test_workers; test_workers.killed_run(*sys.argv[1:])"
    arguments = [cluster.address, corpus, out, tmp_path / "before"]
    killed = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (kept,) = out.glob("*/*/fold.json")
    time_of = kept.stat().st_mtime_ns
    (found,) = counted_run(corpus, out, tmp_path / "after", workers.Ray())
    assert len(list((tmp_path / "before").iterdir())) >= 1
    assert len(list((tmp_path / "after").iterdir())) == 1
    assert kept.stat().st_mtime_ns == time_of
    assert sorted(found["folds"]) == sorted(SPEAKERS[:2])


@on_ray
def test_logs_of_nodes_know_no_participant(cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    daic = trees.small_daic(tmp_path / "daic", noise)
    given = {"engine": workers.Ray(), "dataset": "daic_woz"}
    (found,) = run(daic, tmp_path / "out", **given, fold_numbers=[1])
    assert found["utterances"] == 2
    path = daic / "303_P" / "303_AUDIO.wav"
    path.write_bytes(path.read_bytes()[:2000])
    line = error_line(lambda: run(daic, tmp_path / "two", **given), monkeypatch, capsys)
    # The user learns the file, and that is all.
    last = line.splitlines()[-1]
    assert last.startswith("Error: Audio file was cut short: ")
    assert last.endswith(f" bytes of sound are there. Received: {path}")

    logs = pathlib.Path(cluster.head_node.get_logs_dir_path())
    texts = [path.read_text(errors="replace") for path in logs.rglob("*") if path.is_file()]
    assert any(texts)
    for text in texts:
        for secret in (str(daic), "_AUDIO", "_TRANSCRIPT", "303_P", "Participant"):
            assert secret not in text


def noise(speaker, label, seed):
    return np.random.default_rng([speaker, seed]).normal(0, 0.1, 32_000)


@pytest.mark.slow  # two processes start and trace
def test_two_processes_share_a_study(corpus, tmp_path, one_process):
    code = (
        "import pathlib, test_workers; test_workers.run("
        "pathlib.Path('emodb'), pathlib.Path('both'), fold_numbers={})"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code.format(numbers)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        )
        for numbers in ([1, 2], [1])
    ]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    run(corpus, tmp_path / "alone", fold_numbers=[1, 2])
    assert names(tmp_path / "both") == names(tmp_path / "alone")
    assert records(tmp_path / "both") == records(tmp_path / "alone")
    found, expected = (
        json.loads((tmp_path / out / "0" / "results.json").read_text()) for out in ("both", "alone")
    )
    for key in ("scores", "folds", "history", "utterances"):
        assert found[key] == expected[key]


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


@on_ray
def test_a_cluster_that_loses_a_node_finds_what_one_process_finds(
    cluster, corpus, tmp_path, monkeypatch, one_process
):
    import ray

    bars = watch_bars(monkeypatch)
    (expected,) = run(corpus, tmp_path / "one")
    before = shards(tmp_path / "runs")
    for path in (tmp_path / "runs").rglob("*.tfrecord"):
        path.unlink()

    starts, returned = tmp_path / "starts", []
    starts.mkdir()
    here = ray.get_runtime_context().get_node_id()
    second = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    (victim,) = {node["NodeID"] for node in ray.nodes() if node["Alive"]} - {here}

    class LosingOne(workers.Ray):
        def map(self, tasks, advance):
            for result in super().map(tasks, advance):
                yield result
                if tasks[0].function is task.run_folds:
                    returned.append(result)
                    if len(returned) == 1:
                        wait_for((starts / f"{victim}-2").exists)
                        cluster.remove_node(second, allow_graceful=False)

    nodes = LosingOne()
    assert (nodes.cpus, nodes.gpus) == (1, 0)
    build = functools.partial(watched_network, starts, victim)
    (found,) = run(corpus, tmp_path / "ray", nodes, build)

    # The victim gave one fold and was lost with a second, which the other node trained again.
    started = [path.name.rpartition("-")[0] for path in starts.iterdir()]
    assert started.count(victim) == 2
    assert started.count(here) == len(SPEAKERS)
    assert len(returned) == len(SPEAKERS) + 1

    assert shards(tmp_path / "runs") == before
    assert tables.table(found) == tables.table(expected)
    assert records(tmp_path / "ray") == records(tmp_path / "one")
    assert names(tmp_path / "ray") == names(tmp_path / "one")
    for key in ("scores", "folds", "history", "tflm", "utterances"):
        assert found[key] == expected[key]
    assert bars == [[3 * 8 + 4] * 2] * 2
