"""Counts the instructions of the endpointer on emulated Cortex-M boards.

    python tflm/count_endpoint.py

Needs arm-none-eabi-gcc and qemu-system-arm (`make tools`). Instructions, not cycles.
"""

import pathlib
import tempfile

import commandline
import count_frontend
import emulator
import numpy as np

from tfhrf.data.corpora import synthetic
from tfhrf.deploy.project import application, listener
from tfhrf.endpoint import EndpointConfig, to_int16
from tfhrf.log_mel import LogMelConfig


def run(samples, config, front_end, cpu="cortex-m4"):
    """Runs the endpointer over samples on an emulated board.

    Args:
        samples: int16 array.
        config: EndpointConfig.
        front_end: LogMelConfig whose hop belongs to it.
        cpu: one of count_frontend.PROCESSORS.

    Returns:
        dict: "utterances" (list of (start, end), those that have ended), "instructions" (of all
        samples), "code_bytes" (flash), "ram_bytes" and "stack_bytes".

    Raises:
        RuntimeError: a tool fails; says which and why.
    """
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder)
        (directory / "endpoint_tables.h").write_text(listener.tables(config, front_end))
        (directory / "samples.c").write_text(count_frontend.samples_source(samples))
        includes = [f"-I{application.SOURCES}"]
        source = application.SOURCES / "endpoint.c"
        own = [emulator.TFLM / "boards" / name for name in ("count_endpoint.c", "host.c")]
        program = directory / "count.elf"
        parts = [*own, directory / "samples.c", source]
        emulator.link(cpu, parts, program, directory, includes)
        code_bytes = emulator.code_bytes(cpu, [source], directory, includes)
        printed, instructions_per_tick = emulator.execute(cpu, program)
    *lines, last = [tuple(map(int, line.split())) for line in printed.splitlines()]
    ticks, stack_bytes, ram_bytes = last
    return {
        "utterances": lines,
        "instructions": ticks * instructions_per_tick,
        "code_bytes": code_bytes,
        "ram_bytes": ram_bytes,
        "stack_bytes": stack_bytes,
    }


def main():
    commandline.parser_of(__doc__).parse_args()
    front_end = LogMelConfig()
    config = EndpointConfig.at(front_end.sample_rate, front_end.hop)
    rng = np.random.default_rng(0)
    pause = 0.002 * rng.standard_normal(front_end.sample_rate)
    samples = to_int16([*pause, *synthetic.utterance(1, "neutral", rng), *pause])
    seconds = len(samples) / front_end.sample_rate
    print("instructions per second of sound; bytes of RAM, of stack, of code")
    for cpu in count_frontend.PROCESSORS:
        result = run(samples, config, front_end, cpu)
        sizes = [result[f"{part}_bytes"] for part in ("ram", "stack", "code")]
        print(f"  {cpu}: {result['instructions'] / seconds:,.0f}; {sizes}")


if __name__ == "__main__":
    commandline.run(main)
