"""How a study makes a folded model small: flags, the call of `compress`, figures of every step."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np
from absl import flags

import tfhrf
from tfhrf.compression.library import load
from tfhrf.compression.pipeline import compress
from tfhrf.deploy.c.compile import to_c
from tfhrf.studies.record import StudyError

DEFAULTS = {"prune": 0.0, "cluster": 0, "quantize": "ptq", "ranges": "minmax"}
# Of the steps of training, for pruning, clustering and quantization-aware training each.
SHARE, MOST_STEPS = 0.25, 1000
# Beside the package in a checkout.
COUNT = pathlib.Path(tfhrf.__file__).parents[1] / "tflm" / "count_instructions.py"
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")


class Calibration(NamedTuple):
    """What a model is quantized, and trained on after folding, with.

    Attributes:
        windows: float32 array (windows, frames, mels), on which ranges are measured.
        clips: list of (recording, number of its window) that these are.
        batches: function that returns a dataset of augmented training windows with labels.
        steps: of each training after folding.
    """

    windows: np.ndarray
    clips: list
    batches: object
    steps: int


def define_flags():
    """Defines the flags that `asked` reads."""
    flags.DEFINE_float(
        "prune", 0.0, "Share of the folded model's weights set to zero.", 0.0, upper_bound=0.95
    )
    flags.DEFINE_integer(
        "cluster", 0, "Values per kernel of the folded model, 2 to 16; 0: any.", 0, upper_bound=16
    )
    flags.DEFINE_enum(
        "quantize", "ptq", ["ptq", "qat"], "qat: trained for its integers after folding."
    )
    flags.DEFINE_enum(
        "ranges",
        "minmax",
        ["minmax", "percentile", "mse", "best"],
        "How ranges of integers are measured, as of tfhrf.to_tflite.",
    )


def asked(given):
    """What the user asked for beyond the defaults, as settings of a study.

    Raises:
        StudyError: flags do not go together.
        LibraryError: the library that trains is not here.
    """
    found = {name: getattr(given, name) for name in DEFAULTS}
    found = {name: value for name, value in found.items() if value != DEFAULTS[name]}
    if "prune" in found and "cluster" in found:
        raise StudyError(
            "A model is pruned or clustered. "
            f"Received: --prune={found['prune']} --cluster={found['cluster']}"
        )
    if found.get("cluster") == 1:
        raise StudyError("A kernel has 2 to 16 values. Received: --cluster=1")
    if found.keys() & {"prune", "cluster"} or found.get("quantize") == "qat":
        load()
    return found


def shrink(folded, calibration, settings, advance):
    """int8 graphs of a folded model after every step, {name: bytes}; the last is deployed.

    `advance` is called with 1 after every step of a training.
    """
    chosen = {name: settings[name] for name in DEFAULTS if name in settings}
    return compress(
        folded,
        calibration.windows,
        **chosen,
        batches=calibration.batches() if trainings(settings) else None,
        steps=calibration.steps,
        seed=settings["seed"],
        advance=advance,
    ).steps


def trainings(settings):
    """How many trainings `shrink` makes."""
    return len(settings.keys() & {"prune", "cluster", "quantize"})


def tuning_steps(steps):
    """Steps of a training after folding, from those of the training before."""
    return int(np.clip(SHARE * steps, 1, MOST_STEPS))


def measured(content):
    """What an int8 graph takes on a device in C.

    Returns:
        Dict: "file bytes"; "flash" (constants, and code where arm-none-eabi-gcc is) and "ram" in
        bytes; "instructions" of an emulated Cortex-M4, None without QEMU or outside a checkout.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = to_c(content, folder)
        found = {
            "file bytes": len(content),
            "flash": report["constant_bytes"],
            "ram": report["arena_bytes"],
            "instructions": None,
        }
        if not COUNT.is_file() or not all(map(shutil.which, TOOLS)):
            return found
        path = pathlib.Path(folder, "model.tflite")
        path.write_bytes(content)
        command = [sys.executable, str(COUNT), str(path), "--target=cortex-m4"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    counted = re.search(r"([\d.]+) M instructions, .* code (\d+) bytes", done.stdout)
    if counted:
        found["flash"] += int(counted[2])
        found["instructions"] = round(1e6 * float(counted[1]))
    return found
