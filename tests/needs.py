"""Marks of tests that need what is not everywhere."""

import functools
import importlib.util
import shutil
import subprocess
import tempfile

import pytest

from tfhrf.deploy import runners

needs_tfmot = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_optimization") is None,
    reason="tensorflow-model-optimization goes with TensorFlow 2.16",
)
needs_tflm = pytest.mark.skipif(not runners.available(), reason="tflite-micro has no wheel here")
# The Debian package of each tool.
PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi and libnewlib-arm-none-eabi",
    "clang": "clang and its libclang-rt-*-dev",
    "cmake": "cmake",
    "ffmpeg": "ffmpeg",
    "g++": "g++",
    "gcc": "gcc",
    "make": "make",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-riscv32": "qemu-system-misc",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf",
    "wasm-ld": "lld",
    "browser": "chromium-headless-shell or chromium",
}
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


def browser():
    """Path of a browser, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


# What compiles for boards and emulates them.
BOARD_TOOLS = (
    "arm-none-eabi-gcc",
    "qemu-system-arm",
    "riscv64-unknown-elf-gcc",
    "qemu-system-riscv32",
)


@functools.cache
def is_here(tool):
    """Whether a tool is here; clang without the libraries of its sanitizers is not."""
    path = browser() if tool == "browser" else shutil.which(tool)
    if tool != "clang" or path is None:
        return path is not None
    program = b"int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d == 0 && n; }"
    with tempfile.TemporaryDirectory() as folder:
        command = [path, "-fsanitize=address,undefined,fuzzer", "-x", "c", "-", "-o", f"{folder}/a"]
        done = subprocess.run(command, input=program, capture_output=True, check=False)
    return done.returncode == 0


def missing(*tools):
    """What to say of tools that are not here, with the packages that bring them; "" if all are."""
    absent = [tool for tool in tools if not is_here(tool)]
    packages = ", ".join(PACKAGES[tool] for tool in absent)
    return (absent and f"{', '.join(absent)} not here: `make tools` installs {packages}") or ""


def needs(*tools):
    """The mark of a test that needs tools."""
    return pytest.mark.skipif(not all(map(is_here, tools)), reason=missing(*tools))


def skip_without(*tools):
    """Skips the test that calls it if a tool is not here."""
    if not all(map(is_here, tools)):
        pytest.skip(missing(*tools))
