"""Counts the instructions of the C front end on emulated Cortex-M boards.

    python tflm/count_frontend.py

Needs arm-none-eabi-gcc and qemu-system-arm (`make tools`). QEMU counts instructions, not cycles: a
real core needs one to about two cycles for each.
"""

import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from tfhrf.corpora import synthetic
from tfhrf.features import LogMelConfig
from tfhrf.frontend import comparison
from tfhrf.frontend.writer import write_frontend
from tfhrf.generated import wrapped

FOLDER = pathlib.Path(__file__).resolve().parent / "boards"
GCC, QEMU, SIZE = "arm-none-eabi-gcc", "qemu-system-arm", "arm-none-eabi-size"
# A Cortex-M3 runs the code of a Cortex-M0; QEMU's only board with an M0 has no such timer.
BOARDS = {
    "cortex-m0": "mps2-an385",
    "cortex-m3": "mps2-an385",
    "cortex-m4": "mps2-an386",
    "cortex-m7": "mps2-an500",
}
FLAGS = ("-mthumb", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror")
LINK = ("-nostartfiles", f"-I{FOLDER}", f"-L{FOLDER}")
INSTRUCTIONS_PER_TICK = 40
SECONDS = 300


def available():
    """Whether the cross compiler and the emulator are installed."""
    return all(shutil.which(tool) for tool in (GCC, QEMU, SIZE))


def run(config, scale, zero_point, samples, dtype="int8", cpu="cortex-m4"):
    """Runs the front end over samples on an emulated board.

    Args:
        config, scale, zero_point, dtype: as for `write_frontend`.
        samples: int16 array.
        cpu: "cortex-m0", "cortex-m3", "cortex-m4" or "cortex-m7".

    Returns:
        dict: "frames" (array of shape (frames, mels), type `dtype`), "instructions" (int array,
        one for each frame, copying its samples included), "code_bytes" and "table_bytes" (flash),
        "ram_bytes" (a stream and its scratch), "stack_bytes".

    Raises:
        RuntimeError: a tool fails; says which and why.
    """
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder)
        report = write_frontend(config, directory, scale, zero_point, dtype)
        text = "\n".join(wrapped([str(sample) for sample in np.asarray(samples, np.int16)], 12))
        (directory / "samples.c").write_text(
            "#include <stdint.h>\n"
            f"const uint32_t sample_count = {len(samples)}U;\n"
            f"const int16_t samples[] = {{\n{text}\n}};\n"
        )
        parts = [file for file in report["files"] if file.endswith(".c")]
        compile_flags = [f"-mcpu={cpu}", *FLAGS]
        for part in parts:
            call([GCC, *compile_flags, "-c", part], directory)
        objects = [part.replace(".c", ".o") for part in parts]
        programs = [str(FOLDER / name) for name in ("count_frontend.c", "startup.c", "host.c")]
        link = [GCC, *compile_flags, *LINK, f"-I{folder}", f"-T{FOLDER / BOARDS[cpu]}.ld"]
        call([*link, *programs, "samples.c", *objects, "-o", "count.elf"], directory)
        code = [part for part in objects if part != "frontend_tables.o"]
        sizes = call([SIZE, *code], directory).splitlines()[1:]
        machine = [QEMU, "-M", BOARDS[cpu], "-nographic", "-monitor", "none", "-serial", "none"]
        semihosting = "enable=on,target=native"
        options = ["-icount", "shift=0", "-semihosting-config", semihosting, "-kernel", "count.elf"]
        *lines, stack = call([*machine, *options], directory).splitlines()
    rows = [line.split() for line in lines]
    levels = np.frombuffer(
        bytes.fromhex("".join(row[1] for row in rows)), np.dtype(dtype).newbyteorder(">")
    )
    return {
        "frames": levels.astype(dtype).reshape(-1, config.mels),
        "instructions": np.array([int(row[0]) for row in rows]) * INSTRUCTIONS_PER_TICK,
        "code_bytes": sum(int(line.split()[0]) for line in sizes),
        "table_bytes": report["table_bytes"],
        "ram_bytes": report["ram_bytes"] + report["scratch_bytes"],
        "stack_bytes": int(stack),
    }


def call(command, directory):
    """Standard output of a tool (QEMU's semihosting writes to standard error)."""
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} did not end. Received: {SECONDS} seconds") from error
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed. Received: {(done.stderr or done.stdout).strip()}")
    return done.stdout or done.stderr


def main():
    config = LogMelConfig()
    wave = synthetic.utterance(1, "neutral", np.random.default_rng(0))
    samples = comparison.to_int16(wave)
    print("instructions per frame; bytes of one stream, of stack, of code, of tables")
    for cpu in BOARDS:
        # A scale that takes speech over the range of int8.
        result = run(config, 0.02, -35, samples, cpu=cpu)
        counts = result["instructions"][1:]
        sizes = [result[f"{part}_bytes"] for part in ("ram", "stack", "code", "table")]
        print(f"  {cpu}: mean {counts.mean():,.0f}, most {counts.max():,}; {sizes}")


if __name__ == "__main__":
    main()
