"""Counts the instructions of the C front end on emulated Cortex-M boards.

    python tflm/count_frontend.py

Needs arm-none-eabi-gcc and qemu-system-arm (`make tools`). QEMU counts instructions, not cycles: a
real core needs one to about two cycles for each.
"""

import pathlib
import tempfile

import commandline
import emulator
import numpy as np

from tfhrf.data.corpora import synthetic
from tfhrf.deploy.c_text import wrapped
from tfhrf.deploy.frontend.writer import write_frontend
from tfhrf.endpoint import to_int16
from tfhrf.log_mel import LogMelConfig

PROCESSORS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "rv32imc")


def run(config, scale, zero_point, samples, dtype="int8", cpu="cortex-m4"):
    """Runs the front end over samples on an emulated board.

    Args:
        config, scale, zero_point, dtype: as for `write_frontend`.
        samples: int16 array.
        cpu: of PROCESSORS.

    Returns:
        dict: "frames" (array of shape (frames, mels), type `dtype`), "instructions" (int array,
        one for each frame, copying its samples included), "code_bytes" and "table_bytes" (flash),
        "ram_bytes" (a stream and its scratch), "stack_bytes".

    Raises:
        RuntimeError: a tool fails; says which and why.
    """
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder)
        report = write_frontend(config, directory, scale=scale, zero_point=zero_point, dtype=dtype)
        (directory / "samples.c").write_text(samples_source(samples))
        parts = [directory / file for file in report["files"] if file.endswith(".c")]
        own = [emulator.TFLM / "boards" / name for name in ("count_frontend.c", "host.c")]
        program = directory / "count.elf"
        emulator.link(cpu, [*own, directory / "samples.c", *parts], program, directory)
        code = [part for part in parts if part.name != "frontend_tables.c"]
        code_bytes = emulator.code_bytes(cpu, code, directory)
        printed, instructions_per_tick = emulator.execute(cpu, program)
        *lines, stack = printed.splitlines()
    rows = [line.split() for line in lines]
    levels = np.frombuffer(
        bytes.fromhex("".join(row[1] for row in rows)), np.dtype(dtype).newbyteorder(">")
    )
    return {
        "frames": levels.astype(dtype).reshape(-1, config.mels),
        "instructions": np.array([int(row[0]) for row in rows]) * instructions_per_tick,
        "code_bytes": code_bytes,
        "table_bytes": report["table_bytes"],
        "ram_bytes": report["ram_bytes"] + report["scratch_bytes"],
        "stack_bytes": int(stack),
    }


def samples_source(samples):
    """C that holds int16 samples."""
    text = "\n".join(wrapped([str(sample) for sample in np.asarray(samples, np.int16)], 12))
    return (
        "#include <stdint.h>\n"
        f"const uint32_t sample_count = {len(samples)}U;\n"
        f"const int16_t samples[] = {{\n{text}\n}};\n"
    )


def main():
    commandline.parser_of(__doc__).parse_args()
    config = LogMelConfig()
    wave = synthetic.utterance(1, "neutral", np.random.default_rng(0))
    samples = to_int16(wave)
    print("instructions per frame; bytes of one stream, of stack, of code, of tables")
    for cpu in PROCESSORS:
        # A scale that takes speech over the range of int8.
        result = run(config, 0.02, -35, samples, cpu=cpu)
        counts = result["instructions"][1:]
        sizes = [result[f"{part}_bytes"] for part in ("ram", "stack", "code", "table")]
        print(f"  {cpu}: mean {counts.mean():,.0f}, most {counts.max():,}; {sizes}")


if __name__ == "__main__":
    commandline.run(main)
