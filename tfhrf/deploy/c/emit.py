"""The text of the C sources: constants, calls of kernels, headers, golden examples."""

import importlib.resources
import re

import numpy as np

from tfhrf.deploy.c.lower import argument_names
from tfhrf.deploy.c_text import banner, c_float, c_string, wrapped

KERNELS = importlib.resources.files("tfhrf.deploy.c") / "kernels"
# Bytes of structs of which there are many; of others it is a bound.
STRUCTS = {"tfhrf_scale": 16, "tfhrf_narrow_scale": 12, "tfhrf_wide_scale": 8, "tfhrf_line16": 6}
INCLUDED = re.compile(r'^ *#include "(tfhrf_\w+\.h)"', re.MULTILINE)


class Writer:
    """Collects constants; equal ones are written once."""

    def __init__(self, any_scale):
        # Memory for the step at hand: C expression, bytes.
        self.scratch = ""
        self.room = 0
        self.lines = []
        self.known = {}
        self.bytes = 0
        # Whether inner loops meet scales that need more care.
        self.any_scale = any_scale
        # Whether depthwise weights have the least value of their type.
        self.least_weights = False
        # Whether two weights are not to be joined to one of 16 bits: see tfhrf_weights.h.
        self.apart = False

    def declare(self, ctype, values, count, body, kind):
        key = (ctype, body)
        if key not in self.known:
            identifier = f"{kind}_{len(self.known)}"
            self.known[key] = identifier
            aligned = "" if ctype.startswith("tfhrf") else " TFHRF_ALIGNED"
            self.lines += [
                f"static const {ctype} {identifier}[{count}]{aligned} = {{",
                *values,
                "};",
            ]
        return self.known[key]

    def array(self, ctype, values, kind):
        values = np.asarray(values).ravel()
        itemsize = np.dtype(ctype.removesuffix("_t")).itemsize
        suffix = "U" if ctype.startswith("u") else ""
        texts = [number(int(v)) + suffix for v in values]
        before = len(self.known)
        identifier = self.declare(ctype, wrapped(texts, 12), len(texts), ",".join(texts), kind)
        if len(self.known) > before:
            self.bytes += itemsize * len(texts)
        return identifier

    def weights(self, values):
        """Weights in blocks of pairs of rows, which a processor may have joined."""
        blocks = [f"TFHRF_WEIGHTS({', '.join(map(str, block))})" for block in values.reshape(-1, 8)]
        before = len(self.known)
        lines = [f"    {block}," for block in blocks]
        identifier = self.declare("int8_t", lines, values.size, ",".join(blocks), "weights")
        if len(self.known) > before:
            self.bytes += values.size
        return identifier

    def structs(self, ctype, bodies):
        before = len(self.known)
        lines = [f"    {body}," for body in bodies]
        identifier = self.declare(ctype, lines, len(bodies), ",".join(bodies), ctype[6:])
        if len(self.known) > before:
            self.bytes += STRUCTS.get(ctype, 24) * len(bodies)
        return identifier

    def struct(self, ctype, body):
        return f"{self.structs(ctype, [body])}[0]"


def number(value):
    # The least 32-bit integer has no literal.
    return "(-2147483647 - 1)" if value == -(2**31) else str(value)


def kernel_headers(planned):
    """(names of the headers that the steps need, {name: text} of these and what they include)."""
    steps = [step for group in planned.groups for step in group.steps]
    named = ["common", *dict.fromkeys(kernel for step in steps for kernel in step.kernels)]
    texts: dict[str, str] = {}
    pending = [f"tfhrf_{kernel}.h" for kernel in named]
    while pending:
        name = pending.pop(0)
        if name not in texts:
            texts[name] = (KERNELS / name).read_text(encoding="utf-8")
            pending += INCLUDED.findall(texts[name])
    return named, texts


def invoke(planned):
    """(lines that call the kernels, Writer that holds their constants)."""
    write = Writer(any_scale=False)
    body = invoke_body(planned, write)
    if write.any_scale:
        write = Writer(any_scale=True)
        body = invoke_body(planned, write)
    return body, write


def invoke_body(planned, write):
    """Lines that call the kernels."""
    lines: list[str] = []
    for group in planned.groups:
        loop = planned.looped.get(id(group))
        indent = "    "
        if loop:
            lines += [
                f"    for (int32_t row = 0; row < {group.rows}; row += {loop}) {{",
                f"        const int32_t rows = least({loop}, {group.rows} - row);",
            ]
            indent = "        "
        for step in group.steps:
            factor = step.rows // group.rows
            count = str(step.rows)
            if loop:
                count = "rows" if factor == 1 else f"{factor} * rows"
            pointers = [
                pointer(operand, planned, write, factor if loop else None, group.rows)
                for operand in (*step.reads, step.write)
            ]
            place, write.room = planned.scratch[step]
            write.scratch = f"scratch + {place // 4}" if place else "scratch"
            first = ("row",) if loop and step.numbered else ()
            calls = step.call(write, pointers, count, *first)
            lines += [indent + ("status |= " if step.can_fail else "") + line for line in calls]
        if loop:
            lines.append("    }")
    return lines


def c_type(dtype):
    return "int8_t" if dtype == "bool" else f"{dtype}_t"


def arena_type(planned):
    """The type of the values in the arena, beside which places and conditions may lie."""
    return "int16" if any(s.dtype == "int16" for s in planned.offsets) else "int8"


def pointer(operand, planned, write, factor, rows):
    """C expression for the address of an operand's first element in the rows at hand."""
    storage = operand.storage
    lines = operand.rows
    start = int(lines[0, 0])
    stride = int(lines[factor, 0]) - start if factor and operand.aligned and rows > 1 else 0
    if storage in planned.buffers:
        stride -= planned.buffers[storage]
    if storage.role == "constant":
        base = write.array(c_type(storage.dtype), storage.data, "constant")
    elif storage.role == "arena":
        base = "arena"
        if storage.dtype != arena_type(planned):
            base = f"(({c_type(storage.dtype)} *)memory)"
        start += planned.offsets[storage] // storage.itemsize
    else:
        base = storage.name
    if stride:
        return f"{base} + ({start} + {stride} * row)"
    return f"{base} + {start}" if start else base


def prototype(name, report, function="_invoke"):
    ins, outs = argument_names("in", report["inputs"]), argument_names("out", report["outputs"])
    arguments = [f"const {t['dtype']}_t *{n}" for t, n in zip(report["inputs"], ins, strict=True)]
    arguments += [f"{t['dtype']}_t *{n}" for t, n in zip(report["outputs"], outs, strict=True)]
    if function == "_invoke_in":
        arguments[:0] = ["void *memory"] + [f"{name}_state *state"] * bool(report["state_bytes"])
    return f"int {name}{function}({', '.join(arguments)})"


def guarded(guard, lines):
    """The text of a header."""
    first = [f"/* {banner('tfhrf.to_c')} */", f"#ifndef {guard}", f"#define {guard}", ""]
    return "\n".join([*first, "#include <stdint.h>", "", *lines, f"#endif /* {guard} */"]) + "\n"


def model_header(name, report, additions):
    """The text of NAME.h, with lines that go before its functions."""
    upper = name.upper()
    lines = ["#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
    lines.append("/* Real value = scale * (value - zero point). */")
    for kind, tensors in (("INPUT", report["inputs"]), ("OUTPUT", report["outputs"])):
        for position, tensor in enumerate(tensors):
            prefix = f"{upper}_{kind}{position if len(tensors) > 1 else ''}"
            lines.append(f"#define {prefix}_ELEMENTS {int(np.prod(tensor['shape']))}")
            lines += [
                f"#define {prefix}_DIMENSION{axis} {length}"
                for axis, length in enumerate(tensor["shape"])
            ]
            zero = tensor["zero_point"]
            if tensor["scale"] is None:
                lines.append(f"#define {prefix}_TOKENS {tensor['tokens']}")
                continue
            lines.append(f"#define {prefix}_SCALE {c_float(tensor['scale'])}")
            lines.append(f"#define {prefix}_ZERO_POINT {f'({zero})' if zero < 0 else zero}")
    lines += [
        "",
        "/* Bytes of static memory, inputs and outputs not counted. */",
        f"#define {upper}_ARENA_BYTES {report['arena_bytes']}",
        "",
    ]
    if report["labels"]:
        lines += [
            f"#define {upper}_LABEL_COUNT {len(report['labels'])}",
            f"extern const char *const {name}_labels[{upper}_LABEL_COUNT];",
            "",
        ]
    lines += [
        *additions,
        "/* Computes the outputs of one example; returns 0. Not reentrant: memory is static. */",
        f"{prototype(name, report)};",
        "",
        f"/* The same in the caller's memory, {upper}_ARENA_BYTES bytes at a multiple of 4, that",
        " * may serve something else between two calls. Where nothing calls the function above,",
        " * linkers that collect unused sections leave its memory out. */",
        f"{prototype(name, report, '_invoke_in')};",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
    ]
    return guarded(f"TFHRF_{upper}_H_", lines)


LEAST = """
TFHRF_INLINE int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}"""


def model_source(name, report, planned, write, kernels, body, resets):
    """The text of NAME.c.

    Args:
        name: of the model.
        report: as of `to_c`.
        planned: Plan.
        write: Writer that holds the constants of `body`.
        kernels: names of the headers to include.
        body: lines of the function.
        resets: lines that keep and reset the state.
    """
    lines = [f"/* {banner('tfhrf.to_c')} */", f'#include "{name}.h"', ""]
    if write.any_scale:
        lines += ["#define TFHRF_ANY_SCALE 1", ""]
    if write.least_weights:
        lines += ["#define TFHRF_LEAST_WEIGHTS 1", ""]
    if write.apart:
        lines += ["#define TFHRF_APART 1", ""]
    lines += [f'#include "tfhrf_{kernel}.h"' for kernel in kernels]
    lines += ["", *write.lines, ""]
    if report["labels"]:
        lines += [
            f"const char *const {name}_labels[{name.upper()}_LABEL_COUNT] = {{",
            *(f"    {c_string(label)}," for label in report["labels"]),
            "};",
            "",
        ]
    lines += LEAST.split("\n") if planned.looped else []
    fails = any(step.can_fail for group in planned.groups for step in group.steps)
    if fails:
        body = ["    int status = 0;", *body]
    lines += [
        "",
        prototype(name, report, "_invoke_in"),
        "{",
        *memory_lines(planned),
        *unread_lines(planned, report["inputs"]),
        *body,
        f"    return {'status' if fails else 0};",
        "}",
    ]
    arguments = argument_names("in", report["inputs"]) + argument_names("out", report["outputs"])
    lines += ["", *resets, prototype(name, report), "{"]
    lines += [f"    static tfhrf_pair memory[{max(1, report['arena_bytes'] // 4)}] TFHRF_ALIGNED;"]
    if resets:
        lines += ["    if (started == 0) {", f"        {name}_reset();", "    }"]
        arguments.insert(0, "&kept")
    lines += [
        f"    return {name}_invoke_in(memory, {', '.join(arguments)});",
        "}",
    ]
    return "\n".join(lines) + "\n"


def memory_lines(planned):
    """Lines that name the memory: as values of the arena, and as scratch."""
    lines = [] if planned.arena else ["    (void)memory;"]
    if any(storage.dtype == arena_type(planned) for storage in planned.offsets):
        lines.append(f"    {arena_type(planned)}_t *const arena = memory;")
    if any(step.scratch for step in planned.scratch):
        lines.append("    tfhrf_pair *const scratch = memory;")
    return lines


def unread_lines(planned, inputs):
    """Lines for the compilers, which warn of arguments that nothing reads."""
    steps = [step for group in planned.groups for step in group.steps]
    read = {o.storage.name for step in steps for o in step.reads if o.storage.role == "input"}
    return [f"    (void){name};" for name in argument_names("in", inputs) if name not in read]


def golden_header(name, ran, inputs, outputs, resets):
    """The text of NAME_golden.h: one example, computed by TensorFlow Lite Micro if that `ran`."""
    source = (
        "TensorFlow Lite Micro" if ran else "TensorFlow Lite: TENSORFLOW LITE MICRO WAS NOT RUN"
    )
    lines = ["#include <string.h>", "", f'#include "{name}.h"', ""]
    lines.append(f"/* Outputs computed by {source}; they must be equal. */")
    arguments, found, equal = [], [], []
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for position, array in enumerate(arrays):
            number = position if len(arrays) > 1 else ""
            array_name, ctype = f"{name}_golden_{kind}{number}", f"{array.dtype.name}_t"
            lines += [
                f"static const {ctype} {array_name}[{array.size}] = {{",
                *wrapped([str(v) for v in array.flat], 14),
                "};",
                "",
            ]
            arguments.append(array_name if kind == "input" else f"out{number}")
            if kind == "output":
                found.append(f"    static {ctype} out{number}[{array.size}];")
                equal.append(f"memcmp(out{number}, {array_name}, sizeof out{number}) == 0")
    lines += [
        f"/* Whether {name}_invoke computes all of these outputs: 1 or 0. */",
        f"static inline int {name}_golden_test(void)",
        "{",
        *found,
        *([f"    {name}_reset();"] if resets else []),
        f"    int equal = {name}_invoke({', '.join(arguments)}) == 0;",
        *(f"    equal = {comparison} ? equal : 0;" for comparison in equal),
        "    return equal;",
        "}",
        "",
    ]
    return guarded(f"TFHRF_{name.upper()}_GOLDEN_H_", lines)
