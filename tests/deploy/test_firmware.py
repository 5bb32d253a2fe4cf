"""The application on emulated boards: every figure that it prints against Python, bit for bit."""

import dataclasses
import json
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import stand_ins
import tensorflow as tf
from needs import BOARD_TOOLS, needs, needs_tflm, skip_without
from places import TFLM
from sounds import sine, write_broken, write_float_wav, write_pcm_wav, write_wav
from tiny_models import disturb

import tfhrf
from tfhrf.data.corpora import synthetic
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.frontend import host
from tfhrf.deploy.project import write_project
from tfhrf.endpoint import EndpointConfig, utterances
from tfhrf.log_mel import LogMelConfig, log_mel
from tfhrf.models import ConvTransformer
from tfhrf.models.devices import DEVICES

pytestmark = [needs("make", "gcc", *BOARD_TOOLS), needs_tflm]
LABELS = list(synthetic.EMOTIONS)
# Bytes of RAM, and those of them that are kept for the stack.
BOARDS = {
    "mps2-an386": (2**22, 4096),
    "mps2-an500": (2**22, 4096),
    "mps3-an547": (2**19, 4096),
    "netduinoplus2": (2**17, 4096),
    "stm32vldiscovery": (2**13, 1024),
    "virt": (2**22, 4096),
}
ONE = 2**24  # POSTERIOR_ONE
PORT = pathlib.Path(__file__).with_name("firmware_port.c")
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]


def speech(samples):
    """Utterances of different speakers and emotions, one after the other."""
    parts = [
        synthetic.utterance(number, LABELS[number % 4], np.random.default_rng(number))
        for number in range(-(-samples // 25_600))
    ]
    return np.concatenate(parts)[:samples]


@dataclasses.dataclass(frozen=True)
class Deployed:
    """What a study deploys, of an untrained ConvTransformer, and what the front end in C makes."""

    folder: pathlib.Path
    build: pathlib.Path
    config: LogMelConfig
    frames: int
    levels: object  # from int16 samples to the model's input

    @property
    def content(self):
        return (self.folder / "int8.tflite").read_bytes()

    def length(self, frames, more=0):
        """Samples of so many frames."""
        return self.config.frame_length + (frames - 1) * self.config.hop + more

    def windows(self, samples):
        """What the model sees of a sound that is one utterance, int8."""
        return self.windows_of(self.levels(samples))

    def rule(self):
        """The endpointer's, as `write_project` has it."""
        return EndpointConfig.at(self.config.sample_rate, self.config.hop)

    def found_windows(self, samples, rule):
        """What it sees of each utterance that the endpointer finds in a sound."""
        levels, hop = self.levels(samples), self.config.hop
        return [
            self.windows_of(levels[start // hop : (end - self.config.frame_length) // hop + 1])
            for start, end in utterances(samples, rule)
        ]

    def windows_of(self, levels):
        _, (details,), _ = runners.load(self.content)
        scale, zero_point = runners.scale_and_zero_point(details)
        features = (levels.astype(np.float32) - zero_point) * np.float32(scale)
        hop = self.config.hop_frames
        return runners.quantize(
            evaluation_windows(features, self.frames, hop, self.config), details
        )

    def make(self, *arguments, model=None):
        """With the port alone ending utterances, unless the arguments say otherwise."""
        command = ["make", "-C", str(TFLM), f"BUILD={self.build}", f"PYTHON={sys.executable}"]
        command.append("ENDPOINT=0")
        return subprocess.run(
            [*command, f"MODEL={self.folder if model is None else model}", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def deploy(folder, build, preset, config, frames):
    model = ConvTransformer((frames, config.mels), len(LABELS), preset)
    disturb(model)
    model.save(folder / "trained.keras")
    wave = speech(config.frame_length + 799 * config.hop)
    features = log_mel(tf.constant(wave.astype("f4")), config).numpy()
    content = tfhrf.to_tflite(tfhrf.fold(model), evaluation_windows(features, frames, 50, config))
    (folder / "int8.tflite").write_bytes(content)
    (folder / "fold.json").write_text(json.dumps({"tflm": {"labels": LABELS}}))
    config.save(folder / "front_end.json")
    scale, zero_point = runners.scale_and_zero_point(runners.load(content)[1][0])
    return Deployed(folder, build, config, frames, host.make(config, scale, zero_point))


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    folders = tmp_path_factory.mktemp("light"), tmp_path_factory.mktemp("build")
    return deploy(*folders, "light", LogMelConfig(), 300)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folders = tmp_path_factory.mktemp("tiny"), tmp_path_factory.mktemp("build")
    return deploy(*folders, "tiny", DEVICES["tiny"]["config"], DEVICES["tiny"]["frames"])


def integer_posterior(logits, scale):
    """The device's mean posterior, in parts of ONE: exact integers."""
    exponentials = [round(ONE * np.exp(-scale * levels)) for levels in range(256)]
    sums = [0] * logits.shape[1]
    for window in logits.astype(int):
        parts = [exponentials[window.max() - logit] for logit in window]
        for place, part in enumerate(parts):
            sums[place] += (part * ONE + sum(parts) // 2) // sum(parts)
    return [(total + len(logits) // 2) // len(logits) for total in sums]


def decimals(posterior):
    """As the device prints it; eight digits tell parts of ONE apart."""
    digits = (posterior * 10**8 + ONE // 2) // ONE
    return f"{digits // 10**8}.{digits % 10**8:08d}"


def sounds(deployed):
    """Samples of sounds shorter than a window by an odd number of frames, of one frame, a window
    and all but one sample of the next frame, two windows whose hops leave nothing, and a rest.
    """
    length, window = deployed.length, deployed.frames
    hop = deployed.config.hop_frames
    return {
        "short": length(window // 2 + 1, 20),
        "one frame": length(1),
        "a window": length(window, deployed.config.hop - 1),
        "whole hops": length(window + 2 * hop),
        "a rest": length(window + hop + 37, 80),
    }


NAMES = ["short", "one frame", "a window", "whole hops", "a rest"]
CASES = [("light", "mps2-an386", name) for name in NAMES]
CASES += [("light", board, "a rest") for board in BOARDS if board not in CASES[0]]
CASES.remove(("light", "stm32vldiscovery", "a rest"))
CASES += [("tiny", "stm32vldiscovery", name) for name in NAMES]
CASES += [("tiny", "mps2-an386", "a rest"), ("tiny", "mps3-an547", "a rest")]


@pytest.mark.parametrize(("preset", "board", "name"), CASES)
def test_boards_say_what_python_computes(preset, board, name, request, tmp_path):
    deployed = request.getfixturevalue(preset)
    wave = speech(sounds(deployed)[name])
    wav = write_wav(tmp_path / "a sound.wav", wave, deployed.config.sample_rate)
    windows_file = tmp_path / "windows"
    done = deployed.make(f"BOARD={board}", f"WAV={wav}", f"WINDOWS={windows_file}", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.sub(r"make.*\n", "", done.stdout + done.stderr)

    windows = deployed.windows(np.round(wave * 32767).astype(np.int16))
    assert windows_file.read_bytes() == windows.tobytes()

    logits = runners.invoke(deployed.content, windows)
    found = re.findall(r"^window (\d+):((?: -?\d+)+)$", printed, re.MULTILINE)
    assert [int(number) for number, _ in found] == list(range(1, len(windows) + 1))
    np.testing.assert_array_equal([row.split() for _, row in found], logits.astype(str))

    _, _, (output,) = runners.load(deployed.content)
    scale, _ = runners.scale_and_zero_point(output)
    expected = integer_posterior(logits, scale)
    found = re.findall(r"^posterior: (\S+) (.*)$", printed, re.MULTILINE)
    assert found == [(decimals(part), label) for part, label in zip(expected, LABELS, strict=True)]
    (exact,) = utterance_posteriors(logits * scale, [len(logits)])
    # Exponentials, quotients and mean are rounded, each by half a part at most.
    np.testing.assert_allclose(np.array(expected) / ONE, exact, rtol=0, atol=3 / ONE)
    assert re.search(r"^class: (.*)$", printed, re.MULTILINE)[1] == LABELS[exact.argmax()]
    seconds = len(wave) / deployed.config.sample_rate
    check_costs(printed, preset, board, len(windows), deployed.config.frames(seconds))


# Instructions of a frame and of a window at most, by what was measured: on a Cortex-M4, of `light`
# 24 thousand and 10.7 million; on a Cortex-M3, of `tiny` 21 thousand and 2.2 million.
MOST = {"light": (26_000, 11.5e6), "tiny": (23_000, 2.4e6)}
# A RISC-V core multiplies one pair at a time, and has no long product in one instruction.
SLOWER = {"virt": 2.4}


def check_costs(printed, preset, board, windows, frames):
    pattern = r"^instructions: front end (\d+), model (\d+), in all (\d+)$"
    frontend, model, total = map(int, re.search(pattern, printed, re.MULTILINE).groups())
    of_frame, of_window = (SLOWER.get(board, 1) * most for most in MOST[preset])
    assert of_frame / 4 * frames < frontend < of_frame * frames + 20_000
    # The fastest, a Cortex-M55, takes less than a fifth of the most.
    assert of_window / 8 * windows < model < of_window * windows
    if (preset, board, frames) == ("light", "mps2-an386", 300):
        # From 3 s of sound to the answer.
        assert total <= 18.5e6
    assert 0 < total - frontend - model < 250_000 * windows
    stack, ram, flash = (
        int(re.search(rf"^{kind}: (\d+) bytes", printed, re.MULTILINE)[1])
        for kind in ("stack", "RAM", "flash")
    )
    memory, reserved = BOARDS[board]
    assert 200 < stack < reserved
    # The least is a window of frames.
    assert {"light": 300 * 64, "tiny": 80 * 24}[preset] < ram <= memory - reserved
    assert 30_000 < flash < 128 * 1024


def test_what_does_not_fit_does_not_link(light):
    done = light.make("BOARD=stm32vldiscovery")
    assert done.returncode != 0
    assert "region `RAM' overflowed by" in done.stderr


def last_error(done):
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "rror: " in line]
    assert done.returncode != 0
    assert len(lines) == 1, done.stdout + done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "this is no WAV file: "),
        ("junk", "this is no WAV file: "),
        ("zero seconds", "the sound is shorter than one frame: "),
        ("cut", "the WAV file is cut off: "),
        ("short", "the sound is shorter than one frame: "),
        ("8 kHz", "Received: format 1, 16 bits, 1 channels, 8000 Hz: "),
        ("stereo", "Received: format 1, 16 bits, 2 channels, 16000 Hz: "),
        ("24 bits", "Received: format 1, 24 bits, 1 channels, 16000 Hz: "),
        ("float", "Received: format 3, 32 bits, 1 channels, 16000 Hz: "),
    ],
)
def test_other_files_are_one_line(kind, message, light, tmp_path):
    writers = {
        "short": lambda path: write_wav(path, speech(399)),
        "8 kHz": lambda path: write_wav(path, sine(200, 1.0, 8000), 8000),
        "stereo": lambda path: write_wav(path, sine(200, 1.0), channels=2),
        "24 bits": lambda path: write_pcm_wav(path, sine(200, 1.0), 24),
        "float": lambda path: write_float_wav(path, sine(200, 1.0)),
    }
    write = writers.get(kind)
    wav = write(tmp_path / "sound.wav") if write else write_broken(tmp_path, kind)
    assert last_error(light.make(f"WAV={wav}", "run")).endswith(f"{message}{wav}")


def test_what_is_missing_is_one_line(light, tmp_path):
    make = light.make
    assert last_error(make("run")) == "Error: WAV=file.wav is needed"
    assert last_error(make("WAV=/nowhere.wav", "run")).endswith("Received: WAV=/nowhere.wav")
    assert last_error(make(model="")).startswith("Error: MODEL=folder with int8.tflite")
    for tool in ("QEMU", "CC", "PYTHON"):
        done = make(f"{tool}=no-such-tool", "WAV=/nowhere.wav", "run")
        assert "no-such-tool is needed" in last_error(done)
    assert set(runpy.run_path(str(TFLM / "emulator.py"))["BOARDS"]) == set(BOARDS)
    done = make("RUNTIME=x", f"OUT={tmp_path}", "folder")
    assert last_error(done).endswith("RUNTIME must be c or tflm. Received: RUNTIME=x")
    done = make("BOARD=nothing")
    assert done.returncode != 0
    assert (
        "BOARD must be one of mps2-an386 mps2-an500 mps3-an547 netduinoplus2 "
        "stm32vldiscovery virt" in done.stderr
    )
    assert "Received: BOARD=nothing" in done.stderr


def test_folders_that_hold_no_model_are_named(light, tmp_path):
    write_sources = runpy.run_path(str(TFLM / "write_sources.py"))["write_sources"]
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"folder with int8.tflite. Received: MODEL=.*model$"):
        write_sources(tmp_path / "model", out)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/int8.tflite").write_bytes(light.content)
    with pytest.raises(ValueError, match=r"folder with front_end.json. Received: "):
        write_sources(tmp_path / "model", out)
    LogMelConfig(mels=40).save(tmp_path / "model/front_end.json")
    with pytest.raises(ValueError, match=r"^In .*model: .* 40\).* \[\[1, 300, 64\], \[1, 4\]\]$"):
        write_sources(tmp_path / "model", out)
    assert not out.exists()


def test_a_board_that_computes_otherwise_says_so(light, tmp_path):
    """The self-test at start."""
    assert light.make().returncode == 0
    shutil.copytree(light.build, tmp_path / "build")
    golden = tmp_path / "build/sources/model_golden.h"
    text, output = re.match(
        r"(.*model_golden_output\S* = \{\s*)(.*)", golden.read_text(), re.S
    ).groups()
    value = int(re.match(r"-?\d+", output)[0])
    golden.write_text(text + re.sub(r"-?\d+", str(value ^ 1), output, count=1))
    (tmp_path / "build/mps2-an386/emulator.elf").unlink()
    wav = write_wav(tmp_path / "sound.wav", speech(light.length(1)))
    done = light.make(f"BUILD={tmp_path / 'build'}", f"WAV={wav}", "run")
    assert last_error(done) == "Error: The model's golden output differs"


@pytest.fixture(scope="module")
def dialogs(light, tiny):
    """By preset, a stream for PORT of several utterances in pieces of any size, and the answers."""
    return {"light": dialog(light), "tiny": dialog(tiny)}


def dialog(deployed):
    rng = np.random.default_rng(0)
    stream, expected = b"", []
    too_short = deployed.config.frame_length - 1
    # One is too short for a frame: no answer, and nothing of it in the next one.
    lengths = [*sounds(deployed).values(), too_short, deployed.length(10)]
    for number, samples in enumerate(lengths):
        wave = np.round(np.roll(speech(samples), 1000 * number) * 32767).astype("<i2")
        stream += in_pieces(wave, rng)
        if samples > too_short:
            expected.append(answer(deployed, deployed.windows(wave)))
    return stream, expected


def in_pieces(wave, rng):
    """A sound as PORT takes it."""
    stream = b""
    for piece in np.split(wave, np.sort(rng.integers(0, len(wave) + 1, 20))):
        stream += np.int32(len(piece) or -1).tobytes() + piece.tobytes()
    return stream + np.int32(0).tobytes()


def answer(deployed, windows):
    """What PORT writes of an utterance."""
    _, _, (output,) = runners.load(deployed.content)
    scale, _ = runners.scale_and_zero_point(output)
    logits = runners.invoke(deployed.content, windows)
    posterior = integer_posterior(logits, scale)
    return [int(np.argmax(posterior)), len(logits), *posterior]


def check_answers(program, dialog):
    stream, expected = dialog
    done = subprocess.run([program], input=stream, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = np.frombuffer(done.stdout, np.uint32).reshape(-1, 2 + len(LABELS))
    np.testing.assert_array_equal(found, expected)


def compile_model(compiler, sources, out):
    """The generated model alone: its own tests have it sanitized, which takes the most time."""
    command = [compiler, *WARNINGS, "-O1", "-c", sources / "model.c"]
    subprocess.run([*command, "-o", out], check=True)
    return out


SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]


@pytest.mark.parametrize(
    ("compiler", "preset"), [("gcc", "light"), ("clang", "light"), ("gcc", "tiny")]
)
def test_utterances_in_pieces_of_any_size(compiler, preset, dialogs, request, tmp_path):
    """One stream after the other on this machine, with sanitizers; none leaves a trace."""
    skip_without(compiler)
    deployed = request.getfixturevalue(preset)
    assert deployed.make().returncode == 0
    program = compile_application(compiler, deployed.build / "sources", tmp_path)
    check_answers(program, dialogs[preset])


def compile_application(compiler, generated, folder):
    sources = [TFLM / "standalone/main.c", PORT, *generated.glob("*.c")]
    sources.remove(generated / "model.c")
    sources += [compile_model(compiler, generated, folder / "model.o")]
    command = [compiler, *WARNINGS, *SANITIZERS, f"-I{generated}", *sources]
    subprocess.run([*command, "-o", folder / "application"], check=True)
    return folder / "application"


def room(config, seconds, seed):
    return 0.001 * np.random.default_rng(seed).standard_normal(int(seconds * config.sample_rate))


def conversation(deployed, lengths):
    """int16 samples: speech of so many frames between pauses, the first without one before."""
    parts = []
    for number, frames in enumerate(lengths):
        parts += [np.roll(speech(deployed.length(frames, 30)), 1000 * number)]
        parts += [room(deployed.config, 0.7 + 0.4 * number, number)]
    return np.round(np.concatenate(parts) * 32767).astype("<i2")


RULES = {
    "default": {},
    "cut short, without a pause": {"longest": 130, "hangover": 12, "margin": 11},
    "longer frames": {"frame": 480, "speech": 2, "margin": 1, "hangover": 9},
}


@pytest.mark.parametrize(
    ("compiler", "preset", "name"),
    [("clang", "tiny", "default"), *(("gcc", "light", name) for name in RULES)],
)
def test_utterances_are_found_in_a_stream(compiler, preset, name, request, tmp_path):
    """A sound of which the port says nothing but its end; then another one, all silence; then one
    that ends within speech.
    """
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    deployed = request.getfixturevalue(preset)
    rule = dataclasses.replace(deployed.rule(), **RULES[name])
    write_project(deployed.content, deployed.config, tmp_path / "sources", endpoint=rule)
    program = compile_application(compiler, tmp_path / "sources", tmp_path)
    window, hop = deployed.frames, deployed.config.hop_frames
    first = conversation(deployed, [window // 2, window, window + 2 * hop, 20, 3 * window + 7])
    sounds = [first, first[-5000:], first[: deployed.length(window // 3)]]
    rng = np.random.default_rng(3)
    stream = b"".join(in_pieces(sound, rng) for sound in sounds)
    found = [deployed.found_windows(sound, rule) for sound in sounds]
    if name == "default":
        assert [len(sound) for sound in found] == [5, 0, 1]
        assert max(len(windows) for windows in found[0]) > 4
    if "longest" in RULES[name]:
        assert len(found[0]) > 10
    expected = [answer(deployed, windows) for sound in found for windows in sound]
    check_answers(program, (stream, expected))


@pytest.mark.parametrize(
    ("preset", "board"), [("light", "mps2-an386"), ("tiny", "stm32vldiscovery")]
)
def test_three_utterances_are_three_answers(preset, board, request, tmp_path):
    """One program from the microphone's samples on, in 8 KB of RAM as well."""
    deployed = request.getfixturevalue(preset)
    window = deployed.frames
    samples = conversation(deployed, [window // 2, window + 40, window // 3])
    wav = write_wav(tmp_path / "sound.wav", samples / 32767, deployed.config.sample_rate)
    arguments = [f"BOARD={board}", f"WAV={wav}", f"WINDOWS={tmp_path / 'windows'}", "run"]
    done = deployed.make("ENDPOINT=1", f"BUILD={tmp_path / 'build'}", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    found = deployed.found_windows(samples, deployed.rule())
    assert len(found) == 3
    assert (tmp_path / "windows").read_bytes() == b"".join(one.tobytes() for one in found)
    printed = done.stdout + done.stderr
    posteriors = np.reshape(re.findall(r"^posterior: (\S+) ", printed, re.MULTILINE), (3, -1))
    for row, windows in zip(posteriors, found, strict=True):
        _, _, *expected = answer(deployed, windows)
        assert list(row) == [decimals(part) for part in expected]
    ram = int(re.findall(r"^RAM: (\d+) bytes", printed, re.MULTILINE)[-1])
    memory, reserved = BOARDS[board]
    assert ram <= memory - reserved


def test_the_application_on_tflm(light, dialogs, tmp_path):
    """Against headers that stand in for TensorFlow Lite Micro, which no package has."""
    skip_without("gcc", "g++")
    assert light.make().returncode == 0
    write_sources = runpy.run_path(str(TFLM / "write_sources.py"))["write_sources"]
    write_sources(light.folder, tmp_path, "tflm", endpoint=False)
    stand_ins.write_resolver_methods(tmp_path)
    model = compile_model("gcc", light.build / "sources", tmp_path / "model.o")
    warnings = [*WARNINGS[1:], *SANITIZERS, "-c"]
    parts = [*tmp_path.glob("*.c"), TFLM / "standalone/main.c", PORT]
    includes = [f"-I{tmp_path}", f"-I{stand_ins.TFLM}", f"-I{light.build / 'sources'}"]
    subprocess.run(["gcc", "-std=c99", *warnings, *includes[:1], *parts], cwd=tmp_path, check=True)
    parts = ["classifier.cc", "emotion_model.cc"]
    command = ["g++", "-std=c++11", "-pedantic", *warnings, *includes, *parts]
    subprocess.run(command, cwd=tmp_path, check=True)
    objects = {model, *tmp_path.glob("*.o")}
    subprocess.run(["g++", *SANITIZERS, *objects, "-o", tmp_path / "application"], check=True)
    check_answers(tmp_path / "application", dialogs["light"])


RESPONDER = """
#include "responder.h"
volatile uint32_t light;
void responder_start(void) {}
void responder_window(const int8_t *window, const int8_t *logits) { (void)window; (void)logits; }
void responder_utterance(const result_t *result) { light = result->best; }
void responder_failure(const char *what) { (void)what; }
uint64_t responder_ticks(void) { return 0U; }
"""


def test_the_guide_has_a_port_that_builds(light, tmp_path):
    text = (TFLM.parent / "docs/firmware.md").read_text()
    code = re.search(r"^    #include \"audio_provider.h\"\n((    .*)?\n)+", text, re.MULTILINE)[0]
    microphone = "bool microphone_start(int16_t *to, uint32_t samples)"
    provider = textwrap.dedent(code).replace('r.h"\n', f'r.h"\n{microphone};\n', 1)
    (tmp_path / "audio_provider.c").write_text(
        f"{provider}\n{microphone} {{ (void)samples; return to != NULL; }}\n"
        "void half_is_full(uint32_t half);\n"
    )
    (tmp_path / "responder.c").write_text(RESPONDER)
    done = light.make("BOARD=netduinoplus2", f"PORT={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (light.build / "netduinoplus2" / f"{tmp_path.name}.elf").is_file()


@pytest.mark.slow
def test_the_demo_shows_both_sides(light, tmp_path):
    samples = conversation(light, [310, 150])
    wav = write_wav(tmp_path / "sound.wav", samples / 32767, channels=2)
    (light.folder / "labels.json").write_text(json.dumps(LABELS))
    command = [sys.executable, str(TFLM / "demo.py"), f"--model={light.folder}"]
    root = str(TFLM.parent)
    done = subprocess.run(
        [*command, f"--wav={wav}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, "BUILD": str(light.build)},
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(Python, int8|mps2-an386, int8) +(.*)   (\S+)$", done.stdout, re.MULTILINE)
    assert [label in LABELS for _, _, label in rows] == 4 * [True]
    values = np.array([row.split() for _, row, _ in rows], float).reshape(2, 2, -1)
    # A few levels of the frames are all that differs.
    np.testing.assert_allclose(values[:, 0], values[:, 1], atol=0.02)
    places = re.findall(r"^(\d\.\d\d) s to (\d\.\d\d) s$", done.stdout, re.MULTILINE)
    assert [float(start) for start, _ in places] == pytest.approx([0, 3.7], abs=0.1)
    # Of two utterances, and of the pause between them.
    assert re.search("millions of instructions: front end 1[4-6]\\.", done.stdout)
