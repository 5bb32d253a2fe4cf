"""Where tasks run: in processes of this machine or on a Ray cluster, with the same results.

A task is a function and plain data that pickles. The function writes files and folders into the
folder that it is given, each complete or absent, and returns plain data.
"""

import concurrent.futures
import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import pathlib
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfhrf.files import replacing_folder, write_bytes

# The last bits of a matrix product depend on the number of threads that share it: with one number
# on all machines a training repeats on all that compute alike.
THREADS = 2
RETRIES = 10  # of a task whose process or node was lost
POLL = 0.2  # seconds
CONNECT = 5  # seconds that a cluster has to answer


class EngineError(ValueError):
    """Tasks cannot run as asked; the message is one line."""


class Task(NamedTuple):
    """One piece of work.

    Attributes:
        function: called as function(folder, advance, *arguments); it calls advance(n) for every n
            of `units` done.
        arguments: tuple of plain data.
        folder: where the files that the function writes belong.
        units: by how much the task moves a progress bar.
    """

    function: Callable
    arguments: tuple
    folder: pathlib.Path
    units: int


class Local:
    """Processes of this machine: one per two cores.

    Without a number it is this process alone on up to three cores, and where TensorFlow sees
    GPUs: one process takes all of their memory.
    """

    def __init__(self, processes=None):
        if not processes and tf.config.list_physical_devices("GPU"):
            processes = 1
        self.processes = processes or max(1, len(os.sched_getaffinity(0)) // THREADS)

    def runs(self, items, jobs=1):
        """Splits the items of one of several equal jobs into as many tasks as keep all busy.

        What the items of a run have in common is made once for all of them.
        """
        count = min(len(items), -(-self.processes // jobs))
        bounds = [len(items) * part // count for part in range(count + 1)] if count else []
        return [items[start:end] for start, end in itertools.pairwise(bounds)]

    def send(self, value):
        """A function without arguments that returns plain data to a task."""
        return functools.partial(_same, value)

    def send_folder(self, folder):
        """A function without arguments that returns to a task where a folder's files are."""
        return functools.partial(_same, pathlib.Path(folder))

    def map(self, tasks, advance):
        """Runs tasks; yields (index, what the function returned) as each is done.

        Args:
            tasks: list of Task.
            advance: function of how much a progress bar moves on.

        Raises:
            What a task raises. The others end the next time they advance.
        """
        if self.processes == 1 or not tasks:
            for index, task in enumerate(tasks):
                yield index, task.function(task.folder, advance, *task.arguments)
            return
        with worker_pool(min(self.processes, len(tasks)), advance) as (submit, completed):
            waiting = {submit(_run, task): index for index, task in enumerate(tasks)}
            for call in completed(waiting):
                yield waiting[call], call.result()


class Ray:
    """The nodes of a Ray cluster; results come back to this process, which writes them."""

    def __init__(self, address=None):
        """Connects to a cluster, or starts Ray on this machine without an address.

        Args:
            address: "auto", "host:port" or "ray://host:port"; None also if this process is
                connected already.

        Raises:
            EngineError: Ray is not installed, or there is no cluster at the address.
        """
        address = address or os.environ.get("RAY_ADDRESS")
        _check_answers(address or "")
        # Ray reports its use to its makers unless told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # A task without a GPU sees none; Ray asks for the choice.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        try:
            import ray
        except ImportError:
            raise EngineError(
                'Ray is not installed: pip install ".[ray]". Received: --engine=ray'
            ) from None
        if not ray.is_initialized():
            try:
                ray.init(address, log_to_driver=False, logging_level=logging.WARNING)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise EngineError(f"Ray: {error} Received: --ray_address={address}") from None
        self.ray = ray
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.cpus = min(THREADS, max(1, *(int(node.get("CPU", 0)) for node in nodes)))
        self.gpus = int(any(node.get("GPU", 0) >= 1 for node in nodes))

    def runs(self, items, jobs=1):
        """A task per item: it is lost alone, and comes back as soon as it is done."""
        return [[item] for item in items]

    def send(self, value):
        """As of Local; the data go to the object store once and from there to each process."""
        return functools.partial(_value, self.ray.put(value))

    def send_folder(self, folder):
        """As of Local; each process writes the files into a temporary folder of its own, once."""
        return functools.partial(
            _received,
            tuple(
                (path.name, self.ray.put(path.read_bytes()))
                for path in sorted(pathlib.Path(folder).iterdir())
                if path.is_file() and not path.name.startswith(".")
            ),
        )

    def map(self, tasks, advance):
        """As of Local, but after an error tasks go on until they or this process end.

        The tasks of a lost node run again elsewhere. None is cancelled: a task that is just done
        when it is cancelled ends this process (a race in Ray's core, its pull request 54798).
        """
        remote = self.ray.remote(_on_node).options(
            num_cpus=self.cpus, num_gpus=self.gpus, max_retries=RETRIES
        )
        waiting = {
            remote.remote(task.function, task.arguments): index for index, task in enumerate(tasks)
        }
        try:
            while waiting:
                (done,), _ = self.ray.wait(list(waiting), num_returns=1)
                value, files = self.ray.get(done)
                index = waiting.pop(done)
                _write(files, tasks[index].folder)
                advance(tasks[index].units)
                yield index, value
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause or error from error
        except self.ray.exceptions.RayError as error:
            reason = str(error).partition("\n")[0]
            raise EngineError(f"The cluster lost a task for good. Received: {reason}") from None


def limit_threads():
    """Gives TensorFlow THREADS threads per operation; to be called before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)


@contextlib.contextmanager
def worker_pool(processes, advance):
    """Processes beside this one, which move its progress bar.

    At the end of the block they are done. If it fails, what they do ends the next time it advances.

    Args:
        processes: how many.
        advance: function of how much a progress bar moves on.

    Yields:
        Two functions. submit(function, *arguments) has function(advance, *arguments) called in one
        of the processes and returns a concurrent.futures.Future. completed(futures) yields them as
        they are done. The bar moves in both.
    """
    context = multiprocessing.get_context("spawn")
    progress, stop = context.SimpleQueue(), context.Event()

    def show():
        while not progress.empty():
            advance(progress.get())

    def submit(function, *arguments):
        show()
        return pool.submit(_in_process, function, arguments)

    def completed(futures):
        waiting = set(futures)
        while waiting:
            done, waiting = concurrent.futures.wait(
                waiting, POLL, concurrent.futures.FIRST_COMPLETED
            )
            show()
            yield from done

    with concurrent.futures.ProcessPoolExecutor(
        processes, context, _begin_process, (progress, stop)
    ) as pool:
        try:
            yield submit, completed
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


_advance: Any = None  # in a process beside another


def _begin_process(progress, stop):
    global _advance
    # The parent alone answers Ctrl-C. Whatever ends it, its children end too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads()

    def _advance(units):
        if stop.is_set():
            raise EngineError("Another task has failed")
        progress.put(units)


def _end_with_parent():
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_process(function, arguments):
    return function(_advance, *arguments)


def _run(advance, task):
    return task.function(task.folder, advance, *task.arguments)


def _check_answers(address):
    """Ray itself tries for many minutes where nothing answers."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EngineError(
            f"No Ray cluster answers ({reason}). Received: --ray_address={address}"
        ) from None


def _same(value):
    return value


@functools.lru_cache(maxsize=1)
def _value(reference):
    import ray

    return ray.get(reference)


def _received(references):
    return pathlib.Path(_temporary(references).name)


@functools.lru_cache(maxsize=1)
def _temporary(references):
    """The folder lasts as long as it is in use: it goes with the process."""
    import ray

    folder = tempfile.TemporaryDirectory(prefix="tfhrf-")
    for name, reference in references:
        (pathlib.Path(folder.name) / name).write_bytes(ray.get(reference))
    return folder


def _on_node(function, arguments):
    """What a task returns, and the files it wrote, bytes by path."""
    limit_threads()
    with tempfile.TemporaryDirectory(prefix="tfhrf-") as name:
        folder = pathlib.Path(name)
        value = function(folder, lambda units: None, *arguments)
        return value, {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def _write(files, folder):
    """Writes files by their paths; each file and each folder in `folder` is complete or absent."""
    for top in {path.parts[0] for path in files}:
        inside = {path.relative_to(top): files[path] for path in files if path.parts[0] == top}
        if inside.keys() == {pathlib.Path()}:
            write_bytes(folder / top, inside[pathlib.Path()])
            continue
        with replacing_folder(folder / top) as unfinished:
            for path, content in inside.items():
                (unfinished / path).parent.mkdir(parents=True, exist_ok=True)
                (unfinished / path).write_bytes(content)
