"""Models and graphs of others: what C computes equals TensorFlow Lite Micro in every output."""

import subprocess

import keras
import pytest
from generated_c import COMPILERS, FLAGS, compare, needs_compiler
from keras import layers
from needs import needs_tflm
from tiny_models import disturb, normal

import tfhrf

PRECISIONS = ["int8", "int16x8"]


def examples_for(model, count=30):
    return [normal(count, *x.shape[1:], seed=i) for i, x in enumerate(model.inputs)]


def convert(model, precision="int8", **arguments):
    disturb(model)
    examples = examples_for(model)
    given = examples[0] if len(examples) == 1 else examples
    return tfhrf.to_tflite(model, given, precision=precision, **arguments)


def outputs_of(*choose):
    x = keras.Input((4, 3))
    dense = layers.Dense(2)(layers.GlobalAveragePooling1D()(x))
    made = {"dense": dense, "input": x, "flat": layers.Flatten()(x), "part": x[:, 1:3]}
    outputs = [made[name] for name in choose]
    return keras.Model(x, outputs if len(outputs) > 1 else outputs[0])


def unread_input():
    x, unread = keras.Input((4, 3)), keras.Input((2,))
    return keras.Model([x, unread], layers.Dense(2)(x))


OUTPUTS = [
    ("dense", "dense"),
    ("dense", "input"),
    ("input",),
    ("input", "input", "flat"),
    ("part", "part"),
    ("dense", "dense", "dense", "flat"),
]
GOLDEN = """
#include <stdio.h>
#include "model_golden.h"
int main(void) { return model_golden_test() == 1 ? 0 : 1; }
"""


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("choose", OUTPUTS, ids=" ".join)
def test_every_output_is_written(choose, precision, tmp_path):
    content = convert(outputs_of(*choose), precision)
    compare(content, tmp_path, 10)
    tfhrf.to_tflm(content, tmp_path / "tflm")
    assert golden_status(tmp_path) == 0
    number = len(choose) - 1 if len(choose) > 1 else ""
    header = tmp_path / "model_golden.h"
    head, last = header.read_text().split(f"golden_output{number}[", 1)
    size, values = last.split("= {", 1)
    header.write_text(f"{head}golden_output{number}[{size}= {{ 1 + {values}")
    assert golden_status(tmp_path) == 1


def golden_status(folder):
    """Exit status of the self-test that `to_c` writes: 0 if every output is the expected one."""
    (folder / "main.c").write_text(GOLDEN)
    command = [COMPILERS[0], *FLAGS, "main.c", "model.c", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    return subprocess.run([folder / "main"], check=False).returncode


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_input_that_nothing_reads(precision, tmp_path):
    report = compare(convert(unread_input(), precision), tmp_path, 10)
    assert {tensor["dtype"] for tensor in report["inputs"]} == {precision.removesuffix("x8")}


def test_a_graph_that_passes_its_input_through_has_a_resolver(tmp_path):
    report = tfhrf.to_tflm(convert(outputs_of("input")), tmp_path)
    assert report["operators"] == []
    assert "MicroMutableOpResolver<1U>" in (tmp_path / "model_ops.h").read_text()
