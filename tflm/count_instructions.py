"""Counts the instructions of one inference of a .tflite file's C code on boards that QEMU emulates.

    python tflm/count_instructions.py model.tflite
    python tflm/count_instructions.py --write runs/STUDY/deployed/int8.tflite

Needs the cross compilers and emulators of `make tools`. These are instructions, not cycles.
"""

import json
import pathlib
import re
import tempfile

import commandline
import emulator

import tfhrf
from tfhrf.files import write_text

INSTRUCTIONS = "instructions.json"
# Processor, and flags for the model.
TARGETS = {
    "cortex-m3": ("cortex-m3", []),
    "cortex-m4": ("cortex-m4", []),
    "cortex-m4, portable C": ("cortex-m4", ["-DTFHRF_PORTABLE"]),
    "cortex-m55": ("cortex-m55", []),
    "rv32imc": ("rv32imc", []),
}


def build(folder, target, main=emulator.TFLM / "boards/count.c"):
    """Compiles a folder that `to_c` wrote, and `main`, for a target; returns the program's path."""
    folder = pathlib.Path(folder)
    program = folder / f"{re.sub('[^A-Za-z0-9]+', '_', target)}.elf"
    cpu, flags = TARGETS[target]
    sources = [main, emulator.TFLM / "boards/host.c", folder / "model.c"]
    emulator.link(cpu, sources, program, folder, flags)
    return program


def run(program, target):
    """(whether the golden output was met, instructions) of a program in QEMU."""
    printed, instructions = emulator.execute(TARGETS[target][0], program)
    verdict, ticks = printed.split()
    return verdict == "equal", int(int(ticks) * instructions)


def main():
    parser = commandline.parser_of(__doc__)
    parser.add_argument("tflite", type=pathlib.Path)
    parser.add_argument(
        "--write", action="store_true", help=f"also into {INSTRUCTIONS} beside it, for reports"
    )
    parser.add_argument("--target", choices=TARGETS, help="of these alone; all if not given")
    arguments = parser.parse_args()
    place = arguments.tflite.parent / INSTRUCTIONS
    counted = json.loads(place.read_text()) if arguments.write and place.exists() else {}
    differ = []
    with tempfile.TemporaryDirectory() as folder:
        report = tfhrf.to_c(arguments.tflite.read_bytes(), folder)
        print(f"static memory without input and output: {report['arena_bytes']} bytes")
        print(f"constants: {report['constant_bytes']} bytes")
        for target in [arguments.target] if arguments.target else TARGETS:
            cpu, flags = TARGETS[target]
            equal, counted[target] = run(build(folder, target), target)
            differ += [] if equal else [target]
            code = emulator.code_bytes(cpu, [pathlib.Path(folder) / "model.c"], folder, flags)
            print(
                f"{target}: {counted[target] / 1e6:.2f} M instructions, golden output "
                f"{'equal' if equal else 'DIFFERENT'}, code {code} bytes"
            )
    if differ:
        raise RuntimeError(f"The golden output differs. Received: {', '.join(differ)}")
    if arguments.write:
        write_text(place, json.dumps(counted, indent=2) + "\n")


if __name__ == "__main__":
    commandline.run(main)
