"""Models and graphs of others: what C computes equals TensorFlow Lite Micro in every output."""

import subprocess
import warnings

import keras
import pytest
import tensorflow as tf
from generated_c import COMPILERS, FLAGS, compare, needs_compiler
from keras import layers
from needs import needs_tflm
from places import ROOT
from single_operators import Spec, single
from tiny_models import (
    chain,
    convert,
    examples_for,
    forward,
    normal,
    recurrent,
    signal_to_noise,
)

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import fewer_axes
from tfhrf.deploy.tflite import graph as graphs

PUBLIC = ROOT / "../shared/data/models"
PRECISIONS = ["int8", "int16x8"]


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


def public_model(name):
    path = PUBLIC / f"{name}.tflite"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout")
    return path.read_bytes()


@needs_tflm
@pytest.mark.parametrize("name", ["mlperf_ad", "mlperf_kws"])
def test_public_models_with_an_open_number_of_examples_are_packed(name, tmp_path):
    report = tfhrf.to_tflm(public_model(name), tmp_path)
    assert report["tflm_ran"]


@needs_tflm
def test_a_signature_with_an_open_number_of_examples_is_taken(tmp_path):
    graph = graphs.read(convert(outputs_of("dense")))
    for tensor in graph.subgraphs[0].tensors:
        shape = graphs.shape_of(tensor)
        if shape[:1] == [1]:
            tensor.shapeSignature = [-1, *shape[1:]]
    assert tfhrf.to_tflm(graphs.write(graph), tmp_path)["tflm_ran"]


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_operator_code_is_left_unused(precision, tmp_path):
    x = keras.Input((4, 6))
    content = convert(keras.Model(x, layers.Dot(axes=2)([x, x])), precision)
    graph = graphs.read(content)
    assert len(graph.operatorCodes) == len(graphs.operators_used(graph)) == 1
    compare(content, tmp_path, 10)


MODELS = {
    "lstm": recurrent(lambda: layers.LSTM(5)),
    "gru": recurrent(lambda: layers.GRU(5, unroll=True, return_sequences=True)),
    "both ways": recurrent(lambda: layers.Bidirectional(layers.LSTM(3))),
    "norm of time": recurrent(lambda: layers.LayerNormalization(axis=1)),
    "norm of all": recurrent(lambda: layers.LayerNormalization(axis=(1, 2))),
    "norm of an image": lambda: chain(
        layers.LayerNormalization(axis=(1, 3)), layers.Dense(3), shape=(7, 4, 3)
    ),
    "unit": recurrent(lambda: layers.UnitNormalization(axis=1)),
    "rms": recurrent(lambda: layers.RMSNormalization()),
    "groups": recurrent(lambda: layers.GroupNormalization(2)),
    "standard deviation": lambda: chain(lambda x: tf.math.reduce_std(x, 1), shape=(7, 4)),
}


def frames_and_last():
    x = keras.Input((3, 4))
    frames, last, _ = layers.LSTM(3, return_sequences=True, return_state=True)(x)
    return keras.Model(x, [frames, last])


@needs_compiler
@needs_tflm
def test_what_is_read_before_the_rest_of_its_storage_is_written(tmp_path):
    keras.utils.set_random_seed(0)
    compare(convert(frames_and_last()), tmp_path, 3)


def causal_attention():
    x = keras.Input((7, 8))
    return keras.Model(x, layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", [*MODELS, "causal attention"])
def test_layers_that_people_bring(name, precision, tmp_path):
    keras.utils.set_random_seed(0)
    model = causal_attention() if name == "causal attention" else MODELS[name]()
    content = convert(model, precision)
    compare(content, tmp_path, 10)
    (data,) = examples_for(model)
    decibels = signal_to_noise(forward(model, data), runners.predict(content, data))
    print(name, precision, decibels)
    assert decibels > {"int8": 24, "int16x8": 34}[precision]


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x[:, 1:3],
        lambda x: x[:, 1:4:2, :, ::3],
        lambda x: x[:, ::-2, 1],
        lambda x: tf.reverse(x, [1, 3]),
        layers.TimeDistributed(layers.Conv2D(2, 3)),
    ],
)
def test_slices_of_many_dimensions(cut, precision, tmp_path):
    model = chain(cut, shape=(4, 5, 6, 3))
    content = convert(model, precision)
    compare(content, tmp_path, 5)
    (data,) = examples_for(model)
    decibels = signal_to_noise(forward(model, data), runners.predict(content, data))
    # Measured: at least 36.8 and 48.2 dB.
    assert decibels > {"int8": 34, "int16x8": 45}[precision]


@needs_tflm
@pytest.mark.parametrize("precision", ["float32", *PRECISIONS])
def test_what_tflm_cannot_prepare_is_an_error_that_names_it(precision, monkeypatch):
    monkeypatch.setattr(fewer_axes, "MOST_TRANSPOSED", 6)
    model = chain(layers.Permute((5, 1, 2, 3, 4), name="culprit"), shape=(2, 3, 2, 3, 2))
    message = r"refuses the graph: layer 'culprit', operator TRANSPOSE\. Received"
    with pytest.raises(ValueError, match=message):
        convert(model, precision)


@pytest.mark.parametrize("write", [tfhrf.to_c, tfhrf.to_tflm])
@pytest.mark.parametrize("kept", [8, 20, 100, 0.5, 0.99])
def test_a_damaged_file_is_an_error(kept, write, tmp_path):
    content = convert(outputs_of("dense"))
    kept = kept if isinstance(kept, int) else int(kept * len(content))
    for damaged in (content[:kept], content[:60] + b"\xff" * 40 + content[100:]):
        with pytest.raises(ValueError, match=r"a damaged \.tflite file\. Received: \d+ bytes, .+"):
            write(damaged, tmp_path)


@pytest.mark.parametrize("write", [tfhrf.to_c, tfhrf.to_tflm])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_a_tensor_without_a_scale_is_an_error(dtype, write, tmp_path):
    x, y = Spec((1, 4), (), 0, dtype), Spec((1, 4), (0.1,), 0, dtype)
    with pytest.raises(ValueError, match=rf"type {dtype} has no scale.*Received: tensor"):
        write(single("ADD", [x, x], [y]), tmp_path)


@pytest.mark.parametrize("write", [tfhrf.to_c, tfhrf.to_tflm])
def test_a_file_where_the_folder_should_go_is_an_error(write, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"A file is where a folder should go\."):
        write(convert(outputs_of("dense")), tmp_path / "file")


@needs_tflm
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_converted_in_single_precision(policy):
    layer, norm = layers.Dense(4, "relu", dtype=policy), layers.LayerNormalization(dtype=policy)
    model = chain(layer, norm, layers.Lambda(lambda x: 2 * x), layers.Dense(2))
    single_precision = tfhrf.to_tflite(model, precision="float32")
    data = normal(20, 12, 8)
    found = runners.predict(single_precision, data)
    # What 8 bits of a bfloat16 leave.
    assert signal_to_noise(forward(model, data), found) > 25
    assert signal_to_noise(found, runners.predict(tfhrf.to_tflite(model, data), data)) > 15


def branches(factor):
    x = keras.Input((6, 4))
    both = layers.Concatenate()([layers.Dense(4, name="culprit")(x), factor * layers.Dense(4)(x)])
    return keras.Model(x, layers.Dense(2)(both[..., :4]))


def test_what_quantization_loses_is_said_with_layer_and_decibels():
    message = r"output 0 at [-\d.]+ dB .* below 15 dB; first below is layer 'culprit'"
    with pytest.warns(UserWarning, match=message):
        convert(branches(100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert(branches(1))
        convert(branches(100), "int16x8")
