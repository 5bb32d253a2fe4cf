"""Projects for other tools: their manifests, and that they compile and compute what Python does."""

import pathlib
import re
import shutil
import subprocess

import keras
import numpy as np
import pytest
from keras import layers
from tiny_models import disturb

import tfhrf
from tfhrf.data.windows import test_windows as windows_of
from tfhrf.data.windows import utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.frontend import host
from tfhrf.deploy.project import layouts
from tfhrf.deploy.tflite import graph
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies.cli import DEVICES

HERE = pathlib.Path(__file__).parent
TFLM_STAND_IN = HERE / "tflm_stand_in"
STAND_INS = HERE / "layout_stand_ins"
CONFIG = LogMelConfig(mels=16)
LABELS = ["calm", "happy", "angry"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
needs_gcc = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("g++")), reason="no gcc and g++ here"
)
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake here")


@pytest.fixture(scope="module")
def content():
    model = keras.Sequential(
        [keras.Input((20, 16)), layers.Dense(8), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    )
    disturb(model)
    examples = np.random.default_rng(0).normal(size=(20, 20, 16)).astype("f4")
    return tfhrf.to_tflite(model, examples)


def write(content, folder, layout):
    return tfhrf.to_tflm(content, folder, "mood", LABELS, layout=layout, config=CONFIG)


def with_stand_ins(content, folder):
    """Flags that find headers which stand in for those of TensorFlow Lite Micro, and the C behind
    them.
    """
    tfhrf.to_c(content, folder)
    methods = {method for method, *_ in graph.OPERATORS.values() if method}
    lines = [f"  TfLiteStatus {method}() {{ return Count(); }}" for method in sorted(methods)]
    (folder / "resolver_methods.inc").write_text("\n".join(lines) + "\n")
    return [f"-I{TFLM_STAND_IN}", f"-I{folder}"]


def compile_all(folder, files, flags):
    for file in files:
        compiler = ["gcc", "-std=c99"] if file.endswith(".c") else ["g++", "-std=c++11"]
        if file.endswith(".ino"):
            compiler += ["-x", "c++", "-include", "Arduino.h"]
        command = [*compiler, *WARNINGS, *flags, "-c", file, "-o", "/dev/null"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@needs_gcc
def test_arduino_is_a_sketch(content, tmp_path):
    folder = tmp_path / "Emotion-1.0"
    report = write(content, folder, "arduino")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert files == sorted(report["files"])
    assert {file for file in files if "/" not in file} == {
        "Emotion-1.0.ino",
        "audio_provider.cpp",
        "responder.cpp",
    }
    # What Arduino compiles, and headers.
    assert {pathlib.Path(file).suffix for file in files} == {".ino", ".cpp", ".c", ".h"}
    sources = [file for file in files if not file.endswith(".h")]
    (tmp_path / "c").mkdir()
    flags = [*with_stand_ins(content, tmp_path / "c"), f"-I{STAND_INS / 'arduino'}"]
    compile_all(folder, sources, flags)


@needs_gcc
def test_esp_idf_is_a_project_of_one_component(content, tmp_path):
    folder = tmp_path / "esp"
    report = write(content, folder, "esp-idf")
    top = {file for file in report["files"] if not file.startswith("main/")}
    assert top == {"CMakeLists.txt", "sdkconfig.defaults"}
    yaml = pytest.importorskip("yaml")
    manifest = yaml.safe_load((folder / "main/idf_component.yml").read_text())
    assert set(manifest["dependencies"]) == {"idf", "espressif/esp-tflite-micro"}
    project = (folder / "CMakeLists.txt").read_text()
    assert "$ENV{IDF_PATH}/tools/cmake/project.cmake" in project
    assert project.endswith("project(mood)\n")
    component = (folder / "main/CMakeLists.txt").read_text()
    listed = re.findall(r'^ +"(.*)"$', component, re.MULTILINE)
    present = [path.name for path in (folder / "main").iterdir() if path.suffix in (".c", ".cc")]
    assert sorted(listed) == sorted(present)
    (tmp_path / "c").mkdir()
    flags = [*with_stand_ins(content, tmp_path / "c"), f"-I{STAND_INS / 'esp-idf'}"]
    compile_all(folder / "main", present, flags)


def build(content, tmp_path, change=None):
    """The program of the layout "cmake", built by CMake with a library that stands in."""
    folder = tmp_path / "project"
    write(content, folder, "cmake")
    if change is not None:
        change(folder)
    c = tmp_path / "c"
    c.mkdir()
    flags = with_stand_ins(content, c)
    subprocess.run(["gcc", "-O1", "-c", "model.c"], cwd=c, check=True)
    subprocess.run(["ar", "rcs", "libtensorflow-microlite.a", "model.o"], cwd=c, check=True)
    settings = [f"-DTFLM_PATH={TFLM_STAND_IN}", f"-DTFLM_LIBRARY={c / 'libtensorflow-microlite.a'}"]
    settings += [f"-DCMAKE_C_FLAGS={' '.join(WARNINGS)}"]
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
@pytest.mark.skipif(not runners.available(), reason="tflite-micro has no wheel here")
def test_cmake_builds_a_program_that_answers(content, tmp_path):
    program = build(content, tmp_path)
    rng = np.random.default_rng(1)
    samples = np.clip(3000 * rng.normal(size=40_000), -32768, 32767).astype("<i2")
    done = subprocess.run([program], input=samples.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    printed = done.stdout.decode()

    _, (details,), (output,) = runners.load(content)
    scale, zero_point = runners.scale_and_zero_point(details)
    levels = host.make(CONFIG, scale, zero_point)(samples).astype(np.float32)
    windows = windows_of((levels - zero_point) * np.float32(scale), 20, 100, CONFIG)
    logits = runners.invoke(content, runners.quantize(windows, details)).astype(np.float64)
    (expected,) = utterance_posteriors(
        logits * runners.scale_and_zero_point(output)[0], [len(windows)]
    )
    found = re.findall(r"^(\d\.\d{3}) (\S+)$", printed, re.MULTILINE)
    assert [label for _, label in found] == LABELS
    np.testing.assert_allclose([float(value) for value, _ in found], expected, atol=0.0006)
    assert printed.endswith(f"class: {LABELS[expected.argmax()]}\n")


@needs_gcc
@needs_cmake
def test_a_model_that_computes_otherwise_stops_the_program(content, tmp_path):
    def change(folder):
        golden = folder / "mood_golden.h"
        head, values = golden.read_text().split("kGoldenOutput0", 1)
        first = re.search(r"\{\s*(-?\d+)", values)
        changed = values[: first.start(1)] + str(int(first[1]) ^ 1) + values[first.end(1) :]
        golden.write_text(f"{head}kGoldenOutput0{changed}")

    done = subprocess.run([build(content, tmp_path, change)], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b"Error: The model's golden output differs\n"


@needs_cmake
def test_cmake_asks_for_tensorflow_lite_micro(content, tmp_path):
    write(content, tmp_path / "project", "cmake")
    command = ["cmake", "-S", "project", "-B", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "TFLM_PATH must hold tensorflow/lite/micro" in done.stderr


def test_labels_are_numbers_where_there_are_none(content, tmp_path):
    report = tfhrf.to_tflm(content, tmp_path / "a", layout="cmake", config=CONFIG)
    assert report["labels"] == ["0", "1", "2"]
    assert (tmp_path / "a/model_model.cc").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "platformio"}, r"must be one of \['arduino', .*\]\. Received: 'platformio'"),
        ({"config": None}, r"go together\. Received: layout='cmake', config=None"),
        ({"layout": None}, r"go together\. Received: layout=None, config=LogMelConfig"),
        ({"config": DEVICES["tiny"]["config"]}, r"\(1, frames, 24\).* Received: shapes \[\[1, 20"),
        ({"layout": "arduino", "directory": "my sketch"}, r"a name of letters.*'my sketch'"),
        ({"layout": "arduino", "directory": "sketch."}, r"Received: 'sketch\.'"),
        ({"layout": "arduino", "directory": 64 * "a"}, r"at most 63"),
    ],
)
def test_what_cannot_be_a_project_is_refused(changes, message, content, tmp_path):
    arguments = {"directory": "project", "layout": "cmake", "config": CONFIG, **changes}
    arguments["directory"] = tmp_path / arguments["directory"]
    with pytest.raises(ValueError, match=message):
        tfhrf.to_tflm(content, **arguments)
    assert not arguments["directory"].exists()


def test_every_layout_has_its_port():
    for layout in layouts.LAYOUTS:
        names = {path.stem for path in (layouts.PORTS / layout).iterdir()}
        assert {"audio_provider", "responder"} <= names
