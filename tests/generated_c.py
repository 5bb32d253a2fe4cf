"""Compiles what `to_c` writes and calls it."""

import ctypes
import pathlib
import subprocess

import count_instructions
import numpy as np
from needs import BOARD_TOOLS, needs

import tfhrf
from tfhrf.deploy import levels, runners
from tfhrf.deploy.tflite import graph as graphs

COMPILERS = ("gcc", "clang")
needs_compiler = needs("gcc")
needs_boards = needs(*BOARD_TOOLS)
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"]


def compile_c(content, folder, flags=("-O1",), compiler=None):
    """(report, function from lists of input arrays to lists of output arrays)."""
    folder = pathlib.Path(folder)
    report = tfhrf.to_c(content, folder)
    library = folder / "model.so"
    command = [compiler or COMPILERS[0], *FLAGS, *flags, "-shared", "-fPIC"]
    subprocess.run([*command, str(folder / "model.c"), "-o", str(library)], check=True)
    function = ctypes.CDLL(str(library)).model_invoke
    function.argtypes = [ctypes.c_void_p] * (len(report["inputs"]) + len(report["outputs"]))

    def call(inputs):
        inputs = [np.ascontiguousarray(array) for array in inputs]
        outputs = [np.empty(t["shape"], t["dtype"]) for t in report["outputs"]]
        assert function(*(array.ctypes.data for array in (*inputs, *outputs))) == 0
        return outputs

    return report, call


def random_inputs(content, count, seed=0):
    """Lists of inputs: noise of every level, and the extremes."""
    rng = np.random.default_rng(seed)
    inputs, _ = graphs.interface(graphs.read(content))
    examples = []
    for number in range(count):
        example = []
        for tensor in inputs:
            if "tokens" in tensor:
                tokens = rng.integers(0, tensor["tokens"], tensor["shape"])
                example.append(tokens.astype(tensor["dtype"]))
                continue
            limits = np.iinfo(tensor["dtype"])
            spread = (limits.max - limits.min) * 2.0 ** -rng.integers(0, 6)
            values = rng.normal(rng.uniform(limits.min, limits.max), spread, tensor["shape"])
            if number < 2:
                values = np.full(tensor["shape"], (limits.min, limits.max)[number])
            example.append(
                np.clip(np.round(values), limits.min, limits.max).astype(tensor["dtype"])
            )
        examples.append(example)
    return examples


def quantized(windows, content):
    """Windows as inputs of a graph."""
    ((tensor,), _) = graphs.interface(graphs.read(content))
    return levels.quantize(windows, tensor["scale"], tensor["zero_point"], tensor["dtype"])


def one_after_the_other(arrays):
    return np.concatenate([np.atleast_1d(array) for array in arrays])


def compare(content, folder, count, seed=0, examples=None):
    """Asserts that C and TFLM compute the same from `count` random examples."""
    report, call = compile_c(content, folder)
    examples = examples or random_inputs(content, count, seed)
    batches = [one_after_the_other(arrays) for arrays in zip(*examples, strict=True)]
    expected = runners.invoke(content, batches)
    expected = expected if len(report["outputs"]) > 1 else [expected]
    found = [one_after_the_other(arrays) for arrays in zip(*map(call, examples), strict=True)]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    return report


# Says on a board whether all outputs are the expected ones.
CASES = """
#include <string.h>
#include "board.h"
#include "model.h"
#include "cases.h"
int main(void)
{
    static VALUE out[MODEL_OUTPUT_ELEMENTS];
    int equal = 1;
    for (int i = 0; i < COUNT; ++i) {
        const int status = model_invoke(&in[i * MODEL_INPUT_ELEMENTS], out);
        const VALUE *const expected = &expected_out[i * MODEL_OUTPUT_ELEMENTS];
        equal = status == 0 && memcmp(out, expected, sizeof out) == 0 ? equal : 0;
    }
    board_print(equal != 0 ? "equal\\n0\\n" : "DIFFERENT\\n0\\n");
    return 0;
}
"""


def compare_on_boards(content, folder, inputs):
    """Asserts that emulated boards compute what TFLM does, of a graph of one input and output."""
    report = tfhrf.to_c(content, folder)
    dtype = report["inputs"][0]["dtype"]
    lines = [f"#define COUNT {len(inputs)}"]
    for name, array in (("in", inputs), ("expected_out", runners.invoke(content, inputs))):
        values = ",".join(map(str, array.flat))
        lines.append(f"static const {dtype}_t {name}[] = {{{values}}};")
    (folder / "cases.h").write_text("\n".join(lines))
    (folder / "cases.c").write_text(CASES.replace("VALUE", f"{dtype}_t"))
    for target in ("cortex-m4", "cortex-m55", "rv32imc"):
        program = count_instructions.build(folder, target, folder / "cases.c")
        assert count_instructions.run(program, target)[0], target
