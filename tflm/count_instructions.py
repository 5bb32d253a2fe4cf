"""Counts the instructions of one inference of a .tflite file's C code on boards that QEMU emulates.

    python tflm/count_instructions.py model.tflite

Needs arm-none-eabi-gcc and qemu-system-arm. These are instructions, not cycles.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

import tfhrf

BOARDS = pathlib.Path(__file__).resolve().parent / "boards"
# QEMU's board, flags of the processor, nanoseconds that SysTick takes for a tick.
TARGETS = {
    "cortex-m4": ("mps2-an386", ["-mcpu=cortex-m4"], 40),
    "cortex-m4, portable C": ("mps2-an386", ["-mcpu=cortex-m4", "-DTFHRF_PORTABLE"], 40),
    "cortex-m55": ("mps3-an547", ["-mcpu=cortex-m55"], 31.25),
}
QEMU = ["qemu-system-arm", "-nographic", "-monitor", "none", "-serial", "none"]
QEMU += ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native"]
FLAGS = ["-std=c99", "-O2", "-mthumb", "-mfloat-abi=soft", "-ffunction-sections", "-fdata-sections"]
FLAGS += ["-Wall", "-Wextra", "-Wconversion", "-Werror"]


def build(folder, target, main=BOARDS / "count.c"):
    """Compiles a folder that `to_c` wrote, and `main`, for a target; returns the program's path."""
    board, flags, _ = TARGETS[target]
    program = pathlib.Path(folder) / f"{re.sub('[^A-Za-z0-9]+', '_', target)}.elf"
    flags = [flag if flag != "-mfloat-abi=soft" else "-mfloat-abi=hard" for flag in FLAGS] + flags
    if "m55" not in target:
        flags = [flag for flag in flags if flag != "-mfloat-abi=hard"] + ["-mfloat-abi=soft"]
    subprocess.run(
        [
            "arm-none-eabi-gcc",
            *flags,
            f"-I{folder}",
            f"-I{BOARDS}",
            f"-L{BOARDS}",
            f"-T{BOARDS / board}.ld",
            "-nostartfiles",
            "-Wl,--gc-sections",
            str(BOARDS / "startup.c"),
            str(main),
            str(pathlib.Path(folder) / "model.c"),
            "-o",
            str(program),
        ],
        check=True,
    )
    return program


def run(program, target):
    """(whether the golden output was met, instructions) of a program in QEMU."""
    board, _, nanoseconds = TARGETS[target]
    done = subprocess.run(
        [*QEMU, "-M", board, "-kernel", str(program)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = (done.stdout + done.stderr).split()
    if len(lines) < 2 or not lines[1].isdigit():
        raise RuntimeError(f"The program did not finish. Received: {done.stdout}{done.stderr}")
    return lines[0] == "equal", int(int(lines[1]) * nanoseconds)


def code_bytes(folder, target):
    """Bytes of the model's code, without its constants and the C library."""
    _, flags, _ = TARGETS[target]
    abi = "-mfloat-abi=hard" if "m55" in target else "-mfloat-abi=soft"
    with tempfile.TemporaryDirectory() as scratch:
        kept = [flag for flag in FLAGS if "float-abi" not in flag]
        command = ["arm-none-eabi-gcc", *kept, abi, *flags, "-c", f"{folder}/model.c"]
        subprocess.run([*command, "-o", f"{scratch}/model.o"], check=True)
        sizes = subprocess.run(
            ["arm-none-eabi-size", "-A", f"{scratch}/model.o"],
            capture_output=True,
            text=True,
            check=True,
        )
    return sum(int(n) for n in re.findall(r"^\.text\S*\s+(\d+)", sizes.stdout, re.MULTILINE))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tflite", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = tfhrf.to_c(arguments.tflite.read_bytes(), folder)
        print(f"static memory without input and output: {report['arena_bytes']} bytes")
        print(f"constants: {report['constant_bytes']} bytes")
        for target in TARGETS:
            equal, instructions = run(build(folder, target), target)
            print(
                f"{target}: {instructions / 1e6:.2f} M instructions, golden output "
                f"{'equal' if equal else 'DIFFERENT'}, code {code_bytes(folder, target)} bytes"
            )


if __name__ == "__main__":
    main()
