"""Arbitrary bytes as a model's input and as samples: no undefined behavior, no traces of calls."""

import functools
import runpy
import subprocess

import numpy as np
import pytest
from needs import skip_without
from places import TFLM
from single_operators import Spec, single
from tiny_models import encoder, sounds

import tfhrf
from tfhrf.deploy.tflite.schema import schema

SCRIPT = runpy.run_path(str(TFLM / "fuzz.py"))

PRODUCT = """
#include <stdlib.h>
#include "model.h"
int main(void)
{
    VALUE *a = calloc(MODEL_INPUT0_ELEMENTS, sizeof(VALUE));
    VALUE *b = calloc(MODEL_INPUT1_ELEMENTS, sizeof(VALUE));
    VALUE *out = calloc(MODEL_OUTPUT_ELEMENTS, sizeof(VALUE));
    const int status = model_invoke(a, b, out);
    free(a);
    free(b);
    free(out);
    return status;
}
"""


@functools.cache
def graph(precision):
    return tfhrf.to_tflite(encoder(blocks=1), sounds(60, seed=1), precision=precision)


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_bytes_do_harm(compiler, precision, tmp_path):
    skip_without(compiler)
    SCRIPT["write"](graph(precision), tmp_path)
    # As much as the tests before it may have left this process with: not the program's own.
    held = np.ones((SCRIPT["MEGABYTES"] + 100) << 20, np.uint8)
    done = SCRIPT["run"](SCRIPT["build"](tmp_path, compiler), 2, 40)
    del held
    assert done.returncode == 0, done.stderr[-3000:]
    if compiler == "clang":
        assert "DONE" in done.stderr


def test_a_write_beyond_the_end_is_found(tmp_path):
    skip_without("gcc")
    SCRIPT["write"](graph("int8"), tmp_path)
    source = tmp_path / "model.c"
    text = source.read_text()
    end = text.rindex("    return 0;")
    source.write_text(f"{text[:end]}    out[MODEL_OUTPUT_ELEMENTS] = 1;\n{text[end:]}")
    done = SCRIPT["run"](SCRIPT["build"](tmp_path, "gcc"), 3, 3)
    assert "heap-buffer-overflow" in done.stderr


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("depth", range(4, 8))
def test_rows_of_any_length_are_read_to_their_end_only(depth, dtype, tmp_path):
    skip_without("gcc")
    x, y = (Spec((1, n, depth), (0.01,), 0, dtype) for n in (3, 4))
    made = schema.BatchMatMulOptionsT()
    made.adjY = True
    product = Spec((1, 3, 4), (0.1,), 0, dtype)
    tfhrf.to_c(single("BATCH_MATMUL", [x, y], [product], made), tmp_path)
    (tmp_path / "main.c").write_text(PRODUCT)
    command = ["gcc", "-fsanitize=address,undefined", f"-DVALUE={dtype}_t", "main.c", "model.c"]
    subprocess.run([*command, "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
