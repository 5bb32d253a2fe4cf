"""Training that starts from a trained model: its function, its front end, a classifier of ours."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import small_models
import soundfile
from recipes_run import assert_one_line, train
from small_models import FRAMES, LABELS, write_model
from small_studies import recordings, run
from sounds import write_wav
from test_recipes import corpus, elsewhere  # noqa: F401

import tfhrf
from tfhrf.data.corpora import Utterance
from tfhrf.data.extract import extract
from tfhrf.data.folds import Fold
from tfhrf.data.store import prepare
from tfhrf.log_mel import LogMelConfig
from tfhrf.models import ConvTransformer
from tfhrf.models.devices import DEVICES
from tfhrf.recognition import packaged
from tfhrf.studies.level import as_heard, equalized, mel_levels
from tfhrf.studies.record import StudyError
from tfhrf.studies.start import begun_from, check_unheard, continued, start, usual

LEVELS = np.linspace(0.8, 0.4, DEVICES["tiny"]["config"].mels).round(2).tolist()
RECORDINGS = 24  # of the corpus
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


def test_the_settings_say_how_the_model_is_found_again(folder, monkeypatch):
    for source in (folder, f"{folder}/"):
        assert begun_from(packaged.find(source))["from"] == str(folder)
    monkeypatch.setattr(packaged, "FOLDER", folder.parent)
    for source in ("small", folder):
        assert begun_from(packaged.find(source))["from"] == "small"


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
        start(folder, "conformer", ["light"], "table")
    with pytest.raises(packaged.ModelError, match="Received: 'nobody'"):
        start("nobody", "conformer", ["light"], "table")


def test_what_the_start_has_heard_is_not_tested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    everyone = recordings(tmp_path / "sounds", "abcd", 2)
    first, then = everyone[:4], everyone[4:]
    run(tmp_path / "first", first)
    begun = packaged.find(tmp_path / "first/deployed")
    assert (begun.datasets, len(begun.heard)) == (("own",), 4)
    with pytest.raises(StudyError, match=r"trained on 2 of the 4 utterances.*Received: .*first"):
        run(tmp_path / "again", everyone[2:6], begun=begun)
    # Where nothing is tested, recordings may be heard again.
    run(tmp_path / "again", everyone[2:6], begun=begun, fold_numbers=[])

    run(tmp_path / "then", then, begun=begun)
    begun = packaged.find(tmp_path / "then/deployed")
    assert len(begun.heard) == 8
    with pytest.raises(StudyError, match=r"deployed was trained on 4 of the 4 utterances"):
        run(tmp_path / "again", first, begun=begun)


def test_no_packaged_model_starts_where_its_own_corpus_is_tested():
    found = {name: packaged.pretrained(name) for name in packaged.names()}
    assert {name: one.datasets for name, one in found.items()} == {
        name: ("emodb" if "emodb" in name else "cremad",) for name in found
    }
    for name, one in found.items():
        # A few of CREMA-D have the same bytes.
        assert 0.99 * one.recordings < len(one.heard) <= one.recordings
        backbone, _, variant = one.model.name.rpartition("_")
        start(name, backbone, [variant], "ravdess")
        with pytest.raises(StudyError, match=rf"trained on {one.datasets[0]}.*Received: --from="):
            start(name, backbone, [variant], one.datasets[0])


def long_ones(folder, count=40):
    """Utterances of three seconds, in one file."""
    path = write_wav(folder / "long.wav", np.zeros(60_000), 16_000)
    return [Utterance(path, "a", "s", "s", (0.0, 3.5 - 0.01 * (i % 2))) for i in range(count)]


def test_what_training_starts_from_follows_from_the_recordings(tmp_path, capsys):
    light, some = ("conv_transformer", ["light"]), long_ones(tmp_path)
    begun, settings = usual(*light, "table", some)
    assert settings["from"] == begun.name == packaged.START
    assert usual(*light, "table", some * 9)
    assert capsys.readouterr().out.count("--from=none trains from scratch\n") == 2
    # Too many, as short ones, of a corpus that it heard, or for another model.
    assert usual(*light, "table", some * 10) is None
    assert usual(*light, "table", [one._replace(span=(0.0, 2.0)) for one in some]) is None
    assert usual(*light, "cremad", some) is None
    named = [some[0]._replace(path=tmp_path / "1001_DFA_ANG_XX.flac"), *some]
    assert usual(*light, "table", named) is None
    assert usual("conformer", ["light"], "table", some) is None
    assert usual("conv_transformer", ["light", "large"], "table", some) is None
    # What cannot be read is for who decodes it.
    assert usual(*light, "table", [some[0]._replace(path=tmp_path / "no", span=None)]) is None
    assert capsys.readouterr().out == ""


def test_a_copy_in_another_format_is_not_tested_either(tmp_path):
    begun = packaged.pretrained("light-cremad-6")
    named = [
        Utterance(tmp_path / f"{stem}.flac", "a", "s", "s")
        for stem in ("1001_DFA_ANG_XX", "1090_IEO_SAD_HI", "other")
    ]
    with pytest.raises(StudyError, match=r"trained on 2 of the 3 utterances"):
        check_unheard(begun, named, ["x", "y", "z"], [Fold("f", [], [], [0, 1, 2])])
    check_unheard(begun, named, ["x", "y", "z"], [Fold("f", [0, 1], [], [2])])


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
    heard = {"recordings": 10 * RECORDINGS, "levels": LEVELS}
    (folder / "trained_on.json").write_text(json.dumps(heard))
    return folder


def test_the_recipe_trains_on(corpus, tiny, tmp_path):  # noqa: F811
    out = tmp_path / "study"
    arguments = ["--dataset=emodb", f"--data_dir={corpus}", "--epochs=1", "--folds=1"]
    arguments += [f"--out={out}", f"--from={tiny}", "--hrf=2"]
    done = train(*arguments, "--variant=tiny")
    assert done.returncode == 0, done.stderr
    settings = json.loads((out / "settings.json").read_text())
    assert settings["from"] == str(tiny)
    made_of = json.loads((out / "made_of.json").read_text())
    assert made_of["training"]["frames"] == 40
    assert made_of["training"]["learning_rate"] == 2e-3
    assert made_of["training"]["averaged"] == 3
    # Of ten times as many recordings.
    assert made_of["training"]["start_counts"] is True
    assert LogMelConfig.load(out / "front_end.json") == packaged.find(tiny).config
    assert f", conv_transformer, started from {tiny}\n" in done.stdout
    results = json.loads((out / "results.json").read_text())
    assert results["parameters"]["trained"] > results["parameters"]["folded"]
    assert results["folding error"] <= 1e-5
    (fold,) = out.glob("*/fold.json")
    assert len(json.loads(fold.read_text())["history"]["loss"]) == 3
    # What a fold trains on is as loud as what trained the model; whom it tests decides nothing.
    (place,) = (path.parent for path in out.glob("*/fold.json"))
    own = LogMelConfig.load(place / "front_end.json")
    base = packaged.find(tiny).config
    assert dataclasses.replace(own, mean=base.mean, equalizer=()) == base != own
    trained = [path for path in sorted(corpus.rglob("*.wav")) if path.name[:2] != place.name]
    assert len(trained) == 16
    np.testing.assert_allclose(mel_levels(extract(trained, own)), LEVELS, atol=0.02)
    assert_one_line(train(*arguments, "--variant=light"), "conv_transformer_tiny")


@pytest.mark.parametrize("step", [0.0, 2.5])
def test_recordings_become_as_loud_as_the_models_and_silence_stays(corpus, tmp_path, step):  # noqa: F811
    paths = sorted(corpus.rglob("*.wav"))[:3]
    samples, rate = soundfile.read(paths[0])
    paths.append(write_wav(tmp_path / "pauses.wav", np.pad(samples, 2 * rate)))
    config = dataclasses.replace(LogMelConfig(), equalizer=(-1.0,) * 64 if step else ())
    stored = prepare(paths, config)
    assert as_heard(stored, config, config) == stored
    # Louder throughout; the higher, the less, and one mel deeper than an equalizer goes.
    wanted = mel_levels(stored) + 0.5 - 0.01 * step * np.arange(64)
    wanted[40] -= 9.0 * (step > 0)
    own = equalized(config, stored, wanted)
    assert own.silence == pytest.approx(config.silence + 0.5, abs=1e-6)
    heard = as_heard(stored, config, own)
    for one, frames in zip(heard, extract(paths, own), strict=True):
        np.testing.assert_allclose(np.asarray(one), frames, atol=1e-5)
    np.testing.assert_allclose(np.asarray(heard[3])[0], own.silence, atol=1e-6)
    again = equalized(own, heard, mel_levels(heard))
    assert again.mean == pytest.approx(own.mean)
    assert again.equalizer == own.equalizer


def test_mels_without_a_sound_do_not_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    time = np.arange(16_000) / 16_000
    low = write_wav(tmp_path / "low.wav", 0.3 * np.sin(2 * np.pi * 300 * time))
    config = LogMelConfig(floor=1e-3)
    stored = prepare([low], config)
    silent = mel_levels(stored) <= config.silence + 1e-3
    assert 10 < silent.sum() < 60
    own = equalized(config, stored, np.zeros(64))
    assert {own.equalizer[i] for i in np.flatnonzero(silent)} == {0.0}
    found = np.asarray(as_heard(stored, config, own)[0])
    assert (found[:, silent] == own.silence).all()
    assert found[:, ~silent].mean(axis=0).max() == pytest.approx(0, abs=0.01)
    quiet = write_wav(tmp_path / "quiet.wav", np.zeros(16_000))
    assert equalized(config, prepare([quiet], config), np.zeros(64)) == config
