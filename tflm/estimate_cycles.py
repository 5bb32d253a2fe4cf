"""Estimates the cycles of an inference of a .tflite file's C code, Cortex-M4 or M3, by function.

    python tflm/estimate_cycles.py model.tflite

QEMU counts how often every instruction ran and how often another than the next one followed
(profile.c); each is given the cycles of its class in Arm's tables (Cortex-M4 Technical Reference
Manual, 3.3.1; Cortex-M3, 18.2). It is an estimate: memory without wait states, no interrupts, a
refill of the pipeline of REFILL cycles, the middle of Arm's 1 to 3, and the middle of what depends
on values.
"""

import collections
import pathlib
import re
import tempfile

import commandline
import count_instructions
import emulator

import tfhrf

REFILL = 2
# Cycles beside 1: long products and divisions, by processor, without what makes variants of them.
MORE = {
    "cortex-m4": {"udiv": 6, "sdiv": 6},
    "cortex-m3": {
        **{"mla": 1, "mls": 1, "smull": 3, "umull": 3, "smlal": 4.5, "umlal": 4.5},
        **{"udiv": 6, "sdiv": 6},
    },
}
SUFFIX = re.compile(r"(eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?(\.[nw])?$")
LINE = re.compile(r"^\s*([0-9a-f]+):\t(\S+)(?:\t([^@;<]*))?")
FUNCTION = re.compile(r"^[0-9a-f]{8} <(.*)>:$")
LOAD, STORE, MANY = (
    re.compile(r"ldr(?!d)"),
    re.compile(r"str(?!d)"),
    re.compile(r"ldm|stm|push|pop"),
)


def cycles_of(instruction, before, cpu):
    """Cycles of an instruction that does not branch, by itself or behind another one.

    Args:
        instruction, before: (name, operands) as objdump writes them; `before` may be None.
        cpu: one of MORE.
    """
    name, operands = instruction
    if LOAD.match(name):
        return 1 if before and _overlaps(operands, before) else 2
    if STORE.match(name):
        # With an offset in a register the address takes a cycle of its own.
        return 2 if re.search(r"\[\w+, (r|sl|fp|ip)", operands) else 1
    if name[:4] in ("ldrd", "strd"):
        return 3
    if MANY.match(name):
        return 1 + _registers(operands[operands.find("{") :])
    return 1 + MORE[cpu].get(SUFFIX.sub("", name), 0)


def _overlaps(operands, before):
    """Whether a load follows a load, whose result is no part of its address."""
    name, loaded = before
    return bool(LOAD.match(name)) and loaded.split(",")[0].strip() not in re.findall(
        r"\w+", operands.partition("[")[2]
    )


def _registers(listed):
    """How many registers a list such as {r4-r7, lr} has."""
    count = 0
    for part in listed.strip("{} ").split(","):
        first, _, last = part.strip(" {}").partition("-")
        count += int(last[1:]) - int(first[1:]) + 1 if last else 1
    return count


def listing(program):
    """Instructions of a program: dict from address to (function, name, operands), in order."""
    found, function = {}, ""
    for line in emulator.call(
        ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", "-j", ".text", str(program)], "."
    ).splitlines():
        if head := FUNCTION.match(line):
            function = head[1]
        elif (match := LINE.match(line)) and not match[2].startswith("."):
            found[int(match[1], 16)] = function, match[2], (match[3] or "").strip()
    return found


def profile(program, cpu):
    """What ran between the first two looks at the clock of a program.

    Returns:
        dict from address to (times it ran, times that another than the next one followed).
    """
    symbols = emulator.call(["arm-none-eabi-nm", str(program)], ".")
    address = re.search(r"^(\w+) T board_ticks$", symbols, re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as folder:
        plugin, out = pathlib.Path(folder, "profile.so"), pathlib.Path(folder, "counts")
        source = emulator.TFLM / "profile.c"
        flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Werror"]
        emulator.call(["gcc", *flags, "-shared", "-fPIC", str(source), "-o", str(plugin)], ".")
        options = f"{plugin},start=0,bytes={2**22},mark=0x{address},out={out}"
        emulator.execute(cpu, program, ["-plugin", options])
        rows = [line.split() for line in out.read_text().splitlines()]
    return {int(place, 16): (int(ran), int(jumped)) for place, ran, jumped in rows}


def estimate(program, cpu):
    """Cycles between the first two looks at the clock of a program.

    Args:
        program: path of an ELF file, as of `count_instructions.build`.
        cpu: "cortex-m4" or "cortex-m3".

    Returns:
        dict from function to (instructions, cycles).
    """
    counts = profile(program, cpu)
    found = collections.defaultdict(lambda: [0, 0.0])
    before = None
    for address, (function, name, operands) in listing(program).items():
        ran, jumped = counts.get(address, (0, 0))
        if ran:
            # What pops the program counter is a branch too: all of them are seen by what follows.
            own = cycles_of((name, operands), before, cpu)
            found[function][0] += ran
            found[function][1] += own * ran + REFILL * jumped
        before = name, operands
    return {function: tuple(pair) for function, pair in found.items()}


def main():
    parser = commandline.parser_of(__doc__)
    parser.add_argument("tflite", type=pathlib.Path)
    parser.add_argument("--cpu", choices=MORE, default="cortex-m4")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tfhrf.to_c(arguments.tflite.read_bytes(), folder)
        program = count_instructions.build(folder, arguments.cpu)
        functions = estimate(program, arguments.cpu)
    print("instructions, estimated cycles")
    for name, (ran, cycles) in sorted(functions.items(), key=lambda pair: -pair[1][1]):
        if cycles >= 0.01 * sum(cycles for _, cycles in functions.values()):
            print(f"  {name}: {ran:,}, {cycles:,.0f}")
    ran, cycles = map(sum, zip(*functions.values(), strict=True))
    print(f"in all: {ran / 1e6:.2f} M instructions, {cycles / 1e6:.2f} M cycles (an estimate)")


if __name__ == "__main__":
    commandline.run(main)
