"""Trained models in folders: found by name, loaded late, refused in one line."""

import configparser
import json
import pathlib
import re
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


def front_end(**fields):
    return json.dumps(CONFIG.values | fields).encode()


def trained_on(**fields):
    return json.dumps({"recordings": 9, "levels": [0.0] * CONFIG.mels} | fields).encode()


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("int8.tflite", b"{", "no .tflite file"),
        ("front_end.json", b"{", "no JSON"),
        ("front_end.json", b"[]", "Received: list"),
        (
            "front_end.json",
            front_end(sample_rate="16000"),
            "Received: sample_rate='16000'",
        ),
        ("front_end.json", front_end(sample_rate=0), "`sample_rate` .* Received: sample_rate=0"),
        ("front_end.json", front_end(hop=0), "`hop` .* Received: hop=0"),
        ("front_end.json", front_end(mean=None), "`mean` .* Received: mean=None"),
        ("front_end.json", front_end(equalizer=["a"] * 8), "`equalizer`"),
        ("labels.json", b"{", "Expecting"),
        ("labels.json", b'{"a": 1, "b": 2, "c": 3}', "a list of names"),
        ("labels.json", b'"abc"', "a list of names"),
        ("labels.json", b"[1, 2, 3]", "a list of names"),
        ("labels.json", b'["a", "a", "b"]', "a label is there twice: a, a, b"),
        ("trained_on.json", b"[]", ""),
        ("trained_on.json", trained_on(recordings=0), "no recordings"),
        ("trained_on.json", trained_on(levels=[0.0]), "each of 8 mels"),
        ("trained_on.json", trained_on(heard="0123456789ab"), "10 digits each"),
        ("card.md", b"\xff", "utf-8"),
    ],
)
def test_what_is_damaged_is_told_in_one_line(models, name, content, what):
    (models / "small-noise-3" / name).write_bytes(content)
    with pytest.raises(packaged.ModelError) as caught:
        packaged.read(models / "small-noise-3")
    assert re.fullmatch(
        rf"A model's file is damaged\. Received: \S*small-noise-3/{name} \(.*{what}.*\)",
        str(caught.value),
    )


def test_a_graph_that_ends_early_is_damaged_wherever_it_ends(models):
    path = models / "small-noise-3" / "int8.tflite"
    content = path.read_bytes()
    for size in (0, 9, len(content) // 2, len(content) - 4):
        path.write_bytes(content[:size])
        with pytest.raises(packaged.ModelError, match=rf"damaged\. Received: {path} \("):
            packaged.read(path.parent)


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c", "d"]])
def test_every_output_has_a_label(models, labels):
    path = models / "small-noise-3" / "labels.json"
    path.write_text(json.dumps(labels))
    with pytest.raises(packaged.ModelError) as caught:
        packaged.read(path.parent)
    assert str(caught.value) == (
        f"A model must have a label for each of its outputs: {path}. "
        f"Received: {len(labels)} labels, outputs [1, 3]"
    )


def test_a_keras_file_of_another_model_is_refused(models):
    found = tfhrf.pretrained("small-noise-3")
    keras.Sequential([keras.Input((FRAMES, 8)), keras.layers.Flatten()]).save(
        found.folder / "model.keras"
    )
    with pytest.raises(packaged.ModelError, match=r"model\.keras\. Received: .* to \(None, 480\)"):
        _ = found.model


def test_a_folder_that_is_missing_is_told(models):
    for place in ("runs/x/deployed", pathlib.Path("runs/x/deployed")):
        with pytest.raises(packaged.ModelError) as caught:
            packaged.find(place)
        assert str(caught.value) == (
            "The packaged models are small-noise-3, and there is no such folder. "
            "Received: 'runs/x/deployed'"
        )


def test_a_damaged_keras_file_is_told_when_it_is_asked_for(models):
    (models / "small-noise-3" / "model.keras").write_bytes(b"PK")
    with pytest.raises(packaged.ModelError, match=r"cannot be loaded\. Received: .*model\.keras"):
        _ = tfhrf.pretrained("small-noise-3").model


def test_front_end_and_model_must_fit(models):
    place = models / "small-noise-3"
    packaged.LogMelConfig(mels=9).save(place / "front_end.json")
    with pytest.raises(packaged.ModelError, match=r"same mels: .*\. Received: 8 and 9"):
        packaged.read(place)


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
