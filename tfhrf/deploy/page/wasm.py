"""Compiles the C of an application to WebAssembly, with clang and the linker of LLVM."""

import pathlib
import shutil
import subprocess

SOURCES = pathlib.Path(__file__).parent / "c"
TOOLS = ("clang", "wasm-ld")
FLAGS = """
    --target=wasm32 -std=c99 -O2 -mbulk-memory -ffreestanding -nostdlib
    -Wall -Wextra -Wconversion -Wshadow -Werror
"""
# The stack lies below all else: what overflows it ends the program.
LINK = ("--no-entry", "--strip-all", "--stack-first", "-z,stack-size=16384", "--fatal-warnings")


def compile_program(folder):
    """The program of a folder that `write_project` wrote, with the page's port.

    Args:
        folder: with the sources of an application, but the two files of a port.

    Returns:
        bytes of the module; c/page.h says what it imports and exports.

    Raises:
        RuntimeError: a tool is missing or refuses the sources; one line says which.
    """
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise RuntimeError(
                "A page needs clang and wasm-ld, of the Debian packages clang and lld. "
                f"Received: no `{tool}` on the path"
            )
    folder = pathlib.Path(folder)
    program = folder / "program.wasm"
    sources = [*sorted(folder.glob("*.c")), *sorted(SOURCES.glob("*.c"))]
    flags = [*FLAGS.split(), *(f"-Wl,{option}" for option in LINK), f"-I{SOURCES}", f"-I{folder}"]
    done = subprocess.run(
        ["clang", *flags, *map(str, sources), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise RuntimeError(f"clang refuses the page's program. Received: {said}")
    return program.read_bytes()
