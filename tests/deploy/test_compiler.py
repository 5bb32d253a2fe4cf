"""Whole graphs in C: equal to TensorFlow Lite Micro, clean under every compiler and sanitizer."""

import functools
import re
import subprocess

import count_instructions
import emulator
import keras
import numpy as np
import pytest
from generated_c import (
    COMPILERS,
    FLAGS,
    compare,
    compare_on_boards,
    needs_boards,
    needs_compiler,
    quantized,
    random_inputs,
)
from keras import layers
from needs import needs, needs_tflm, skip_without
from places import EXAMPLE
from single_operators import Spec, single
from tiny_models import disturb, encoder, sounds

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite.schema import schema
from tfhrf.models import Conformer, ConvTransformer, SpeechFormer

BACKBONES = (ConvTransformer, Conformer, SpeechFormer)


@pytest.fixture(scope="module")
def example():
    if not EXAMPLE.is_file():
        pytest.skip("the example Transformer is not beside this checkout")
    return EXAMPLE.read_bytes()


@pytest.fixture(scope="module")
def tiny():
    return tfhrf.to_tflite(encoder(), sounds(60, seed=1))


@functools.cache
def light(backbone, precision="int8"):
    """A light backbone with weights that look trained, as a quantized graph."""
    model = backbone((300, 64), 4)
    disturb(model)
    return tfhrf.to_tflite(tfhrf.fold(model), sounds(24, 300, 64), precision=precision)


@needs_compiler
@needs_tflm
def test_a_tiny_encoder_equals_tflm(tiny, tmp_path):
    report = compare(tiny, tmp_path, 50)
    assert report["tflm_ran"]
    assert report["arena_bytes"] < 2048


@needs_compiler
@needs_tflm
def test_the_example_transformer_equals_tflm(example, tmp_path):
    report = compare(example, tmp_path, 50)
    # With 2,000 bytes of input and 7 of output below 8 KiB.
    assert report["arena_bytes"] + 2007 <= 8192


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_light_backbones_equal_tflm(backbone, precision, tmp_path):
    content = light(backbone, precision)
    real = [[window[None]] for window in quantized(sounds(3, 300, 64, seed=1), content)]
    compare(content, tmp_path, 0, examples=real + random_inputs(content, 4))


@needs_compiler
@needs_tflm
@pytest.mark.parametrize(
    "stack",
    [
        [layers.Dense(8, "silu"), layers.LayerNormalization(), layers.Dense(5, "tanh")],
        [layers.Conv1D(7, 3, padding="same", activation="relu"), layers.GlobalAveragePooling1D()],
        [layers.Reshape((10, 2, 6)), layers.Permute((2, 1, 3)), layers.Softmax()],
        [layers.DepthwiseConv1D(3), layers.AveragePooling1D(2), layers.Flatten(), layers.Dense(3)],
    ],
)
def test_common_stacks_equal_tflm(stack, tmp_path):
    stack = [layer.__class__.from_config(layer.get_config()) for layer in stack]
    model = keras.Sequential([keras.Input((20, 6)), *stack])
    disturb(model)
    compare(tfhrf.to_tflite(model, sounds(30, 20, 6)), tmp_path, 30)


def mobile_net():
    """Three convolutions of MobileNet, and a ReLU of its own after a Concatenate."""
    inputs = keras.Input((12, 10, 3))
    x = inputs
    for convolution in (
        layers.Conv2D(8, 3, 2, "same", use_bias=False),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.Conv2D(8, 1, use_bias=False),
    ):
        x = layers.ReLU(6.0)(layers.BatchNormalization()(convolution(x)))
    x = layers.ReLU(6.0)(layers.Concatenate()([layers.Dense(5)(x), x]))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(x))
    return keras.Model(inputs, layers.Dense(4, "softmax")(x))


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_a_mobile_net_equals_tflm(precision, tmp_path):
    model = mobile_net()
    disturb(model)
    data = sounds(40, 12, 30).reshape(40, 12, 10, 3)
    content = tfhrf.to_tflite(model, data, precision=precision)
    # Measured: 0.0091 and 0.0027.
    error = np.abs(runners.predict(content, data) - model.predict(data, verbose=0)).max()
    assert error < {"int8": 0.02, "int16x8": 0.006}[precision]
    compare(content, tmp_path, 30)


@needs_compiler
@needs_tflm
def test_several_inputs_and_outputs(tmp_path):
    first, second = keras.Input((6, 8)), keras.Input((6, 8))
    total = layers.Dense(4, "tanh")(first) + layers.Dense(4, "tanh")(second)
    model = keras.Model([first, second], [layers.Dense(3)(total), layers.Dense(2)(second)])
    disturb(model)
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((20, 6, 8)), rng.standard_normal((20, 6, 8))]
    compare(tfhrf.to_tflite(model, [array.astype("f4") for array in data]), tmp_path, 20)


# Reads examples from standard input until it ends, and writes their outputs.
PROGRAM = """
#include <stdio.h>
#include "model.h"
int main(void)
{
    static VALUE in[MODEL_INPUT_ELEMENTS];
    static VALUE out[MODEL_OUTPUT_ELEMENTS];
    while (fread(in, sizeof in, 1, stdin) == 1U) {
        if (model_invoke(in, out) != 0 || fwrite(out, sizeof out, 1, stdout) != 1U) {
            return 1;
        }
    }
    return 0;
}
"""


@needs_compiler
@needs_tflm
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    ("backbone", "precision"),
    [(Conformer, "int8"), (Conformer, "int16x8")],
)
def test_no_compiler_and_no_sanitizer_complains(backbone, precision, compiler, tmp_path):
    skip_without(compiler)
    content = light(backbone, precision)
    report = tfhrf.to_c(content, tmp_path)
    dtype = report["inputs"][0]["dtype"]
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = [
        "-O1",
        "-g",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        f"-DVALUE={dtype}_t",
    ]
    sources = [tmp_path / "main.c", tmp_path / "model.c"]
    program = tmp_path / "fuzz"
    subprocess.run([compiler, *FLAGS, *flags, *sources, "-o", program], check=True)
    examples = [inputs[0] for inputs in random_inputs(content, 8, seed=3)]
    data = b"".join(example.tobytes() for example in examples)
    done = subprocess.run([program], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = np.frombuffer(done.stdout, dtype).reshape(8, -1)
    expected = runners.invoke(content, np.concatenate(examples))
    np.testing.assert_array_equal(found, expected)


@needs("arm-none-eabi-gcc")
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_cross_compilers_do_not_complain(precision, tmp_path):
    tfhrf.to_c(light(Conformer, precision), tmp_path)
    for processor in ("cortex-m0", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"):
        abi = "hard" if processor == "cortex-m55" else "soft"
        command = ["arm-none-eabi-gcc", f"-mcpu={processor}", "-mthumb", f"-mfloat-abi={abi}"]
        command += [*FLAGS, "-pedantic", "-Wshadow", "-O2", "-c", "model.c"]
        subprocess.run(command, cwd=tmp_path, check=True)


@needs_boards
@needs_tflm
def test_instructions_on_emulated_boards(example, tmp_path):
    tfhrf.to_c(example, tmp_path)
    # Measured: 2.8, 5.0 and 1.3 million.
    bars = {
        "cortex-m4": 3.1e6,
        "cortex-m4, portable C": 5.6e6,
        "cortex-m55": 1.45e6,
        "rv32imc": 7.5e6,
    }
    for target, bar in bars.items():
        equal, instructions = count_instructions.run(
            count_instructions.build(tmp_path, target), target
        )
        assert equal
        assert instructions <= bar
        cpu, flags = count_instructions.TARGETS[target]
        code = emulator.code_bytes(cpu, [tmp_path / "model.c"], tmp_path, flags)
        assert code <= 16_384


def over_frames():
    """A chain of depthwise convolutions over an odd number of frames, and examples."""
    kernels = ((9, "same"), (2, "valid"), (6, "same"), (31, "same"))
    stack = [layers.DepthwiseConv2D((k, 1), padding=padding) for k, padding in kernels]
    model = keras.Sequential([keras.Input((23, 1, 12)), *stack])
    return model, np.random.default_rng(0).normal(size=(60, 23, 1, 12)).astype("f4")


def over_images():
    """(model, examples): windows of 3 x 3 in images of all kinds of sizes, some with a table behind
    them or channels that do not begin at words.
    """
    x = i = keras.Input((9, 7, 12))
    for padding, activation in (("same", "tanh"), ("valid", None), ("same", "relu")):
        x = layers.DepthwiseConv2D(3, padding=padding, activation=activation)(x)
    parts = [layers.DepthwiseConv2D(3, padding="same")(part) for part in (x[..., 2:10], x)]
    pooled = layers.DepthwiseConv2D(3, padding="same")(layers.MaxPooling2D((2, 4))(x))
    outputs = [layers.Flatten()(part) for part in (*parts, pooled)]
    examples = np.random.default_rng(0).normal(size=(60, 9, 7, 12)).astype("f4")
    return keras.Model(i, layers.Concatenate()(outputs)), examples


@needs_boards
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("made", ["even", "odd", "frames", "images"])
def test_many_inputs_on_emulated_boards(made, precision, tmp_path):
    if made in ("frames", "images"):
        model, examples = over_frames() if made == "frames" else over_images()
    else:
        # Odd lengths leave rests behind vectors and pairs.
        sizes = {"mels": 13, "width": 18, "hidden": 31} if made == "odd" else {}
        model = encoder(blocks=1, **sizes)
        examples = sounds(60, mels=sizes.get("mels", 12), seed=1)
    content = tfhrf.to_tflite(model, examples, precision=precision)
    inputs = np.concatenate([quantized(examples[:20], content)])
    inputs = np.concatenate([inputs, *(one[0] for one in random_inputs(content, 20))])
    compare_on_boards(content, tmp_path, inputs)


@needs_boards
@needs_tflm
def test_instructions_of_16_bits_on_emulated_boards(tmp_path):
    report = tfhrf.to_c(light(ConvTransformer, "int16x8"), tmp_path)
    assert report["arena_bytes"] <= 50_000
    # Measured: 13.5, 21.7 and 10.7 million.
    bars = {"cortex-m4": 15e6, "cortex-m4, portable C": 24e6, "cortex-m55": 12e6, "rv32imc": 40e6}
    for target, bar in bars.items():
        equal, instructions = count_instructions.run(
            count_instructions.build(tmp_path, target), target
        )
        assert equal
        assert instructions <= bar


@pytest.mark.slow
@needs_boards
@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_backbones_on_emulated_boards(backbone, precision, tmp_path):
    tfhrf.to_c(light(backbone, precision), tmp_path)
    for target in ("cortex-m4", "cortex-m55", "rv32imc"):
        assert count_instructions.run(count_instructions.build(tmp_path, target), target)[0]


@needs_compiler
def test_the_header_says_what_the_graph_is(tiny, tmp_path):
    report = tfhrf.to_c(tiny, tmp_path, name="emotion", labels=["a", 'b"', "c", "d"])
    text = (tmp_path / "emotion.h").read_text()
    assert re.search(r"#define EMOTION_INPUT_ELEMENTS 720$", text, re.MULTILINE)
    assert f"#define EMOTION_ARENA_BYTES {report['arena_bytes']}\n" in text
    assert report["labels"] == ["a", 'b"', "c", "d"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(report["files"])
    assert {"emotion.c", "emotion.h", "emotion_golden.h"} < set(report["files"])
    command = [COMPILERS[0], *FLAGS, "-c", "emotion.c"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_running_again_writes_the_same(tiny, tmp_path):
    report = tfhrf.to_c(tiny, tmp_path / "one")
    tfhrf.to_c(tiny, tmp_path / "two")
    for name in report["files"]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_has_no_kernel_is_named(tmp_path):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4)])
    with pytest.raises(ValueError, match=r"must be int8 or int16. Received: float32"):
        tfhrf.to_c(tfhrf.to_tflite(model, precision="float32"), tmp_path)
    x, y = (Spec((1, 4), (0.1,)) for _ in range(2))
    content = single("L2_NORMALIZATION", [x], [y], schema.L2NormOptionsT())
    with pytest.raises(ValueError, match=r"No C code for operator L2_NORM\w+: .* Received: tensor"):
        tfhrf.to_c(content, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "2nd", "my-model", "class", "a__b", None])
def test_names_that_are_no_identifiers_are_refused(tiny, name, tmp_path):
    with pytest.raises(ValueError, match="`name`"):
        tfhrf.to_c(tiny, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []
