"""Runs the application on a board that QEMU emulates."""

import os
import pathlib
import re
import subprocess
import sys

BOARDS = ("mps2-an386", "mps2-an500", "mps3-an547", "netduinoplus2", "stm32vldiscovery")
TFLM = pathlib.Path(__file__).resolve().parent


def run(board, model_dir, wav, build=None):
    """What the application says of a sound.

    Args:
        board: one of those that tflm/Makefile lists.
        model_dir: folder with int8.tflite and front_end.json.
        wav: path of a 16-bit WAV file of one channel, at the rate of the front end.
        build: folder of what is compiled; tflm/build if None.

    Returns:
        dict: "labels" (of the classes), "posterior" (list of floats), "instructions" (dict with
        "front end", "model", "in all") and "bytes" (dict with "stack", "RAM", "flash").

    Raises:
        RuntimeError: the program cannot be made or does not answer; one line says why.
    """
    arguments = [f"BOARD={board}", f"PYTHON={sys.executable}"]
    arguments += [
        f"MODEL={pathlib.Path(model_dir).resolve()}",
        f"WAV={pathlib.Path(wav).resolve()}",
    ]
    if build is not None:
        arguments.append(f"BUILD={pathlib.Path(build).resolve()}")
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(TFLM), *arguments, "run"],
        capture_output=True,
        text=True,
        check=False,
        # Not the variables that another make was started with.
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
    )
    # QEMU writes what a program says to standard error.
    printed = done.stdout + done.stderr
    if done.returncode != 0:
        errors = [line for line in printed.splitlines() if "rror: " in line]
        raise RuntimeError(errors[0] if errors else " ".join(printed.split()))
    posterior = re.findall(r"^posterior: (\S+) (.*)$", printed, re.MULTILINE)
    counts = re.search(r"^instructions: .*$", printed, re.MULTILINE)[0]
    sizes = re.findall(r"^(stack|RAM|flash): (\d+) bytes", printed, re.MULTILINE)
    return {
        "labels": [label for _, label in posterior],
        "posterior": [float(value) for value, _ in posterior],
        "instructions": {
            part: int(count)
            for part, count in re.findall(r"(front end|model|in all) (\d+)", counts)
        },
        "bytes": {part: int(size) for part, size in sizes},
    }
