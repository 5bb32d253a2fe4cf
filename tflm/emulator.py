"""Runs the application, and smaller programs, on boards that QEMU emulates."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

TFLM = pathlib.Path(__file__).resolve().parent
# What compiles for a kind of processor and runs it: prefix of the tools, emulator, flags, start-up.
ARM = ("arm-none-eabi-", "qemu-system-arm", ["-mthumb"], "cortex_m.c")
RISC_V = (
    "riscv64-unknown-elf-",
    "qemu-system-riscv32",
    ["--specs=picolibc.specs", "-misa-spec=2.2"],
    "risc_v.c",
)
# Boards to count instructions on, by processor: kind, flags, QEMU's name, instructions of a tick. A
# Cortex-M3 runs the code of a Cortex-M0; QEMU's only board with an M0 has no such timer.
PROCESSORS = {
    "cortex-m0": (ARM, ["-mcpu=cortex-m0", "-mfloat-abi=soft"], "mps2-an385", 40),
    "cortex-m3": (ARM, ["-mcpu=cortex-m3", "-mfloat-abi=soft"], "mps2-an385", 40),
    "cortex-m4": (ARM, ["-mcpu=cortex-m4", "-mfloat-abi=soft"], "mps2-an386", 40),
    "cortex-m7": (ARM, ["-mcpu=cortex-m7", "-mfloat-abi=soft"], "mps2-an500", 40),
    "cortex-m55": (ARM, ["-mcpu=cortex-m55", "-mfloat-abi=hard"], "mps3-an547", 31.25),
    # That of an ESP32-C3.
    "rv32imc": (RISC_V, ["-march=rv32imc", "-mabi=ilp32"], "virt", 1),
}
BOARDS = ("mps2-an386", "mps2-an500", "mps3-an547", "netduinoplus2", "stm32vldiscovery", "virt")
FLAGS = ["-std=c99", "-O2", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror"]
SECONDS = 300


def available(cpu):
    """Whether what compiles for a processor and emulates it is installed."""
    (prefix, qemu, *_), *_ = PROCESSORS[cpu]
    return all(map(shutil.which, (f"{prefix}gcc", qemu)))


def compiler(cpu):
    """The command that compiles for a processor."""
    (prefix, _, kind_flags, _), own_flags, *_ = PROCESSORS[cpu]
    return [f"{prefix}gcc", *kind_flags, *own_flags, *FLAGS]


def link(cpu, sources, program, folder, flags=()):
    """Compiles and links sources, with the start-up of the board, in a folder of headers."""
    (*_, own_start), _, board, _ = PROCESSORS[cpu]
    boards = TFLM / "boards"
    places = [f"-I{folder}", f"-I{boards}", f"-L{boards}", f"-T{boards / board}.ld"]
    parts = [str(boards / "startup.c"), str(boards / own_start), *map(str, sources)]
    command = [*compiler(cpu), *flags, *places, "-nostartfiles", "-Wl,--gc-sections", *parts]
    call([*command, "-o", str(program)], folder)


def code_bytes(cpu, sources, folder, flags=()):
    """Bytes of the code of C files alone, without constants and the C library."""
    prefix = PROCESSORS[cpu][0][0]
    total = 0
    for source in sources:
        object_file = pathlib.Path(folder) / "code.o"
        command = [*compiler(cpu), *flags, f"-I{folder}", "-c", str(source)]
        call([*command, "-o", str(object_file)], folder)
        sizes = call([f"{prefix}size", "-A", str(object_file)], folder)
        total += sum(int(size) for size in re.findall(r"^\.text\S*\s+(\d+)", sizes, re.M))
    return total


def execute(cpu, program, more=()):
    """(what a program prints, instructions of a tick); the program must end with 0 or 1.

    `more` are further options of the emulator.
    """
    (_, qemu, *_), _, board, instructions = PROCESSORS[cpu]
    machine = [qemu, "-M", board, "-nographic", "-monitor", "none", "-serial", "none"]
    machine += ["-bios", "none"] if board == "virt" else []
    options = ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native"]
    printed = call([*machine, *options, *more, "-kernel", str(program)], ".", statuses=(0, 1))
    return printed, instructions


def call(command, directory, statuses=(0,)):
    """Standard output of a tool (QEMU's semihosting writes to standard error).

    Raises:
        RuntimeError: the tool fails; says which and why.
    """
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} did not end. Received: {SECONDS} seconds") from error
    if done.returncode not in statuses:
        raise RuntimeError(f"{command[0]} failed. Received: {(done.stderr or done.stdout).strip()}")
    return done.stdout or done.stderr


def run(board, model_dir, wav, build=None, endpoint=True):
    """What the application says of a sound.

    Args:
        board: one of those that tflm/Makefile lists.
        model_dir: folder with int8.tflite and front_end.json.
        wav: path of a 16-bit WAV file of one channel, at the rate of the front end.
        build: folder of what is compiled; tflm/build if None.
        endpoint: whether utterances are found in the sound; else it is one.

    Returns:
        dict: "labels" (of the classes), "posteriors" (of each utterance, list of floats),
        "windows" (how many in all), "instructions" (dict with "front end", "model", "in all", up to
        the last answer) and "bytes" (dict with "stack", "RAM", "flash").

    Raises:
        RuntimeError: the program cannot be made or does not answer; one line says why.
    """
    arguments = [f"BOARD={board}", f"PYTHON={sys.executable}", f"ENDPOINT={int(endpoint)}"]
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
    answers = printed.split("class: ")[:-1]
    if not answers:
        raise RuntimeError(f"There is no utterance in the sound. Received: {wav}")
    rows = [re.findall(r"^posterior: (\S+) (.*)$", answer, re.MULTILINE) for answer in answers]
    windows = re.findall(r"^window \d+:", printed, re.MULTILINE)
    counts = re.findall(r"^instructions: .*$", printed, re.MULTILINE)
    sizes = re.findall(r"^(stack|RAM|flash): (\d+) bytes", printed, re.MULTILINE)
    return {
        "labels": [label for _, label in rows[0]],
        "posteriors": [[float(value) for value, _ in row] for row in rows],
        "windows": len(windows),
        "instructions": {
            part: sum(map(int, re.findall(rf"{part} (\d+)", " ".join(counts))))
            for part in ("front end", "model", "in all")
        },
        # The stack is painted once: the last answer's is the most.
        "bytes": {part: int(size) for part, size in sizes},
    }
