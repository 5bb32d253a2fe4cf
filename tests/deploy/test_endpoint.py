"""The endpointer in C against the one in Python, bit for bit, whatever the stream."""

import dataclasses
import shutil
import subprocess
import wave

import count_endpoint
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needs import BOARD_TOOLS, needs
from places import ROOT

from tfhrf.data.corpora import synthetic
from tfhrf.deploy.project import listener
from tfhrf.endpoint import (
    LARGEST_FRAME,
    EndpointConfig,
    Endpointer,
    Event,
    levels,
    to_int16,
    trim,
    trim_blocks,
    utterances,
)
from tfhrf.log_mel import LogMelConfig

CONFIG = EndpointConfig()
CONFIGS = {
    "default": CONFIG,
    "8 kHz, 25 ms": EndpointConfig.at(8000, 200),
    "44.1 kHz": EndpointConfig.at(44_100, 441),
    "short utterances": dataclasses.replace(CONFIG, longest=40, hangover=12, margin=11, speech=2),
    "frames of a sample": EndpointConfig(1, 3, 1, -90, -90, 0, 0, 2560, 1, 0, 1, 2),
    "longest frames": EndpointConfig(LARGEST_FRAME, 6, 6, -60, -20, 1, 2, 9, 1, 3, 2, 9),
}
SOURCES = ROOT / "tfhrf/deploy/project/c"
FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
FLAGS += ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = [compiler for compiler in ("gcc", "clang") if shutil.which(compiler)]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """By configuration and compiler."""
    built = {}
    for name, config in CONFIGS.items():
        folder = tmp_path_factory.mktemp("endpoint")
        hop = LogMelConfig(hop=config.frame)
        (folder / "endpoint_tables.h").write_text(listener.tables(config, hop))
        for compiler in COMPILERS:
            program = folder / compiler
            parts = [SOURCES / "endpoint.c", ROOT / "tests/deploy/endpoint_stream.c"]
            includes = [f"-I{folder}", f"-I{SOURCES}"]
            subprocess.run([compiler, *FLAGS, *includes, *parts, "-o", program], check=True)
            built[name, compiler] = program
    if not built:
        pytest.skip("no gcc or clang here")
    return built


def in_c(program, samples, cuts):
    stream = b"".join(
        np.int32(len(piece)).tobytes() + piece.tobytes() for piece in np.split(samples, cuts)
    )
    done = subprocess.run([program], input=stream, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, np.int32).reshape(-1, 4)


def in_python(samples, config):
    endpointer, lines = Endpointer(config), []

    def line(event):
        floor = -1 if endpointer.floor is None else endpointer.floor
        lines.append([event, endpointer.start, endpointer.end, floor])

    for level in levels(samples, config):
        line(endpointer.take(level))
    line(Event.END if endpointer.finish(len(samples) % config.frame) else 0)
    return np.array(lines)


def check(programs, samples, cuts=(1, 2, 2, 700, 5000)):
    samples = np.clip(np.round(samples), -(2**15), 2**15 - 1).astype(np.int16)
    for (name, _), program in programs.items():
        found = in_c(program, samples, np.minimum(cuts, len(samples)))
        np.testing.assert_array_equal(found, in_python(samples, CONFIGS[name]))
        ends = found[found[:, 0] == Event.END]
        assert utterances(samples, CONFIGS[name]) == [(a, b) for _, a, b, _ in ends.tolist()]


def noise(samples, decibels, seed=0):
    """White noise, of so many dB of full scale, as floats."""
    return 10 ** (decibels / 20) * np.random.default_rng(seed).standard_normal(samples)


def voice(number):
    emotion = sorted(synthetic.EMOTIONS)[number % 4]
    return synthetic.utterance(number, emotion, np.random.default_rng(number))


def dialog(seconds=1.0, floor=-55):
    """Three voices between pauses, and where each begins and ends."""
    parts, places, position = [], [], 0
    for number in range(3):
        pause, spoken = noise(int(seconds * 16_000), floor, number), voice(number)
        places.append((position + len(pause), position + len(pause) + len(spoken)))
        position = places[-1][1]
        parts += [pause, spoken]
    return np.concatenate([*parts, noise(int(seconds * 16_000), floor, 9)]), places


def signals():
    time = np.arange(64_000)
    speech = 2**15 * dialog()[0]
    return {
        "nothing": np.zeros(0),
        "less than a frame": np.full(100, 9000),
        "silence": np.zeros(64_000),
        "one bit of noise": np.random.default_rng(1).integers(-1, 2, 64_000),
        "speech": speech,
        "clipped speech": 50 * speech,
        "speech with an offset": speech / 4 + 20_000,
        "offset that drifts": speech / 4 + 20_000 * np.sin(np.arange(len(speech)) / 16_000),
        "full scale square": 32_768 * np.where(time // 80 % 2, 1, -1),
        "lowest": np.full(64_000, -32_768),
        "steps of the noise": 2**15 * np.concatenate([noise(48_000, d) for d in (-70, -30, -60)]),
        "noise that grows": 2**15 * noise(64_000, 0) * 10 ** (time / 64_000 * 3.5 - 4),
        "clicks": np.where(time % 4000 < 30, 20_000, 0),
        "full scale noise": np.random.default_rng(2).integers(-32_768, 32_768, 64_000),
    }


@pytest.mark.parametrize("name", signals())
def test_c_computes_what_python_does(name, programs):
    check(programs, signals()[name])


pieces = st.tuples(st.sampled_from(["noise", "tone", "level"]), st.integers(0, 32_767))
pieces = st.lists(st.tuples(pieces, st.integers(1, 9000)), max_size=12)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces, st.lists(st.integers(0, 60_000), max_size=30), st.integers(0, 99))
def test_any_stream_in_pieces_of_any_size(programs, pieces, cuts, seed):
    rng, parts = np.random.default_rng(seed), [np.zeros(0)]
    for (kind, size), length in pieces:
        time = np.arange(length)
        waves = {"noise": rng.integers(-size, size + 1, length), "level": np.full(length, size)}
        parts.append(waves.get(kind, size * np.sin(time * size / 30_000)))
    check(programs, np.concatenate(parts), np.sort(cuts))


def test_recordings(programs, emodb_dir):
    """Each is one utterance, but the one that has a pause of 0.6 s."""
    paths = sorted((emodb_dir / "wav").glob("*.wav"))
    counts = {path.stem: len(utterances(recording(path), CONFIG)) for path in paths}
    assert set(counts.values()) <= {1, 2}
    assert {stem for stem, count in counts.items() if count == 2} <= {"16a05Tb"}
    joined = [np.concatenate([recording(path), np.zeros(16_000, np.int16)]) for path in paths[::40]]
    check(programs, np.concatenate(joined))
    assert len(utterances(np.concatenate(joined), CONFIG)) == len(joined)


def recording(path):
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@needs(*BOARD_TOOLS)
@pytest.mark.parametrize(
    ("cpu", "most"), [("cortex-m0", 300_000), ("cortex-m4", 170_000), ("rv32imc", 250_000)]
)
def test_boards_compute_it_with_few_instructions(cpu, most):
    samples = to_int16(dialog()[0])
    result = count_endpoint.run(samples, CONFIG, LogMelConfig(), cpu)
    assert result["utterances"] == utterances(samples, CONFIG)
    assert result["instructions"] < most * len(samples) / 16_000
    assert result["ram_bytes"] <= 64


@pytest.mark.parametrize("floor", [-75, -60, -50])
@pytest.mark.parametrize("offset", [0, 0.2])
def test_each_voice_is_an_utterance(floor, offset):
    """With a margin on both sides, whatever the microphone's offset and noise."""
    samples, places = dialog(floor=floor)
    found = utterances(to_int16(samples + offset), CONFIG)
    assert len(found) == 3
    for (start, end), (begins, ends) in zip(found, places, strict=True):
        assert start % CONFIG.frame == 0
        assert begins - 2400 < start < begins + 1600
        assert ends - 1600 < end < ends + 2400


def test_pauses_up_to_the_hangover_belong_to_an_utterance():
    tone = 0.1 * np.sin(np.arange(8000) / 4)
    for pause, count in ((7800, 1), (8200, 2)):
        assert len(utterances(to_int16([*tone, *np.zeros(pause), *tone]), CONFIG)) == count


def test_a_step_of_the_noise_is_learned():
    """It is taken for speech, once and no longer than the longest utterance."""
    samples = np.concatenate([noise(16_000, -65), noise(640_000, -35), noise(1, -35)])
    samples[600_000:616_000] += voice(1)[:16_000] * 3
    found = utterances(to_int16(samples), CONFIG)
    assert len(found) == 2
    assert found[0][1] - found[0][0] <= CONFIG.longest * CONFIG.frame
    assert 590_000 < found[1][0] < 604_000


def test_long_speech_is_cut_without_a_gap():
    config = dataclasses.replace(CONFIG, longest=100)
    time = np.arange(48_000) / 16_000
    loud = 10 ** (0.5 * np.sin(2 * np.pi * 3 * time) - 1.5)  # 20 dB up and down
    found = utterances(to_int16(loud * np.sin(2 * np.pi * 200 * time)), config)
    assert len(found) > 2
    assert found[0][1] - found[0][0] == 16_000
    assert found[1][0] == found[0][1]
    assert found[-1][1] == len(time)


def test_trim_cuts_both_ends():
    samples, _ = dialog()
    found = utterances(to_int16(samples), CONFIG)
    cut = trim(samples, CONFIG)
    np.testing.assert_array_equal(cut, samples[found[0][0] : found[-1][1]])
    np.testing.assert_array_equal(trim(cut, CONFIG), cut)
    spoken = voice(4)
    assert len(trim(spoken, CONFIG)) == len(spoken)
    # What holds no utterance is left as it is.
    assert len(trim(noise(5000, -60), CONFIG)) == 5000
    assert len(trim(noise(0, -60), CONFIG)) == 0


@pytest.mark.parametrize("size", [1, 159, 1000, 7777, 10**6])
def test_a_stream_in_blocks_of_any_size_is_cut_alike(size):
    samples, _ = dialog()
    samples = samples[:24_000] if size == 1 else samples
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    cut = np.concatenate([*trim_blocks(blocks, CONFIG)])
    np.testing.assert_array_equal(cut, trim(samples, CONFIG))


def test_what_is_held_back_is_bounded():
    """A silence of more than that stays."""
    silence = np.zeros(50_000, "f4")
    wave = np.concatenate([silence, voice(1), silence, voice(2), silence])
    taken, given, most = 0, 0, 0

    def blocks():
        nonlocal taken, most
        for block in np.split(wave, range(1000, len(wave), 1000)):
            most = max(most, taken - given)
            taken += len(block)
            yield block

    for block in trim_blocks(blocks(), CONFIG, most=40_000):
        given += len(block)
    assert 39_000 < most <= 40_000
    assert given == len(wave)
    np.testing.assert_array_equal(
        np.concatenate([*trim_blocks(blocks(), CONFIG, most=60_000)]), trim(wave, CONFIG)
    )


def test_defaults_keep_their_times():
    for rate, hop in ((16_000, 160), (8000, 200), (44_100, 441), (16_000, 1000), (16_000, 1)):
        config = EndpointConfig.at(rate, hop)
        assert config.frame % hop == 0
        seconds = config.frame / rate
        assert config.hangover * seconds == pytest.approx(0.5, abs=seconds / 2)
        assert config.longest * seconds == pytest.approx(15, abs=seconds / 2)
        assert config.climb / seconds == pytest.approx(300, rel=0.1)
        assert 2**config.rise * seconds == pytest.approx(1.28, rel=0.5)
    assert EndpointConfig.at(16_000, 160) == CONFIG


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame": 0}, r"`frame` must be an integer in \[1, 8192\]\. Received: 0"),
        ({"threshold": 9.5}, r"`threshold` .* Received: 9\.5"),
        ({"release": 10}, r"`release` must not be above threshold=9\. Received: 10"),
        ({"first_floor": -80}, r"`first_floor` .* least_floor=-70\. Received: -80"),
        ({"longest": 15}, r"`longest` must be above speech \+ margin, 15 frames\. Received: 15"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        EndpointConfig(**changes)


def test_samples_are_16_bits():
    with pytest.raises(ValueError, match=r"int16 array .* Received: float64, shape \(3,\)"):
        utterances(np.zeros(3), CONFIG)
