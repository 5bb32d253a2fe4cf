"""Runs the C front end on this machine, which computes the same bits as a device."""

import ctypes
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from tfhrf.deploy.frontend.writer import write_frontend

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror")


def compiler():
    """Path of the machine's C compiler, or None."""
    return shutil.which("cc")


def build(directory, name="frontend", flags=()):
    """Compiles the sources that `write_frontend` wrote to a shared library.

    Returns:
        pathlib.Path of the library, in the same folder.

    Raises:
        RuntimeError: there is no C compiler, or it refuses the sources; says why.
    """
    directory = pathlib.Path(directory)
    cc = compiler()
    if cc is None:
        raise RuntimeError("A C compiler is needed. Received: no `cc` on the path")
    library = directory / f"lib{name}.so"
    sources = sorted(directory.glob(f"{name}*.c"))
    command = [cc, *FLAGS, *flags, "-shared", "-fPIC", *map(str, sources), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{cc} refuses the front end. Received: {done.stderr.strip()}")
    return library


def load(library, config, dtype="int8", name="frontend"):
    """A function from samples to frames, of a library that `build` made.

    Args:
        library: path of the library.
        config: LogMelConfig of the front end.
        dtype, name: as given to `write_frontend`.

    Returns:
        Function of (samples, chunks=None): int16 array, and sizes of the pieces in which to push
        it (all at once if None); returns an array of shape (frames, mels) and type `dtype`.
    """
    functions = ctypes.CDLL(str(library))
    initialize, push = functions[f"{name}_init"], functions[f"{name}_push"]
    push.restype = ctypes.c_bool
    # Eight-byte words, enough for a stream and for its scratch.
    state = (ctypes.c_int64 * (8 + config.frame_length // 4))()
    spectrum = (ctypes.c_int64 * (config.fft_length // 2))()

    def run(samples, chunks=None):
        samples = np.ascontiguousarray(samples)
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise ValueError(
                "`samples` must be an int16 array of one dimension. "
                f"Received: {samples.dtype}, shape {samples.shape}"
            )
        most = max(0, 1 + (len(samples) - config.frame_length) // config.hop)
        frames = np.zeros((most + 1, config.mels), dtype)
        count = 0
        initialize(state)
        pointer = ctypes.c_void_p(samples.ctypes.data)
        for size in [len(samples)] if chunks is None else chunks:
            left = ctypes.c_size_t(size)
            while push(
                state,
                spectrum,
                ctypes.byref(pointer),
                ctypes.byref(left),
                ctypes.c_void_p(frames[count].ctypes.data),
            ):
                count += 1
        return frames[:count]

    return run


def make(config, scale, zero_point, dtype="int8", flags=()):
    """Generates, compiles and loads a front end: the function that `load` returns."""
    with tempfile.TemporaryDirectory() as directory:
        write_frontend(config, directory, scale=scale, zero_point=zero_point, dtype=dtype)
        library = build(directory, flags=flags)
        return load(library, config, dtype)
