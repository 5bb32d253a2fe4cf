"""Progress bars."""

import sys
from typing import Any

import keras

_latest: Any = None


class _Bar(keras.utils.Progbar):
    """A bar that knows how much was added."""

    added: int = 0

    def add(self, n: int, values: Any = None) -> None:
        self.added += n
        super().add(n, values)


def progress_bar(total: int, unit: str) -> keras.utils.Progbar:
    """A bar to `add(1)` to; it redraws in a terminal and keeps to a few lines in a log file."""
    global _latest
    interval = 0.1 if sys.stdout.isatty() else 20.0
    _latest = _Bar(total, unit_name=unit, interval=interval)
    return _latest


def end_line() -> None:
    """Ends the line of a bar that is not full, so that what is printed next has its own."""
    global _latest
    if _latest is not None and 0 < _latest.added < _latest.target:
        print(flush=True)
    _latest = None
