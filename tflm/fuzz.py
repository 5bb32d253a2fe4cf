"""Feeds bytes to generated C, model and front end, under the address and undefined-behavior
sanitizers.

    python tflm/fuzz.py --seconds=600              # light ConvTransformers in int8 and int16x8
    python tflm/fuzz.py --seconds=600 model.tflite

With clang and its libFuzzer the inputs are searched for, else gcc runs a fixed set of them.
"""

import commandline

import tfhrf.quiet  # before what loads TensorFlow

# isort: split
import os
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

import tfhrf
from tfhrf.deploy.frontend import write_frontend
from tfhrf.log_mel import LogMelConfig
from tfhrf.models import ConvTransformer

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = "-fsanitize=address,undefined"
# One input holds a model's values, or about a second of samples.
LONGEST = 40_000
# The most memory that a program may use.
MEGABYTES = 2048


def write(content, folder):
    """Writes the C of a graph whose input is (1, frames, mels), and of its front end."""
    (tensor,) = tfhrf.to_c(content, folder)["inputs"]
    config = LogMelConfig(mels=tensor["shape"][-1])
    write_frontend(
        config,
        folder,
        scale=tensor["scale"],
        zero_point=tensor["zero_point"],
        dtype=tensor["dtype"],
    )


def has_libfuzzer():
    """Whether clang is here and links libFuzzer."""
    if not shutil.which("clang"):
        return False
    program = "int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d == 0 && n; }"
    with tempfile.TemporaryDirectory() as folder:
        command = ["clang", "-fsanitize=fuzzer", "-x", "c", "-", "-o", f"{folder}/program"]
        done = subprocess.run(command, input=program.encode(), capture_output=True, check=False)
    return done.returncode == 0


def build(folder, compiler):
    """Compiles what `write` wrote; clang links libFuzzer, others the driver. Returns a path."""
    folder = pathlib.Path(folder)
    program = folder / f"fuzz-{pathlib.Path(compiler).name}"
    command = [compiler, *FLAGS, SANITIZERS, "-fno-sanitize-recover=all", f"-I{folder}"]
    sources = [*folder.glob("*.c"), HERE / "fuzz.c"]
    if pathlib.Path(compiler).name == "clang":
        command.append("-fsanitize=fuzzer")
    else:
        sources.append(HERE / "fuzz_driver.c")
    subprocess.run([*command, *map(str, sources), "-o", str(program)], check=True)
    return program


def run(program, seconds, runs):
    """Runs a program: libFuzzer for so many seconds, the driver for so many inputs."""
    command = [str(program), str(runs)]
    if program.name == "fuzz-clang":
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-seed=1", "-len_control=0"]
        # libFuzzer's limit is on the peak, which a process inherits from the one that starts it.
        limits = ["-rss_limit_mb=0", f"-malloc_limit_mb={MEGABYTES}"]
        command = [str(program), *options, *limits]
    given = os.environ.get("ASAN_OPTIONS", "")
    environment = {**os.environ, "ASAN_OPTIONS": f"hard_rss_limit_mb={MEGABYTES}:{given}"}
    return subprocess.run(
        command,
        cwd=program.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def examples():
    """Graphs of light ConvTransformers that are not trained."""
    model = tfhrf.fold(ConvTransformer((100, 64), 4))
    windows = np.random.default_rng(0).standard_normal((16, 100, 64)).astype("float32")
    return [
        tfhrf.to_tflite(model, windows, precision=precision) for precision in ("int8", "int16x8")
    ]


def main():
    parser = commandline.parser_of(__doc__)
    parser.add_argument("tflite", type=pathlib.Path, nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    contents = [path.read_bytes() for path in arguments.tflite] or examples()
    for content in contents:
        with tempfile.TemporaryDirectory() as folder:
            write(content, folder)
            program = build(folder, "clang" if has_libfuzzer() else "gcc")
            done = run(program, arguments.seconds // len(contents), 100 * arguments.seconds)
            print(done.stderr[-2000:])
            if done.returncode != 0:
                raise RuntimeError(f"{program.name} stopped. Received: exit code {done.returncode}")


if __name__ == "__main__":
    commandline.run(main)
