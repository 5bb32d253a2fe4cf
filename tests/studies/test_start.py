"""Training that starts from a trained model: its function, its front end, a classifier of ours."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import small_models
from small_models import FRAMES, LABELS, write_model
from test_recipes import assert_one_line, corpus, elsewhere, recipe  # noqa: F401

import tfhrf
from tfhrf.data.extract import extract
from tfhrf.data.store import prepare
from tfhrf.log_mel import LogMelConfig
from tfhrf.models import ConvTransformer
from tfhrf.models.devices import DEVICES
from tfhrf.recognition import packaged
from tfhrf.studies.level import as_heard, mean_level
from tfhrf.studies.record import StudyError
from tfhrf.studies.start import continued, start

SHAPE = (FRAMES, small_models.CONFIG.mels)
WINDOWS = np.random.default_rng(0).normal(0, 1, (4, *SHAPE)).astype("f4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "small")


def logits(model):
    return keras.ops.convert_to_numpy(model(WINDOWS, training=False))


@pytest.mark.parametrize("hrf", [0, 2])
def test_the_same_labels_start_with_the_same_function(folder, hrf):
    model = continued(SHAPE, 3, folder, LABELS, hrf)
    trained = packaged.find(folder).model
    np.testing.assert_allclose(logits(model), logits(trained), atol=1e-4)
    assert model.trainable_weights


def test_labels_that_both_have_keep_their_weights(folder):
    keras.utils.set_random_seed(0)
    model = continued(SHAPE, 4, str(folder), ["glad", "bored", "calm", "sad"], 0)
    new, old = logits(model), logits(packaged.find(folder).model)
    assert new.shape == (4, 4)
    np.testing.assert_allclose(new[:, [0, 2]], old[:, [2, 0]], atol=1e-5)
    keras.utils.set_random_seed(1)
    other = logits(continued(SHAPE, 4, str(folder), ["glad", "bored", "calm", "sad"], 0))
    assert np.abs(other[:, [1, 3]] - new[:, [1, 3]]).min() > 1e-4


def test_hrf_is_put_in_and_folds_away(folder):
    wide, plain = (continued(SHAPE, 2, folder, ["x", "y"], hrf) for hrf in (2, 0))
    assert isinstance(wide.get_layer("hidden"), tfhrf.HRFDense)
    assert tfhrf.fold(wide).count_params() == plain.count_params() < wide.count_params()


def test_what_does_not_fit_is_refused(folder):
    with pytest.raises(StudyError, match=r"takes windows of \(60, 8\)\. Received: \(60, 9\)"):
        continued((60, 9), 3, folder, LABELS, 0)
    with pytest.raises(StudyError, match=r"recipe and its --variant\. Received: conformer_light"):
        start(folder, "conformer", ["light"])
    with pytest.raises(packaged.ModelError, match="Received: 'nobody'"):
        start("nobody", "conformer", ["light"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder of a tiny ConvTransformer of two of the corpus's four classes."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    config: LogMelConfig = DEVICES["tiny"]["config"]
    model = ConvTransformer((40, config.mels), 2, "tiny")
    windows = np.random.default_rng(0).normal(0, 1, (8, 40, config.mels)).astype("f4")
    folder.mkdir()
    tfhrf.fold(model).save(folder / "model.keras")
    (folder / "int8.tflite").write_bytes(tfhrf.to_tflite(tfhrf.fold(model), windows))
    config.save(folder / "front_end.json")
    (folder / "labels.json").write_text(json.dumps(["sadness", "anger"]))
    (folder / "level.json").write_text("0.75\n")
    return folder


def test_the_recipe_trains_on(corpus, tiny, tmp_path):  # noqa: F811
    out = tmp_path / "study"
    arguments = ["--dataset=emodb", f"--data_dir={corpus}", "--epochs=1", "--folds=1"]
    arguments += [f"--out={out}", f"--from={tiny}", "--hrf=2"]
    done = recipe(*arguments, "--variant=tiny")
    assert done.returncode == 0, done.stderr
    settings = json.loads((out / "settings.json").read_text())
    assert settings["from"] == str(tiny)
    made_of = json.loads((out / "made_of.json").read_text())
    assert made_of["training"]["frames"] == 40
    assert made_of["training"]["learning_rate"] == 2e-3
    assert LogMelConfig.load(out / "front_end.json") == packaged.find(tiny).config
    results = json.loads((out / "results.json").read_text())
    assert results["parameters"]["trained"] > results["parameters"]["folded"]
    assert results["folding error"] <= 1e-5
    # What a fold trains on is as loud as what trained the model; whom it tests decides nothing.
    (place,) = (path.parent for path in out.glob("*/fold.json"))
    own = LogMelConfig.load(place / "front_end.json")
    assert (
        dataclasses.replace(own, mean=packaged.find(tiny).config.mean) == packaged.find(tiny).config
    )
    trained = [path for path in sorted(corpus.rglob("*.wav")) if path.name[:2] != place.name]
    assert len(trained) == 16
    assert mean_level(extract(trained, own)) == pytest.approx(0.75, abs=1e-4)
    assert_one_line(recipe(*arguments, "--variant=light"), "conv_transformer_tiny")


def test_a_fold_is_heard_as_its_front_end_computes(corpus, tmp_path):  # noqa: F811
    paths = sorted(corpus.rglob("*.wav"))[:3]
    config = LogMelConfig()
    stored = prepare(paths, config)
    assert as_heard(stored, config, tmp_path) == (stored, config)
    own = dataclasses.replace(config, mean=-2.5)
    own.save(tmp_path / "front_end.json")
    heard, found = as_heard(stored, config, tmp_path)
    assert found == own
    for one, frames in zip(heard, extract(paths, own), strict=True):
        np.testing.assert_allclose(np.asarray(one), frames, atol=1e-6)
