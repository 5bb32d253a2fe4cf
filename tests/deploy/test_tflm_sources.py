import re
import subprocess
import sys
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from needs import needs, needs_tflm
from tiny_models import disturb, encoder, sounds

from tfhrf import to_tflite, to_tflm
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import arena
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter
from tfhrf.deploy.tflite.tflm_operators import OPERATORS

needs_compiler = needs("g++")
LABELS = ['an"gry', "b\\ored", "fröhlich??=", "7\t%d"]
FLAGS = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]

# Stands in for TensorFlow Lite Micro's header: a resolver that notes what is added to it.
RESOLVER = """
#ifndef STAND_IN_H_
#define STAND_IN_H_
enum TfLiteStatus {{ kTfLiteOk = 0, kTfLiteError = 1 }};
namespace tflite {{
template <unsigned int tOpCount>
class MicroMutableOpResolver {{
 public:
  {methods}
  unsigned int added = 0U;
 private:
  TfLiteStatus Count() {{ return ++added > tOpCount ? kTfLiteError : kTfLiteOk; }}
}};
}}  // namespace tflite
#endif
"""

# Prints what the generated constants say; `model` and `interpreter` are names that users choose.
PROGRAM = """
#include <cstdio>
#include "{name}_golden.h"
#include "{name}_model.h"
#include "{name}_ops.h"
namespace generated = tfhrf::{name};
static int model = 0;
template <typename T, std::size_t N>
void Print(const char* what, const T (&values)[N]) {{
  std::printf("%s", what);
  for (std::size_t i = 0U; i < N; ++i) {{
    std::printf(" %.9g", static_cast<double>(values[i]));
  }}
  std::printf("\\n");
}}
void Print(const char* what, const generated::Tensor& tensor) {{
  std::printf("%s %d %.9g %d %zu", what, static_cast<int>(tensor.type),
              static_cast<double>(tensor.scale), static_cast<int>(tensor.zero_point),
              tensor.elements);
  for (std::size_t i = 0U; i < tensor.rank; ++i) {{
    std::printf(" %d", static_cast<int>(tensor.shape[i]));
  }}
  std::printf("\\n");
}}
int main() {{
  std::uint32_t crc = 0xffffffffU;
  for (std::size_t i = 0U; i < generated::kModelBytes; ++i) {{
    crc ^= generated::kModel[i];
    for (int bit = 0; bit < 8; ++bit) {{
      crc = (crc >> 1) ^ ((crc & 1U) != 0U ? 0xedb88320U : 0U);
    }}
  }}
  const std::size_t address = reinterpret_cast<std::size_t>(generated::kModel);
  std::printf("model %zu %u %zu\\n", sizeof(generated::kModel), ~crc, address % 16U);
  std::printf("arena %zu\\n", generated::kArenaBytes);
  Print("input", generated::kInputs[0]);
  Print("output", generated::kOutputs[0]);
  Print("golden_input", generated::kGoldenInput0);
  Print("golden_output", generated::kGoldenOutput0);
  generated::Resolver resolver;
  const TfLiteStatus status = generated::RegisterOperators(resolver);
  std::printf("resolver %d %u %u\\n", static_cast<int>(status), resolver.added,
              generated::kOperatorCount);
  {labels}
  return model;
}}
"""


@pytest.fixture(scope="module")
def contents():
    data = sounds(30)
    model = encoder(blocks=1)
    return {p: to_tflite(model, data, precision=p) for p in ("int8", "int16x8", "float32")}


def compile_and_run(directory, name, report):
    """Builds the generated sources with stand-in headers; returns what the program prints."""
    folder = directory / "tensorflow/lite/micro"
    folder.mkdir(parents=True, exist_ok=True)
    methods = "\n  ".join(
        f"TfLiteStatus {OPERATORS[op][0]}() {{ return Count(); }}" for op in report["operators"]
    )
    (folder / "micro_mutable_op_resolver.h").write_text(RESOLVER.format(methods=methods))
    labels = 'for (const char* label : generated::kLabels) { std::printf("label %s\\n", label); }'
    program = PROGRAM.format(name=name, labels=labels if report["labels"] else "")
    (directory / "main.cc").write_text(program)
    sources = ["main.cc", f"{name}_model.cc"]
    subprocess.run(["g++", *FLAGS, "-I.", *sources, "-o", "run"], cwd=directory, check=True)
    done = subprocess.run(["./run"], cwd=directory, check=True, capture_output=True)
    lines = [line.split(" ", 1) for line in done.stdout.decode().splitlines()]
    values = {key: np.array(rest.split(), float) for key, rest in lines if key != "label"}
    return values, [rest for key, rest in lines if key == "label"]


@needs_compiler
@pytest.mark.parametrize("precision", ["int8", "int16x8", "float32"])
def test_generated_sources_compile_and_hold_the_model(contents, precision, tmp_path):
    content = contents[precision]
    report = to_tflm(content, tmp_path, name="emotion_2", labels=LABELS)
    values, labels = compile_and_run(tmp_path, "emotion_2", report)
    np.testing.assert_array_equal(values["model"], [len(content), zlib.crc32(content), 0])
    assert values["arena"] == report["arena_bytes"]
    count = len(report["operators"])
    np.testing.assert_array_equal(values["resolver"], [0, count, count])
    assert labels == LABELS
    interpreter = make_interpreter(content)
    for key, kind, (details,) in (
        ("input", 0, interpreter.get_input_details()),
        ("output", 1, interpreter.get_output_details()),
    ):
        enumerator, scale, zero_point, elements, *shape = values[key]
        expected = details["quantization"] if precision != "float32" else (1, 0)
        assert enumerator == ["float32", "int8", "int16x8"].index(precision)
        np.testing.assert_allclose((scale, zero_point), expected, rtol=1e-7)
        assert tuple(shape) == tuple(details["shape"]) == [(1, 60, 12), (1, 4)][kind]
        assert elements == np.prod(shape)
    dtype = interpreter.get_input_details()[0]["dtype"]
    golden = values["golden_input"].reshape(1, 60, 12).astype(dtype)
    assert len(np.unique(golden)) > 100
    if report["tflm_ran"]:
        expected = runners.invoke(content, golden)[0]
        np.testing.assert_array_equal(values["golden_output"].astype(expected.dtype), expected)


def test_the_report_says_what_was_generated(contents, tmp_path):
    report = to_tflm(contents["int8"], tmp_path / "new/folder", labels=LABELS)
    assert report["tflm_ran"] == runners.available()
    assert report["model_bytes"] == len(contents["int8"])
    assert report["operators"] == graphs.operators_used(graphs.read(contents["int8"]))
    assert report["labels"] == LABELS
    (x,), (y,) = report["inputs"], report["outputs"]
    assert (x["shape"], x["dtype"], y["shape"], y["dtype"]) == ([1, 60, 12], "int8", [1, 4], "int8")
    names = ["model_model.h", "model_model.cc", "model_ops.h", "model_golden.h"]
    assert report["files"] == names
    assert sorted(path.name for path in (tmp_path / "new/folder").iterdir()) == sorted(names)
    assert to_tflm(contents["float32"], tmp_path)["inputs"] == [
        {"shape": [1, 60, 12], "dtype": "float32", "scale": None, "zero_point": None}
    ]


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8", "float32"])
def test_the_arena_is_measured_and_suffices(contents, precision, tmp_path):
    report = to_tflm(contents[precision], tmp_path)
    measured = runners.arena_bytes(contents[precision])
    margin = report["arena_margin_bytes"]
    assert report["arena_bytes"] == measured + margin
    # A convolution of 5 x 12 inputs is the largest: 2 rows of 60 + 8 values of 16 bits.
    assert margin == 2 * 2 * (60 + 8)
    interpreter = runners.load_runtime().Interpreter.from_bytes(contents[precision], None, measured)
    interpreter.invoke()
    header = (tmp_path / "model_model.h").read_text()
    assert "the least in which TensorFlow Lite Micro was seen to run" in header
    assert f"// {margin} bytes for a scratch buffer of CMSIS-NN" in header
    assert (
        "TensorFlow Lite Micro's reference kernels; integers must be equal"
        in (tmp_path / "model_golden.h").read_text()
    )


@needs_tflm
def test_the_arena_is_the_least_that_suffices(contents):
    content = contents["int8"]
    # In a process of its own: with too small an arena the interpreter may crash.
    program = (
        "import sys; from tflite_micro import runtime;"
        "runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), None, int(sys.argv[1])).invoke()"
    )
    arena = runners.arena_bytes(content)
    exits = [
        subprocess.run(
            [sys.executable, "-c", program, str(size)], input=content, capture_output=True
        ).returncode
        for size in (arena, arena - 16)
    ]
    assert exits[0] == 0
    assert exits[1] != 0


@needs_tflm
def test_the_arena_of_an_encoder_of_75_tokens_fits_in_64_kib(tmp_path):
    model = encoder(frames=300, mels=64, width=48, heads=4, hidden=96)
    report = to_tflm(to_tflite(model, sounds(4, 300, 64)), tmp_path)
    # Measured: 59,936 bytes, or 65,344 where Dense weights have a scale per channel.
    assert report["arena_bytes"] <= 65_536


@needs_tflm
@pytest.mark.parametrize("precision", ["int8", "int16x8", "float32"])
@pytest.mark.parametrize(
    "stack",
    [
        [layers.Dense(5)],
        [layers.Conv1D(7, 3), layers.LayerNormalization()],
        [layers.DepthwiseConv1D(3, depth_multiplier=3), layers.Softmax()],
        [layers.Activation("silu"), layers.GlobalAveragePooling1D()],
        [layers.Reshape((10, 2, 6)), layers.Permute((2, 1, 3)), layers.Softmax()],
        [layers.Dense(40), *[layers.Dense(40, "tanh") for _ in range(6)]],
    ],
)
def test_the_bound_without_tflm_is_above_the_measured_arena(stack, precision):
    stack = [layer.__class__.from_config(layer.get_config()) for layer in stack]
    model = keras.Sequential([keras.Input((20, 6)), *stack])
    content = to_tflite(model, sounds(5, 20, 6), precision=precision)
    bound, measured = arena.arena_bound(graphs.read(content)), runners.arena_bytes(content)
    assert measured <= bound <= 1.1 * measured + 8192


@needs_tflm
def test_the_bound_holds_for_encoders(contents):
    for content in contents.values():
        bound, measured = arena.arena_bound(graphs.read(content)), runners.arena_bytes(content)
        assert measured <= bound <= 1.1 * measured + 24_000


@needs_compiler
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_without_the_wheel_the_sources_say_so(contents, precision, tmp_path, monkeypatch):
    content = contents[precision]
    with_wheel = to_tflm(content, tmp_path / "with")
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    report = to_tflm(content, tmp_path / "without", labels=LABELS)
    assert report["tflm_ran"] is False
    assert report["arena_bytes"] >= with_wheel["arena_bytes"]
    values, _ = compile_and_run(tmp_path / "without", "model", report)
    interpreter = make_interpreter(content)
    details = interpreter.get_input_details()[0]
    golden = values["golden_input"].reshape(details["shape"]).astype(details["dtype"])
    (expected,) = runners.run_reference(content, [golden])[0]
    np.testing.assert_array_equal(values["golden_output"].astype(expected.dtype), expected)
    for part in ("model", "golden"):
        text = (tmp_path / f"without/model_{part}.h").read_text()
        assert "TensorFlow Lite Micro WAS NOT RUN" in text


def test_several_inputs_and_outputs_are_all_described(tmp_path):
    first, second = keras.Input((4, 3)), keras.Input((5,))
    model = keras.Model([first, second], [layers.Dense(2)(second), layers.Dense(3)(first)])
    disturb(model)
    report = to_tflm(to_tflite(model, precision="float32"), tmp_path, name="two")
    shapes = [tensor["shape"] for tensor in report["inputs"] + report["outputs"]]
    assert sorted(map(tuple, shapes)) == [(1, 2), (1, 4, 3), (1, 4, 3), (1, 5)]
    golden = (tmp_path / "two_golden.h").read_text()
    for name in ("kGoldenInput0", "kGoldenInput1", "kGoldenOutput0", "kGoldenOutput1"):
        assert f" {name}[" in golden


def test_running_again_replaces_the_files(contents, tmp_path):
    to_tflm(contents["int8"], tmp_path, labels=LABELS)
    first = (tmp_path / "model_model.cc").read_bytes()
    to_tflm(contents["int16x8"], tmp_path, labels=LABELS)
    assert (tmp_path / "model_model.cc").read_bytes() != first
    to_tflm(contents["int8"], tmp_path, labels=LABELS)
    assert (tmp_path / "model_model.cc").read_bytes() == first


def test_after_an_error_nothing_has_changed(contents, tmp_path):
    to_tflm(contents["int8"], tmp_path)
    (tmp_path / "model_golden.h").unlink()
    (tmp_path / "model_golden.h").mkdir()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    with pytest.raises(OSError, match="model_golden"):
        to_tflm(contents["int16x8"], tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2nd",
        "my-model",
        "a b",
        "_model",
        "möd",
        "a__b",
        "class",
        "register",
        "nullptr",
        "restrict",
        "std",
        "main",
        "linux",
        "tflite",
        "../up",
        "model\n",
        None,
        7,
    ],
)
def test_names_that_are_no_identifiers_are_refused(contents, name, tmp_path):
    with pytest.raises(ValueError, match=rf"`name` .* Received: {re.escape(repr(name))}$"):
        to_tflm(contents["int8"], tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c"], "each of the 4 values of the graph's one output. Received: 3 labels"),
        (["a"] * 4, "unique, non-empty string without NUL. Received: 'a'"),
        (["a", "b", "c", ""], "Received: ''"),
        (["a", "b", "c", "d\0e"], r"Received: 'd\\x00e'"),
        (["a", "b", "c", 4], "must be a list of strings"),
        ("abcd", "must be a list of strings. Received: 'abcd'"),
    ],
)
def test_labels_are_checked(contents, labels, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        to_tflm(contents["int8"], tmp_path, labels=labels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["float16", "dynamic"])
def test_graphs_for_phones_are_refused(precision, tmp_path):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(256), layers.Dense(256)])
    content = to_tflite(model, precision=precision)
    with pytest.raises(ValueError, match=r"has no (DEQUANTIZE|8-bit weights with float values)"):
        to_tflm(content, tmp_path)


def test_what_is_no_graph_for_tflm_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \.tflite file"):
        to_tflm(b"neither a graph", tmp_path)
    function = tf.function(lambda x: tf.pow(x, 2.5)).get_concrete_function(tf.TensorSpec((1, 5)))
    content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    with pytest.raises(ValueError, match="has no POW: operator POW"):
        to_tflm(content, tmp_path)
    function = tf.function(lambda x: 2 * x).get_concrete_function(tf.TensorSpec((1, 5), tf.int32))
    content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    with pytest.raises(ValueError, match=r"one of the types .* Received: int32"):
        to_tflm(content, tmp_path)
