"""The C front end against the Python features, on this machine and on emulated boards."""

import dataclasses
import pathlib
import subprocess

import count_frontend
import front_end_comparison as comparison
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needs import BOARD_TOOLS, needs, needs_tflm, skip_without

from tfhrf import fold, to_tflite
from tfhrf.data.corpora import emodb
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows
from tfhrf.deploy import runners
from tfhrf.deploy.frontend import host, write_frontend
from tfhrf.deploy.frontend.tables import filters, make_tables
from tfhrf.deploy.levels import quantize
from tfhrf.log_mel import LogMelConfig, log_mel, mel_filters
from tfhrf.models import ConvTransformer
from tfhrf.studies.training import TrainingSettings, compile_model, fit

CONFIG = LogMelConfig()
# Speech from silence to its loudest, over the range of int8.
SCALE, ZERO_POINT = 0.0201, -35
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
STREAM = pathlib.Path(__file__).with_name("frontend_stream.c")

needs_compiler = needs("gcc")
needs_emulator = needs(*BOARD_TOOLS)

CONFIGS = {
    "40 mels": dataclasses.replace(CONFIG, mels=40),
    "other numbers": dataclasses.replace(CONFIG, floor=1e-3, mean=-2.0, scale=0.5, hop=200),
    "128 mels, some without a bin": dataclasses.replace(CONFIG, mels=128, lower_hz=0.0),
    "frame fills the transform": dataclasses.replace(CONFIG, frame_length=512, hop=256),
    "1024 points": dataclasses.replace(CONFIG, fft_length=1024, upper_hz=8000.0),
    "4096 points": dataclasses.replace(CONFIG, fft_length=4096, frame_length=4001, hop=999),
    "256 points at 8 kHz": LogMelConfig(8000, 200, 80, 256, 32, 100.0, 4000.0),
    "odd lengths at 11,025 Hz": LogMelConfig(11_025, 275, 111, 512, 40, 60.0, 5000.0),
    "2048 points at 44.1 kHz": LogMelConfig(44_100, 1103, 441, 2048, 80, 20.0, 16_000.0),
    "gaps between frames": dataclasses.replace(CONFIG, hop=1000),
    "hops of one sample": LogMelConfig(16_000, 33, 1, 64, 8, 300.0, 7600.0),
    "32 points": LogMelConfig(16_000, 32, 16, 32, 4, 0.0, 8000.0),
    "an equalizer": dataclasses.replace(
        CONFIG, mels=16, equalizer=(0.0, -0.01, -90.0, *np.linspace(-40, 0, 13).tolist())
    ),
    "short frame, long transform": LogMelConfig(16_000, 20, 10, 4096, 20, 100.0, 7600.0),
}


def python_levels(samples, config, scale, zero_point, dtype="int8"):
    features = log_mel(tf.constant(samples.astype("f4") / 2**15), config).numpy()
    return quantize(features, scale, zero_point, dtype)


def differences(found, expected):
    assert found.shape == expected.shape
    return np.abs(found.astype(int) - expected.astype(int))


def speech_like(samples, seed=0):
    """Voiced and noisy stretches between pauses, from one bit to full scale."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    pitch = 120 + 40 * np.sin(3 * time)
    voice = sum(np.sin(k * 2 * np.pi * np.cumsum(pitch) / 16_000) / k for k in range(1, 30))
    level = 10.0 ** rng.uniform(-4.5, 0, -(-samples // 800)).repeat(800)[:samples]
    mixed = level * (voice / 3 + 0.1 * rng.standard_normal(samples))
    return np.clip(np.round(mixed * 2**15), -(2**15), 2**15 - 1).astype(np.int16)


@pytest.fixture(scope="module")
def run():
    skip_without("gcc")
    return host.make(CONFIG, SCALE, ZERO_POINT)


def signals():
    time = np.arange(4000)
    tone = 32767 * np.sin(2 * np.pi * 1000 * time / 16_000)
    speech = speech_like(4000).astype(int)
    rng = np.random.default_rng(1)
    impulses = np.zeros(4000)
    impulses[::333] = -32768
    return {
        "silence": np.zeros(4000),
        "one bit of noise": rng.integers(-1, 2, 4000),
        "full scale tone": tone,
        "full scale tone between bins": 32767 * np.sin(2 * np.pi * 1015.6 * time / 16_000),
        "full scale square": 32767 * np.sign(np.sin(2 * np.pi * 100 * time / 16_000) + 1e-9),
        "full scale noise": rng.integers(-32768, 32768, 4000),
        "extremes at random": rng.choice([-32768, 32767], 4000),
        "highest frequency": np.where(time % 2, -32768, 32767),
        "DC, lowest": np.full(4000, -32768),
        "DC, highest": np.full(4000, 32767),
        "DC, small": np.full(4000, 5),
        "a step": np.where(time < 2000, -32768, 32767),
        "impulses": impulses,
        "quiet tone beside a loud one": 0.99 * tone + 3 * np.sin(2 * np.pi * 6000 * time / 16_000),
        "clipped speech": np.clip(100 * speech, -32768, 32767),
        "speech with DC": np.clip(speech // 4 + 20_000, -32768, 32767),
    }


@pytest.mark.parametrize("name", signals())
def test_signals_differ_by_at_most_one_level(run, name):
    samples = np.round(signals()[name]).astype(np.int16)
    expected = python_levels(samples, CONFIG, SCALE, ZERO_POINT)
    found = run(samples)
    assert differences(found, expected).max() <= 1
    if name == "silence":
        np.testing.assert_array_equal(found, expected)
        assert len(np.unique(found)) == 1


pieces = st.one_of(
    st.tuples(st.just("noise"), st.integers(1, 32767), st.integers(1, 900)),
    st.tuples(st.just("constant"), st.integers(-32768, 32767), st.integers(1, 900)),
    st.tuples(st.just("tone"), st.integers(1, 8000), st.integers(1, 900)),
    st.tuples(st.just("extremes"), st.integers(1, 60), st.integers(1, 900)),
)


def samples_of(pieces, seed):
    rng = np.random.default_rng(seed)
    parts = [np.zeros(0)]
    for kind, value, length in pieces:
        time = np.arange(length)
        if kind == "noise":
            parts.append(rng.integers(-value, value + 1, length))
        elif kind == "constant":
            parts.append(np.full(length, value))
        elif kind == "tone":
            parts.append(32767 * np.sin(2 * np.pi * value * time / 16_000))
        else:
            parts.append(np.where(time // value % 2, -32768, 32767))
    return np.concatenate(parts).astype(np.int16)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(pieces, max_size=8), st.integers(0, 2**32 - 1))
def test_fuzzed_input_differs_by_at_most_one_level(run, pieces, seed):
    samples = samples_of(pieces, seed)
    found = run(samples)
    if len(samples) < CONFIG.frame_length:
        assert len(found) == 0
        return
    expected = python_levels(samples, CONFIG, SCALE, ZERO_POINT)
    assert differences(found, expected).max(initial=0) <= 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 1500), max_size=12))
def test_pieces_of_any_size_give_the_same_frames(run, sizes):
    samples = speech_like(sum(sizes))
    found = run(samples, sizes)
    np.testing.assert_array_equal(found, run(samples))
    assert len(found) == CONFIG.frames(len(samples) / CONFIG.sample_rate)


@needs_compiler
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("name", CONFIGS)
def test_other_configurations(name, dtype):
    config = CONFIGS[name]
    samples = speech_like(max(16_000 if config.hop > 1 else 500, 3 * config.frame_length))
    features = log_mel(tf.constant(samples.astype("f4") / 2**15), config).numpy()
    limits = np.iinfo(dtype)
    scale = float((features.max() - features.min()) / (limits.max - limits.min))
    zero_point = int(np.clip(np.round(limits.min - features.min() / scale), limits.min, limits.max))
    apart = differences(
        host.make(config, scale, zero_point, dtype)(samples),
        python_levels(samples, config, scale, zero_point, dtype),
    )
    print(f"{dtype}, {name}: most {apart.max()}, mean {apart.mean():.2g} levels")
    # Half a level on average is what the last one, with levels of 1e-6, comes near.
    assert apart.max() <= 1
    assert apart.mean() <= (1e-3 if dtype == "int8" else 0.5)


@pytest.mark.parametrize("name", CONFIGS)
def test_tables_hold_the_filters(name):
    config = CONFIGS[name]
    first, segments, weights = filters(config)
    found = np.zeros((config.fft_length // 2 + 1, config.mels + 2))
    bins = first + np.arange(len(weights))
    number = np.repeat(np.arange(config.mels + 1), segments)
    found[bins, number + 1] = weights / 2**31
    found[bins, number] = 1 - weights / 2**31
    plain = dataclasses.replace(config, equalizer=())
    np.testing.assert_allclose(found[:, 1:-1], mel_filters(plain), atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_levels_of_the_extremes_are_in_range(name):
    tables = make_tables(CONFIGS[name], SCALE, ZERO_POINT, "int8")
    assert np.abs(tables.window).max() < 2**31
    assert np.abs(tables.factors).max() < 2**31
    assert 32 <= tables.shift <= 62
    assert abs(tables.offset) < 2**62


def compile_stream(directory, compiler, flags):
    sources = sorted(map(str, directory.glob("*.c")))
    command = [compiler, *WARNINGS, *flags, f"-I{directory}", *sources, str(STREAM)]
    program = directory / f"stream-{pathlib.Path(compiler).name}"
    subprocess.run([*command, "-o", str(program)], check=True)
    return lambda samples, piece: (
        subprocess.run(
            [program, str(piece)], input=samples.tobytes(), capture_output=True, check=True
        ).stdout
    )


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", ["default", "odd lengths at 11,025 Hz", "gaps between frames"])
def test_no_warnings_and_no_undefined_behavior(name, compiler, tmp_path):
    skip_without(compiler)
    config = CONFIGS.get(name, CONFIG)
    write_frontend(config, tmp_path, scale=SCALE, zero_point=ZERO_POINT)
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    stream = compile_stream(tmp_path, compiler, flags)
    plain = host.make(config, SCALE, ZERO_POINT)
    cases = [np.round(samples).astype(np.int16) for samples in signals().values()]
    # What adds up to the most in one bin of the spectrum: signs of its own wave.
    for bin_ in range(0, config.fft_length // 2 + 1, 16):
        phase = 2 * np.pi * bin_ * np.arange(1200) / config.fft_length
        cases.append(np.where(np.cos(phase) < 0, -32768, 32767).astype(np.int16))
    samples = np.concatenate(cases)
    expected = plain(samples).tobytes()
    assert len(expected) > 5000
    for piece in (1000, 7):
        assert stream(samples, piece) == expected


@needs_compiler
def test_the_report_says_what_was_generated(tmp_path):
    report = write_frontend(
        CONFIG, tmp_path / "new/folder", scale=SCALE, zero_point=ZERO_POINT, name="ears"
    )
    files = [path.name for path in (tmp_path / "new/folder").iterdir()]
    assert sorted(report["files"]) == sorted(files)
    assert all(file.startswith("ears") for file in files)
    check = f"typedef char same[sizeof(ears_t) == {report['ram_bytes']} ? 1 : -1];"
    check += f"\ntypedef char most[8 * EARS_FFT_POINTS == {report['scratch_bytes']} ? 1 : -1];"
    (tmp_path / "new/folder/check.c").write_text(f'#include "ears.h"\n{check}\n')
    command = [host.compiler(), *WARNINGS, "-c", "check.c"]
    subprocess.run(command, cwd=tmp_path / "new/folder", check=True)
    tables = tmp_path / "tables.o"
    sources = tmp_path / "new/folder/ears_tables.c"
    subprocess.run([host.compiler(), "-c", sources, "-o", tables], check=True)
    sizes = subprocess.run(["nm", "-S", tables], check=True, capture_output=True, text=True)
    table_bytes = sum(int(line.split()[1], 16) for line in sizes.stdout.splitlines())
    assert report["table_bytes"] == table_bytes
    assert report["ram_bytes"] + report["scratch_bytes"] <= 3072


@needs_compiler
def test_two_front_ends_live_in_one_program(tmp_path):
    other = dataclasses.replace(CONFIG, mels=40)
    write_frontend(CONFIG, tmp_path, scale=SCALE, zero_point=ZERO_POINT, name="first")
    write_frontend(other, tmp_path, scale=SCALE, zero_point=0, dtype="int16", name="second")
    (tmp_path / "main.c").write_text(
        '#include "first.h"\n#include "second.h"\n'
        "int main(void) { static first_t a; static second_t b; first_init(&a); second_init(&b);\n"
        "return (int)sizeof(second_level_t) + FIRST_MELS - SECOND_MELS; }\n"
    )
    sources = sorted(path.name for path in tmp_path.glob("*.c"))
    command = [host.compiler(), *WARNINGS, *sources, "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 2 + 64 - 40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fft_length": 500}, r"power of two .* Received: fft_length=500"),
        ({"fft_length": 8192}, r"from 32 to 4096\. Received: fft_length=8192"),
        ({"frame_length": 513}, r"Received: frame_length=513, fft_length=512"),
        ({"frame_length": 1}, r"at least 2 .* Received: frame_length=1,"),
        ({"hop": 0}, r"`hop` must be a positive integer\. Received: hop=0"),
        ({"hop": 0.5}, r"Received: hop=0.5"),
        ({"mels": 257}, r"more filters than bins .* Received: mels=257"),
        ({"upper_hz": 8001.0}, r"half the sample rate\. Received: .*upper_hz=8001.0"),
        ({"lower_hz": -1.0}, r"Received: lower_hz=-1.0"),
        ({"lower_hz": 7600.0}, r"Received: lower_hz=7600.0, upper_hz=7600.0"),
        ({"floor": 0.0}, r"`floor` must be a positive number\. Received: floor=0.0"),
        ({"scale": -1.0}, r"`scale` must be a positive number\. Received: scale=-1.0"),
        ({"mean": float("nan")}, r"`mean` must be a number\. Received: mean=nan"),
        ({"lower_hz": 1000.0, "upper_hz": 1000.1}, r"no bin .* Received: lower_hz=1000.0"),
    ],
)
def test_impossible_configurations_are_refused(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_frontend(
            dataclasses.replace(CONFIG, **changes), tmp_path, scale=SCALE, zero_point=ZERO_POINT
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 0.0}, r"`scale` must be a positive number\. Received: 0.0"),
        ({"scale": float("inf")}, r"Received: inf"),
        ({"scale": 1e-9}, r"`scale` must be such .* Received: scale=1e-09"),
        ({"zero_point": 128}, r"integer in \[-128, 127\]\. Received: 128"),
        ({"zero_point": 0.5}, r"Received: 0.5"),
        ({"dtype": "uint8"}, r'"int8" or "int16"\. Received: \'uint8\''),
        ({"name": "2nd"}, r"C identifier.*Received: '2nd'"),
        ({"name": "frame"}, r"the sources use; .* Received: 'frame'"),
    ],
)
def test_wrong_arguments_are_refused(changes, message, tmp_path):
    arguments = {"scale": 0.02, "zero_point": 0, **changes}
    with pytest.raises(ValueError, match=message):
        write_frontend(CONFIG, tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


@needs_compiler
@needs_emulator
@pytest.mark.parametrize("cpu", count_frontend.PROCESSORS)
def test_emulated_boards_compute_the_same_bits(run, cpu):
    samples = speech_like(8000)
    result = count_frontend.run(CONFIG, SCALE, ZERO_POINT, samples, cpu=cpu)
    np.testing.assert_array_equal(result["frames"], run(samples))
    most = {"cortex-m0": 320_000, "cortex-m3": 45_000, "cortex-m4": 25_000, "cortex-m7": 26_000}
    most["rv32imc"] = 52_000
    assert result["instructions"][1:].mean() <= most[cpu]
    assert result["ram_bytes"] <= 3072
    assert result["stack_bytes"] <= 512


@needs_compiler
def test_all_of_emodb_differs_by_at_most_one_level(emodb_dir):
    paths = sorted((emodb_dir / "wav").glob("*.wav"))
    expected, found = comparison.features_of_both(paths, CONFIG, SCALE, ZERO_POINT)
    counts = comparison.level_differences(expected, found, SCALE, ZERO_POINT)
    print(f"{counts[1:].sum()} of {counts.sum()} values differ")
    assert len(counts) <= 2
    assert counts[1:].sum() <= 5e-5 * counts.sum()


@needs_compiler
@pytest.mark.slow
@needs_tflm
def test_decisions_over_all_of_emodb(emodb_dir):
    utterances = emodb.read(emodb_dir)
    paths = [utterance.path for utterance in utterances]
    features = extract(paths, CONFIG)
    labels = sorted({utterance.label for utterance in utterances})
    targets = np.array([labels.index(utterance.label) for utterance in utterances])
    training = TrainingSettings(epochs=6)
    model = ConvTransformer((training.frames, CONFIG.mels), len(labels), preset="light", hrf=4)
    compile_model(model, training, steps_per_epoch=10)
    fit(model, features, targets, training, 10, CONFIG, seed=0)
    windows = [evaluation_windows(one, training.frames, 100, CONFIG) for one in features]
    content = to_tflite(fold(model), np.concatenate(windows)[::5])
    scale, zero_point = runners.scale_and_zero_point(runners.load(content)[1][0])
    expected, found = comparison.features_of_both(paths, CONFIG, scale, zero_point)
    result = comparison.decision_differences(content, expected, found, 100, CONFIG)
    print(result)
    assert result["utterances"] == len(paths)
    # A class that hardly leads can change with one level of the input. Of fourteen models, eleven
    # changed no utterance, the others one or two.
    assert result["levels of margin at most"] <= 4
    assert result["changed windows"] <= 0.01 * result["windows"]
    assert result["changed utterances"] <= 0.01 * result["utterances"]


@needs_tflm
def test_decisions_that_change_are_counted():
    inputs = keras.Input((20, 64))
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(inputs))
    rng = np.random.default_rng(0)
    features = [rng.standard_normal((length, 64)).astype("f4") for length in (90, 20, 7)]
    model = keras.Model(inputs, outputs)
    content = to_tflite(model, features[0][:80].reshape(4, 20, 64))
    same = comparison.decision_differences(content, features, features, 10, CONFIG)
    assert same["windows"] == 8 + 1 + 1
    assert same["utterances"] == 3
    assert not any(value for key, value in same.items() if key.startswith(("unequal", "changed")))
    turned = [-one for one in features]
    changed = comparison.decision_differences(content, features, turned, 10, CONFIG)
    assert changed["unequal windows"] == 10
    assert changed["changed windows"] >= 5
    assert changed["changed utterances"] >= 1
    assert changed["levels of margin at most"] > 1
