"""Progress bars."""

import sys

import keras


def progress_bar(total: int, unit: str) -> keras.utils.Progbar:
    """A bar to `add(1)` to; it redraws in a terminal and keeps to a few lines in a log file."""
    interval = 0.1 if sys.stdout.isatty() else 20.0
    return keras.utils.Progbar(total, unit_name=unit, interval=interval)
