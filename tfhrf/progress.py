"""Progress bars."""

import sys
from typing import Any


class Bar:
    """Keras's bar, which knows how much was added."""

    def __init__(self, total: int, unit: str, interval: float) -> None:
        import keras  # takes seconds to load

        self.added = 0
        self.target = total
        self._shown: Any = keras.utils.Progbar(total, unit_name=unit, interval=interval)

    def add(self, n: int) -> None:
        self.added += n
        self._shown.add(n)


_latest: Bar | None = None


def progress_bar(total: int, unit: str) -> Bar:
    """A bar to `add(1)` to; it redraws in a terminal and keeps to a few lines in a log file."""
    global _latest
    _latest = Bar(total, unit, 0.1 if sys.stdout.isatty() else 20.0)
    return _latest


def end_line() -> None:
    """Ends the line of a bar that is not full, so that what is printed next has its own."""
    global _latest
    if _latest is not None and 0 < _latest.added < _latest.target:
        print(flush=True)
    _latest = None
