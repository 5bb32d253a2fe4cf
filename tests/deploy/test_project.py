"""Projects for other tools: their manifests, and that they compile and compute what Python does."""

import pathlib
import re
import subprocess

import keras
import numpy as np
import pytest
import stand_ins
from keras import layers
from needs import needs, needs_tflm
from tiny_models import disturb

import tfhrf
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.frontend import host
from tfhrf.deploy.project import tools, write_project
from tfhrf.endpoint import EndpointConfig
from tfhrf.log_mel import LogMelConfig

CONFIG = LogMelConfig(mels=16)
LABELS = ["calm", "happy", "angry"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
needs_gcc = needs("gcc", "g++")
needs_cmake = needs("cmake")
with_either = pytest.mark.parametrize("runtime", ["c", "tflm"])


@pytest.fixture(scope="module")
def content():
    model = keras.Sequential(
        [keras.Input((20, 16)), layers.Dense(8), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    )
    disturb(model)
    examples = np.random.default_rng(0).normal(size=(20, 20, 16)).astype("f4")
    return tfhrf.to_tflite(model, examples)


def write(content, folder, runtime, tool=None):
    return write_project(
        content, CONFIG, folder, runtime=runtime, tool=tool, name="mood", labels=LABELS
    )


def flags_of(content, runtime, folder):
    """Flags that find headers which stand in for those of TensorFlow Lite Micro, and the C behind
    them.
    """
    if runtime == "c":
        return []
    tfhrf.to_c(content, folder)
    stand_ins.write_resolver_methods(folder)
    return [f"-I{stand_ins.TFLM}", f"-I{folder}"]


def compile_all(folder, files, flags):
    for file in files:
        compiler = ["gcc", "-std=c99"] if file.endswith(".c") else ["g++", "-std=c++11"]
        if file.endswith(".ino"):
            compiler += ["-x", "c++", "-include", "Arduino.h"]
        command = [*compiler, *WARNINGS, *flags, "-c", file, "-o", "/dev/null"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@needs_gcc
@with_either
def test_arduino_is_a_sketch(runtime, content, tmp_path):
    folder = tmp_path / "Emotion-1.0"
    report = write(content, folder, runtime, "arduino")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert files == sorted(report["files"])
    assert {file for file in files if "/" not in file} == {
        "Emotion-1.0.ino",
        "audio_provider.cpp",
        "responder.cpp",
    }
    # What Arduino compiles, and headers.
    assert {pathlib.Path(file).suffix for file in files} == {".ino", ".cpp", ".c", ".h"}
    sketch = (folder / "Emotion-1.0.ino").read_text()
    assert ("#include <TensorFlowLite.h>" in sketch) == (runtime == "tflm")
    sources = [file for file in files if not file.endswith(".h")]
    flags = [*flags_of(content, runtime, tmp_path), f"-I{stand_ins.TOOLS / 'arduino'}"]
    compile_all(folder, sources, flags)


@needs_gcc
@with_either
def test_esp_idf_is_a_project_of_one_component(runtime, content, tmp_path):
    folder = tmp_path / "esp"
    report = write(content, folder, runtime, "esp-idf")
    top = {file for file in report["files"] if not file.startswith("main/")}
    assert top == {"CMakeLists.txt", "sdkconfig.defaults"}
    yaml = pytest.importorskip("yaml", reason="PyYAML is in the extra dev")
    manifest = yaml.safe_load((folder / "main/idf_component.yml").read_text())
    tflm = {"espressif/esp-tflite-micro"} if runtime == "tflm" else set()
    assert set(manifest["dependencies"]) == {"idf"} | tflm
    project = (folder / "CMakeLists.txt").read_text()
    assert "$ENV{IDF_PATH}/tools/cmake/project.cmake" in project
    assert project.endswith("project(mood)\n")
    component = (folder / "main/CMakeLists.txt").read_text()
    listed = re.findall(r'^ +"(.*)"$', component, re.MULTILINE)
    present = [path.name for path in (folder / "main").iterdir() if path.suffix in (".c", ".cc")]
    assert sorted(listed) == sorted(present)
    flags = [*flags_of(content, runtime, tmp_path), f"-I{stand_ins.TOOLS / 'esp-idf'}"]
    compile_all(folder / "main", present, flags)


@needs_gcc
@with_either
def test_zephyr_is_an_application(runtime, content, tmp_path):
    folder = tmp_path / "zephyr"
    report = write(content, folder, runtime, "zephyr")
    top = {file for file in report["files"] if not file.startswith("src/")}
    assert top == {"CMakeLists.txt", "prj.conf"}
    settings = (folder / "prj.conf").read_text().splitlines()
    assert all(re.fullmatch(r"CONFIG_[A-Z_]+=(y|\d+)", line) for line in settings)
    assert ("CONFIG_TENSORFLOW_LITE_MICRO=y" in settings) == (runtime == "tflm")
    listed = re.findall(r"^  (src/.*)$", (folder / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(tools.compiled(report["files"]))
    assert {"src/main.c", "src/audio_provider.c", "src/responder.c"} <= set(listed)
    flags = [*flags_of(content, runtime, tmp_path), f"-I{stand_ins.TOOLS / 'zephyr'}"]
    compile_all(folder, listed, flags)


def build(content, runtime, tmp_path, change=None):
    """The program of the tool "cmake", built by CMake with a library that stands in for TFLM."""
    folder = tmp_path / "project"
    write(content, folder, runtime, "cmake")
    if change is not None:
        change(folder)
    flags = flags_of(content, runtime, tmp_path)
    settings = [f"-DCMAKE_C_FLAGS={' '.join(WARNINGS)}"]
    if runtime == "tflm":
        library = tmp_path / "libtensorflow-microlite.a"
        subprocess.run(["gcc", "-O1", "-c", "model.c"], cwd=tmp_path, check=True)
        subprocess.run(["ar", "rcs", library, "model.o"], cwd=tmp_path, check=True)
        settings += [f"-DTFLM_PATH={stand_ins.TFLM}", f"-DTFLM_LIBRARY={library}"]
        settings += [f"-DCMAKE_CXX_FLAGS={' '.join([*WARNINGS, *flags[1:]])}"]
    for command in (
        ["cmake", "-S", str(folder), "-B", str(tmp_path / "out"), *settings],
        ["cmake", "--build", str(tmp_path / "out")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path / "out" / "mood_application"


@needs_gcc
@needs_cmake
@needs_tflm
@with_either
def test_cmake_builds_a_program_that_answers(runtime, content, tmp_path):
    program = build(content, runtime, tmp_path)
    rng = np.random.default_rng(1)
    samples = np.clip(3000 * rng.normal(size=40_000), -32768, 32767).astype("<i2")
    done = subprocess.run([program], input=samples.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    printed = done.stdout.decode()

    _, (details,), (output,) = runners.load(content)
    scale, zero_point = runners.scale_and_zero_point(details)
    levels = host.make(CONFIG, scale, zero_point)(samples).astype(np.float32)
    windows = evaluation_windows((levels - zero_point) * np.float32(scale), 20, 100, CONFIG)
    logits = runners.invoke(content, runners.quantize(windows, details)).astype(np.float64)
    (expected,) = utterance_posteriors(
        logits * runners.scale_and_zero_point(output)[0], [len(windows)]
    )
    found = re.findall(r"^(\d\.\d{3}) (\S+)$", printed, re.MULTILINE)
    assert [label for _, label in found] == LABELS
    np.testing.assert_allclose([float(value) for value, _ in found], expected, atol=0.0006)
    assert printed.endswith(f"class: {LABELS[expected.argmax()]}\n")

    silence = np.zeros(16_000, "<i2")
    thrice = np.concatenate([silence, samples, silence, samples[:9000], silence, samples])
    done = subprocess.run([program], input=thrice.tobytes(), capture_output=True, check=False)
    assert done.stdout.count(b"class: ") == 3


@needs_gcc
@needs_cmake
@with_either
def test_a_model_that_computes_otherwise_stops_the_program(runtime, content, tmp_path):
    def change(folder):
        golden = folder / "mood_golden.h"
        output = {"c": "mood_golden_output", "tflm": "kGoldenOutput0"}[runtime]
        head, values = golden.read_text().split(output, 1)
        first = re.search(r"\{\s*(-?\d+)", values)
        changed = values[: first.start(1)] + str(int(first[1]) ^ 1) + values[first.end(1) :]
        golden.write_text(f"{head}{output}{changed}")

    done = subprocess.run(
        [build(content, runtime, tmp_path, change)], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == b"Error: The model's golden output differs\n"


@needs_cmake
def test_cmake_asks_for_tensorflow_lite_micro(content, tmp_path):
    write(content, tmp_path / "project", "tflm", "cmake")
    command = ["cmake", "-S", "project", "-B", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "TFLM_PATH must hold tensorflow/lite/micro" in done.stderr


@with_either
def test_without_a_tool_the_folder_holds_all_but_the_port(runtime, content, tmp_path):
    report = write(content, tmp_path / "a/b", runtime)
    files = {path.name for path in (tmp_path / "a/b").iterdir()}
    assert files == set(report["files"])
    model = {"c": "mood.c", "tflm": "mood_model.cc"}[runtime]
    assert {model, "application.c", "audio_provider.h", "frontend.c", "responder.h"} <= files
    assert not {"audio_provider.c", "responder.c", "main.c", "CMakeLists.txt"} & files


def test_the_port_alone_may_end_utterances(content, tmp_path):
    with_endpoint = write(content, tmp_path / "a", "c")["files"]
    report = write_project(content, CONFIG, tmp_path / "b", name="mood", endpoint=False)
    assert set(with_endpoint) - set(report["files"]) == {
        "endpoint.c",
        "endpoint.h",
        "endpoint_tables.h",
    }
    rule = EndpointConfig(frame=320, threshold=12)
    write_project(content, CONFIG, tmp_path / "c", endpoint=rule)
    tables = (tmp_path / "c/endpoint_tables.h").read_text()
    assert str(rule) in tables
    assert "#define ENDPOINT_FRAME 320U\n" in tables
    # 12 dB, 85 parts each, 8 more bits; (50 - 10) frames of two hops.
    assert "#define ENDPOINT_THRESHOLD 261120\n" in tables
    assert "#define ENDPOINT_WAITING 80U\n" in tables


@with_either
def test_labels_are_numbers_where_there_are_none(runtime, content, tmp_path):
    report = write_project(content, CONFIG, tmp_path / "a", runtime=runtime, tool="cmake")
    assert report["labels"] == ["0", "1", "2"]
    assert (tmp_path / "a/model_golden.h").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tool": "platformio"}, r"`tool` .*\['arduino', .*\] or None\. Received: 'platformio'"),
        ({"runtime": "onnx"}, r"`runtime` must be one of \['c', 'tflm'\]\. Received: 'onnx'"),
        ({"config": LogMelConfig(mels=24)}, r"\(1, frames, 24\).* Received: shapes \[\[1, 20"),
        ({"name": "2nd"}, r"C identifier.* Received: '2nd'"),
        ({"name": "frontend"}, r"file of the application; .* Received: 'frontend'"),
        ({"endpoint": EndpointConfig(100)}, r"hops of 160 samples\. Received: frame=100"),
        ({"labels": ["a"]}, r"each of the 3 values .* Received: 1 labels"),
        ({"tool": "arduino", "folder": "my sketch"}, r"a name of letters.*'my sketch'"),
        ({"tool": "arduino", "folder": "sketch."}, r"Received: 'sketch\.'"),
        ({"tool": "arduino", "folder": 64 * "a"}, r"at most 63"),
    ],
)
def test_what_cannot_be_a_project_is_refused(changes, message, content, tmp_path):
    arguments = {"folder": "project", "tool": "cmake", "config": CONFIG, **changes}
    arguments["folder"] = tmp_path / arguments["folder"]
    with pytest.raises(ValueError, match=message):
        write_project(content, **arguments)
    assert not arguments["folder"].exists()


def test_floats_are_no_application(tmp_path):
    model = keras.Sequential([keras.Input((20, 16)), layers.Flatten(), layers.Dense(3)])
    content = tfhrf.to_tflite(model, precision="float32")
    with pytest.raises(ValueError, match=r"must be int8\. Received: float32"):
        write_project(content, CONFIG, tmp_path)


def test_every_tool_has_its_port():
    for tool in tools.TOOLS:
        names = {path.stem for path in (tools.PORTS / tool).iterdir()}
        assert {"audio_provider", "responder"} <= names
