"""Training again and again with one compiled model."""

import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from places import ROOT

from tfhrf.hrf.layers import HRFDense
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies.defaults import MUCH, fine_for, settings_for, window_for
from tfhrf.studies.training import (
    TrainingError,
    TrainingSettings,
    compile_model,
    fit,
    fit_averaged,
    inference,
    restart,
)

CONFIG = LogMelConfig(mels=8)
SETTINGS = TrainingSettings(frames=30, epochs=2, batch_size=4)
STEPS = 3


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = [
        keras.Input((30, 8)),
        HRFDense(8, activation="relu"),
        layers.Dropout(0.3),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
    ]
    return keras.Sequential(stack)


@pytest.mark.parametrize(("utterances", "steps"), [(40, 2_000), (1_440, 10_800), (60_000, 30_000)])
def test_the_size_of_a_corpus_decides_the_number_of_steps(utterances, steps):
    settings = settings_for(utterances)
    found = settings.epochs * settings.steps_per_epoch(utterances)
    assert found == pytest.approx(steps, rel=0.1)
    assert dataclasses.replace(settings, epochs=240) == TrainingSettings()
    shared = settings_for(utterances, averaged=3)
    assert 3 * shared.epochs * settings.steps_per_epoch(utterances) == pytest.approx(steps, rel=0.1)
    given = settings_for(utterances, epochs=7, frames=80)
    assert given == TrainingSettings(epochs=7, frames=80)


@pytest.mark.parametrize(
    ("before", "counts"), [(None, False), (50 * MUCH - 1, False), (50 * MUCH, True)]
)
def test_a_start_of_many_more_recordings_counts(before, counts):
    settings = settings_for(50, **fine_for(before, 50))
    assert (settings.averaged, settings.start_counts) == (3, counts)


@pytest.mark.parametrize(
    ("lengths", "frames"), [([90] * 30 + [400], 100), ([100, 101], 120), ([3], 20), ([700], 300)]
)
def test_a_window_holds_most_utterances_but_is_bounded(lengths, frames):
    assert window_for(lengths, LogMelConfig()) == frames
    # The bound is in seconds.
    assert window_for(lengths, LogMelConfig(hop=320)) == min(frames, 140)


def corpus():
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 2
    features = [rng.normal(label, 1.0, (40, 8)).astype("f4") for label in labels]
    return features, labels


def test_a_restarted_model_repeats_its_training_exactly_and_is_traced_once(model):
    initial = [variable.numpy() for variable in model.variables]
    compile_model(model, SETTINGS, STEPS)
    traced = []
    train_step = model.train_step
    model.train_step = lambda data: (traced.append(1), train_step(data))[1]
    weights = []
    for _ in range(3):
        restart(model, initial)
        fit(model, *corpus(), SETTINGS, STEPS, CONFIG, seed=1)
        weights.append(model.get_weights())
        if len(weights) == 1:
            after_first = len(traced)
    assert len(traced) == after_first
    for first, *others in zip(*weights, strict=True):
        for other in others:
            np.testing.assert_array_equal(first, other)
    assert any((a != b).any() for a, b in zip(initial, weights[0], strict=False))


def test_training_learns(model):
    settings = dataclasses.replace(SETTINGS, epochs=60)
    compile_model(model, settings, STEPS)
    features, labels = corpus()
    fit(model, features, labels, settings, STEPS, CONFIG, seed=1)
    logits = inference(model)(np.stack([one[:30] for one in features]))
    assert logits.shape == (12, 2)
    assert (logits.argmax(axis=1) == labels).mean() == 1.0


def test_the_learning_curve_is_watched_without_changing_anything(model):
    initial = [variable.numpy() for variable in model.variables]
    compile_model(model, SETTINGS, STEPS)
    features, labels = corpus()
    curve = fit(model, features, labels, SETTINGS, STEPS, CONFIG, seed=1)
    weights = model.get_weights()
    assert list(curve) == ["accuracy", "loss"]
    restart(model, initial)
    watched = fit(
        model,
        features,
        labels,
        SETTINGS,
        STEPS,
        CONFIG,
        seed=1,
        validation=(features[:7], labels[:7]),
    )
    assert {name: watched[name] for name in curve} == curve
    assert all(len(values) == SETTINGS.epochs for values in watched.values())
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    logits = inference(model)(np.stack([one[5:35] for one in features[:7]]))
    accuracy = (logits.argmax(axis=1) == labels[:7]).mean()
    assert watched["validation accuracy"][-1] == pytest.approx(accuracy)


def test_averaged_trainings_leave_the_mean_of_their_weights(model):
    initial = [variable.numpy() for variable in model.variables]
    compile_model(model, SETTINGS, STEPS)
    start, ends, curves = model.get_weights(), [], []
    for seed in (1, 2):
        restart(model, initial)
        curves.append(fit(model, *corpus(), SETTINGS, STEPS, CONFIG, seed))
        ends.append(model.get_weights())
    states = [v.numpy() for v in model.variables if v.dtype == "uint32"]
    both = fit_averaged(model, initial, *corpus(), SETTINGS, STEPS, CONFIG, [1, 2])
    assert both == {name: curves[0][name] + curves[1][name] for name in curves[0]}
    for first, second, mean in zip(*ends, model.get_weights(), strict=True):
        np.testing.assert_allclose(mean, (first + second) / 2, rtol=1e-6, atol=1e-7)
    assert any((first != second).any() for first, second in zip(*ends, strict=True))
    for before, variable in zip(
        states, [v for v in model.variables if v.dtype == "uint32"], strict=True
    ):
        np.testing.assert_array_equal(before, variable.numpy())
    # The start's weights may count as one more.
    counted = dataclasses.replace(SETTINGS, start_counts=True)
    fit_averaged(model, initial, *corpus(), counted, STEPS, CONFIG, [1, 2])
    for *three, mean in zip(start, *ends, model.get_weights(), strict=True):
        np.testing.assert_allclose(mean, np.mean(three, axis=0), rtol=1e-5, atol=1e-7)
    # One alone is as if nothing were averaged.
    fit_averaged(model, initial, *corpus(), SETTINGS, STEPS, CONFIG, [1])
    for one, end in zip(model.get_weights(), ends[0], strict=True):
        np.testing.assert_array_equal(one, end)


def test_divergence_is_an_error(model):
    features, labels = corpus()
    features[3][:] = np.inf
    compile_model(model, SETTINGS, STEPS)
    with pytest.raises(TrainingError, match=r"diverged.*learning_rate=0.006"):
        fit(model, features, labels, SETTINGS, STEPS, CONFIG, seed=1)


def losses(devices):
    """Losses of two trainings with one restarted model, on some of two logical devices."""
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices("CPU")][:devices]
    strategy = (
        tf.distribute.MirroredStrategy(names) if devices > 1 else tf.distribute.get_strategy()
    )
    keras.utils.set_random_seed(0)
    # Large enough that gradients are clipped; dropout would draw other numbers on each device.
    settings = dataclasses.replace(SETTINGS, epochs=3)
    features, labels = corpus()
    features = [10 * one for one in features]
    curves = []
    with strategy.scope():
        layers = keras.layers
        stack = [keras.Input((30, 8)), HRFDense(8, activation="relu")]
        model = keras.Sequential([*stack, layers.GlobalAveragePooling1D(), layers.Dense(2)])
        compile_model(model, settings, STEPS)
        initial = [variable.numpy() for variable in model.variables]
        for _ in range(2):
            restart(model, initial)
            watched = (features[:5], labels[:5])
            curves.append(
                fit(model, features, labels, settings, STEPS, CONFIG, 1, validation=watched)
            )
    assert model.distribute_strategy.num_replicas_in_sync == devices
    return curves


def print_losses():
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    print(json.dumps([losses(1), losses(2)]))


def test_two_devices_share_a_batch_and_learn_what_one_learns():
    # In a process of its own: devices cannot be divided later.
    folders = ROOT, ROOT / "tests", ROOT / "tests/studies"
    result = subprocess.run(
        [sys.executable, "-c", "import test_training; test_training.print_losses()"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    one, two = json.loads(result.stdout.splitlines()[-1])
    assert one[0] == one[1]
    assert two[0] == two[1]
    for name, values in one[0].items():
        assert two[0][name] == pytest.approx(values, rel=1e-5)
    assert one[0]["loss"][-1] < one[0]["loss"][0]
