"""Trained models in folders: found by name, loaded late, refused in one line."""

import configparser
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
from places import ROOT
from small_models import CONFIG, FRAMES, LABELS, write_model

import tfhrf
from tfhrf.recognition import packaged


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "small-noise-3")


@pytest.fixture
def models(original, tmp_path, monkeypatch):
    """A folder of packaged models, one of them there."""
    shutil.copytree(original, tmp_path / original.name)
    (tmp_path / ".unfinished-small-x").mkdir()
    monkeypatch.setattr(packaged, "FOLDER", tmp_path)
    return tmp_path


def test_a_packaged_model_has_what_one_needs(models, monkeypatch):
    assert packaged.names() == ["small-noise-3"]
    found = tfhrf.pretrained("small-noise-3")
    assert found.config == CONFIG
    assert found.labels == LABELS
    assert found.frames == FRAMES
    assert found.summary == "Calm, tense, glad in noise."
    assert "model" not in vars(found)
    assert found.model is found.model
    assert found.model.output_shape == (None, len(LABELS))
    # What it is made of is what a user makes something else of.
    wide = tfhrf.expand(found.model, where=lambda layer: True)
    windows = np.random.default_rng(0).normal(0, 1, (2, FRAMES, CONFIG.mels)).astype("f4")
    np.testing.assert_allclose(wide(windows), found.model(windows), atol=1e-4)


@pytest.mark.parametrize("name", ["large-noise-3", "../small-noise-3", "", ".unfinished-small-x"])
def test_another_name_is_answered_by_those_there_are(models, name):
    with pytest.raises(packaged.ModelError) as caught:
        tfhrf.pretrained(name)
    assert str(caught.value) == f"The packaged models are small-noise-3. Received: {name!r}"


def test_a_package_without_models_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(packaged, "FOLDER", tmp_path)
    with pytest.raises(packaged.ModelError, match=r"models are none\. Received: 'light-emodb-4'"):
        tfhrf.pretrained()


def test_a_studys_model_is_found_by_its_folder(models, tmp_path):
    deployed = tmp_path / "study" / "deployed"
    shutil.copytree(models / "small-noise-3", deployed)
    (deployed / "model.keras").rename(deployed / "folded.keras")
    (deployed / "labels.json").unlink()
    (deployed / "card.md").unlink()
    (deployed.parent / "made_of.json").write_text(json.dumps({"classes": ["a", "b", "c"]}))
    for place in (deployed, str(deployed)):
        found = packaged.find(place)
        assert found.labels == ("a", "b", "c")
        assert found.summary == found.card == ""
        assert isinstance(found.model, keras.Model)


@pytest.mark.parametrize("name", ["int8.tflite", "front_end.json", "labels.json"])
def test_what_a_folder_lacks_is_named(models, name):
    (models / "small-noise-3" / name).unlink()
    with pytest.raises(packaged.ModelError, match=rf"must have int8.* Received: .*{name} \(No"):
        packaged.read(models / "small-noise-3")


@pytest.mark.parametrize("name", ["int8.tflite", "front_end.json", "labels.json"])
def test_what_is_damaged_is_told_in_one_line(models, name):
    (models / "small-noise-3" / name).write_bytes(b"{")
    with pytest.raises(packaged.ModelError, match=r"damaged\. Received: .*small-noise-3"):
        packaged.read(models / "small-noise-3")


def test_a_damaged_keras_file_is_told_when_it_is_asked_for(models):
    (models / "small-noise-3" / "model.keras").write_bytes(b"PK")
    with pytest.raises(packaged.ModelError, match=r"cannot be loaded\. Received: .*model\.keras"):
        _ = tfhrf.pretrained("small-noise-3").model


def test_front_end_and_model_must_fit(models):
    place = models / "small-noise-3"
    packaged.LogMelConfig(mels=9).save(place / "front_end.json")
    with pytest.raises(packaged.ModelError, match=r"same mels: .*\. Received: 8 and 9"):
        _ = packaged.read(place).frames


def test_models_travel_with_the_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = config["options.package_data"]["tfhrf"].split(", ")
    for name in packaged.FILES:
        path = pathlib.PurePath("pretrained", packaged.DEFAULT, name)
        assert any(path.match(pattern) for pattern in patterns)
    assert ROOT / "tfhrf" / "pretrained" == packaged.FOLDER


def test_the_packages_own_models_are_whole_and_small():
    paths = [path for path in packaged.FOLDER.rglob("*") if path.is_file()]
    assert {path.name for path in paths} <= set(packaged.FILES)
    assert sum(path.stat().st_size for path in paths) <= 1_000_000
    for name in packaged.names():
        found = tfhrf.pretrained(name)
        assert found.model.input_shape == (None, found.frames, found.config.mels)
        assert found.model.output_shape == (None, len(found.labels))
        for words in ("UA", "Licence", "not everyday speech", "must not be used"):
            assert words in found.card
