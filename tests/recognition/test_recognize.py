"""What a model says of a sound file, against the same windows taken through the study's code."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from needs import needs_tflm
from places import ROOT
from small_models import CONFIG, FRAMES, LABELS, write_model
from sounds import write_broken, write_wav

import tfhrf
from tfhrf.data.decode import AudioError
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.recognition import packaged, recognize

LEVELS = 0.02  # of a posterior, for a few steps of the logits' scale


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def sound(tmp_path):
    """2.345 s that change on the way."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1, 37_520) * np.geomspace(0.3, 0.01, 37_520)
    return write_wav(tmp_path / "sound.wav", np.clip(samples, -1, 1))


def posteriors_of(found):
    return np.array([list(one.posteriors.values()) for one in found.windows])


def expected(folder, path, hop, kind):
    """The posteriors of the windows by TensorFlow's front end and the study's runners."""
    (features,) = extract([path], CONFIG)
    windows = evaluation_windows(features, FRAMES, hop, CONFIG)
    model = packaged.find(folder)
    if kind == "float32":
        logits = model.model(windows, training=False).numpy()
    else:
        logits = runners.predict(model.int8, windows)
    return utterance_posteriors(logits, [1] * len(logits))


def test_float_posteriors_are_those_of_a_study(folder, sound):
    found = tfhrf.recognize(sound, folder, precision="float32")
    wanted = expected(folder, sound, CONFIG.hop_frames, "float32")
    np.testing.assert_allclose(posteriors_of(found), wanted, atol=1e-4)
    np.testing.assert_allclose(list(found.posteriors.values()), wanted.mean(axis=0), atol=1e-4)
    assert found.label == LABELS[wanted.mean(axis=0).argmax()]
    assert tuple(found.posteriors) == LABELS


@needs_tflm
def test_int8_posteriors_are_those_of_a_study(folder, sound):
    found = tfhrf.recognize(str(sound), packaged.find(str(folder)), every=0.1)
    wanted = expected(folder, sound, 10, "int8")
    np.testing.assert_allclose(posteriors_of(found), wanted, atol=LEVELS)
    # The last bits of a frame may fall on the other side of a level, seldom.
    assert np.mean(np.abs(posteriors_of(found) - wanted) < 1e-6) > 0.8


def test_without_the_wheel_other_kernels_compute_int8(folder, sound, monkeypatch):
    with_wheel = tfhrf.recognize(sound, folder)
    monkeypatch.setattr(runners, "available", lambda: False)
    without = tfhrf.recognize(sound, folder)
    np.testing.assert_allclose(posteriors_of(without), posteriors_of(with_wheel), atol=LEVELS)


@pytest.mark.parametrize("together", [1, 2, 3, 7])
def test_windows_are_the_same_however_many_are_in_memory(folder, sound, monkeypatch, together):
    wanted = expected(folder, sound, 25, "float32")
    monkeypatch.setattr(recognize, "TOGETHER", together)
    found = tfhrf.recognize(sound, folder, every=0.25, precision="float32")
    np.testing.assert_allclose(posteriors_of(found), wanted, atol=1e-4)


def test_windows_say_when(folder, sound, tmp_path):
    found = tfhrf.recognize(sound, folder, every=0.5).windows
    # A window of 60 frames is 0.6 s; the last one is flush with the 233 frames.
    np.testing.assert_allclose([one.start for one in found], [0, 0.5, 1.0, 1.5, 1.73], atol=1e-9)
    np.testing.assert_allclose([one.end for one in found], [0.6, 1.1, 1.6, 2.1, 2.33], atol=1e-9)
    short = write_wav(tmp_path / "short.wav", np.random.default_rng(0).normal(0, 0.1, 4000))
    (window,) = tfhrf.recognize(short, folder, every=0.5).windows
    assert (window.start, window.end) == (0.0, 0.25)


def test_silence_that_the_front_end_cuts_is_counted(folder, tmp_path):
    model = write_model(tmp_path / "trimmed", dataclasses.replace(CONFIG, trim=True))
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1e-4, 48_000)
    samples[16_000:32_000] += rng.normal(0, 0.2, 16_000)
    found = tfhrf.recognize(write_wav(tmp_path / "late.wav", samples), model).windows
    assert 0.5 < found[0].start <= 1.0
    assert 1.9 < found[-1].end < 2.7


def test_silence_is_known(folder, sound, tmp_path):
    silent = write_wav(tmp_path / "silent.wav", np.zeros(16_000))
    assert tfhrf.recognize(silent, folder).silent
    # A single sample of 16 bits is less than the front end hears.
    click = np.zeros(16_000)
    click[9000] = 2**-15
    assert tfhrf.recognize(write_wav(tmp_path / "click.wav", click), folder).silent
    click[9000] = 0.5
    assert not tfhrf.recognize(write_wav(tmp_path / "loud.wav", click), folder).silent
    assert not tfhrf.recognize(sound, folder).silent


def test_what_cannot_be_used_is_named(folder, tmp_path, sound):
    with pytest.raises(AudioError, match=r"does not exist\. Received: .*none\.wav$"):
        tfhrf.recognize(tmp_path / "none.wav", folder)
    with pytest.raises(AudioError, match="not a known audio format"):
        tfhrf.recognize(write_broken(tmp_path, "junk"), folder)
    short = write_wav(tmp_path / "short.wav", np.zeros(300))
    with pytest.raises(AudioError, match=r"shorter than one frame .* \(300 samples\)"):
        tfhrf.recognize(short, folder)
    with pytest.raises(ValueError, match=r"positive number of seconds\. Received: 0"):
        tfhrf.recognize(sound, folder, every=0)
    for every in ("1", float("nan"), [1.0]):
        with pytest.raises(ValueError, match=r"^`every` .* positive number of seconds\. Rec"):
            tfhrf.recognize(sound, folder, every=every)
    with pytest.raises(ValueError, match=r"'float32'\. Received: 'int4'"):
        tfhrf.recognize(sound, folder, precision="int4")


@needs_tflm
def test_an_answer_as_a_device_computes_it_loads_no_tensorflow(folder, sound):
    code = (
        "import sys, tfhrf; print(tfhrf.recognize(*sys.argv[1:]).label); "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(sound), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in LABELS
