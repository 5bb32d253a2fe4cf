"""TensorFlow Lite Micro in a process beside this one: its checks end the process they run in."""

import atexit
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any

# It finds the package where this process did.
PROGRAM = """
import sys
sys.path[:] = {path!r}
from tfhrf.deploy import runners, tflm_process
tflm_process.serve(runners)
"""
SECONDS_TO_END = 5
lock = threading.Lock()
children: dict[int, "Child"] = {}


def load_runtime():
    """The wheel's interpreter module; ImportError with a hint where there is none."""
    try:
        from tflite_micro import runtime
    except ImportError as error:
        raise ImportError(
            "TensorFlow Lite Micro needs the package tflite-micro, which exists for x86-64 Linux "
            f"only. Received: {error}"
        ) from error
    return runtime


def available() -> bool:
    """Whether the tflite-micro wheel can be imported."""
    try:
        load_runtime()
    except ImportError:
        return False
    return True


def call(name: str, *arguments: Any) -> Any:
    """What a function of `tfhrf.deploy.runners` returns, computed in the process beside.

    Raises:
        ValueError: the function raises it.
        RuntimeError: the function raises it, or its process ended; the last line on its standard
            error is quoted.
    """
    with lock:
        # A process that was forked off this one has pipes that are not its own.
        child = children.get(os.getpid())
        if child is None:
            child = children[os.getpid()] = Child()
        try:
            return child.call(name, arguments)
        except BaseException as error:
            # It ended, or half a message is on its way.
            if not isinstance(error, ValueError):
                end_child()
            raise


class Child:
    """The process, and the file that holds what it writes to standard error."""

    def __init__(self):
        self.messages = tempfile.TemporaryFile()  # noqa: SIM115  # `end` closes it.
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(path=sys.path)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.messages,
        )
        self.questions: Any = self.process.stdin
        self.answers: Any = io.BufferedReader(self.process.stdout)

    def call(self, name, arguments):
        start = self.messages.seek(0, os.SEEK_END)
        try:
            left = memoryview(pickle.dumps((name, arguments)))
            while left:
                left = left[self.questions.write(left) :]
            error, result = pickle.load(self.answers)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = self.process.wait(SECONDS_TO_END)
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            error = RuntimeError
            result = f"TensorFlow Lite Micro ended its process. Received: {how}"
        if error is None:
            return result
        said = self.last_line(start) if error is RuntimeError else ""
        raise error(f"{result}, {said}" if said else result)

    def last_line(self, start):
        """The last line of what was written to standard error since a position."""
        self.messages.seek(start)
        lines = self.messages.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def end(self):
        self.process.kill()
        self.process.wait()
        for file in (self.questions, self.answers, self.messages):
            file.close()


@atexit.register
def end_child():
    child = children.pop(os.getpid(), None)
    if child is not None:
        child.end()


def serve(module):
    """Answers calls of a module's functions from standard input until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            failure, result = None, getattr(module, name)(*arguments)
        except (RuntimeError, ValueError) as error:
            failure, result = type(error), str(error)
        pickle.dump((failure, result), answers)
        answers.flush()
