"""Features on disk: equal to those in memory, resumed, never stale, read in bounded memory."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys

import keras
import measuring
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from places import ROOT
from sounds import sine, write_broken, write_wav

from tfhrf.data import extract as extraction
from tfhrf.data import store, windows
from tfhrf.data.decode import AudioError
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import assess
from tfhrf.studies.training import TrainingSettings, compile_model, fit

CONFIG = LogMelConfig(mels=8)
GOLDEN = pathlib.Path(__file__).with_name("golden_frames.json")


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(store, "SHARD", 3)


@pytest.fixture
def sounds(tmp_path):
    """Eight utterances of different lengths: seven files, one of them with two spans."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [
        write_wav(folder / f"{number}.wav", rng.normal(0, 0.1, 4000 + 900 * number))
        for number in range(7)
    ]
    return [*paths, paths[-1]], [None] * 6 + [(0.0, 0.2), (0.1, 0.55)]


@pytest.fixture
def computed(monkeypatch):
    """The files whose frames are computed, in order; repeated for each span."""
    names = []
    stream = extraction.stream

    def spied(paths, *rest, **more):
        for path, frames in zip(paths, stream(paths, *rest, **more), strict=True):
            names.append(path.name)
            yield frames

    monkeypatch.setattr(extraction, "stream", spied)
    return names


def shards(root):
    return sorted(path for path in root.rglob("*") if path.suffix == ".tfrecord")


def assert_equal(found, paths, spans, config=CONFIG):
    expected = extract(paths, config, spans)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        read = np.asarray(one)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, other)


@pytest.mark.usefixtures("small_shards")
def test_what_is_read_equals_what_is_extracted_bit_for_bit(sounds, tmp_path):
    found = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path / "features")
    assert_equal(found, *sounds)
    assert_equal(pickle.loads(pickle.dumps(found)), *sounds)
    assert [path.name for path in shards(tmp_path)] == [
        f"{number:05}-of-00003.tfrecord" for number in range(3)
    ]


def test_spans_of_emodb_recordings_equal_too(emodb_dir, tmp_path):
    paths = sorted((emodb_dir / "wav").glob("*.wav"))[:40]
    spans = [None if number % 3 else (0.25, 1.0) for number in range(len(paths))]
    config = LogMelConfig()
    assert_equal(store.prepare(paths, config, spans, tmp_path), paths, spans, config)


def test_a_shard_is_a_plain_tfrecord_of_float32(sounds, tmp_path):
    found = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path)
    (shard,) = shards(tmp_path)
    for record, one in zip(tf.data.TFRecordDataset(str(shard)), found, strict=True):
        frames = tf.reshape(tf.io.decode_raw(record, tf.float32), (-1, CONFIG.mels))
        np.testing.assert_array_equal(frames, one)
    assert LogMelConfig.load(shard.with_name("front_end.json")) == CONFIG


def test_checksums_are_of_the_bytes_and_computed_once(sounds, tmp_path, capsys):
    paths, spans = sounds
    found = store.contents(paths, CONFIG, spans, tmp_path / "features")
    assert found == [hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in paths]
    assert "7/7" in capsys.readouterr().out
    assert store.contents(paths, CONFIG, spans, tmp_path / "features") == found
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("small_shards")
def test_what_is_there_is_not_computed_again(sounds, tmp_path, computed):
    store.prepare(sounds[0], CONFIG, sounds[1], tmp_path / "features")
    assert len(computed) == 8
    computed.clear()
    found = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path / "features")
    assert computed == []
    assert_equal(found, *sounds)


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_preparation_goes_on_with_the_shard_it_was_in(
    sounds, tmp_path, computed, monkeypatch
):
    root = tmp_path / "features"

    class Interrupting:
        left = 4

        def add(self, number):
            self.left -= number
            if self.left == 0:
                raise KeyboardInterrupt

    monkeypatch.setattr(store, "progress_bar", lambda total, unit: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        store.prepare(sounds[0], CONFIG, sounds[1], root)
    monkeypatch.undo()
    monkeypatch.setattr(store, "SHARD", 3)
    left = [path for path in root.rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["00000-of-00003.tfrecord"]
    kept = left[0].stat().st_mtime_ns

    names = []
    stream = extraction.stream
    monkeypatch.setattr(
        extraction,
        "stream",
        lambda paths, *rest, **more: (
            names.extend(path.name for path in paths),
            stream(paths, *rest, **more),
        )[1],
    )
    found = store.prepare(sounds[0], CONFIG, sounds[1], root)
    assert names == ["3.wav", "4.wav", "5.wav", "6.wav", "6.wav"]
    assert left[0].stat().st_mtime_ns == kept
    assert_equal(found, *sounds)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("damage", ["missing", "cut", "cut after a record", "flipped", "longer"])
def test_a_damaged_shard_alone_is_computed_again(sounds, tmp_path, computed, damage):
    root = tmp_path / "features"
    before = store.prepare(sounds[0], CONFIG, sounds[1], root)
    shard = shards(root)[1]
    content = shard.read_bytes()
    if damage == "missing":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(content[:-100])
    elif damage == "cut after a record":
        shard.write_bytes(content[: before[4].offset - 12])
    elif damage == "flipped":
        middle = len(content) // 2
        shard.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        shard.write_bytes(content + content[: before[1].offset - 12])
    computed.clear()
    found = store.prepare(sounds[0], CONFIG, sounds[1], root)
    assert computed == ["3.wav", "4.wav", "5.wav"]
    assert shard.read_bytes() == content
    assert_equal(found, *sounds)


def changed_content(paths, spans):
    """Same size, and the time of modification put back."""
    before = paths[2].stat()
    write_wav(paths[2], sine(300, 5800 / 16_000))
    os.utime(paths[2], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert paths[2].stat().st_size == before.st_size
    assert paths[2].stat().st_mtime_ns == before.st_mtime_ns
    return paths, spans, CONFIG


CHANGES = {
    "content": changed_content,
    "span": lambda paths, spans: (paths, [*spans[:-1], (0.1, 0.5500001)], CONFIG),
    "order": lambda paths, spans: (paths[::-1], spans[::-1], CONFIG),
    "fewer": lambda paths, spans: (paths[:-1], spans[:-1], CONFIG),
    "configuration": lambda paths, spans: (paths, spans, dataclasses.replace(CONFIG, mean=-3.0)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_stale_is_used(sounds, tmp_path, computed, change):
    root = tmp_path / "features"
    store.prepare(sounds[0], CONFIG, sounds[1], root)
    paths, spans, config = CHANGES[change](*sounds)
    computed.clear()
    found = store.prepare(paths, config, spans, root)
    assert computed == [path.name for path in paths]
    assert_equal(found, paths, spans, config)
    assert len(list(root.iterdir())) == 2


def test_the_name_changes_with_all_that_frames_depend_on_and_with_nothing_else(sounds, monkeypatch):
    paths, spans = sounds
    name = store.folder_name(paths, CONFIG, spans)
    assert name.startswith("8mels-")
    for field in dataclasses.fields(CONFIG):
        value = getattr(CONFIG, field.name)
        if field.name == "equalizer":
            other = (-1.0,) * CONFIG.mels
        else:
            other = not value if isinstance(value, bool) else value + 1
        other = dataclasses.replace(CONFIG, **{field.name: other})
        assert store.folder_name(paths, other, spans) != name
    monkeypatch.chdir(paths[0].parent)
    relative = [path.name for path in paths]
    arrays = [span and [np.float64(second) for second in span] for span in spans]
    assert store.folder_name(relative, CONFIG, arrays) == name
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    assert store.folder_name(paths, CONFIG, spans) != name


def golden_sounds(folder):
    """The same samples everywhere: integers alone make them."""
    samples = np.arange(14_000) ** 2 % 1999 * (np.arange(14_000) % 977) % 8192 - 4096
    soundfile.write(folder / "16k.wav", samples[:8000].astype("i2"), 16_000)
    soundfile.write(folder / "44k1.flac", samples.reshape(-1, 2).astype("i2"), 44_100)
    return [folder / "16k.wav", folder / "44k1.flac"], [(0.1, 0.3), None]


def test_frames_are_those_of_the_version(tmp_path):
    """Frames on disk are found by VERSION: where frames change without it, stale ones are."""
    paths, spans = golden_sounds(tmp_path)
    found = {
        "version": store.VERSION,
        "frames": [frames.tolist() for frames in extract(paths, CONFIG, spans)],
    }
    if "TFHRF_WRITE_GOLDEN" in os.environ:
        GOLDEN.write_text(json.dumps(found) + "\n")
    golden = json.loads(GOLDEN.read_text())
    advice = f"raise store.VERSION, and write {GOLDEN.name} with TFHRF_WRITE_GOLDEN=1 set"
    assert golden["version"] == store.VERSION, advice
    for one, other in zip(found["frames"], golden["frames"], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=advice)


def test_a_long_utterance_is_several_records(sounds, tmp_path, monkeypatch):
    """The same frames, whatever the number of them that are computed at a time."""
    whole = extract(*sounds[:1], CONFIG, sounds[1])
    for at_a_time in (1, 7, len(whole[3]), len(whole[6]) - 1):
        monkeypatch.setattr(extraction, "FRAMES", at_a_time)
        root = tmp_path / str(at_a_time)
        for _ in ("computed", "found"):
            found = store.prepare(sounds[0], CONFIG, sounds[1], root)
            for one, other in zip(found, whole, strict=True):
                np.testing.assert_array_equal(one, other)


def growth(short, long, root):
    """By how much the memory of this process grows for a long recording, bytes."""
    store.prepare([short], CONFIG, root=root)
    before = measuring.status_bytes("VmHWM")
    (found,) = store.prepare([long], CONFIG, root=root)
    assert len(found) == CONFIG.frames(3600)
    return measuring.status_bytes("VmHWM") - before


def test_an_hour_takes_little_memory(tmp_path):
    """Its samples alone would take 230 MB, decoded and resampled, and its frames more."""
    paths = [tmp_path / "short.wav", tmp_path / "long.wav"]
    minute = np.random.default_rng(0).normal(0, 0.1, (60 * 8000, 2))
    for path, minutes in zip(paths, (1, 60), strict=True):
        with soundfile.SoundFile(path, "w", 8000, 2, "PCM_U8") as file:
            for _ in range(minutes):
                file.write(minute)
    assert measuring.in_own_process(growth, *paths, tmp_path / "features") < 60e6


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("at_a_time", [extraction.FRAMES, 10])
def test_bad_recordings_are_left_out_and_listed(sounds, tmp_path, computed, monkeypatch, at_a_time):
    monkeypatch.setattr(extraction, "FRAMES", at_a_time)
    kinds = ["empty", "junk", "zero seconds", "cut", "not finite"]
    broken = {kind: write_broken(tmp_path, kind) for kind in kinds}
    good = sounds[0][0]
    paths = [good, *broken.values(), tmp_path / "nowhere.wav", good, good, good]
    spans = [None] * 7 + [(0.1, 9.0), (0.1, 0.2), None]
    # The second time, the shards that are not complete are computed again.
    for utterances in (10, 9):
        bad = {}
        computed.clear()
        found = store.prepare(paths, CONFIG, spans, tmp_path / "features", bad=bad)
        assert len(computed) == utterances
        assert sorted(bad) == [1, 2, 3, 4, 5, 6, 7]
        assert [one is None for one in found] == [index in bad for index in range(10)]
        for path, reason in zip(paths[1:8], [bad[index] for index in range(1, 8)], strict=True):
            assert str(path) in reason
            assert "\n" not in reason
        for index in (0, 8, 9):
            assert_equal([found[index]], [paths[index]], [spans[index]])
    with pytest.raises(AudioError):
        store.prepare(paths[:5], CONFIG, spans[:5], tmp_path / "features")


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("kind", ["empty", "junk", "zero seconds", "cut", "not finite"])
def test_a_broken_file_is_named_and_complete_shards_stay(sounds, tmp_path, kind, computed):
    root = tmp_path / "features"
    broken = write_broken(tmp_path, kind)
    paths, spans = [*sounds[0][:4], broken], [None] * 5
    with pytest.raises(AudioError, match=broken.name):
        store.prepare(paths, CONFIG, spans, root)
    left = [path.name for path in root.rglob("*") if path.is_file()]
    # What the header tells is told before anything is computed.
    assert left == (["00000-of-00002.tfrecord"] if kind == "not finite" else [])
    with pytest.raises(AudioError, match=r"does not exist. Received: .*nowhere"):
        store.prepare([*paths, tmp_path / "nowhere.wav"], CONFIG, [*spans, None], root)


def test_a_span_outside_its_file_and_a_short_one_are_named(sounds, tmp_path):
    paths = sounds[0][:2]
    with pytest.raises(AudioError, match=r"must be within.*1\.wav"):
        store.prepare(paths, CONFIG, [None, (0.1, 2.0)], tmp_path / "features")
    with pytest.raises(AudioError, match=r"shorter than one frame.*1\.wav"):
        store.prepare(paths, CONFIG, [None, (0.1, 0.11)], tmp_path / "features")
    assert shards(tmp_path) == []


def test_frames_whose_shard_is_gone_are_an_error_that_names_it(sounds, tmp_path):
    found = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path)
    (shard,) = shards(tmp_path)
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(store.CacheError, match=r"cut short.*00000-of-00001"):
        np.asarray(found[-1])
    shard.unlink()
    with pytest.raises(store.CacheError, match=r"cannot be read \(No such file.*00000-of-00001"):
        np.asarray(found[0])


@pytest.mark.usefixtures("small_shards")
def test_training_sees_the_same_from_disk_as_from_memory(sounds, tmp_path, monkeypatch):
    stored = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path / "features")
    arrays = extract(sounds[0], CONFIG, sounds[1])
    settings = TrainingSettings(frames=20, batch_size=3)

    def batches(some, in_memory):
        monkeypatch.setattr(windows, "IN_MEMORY", in_memory)
        keras.utils.set_random_seed(3)
        dataset = windows.training_batches(some, np.arange(len(some)), settings, 8, CONFIG, 3)
        return list(dataset.take(10).as_numpy_iterator())

    # Balanced training repeats utterances.
    for chosen in (range(8), [6, 2, 2, 7, 2]):
        expected = batches([arrays[i] for i in chosen], 2**20)
        for in_memory in (2**20, 0):
            found = batches([stored[i] for i in chosen], in_memory)
            for pair in zip(found, expected, strict=True):
                for one, other in zip(*pair, strict=True):
                    np.testing.assert_array_equal(one, other)


def test_a_shard_that_vanishes_while_training_reads_it_is_one_line(sounds, tmp_path, monkeypatch):
    stored = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path)
    (shard,) = shards(tmp_path)
    shard.unlink()
    monkeypatch.setattr(windows, "IN_MEMORY", 0)
    settings = TrainingSettings(frames=20, epochs=1, batch_size=3)
    pool = keras.layers.GlobalAveragePooling1D()
    model = keras.Sequential([keras.Input((20, 8)), pool, keras.layers.Dense(8)])
    compile_model(model, settings, 2)
    with pytest.raises(store.CacheError, match=rf"^Features cannot be read .*{shard.name}$"):
        fit(model, stored, np.arange(8), settings, 2, CONFIG, seed=0)


def test_windows_to_test_and_to_calibrate_are_the_same_from_disk(sounds, tmp_path):
    stored = store.prepare(sounds[0], CONFIG, sounds[1], tmp_path / "features")
    arrays = extract(sounds[0], CONFIG, sounds[1])
    np.testing.assert_array_equal(
        assess.calibration_windows(stored, 20, CONFIG),
        assess.calibration_windows(arrays, 20, CONFIG),
    )
    np.testing.assert_array_equal(
        evaluation_windows(stored[5], 20, 7, CONFIG), evaluation_windows(arrays[5], 20, 7, CONFIG)
    )


def test_no_more_frames_are_in_memory_than_are_in_use(tmp_path, monkeypatch):
    """Of 3,000 utterances, training for a while reads those of its batches and a few more."""
    array = np.zeros((50, CONFIG.mels), "f4")
    shard = tmp_path / "00000-of-00001.tfrecord"
    sizes = store.write_shard(shard, [[array]] * 3000)
    stored = list(store._stored(shard, sizes, CONFIG.mels))
    reads = []
    read = store.StoredFrames.__array__
    monkeypatch.setattr(
        store.StoredFrames, "__array__", lambda one, *rest: (reads.append(one), read(one, *rest))[1]
    )
    settings = TrainingSettings(frames=20, batch_size=8)
    monkeypatch.setattr(windows, "IN_MEMORY", sum(4 * one.frames * one.mels for one in stored) - 1)
    dataset = windows.training_batches(stored, [0] * 3000, settings, 2, CONFIG, 0)
    taken = list(dataset.take(10))
    assert 80 <= len(reads) <= 8 * (10 + 6) + windows.READ
    assert len({one.offset for one in reads}) == len(reads)
    assert len(taken) == 10
    # A pickle, as another process gets one, holds no frames.
    assert len(pickle.dumps(stored)) < 3000 * array.nbytes / 10


def test_posteriors_are_computed_a_part_at_a_time(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, CONFIG.mels)).astype("f4") for n in (30, 250, 900, 30, 400, 120)]
    sizes = store.write_shard(tmp_path / "a.tfrecord", [[array] for array in arrays])
    stored = list(store._stored(tmp_path / "a.tfrecord", sizes, CONFIG.mels))
    seen = []

    def predict(some):
        seen.append(len(some))
        return some.mean(axis=1)[:, :3]

    whole = assess.posteriors_of({"trained": predict}, arrays, 50, CONFIG)["trained"]
    assert len(seen) == 1
    seen.clear()
    monkeypatch.setattr(assess, "TEST_WINDOWS", 8)
    parts = assess.posteriors_of({"trained": predict}, stored, 50, CONFIG)["trained"]
    np.testing.assert_array_equal(parts, whole)
    assert seen == [14, 8]


def test_the_benchmark_prints_hours_per_minute(tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "recipes/benchmarks/benchmark_features.py"), "--hours=0.01"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "10 files, 0.01 h of 16 kHz audio" in result.stdout
    lines = (
        "computed",
        "read again",
        *(["librosa"] if importlib.util.find_spec("librosa") else []),
    )
    for name in lines:
        assert re.search(rf"{name} +\d+\.\d s, +\d+\.\d hours per minute", result.stdout)
    # TensorFlow compiles what it generates there.
    assert [path for path in tmp_path.iterdir() if path.name != "__pycache__"] == []
