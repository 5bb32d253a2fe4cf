"""A cross-validated study: train, fold, quantize, test on held-out speakers, resume, report.

Everything goes under one folder: a folder per fold, each complete or absent, the deployed model
(trained on all speakers), and `results.json`, which the fold folders make again at any time.
"""

import json
import pathlib
import time

import keras
import numpy as np

from tfhrf import micro
from tfhrf.accounting import summary
from tfhrf.evaluation import save_confusion_picture
from tfhrf.features import LogMelConfig, extract
from tfhrf.files import replacing_folder, write_bytes, write_text
from tfhrf.folding import fold as fold_model
from tfhrf.folds import Fold, leave_one_speaker_out
from tfhrf.progress import progress_bar
from tfhrf.report import DEPLOYED, collect
from tfhrf.tflite import to_tflite
from tfhrf.tflm import to_tflm
from tfhrf.training import compile_model, fit, inference, restart
from tfhrf.windows import test_windows, utterance_posteriors

HOP = 100  # frames between test windows, 1 s
CALIBRATION_WINDOWS = 200


class StudyError(ValueError):
    """A study cannot run as asked; the message is one line that names the culprit."""


def run(build, utterances, training, settings, out, fold_numbers=None, config=None):
    """Cross-validates a backbone, speaker by speaker, and trains the model to deploy.

    Folds that are already under `out` are not trained again.

    Args:
        build: function of (input_shape, classes) that returns a new model.
        utterances: list of Utterance.
        training: TrainingSettings.
        settings: what the user asked for, a dict of plain values with at least "dataset",
            "model" and "seed"; a study under `out` must have been asked for with the same.
        out: folder of the study.
        fold_numbers: which folds to run, from 1; all of them and the deployed model if None.
        config: LogMelConfig; its default if None.

    Returns:
        The content of `results.json`.

    Raises:
        StudyError: `out` holds another study, or a fold number does not exist.
        AudioError: a recording cannot be used. Nothing is written then.
    """
    out = pathlib.Path(out)
    config = config or LogMelConfig()
    labels = sorted({utterance.label for utterance in utterances})
    targets = np.array([labels.index(utterance.label) for utterance in utterances])
    folds = _chosen(leave_one_speaker_out(utterances), fold_numbers)
    _check_same(out, settings)
    features = extract([utterance.path for utterance in utterances], config)

    write_text(out / "settings.json", json.dumps(settings, indent=2) + "\n")
    config.save(out / "front_end.json")
    if fold_numbers is None:
        folds.append(Fold(DEPLOYED, list(range(len(utterances))), []))
    missing = [fold for fold in folds if not (out / fold.name / "fold.json").exists()]
    if missing:
        _train_folds(missing, build, features, targets, labels, training, settings, out, config)
    results = collect(out, labels)
    write_text(out / "results.json", json.dumps(results, indent=2) + "\n")
    for kind, score in results["scores"].items():
        title = f"{settings['dataset']}, {kind}: UA {score['ua']:.3f}"
        save_confusion_picture(out / f"confusion_{kind}.png", score["confusion"], labels, title)
    return results


def fold_numbers(texts):
    """Fold numbers from the texts of a flag; None stays None.

    Raises:
        StudyError: a text is not a number.
    """
    if texts is None:
        return None
    for text in texts:
        if not text.strip().isdecimal():
            raise StudyError(f"Folds are numbers from 1. Received: {text!r}")
    return [int(text) for text in texts]


def _chosen(folds, numbers):
    if numbers is None:
        return folds
    for number in numbers:
        if not 1 <= number <= len(folds):
            raise StudyError(f"There are folds 1 to {len(folds)}. Received: fold {number}")
    return [folds[number - 1] for number in numbers]


def _check_same(out, settings):
    path = out / "settings.json"
    if not path.exists():
        return
    before = json.loads(path.read_text())
    for name in sorted({*before, *settings}):
        if before.get(name) != settings.get(name):
            raise StudyError(
                f"{out} holds a study with {name}={before.get(name)!r}; choose another folder. "
                f"Received: {name}={settings.get(name)!r}"
            )


def _train_folds(folds, build, features, targets, labels, training, settings, out, config):
    shape = (training.frames, config.mels)
    # One number of steps for every fold: the graph is traced once.
    steps_per_epoch = max(1, len(features) // training.batch_size)

    seed = settings["seed"]
    keras.utils.set_random_seed(seed)
    model = build(shape, len(labels))
    initial = [variable.numpy() for variable in model.variables]
    compile_model(model, training, steps_per_epoch)
    predict = inference(model)
    print(f"Training {len(folds)} folds of {training.epochs} epochs")
    bar = progress_bar(len(folds) * training.epochs, "epoch")
    advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.add(1))
    for fold in folds:
        with replacing_folder(out / fold.name) as folder:
            clock = StepClock()
            start = time.perf_counter()
            restart(model, initial)
            board = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
            chosen = [features[i] for i in fold.train]
            fit(
                model,
                chosen,
                targets[fold.train],
                training,
                steps_per_epoch,
                config,
                seed,
                [clock, advance, board],
            )
            windows = [test_windows(features[i], training.frames, HOP, config) for i in fold.test]
            logits = {"trained": predict(np.concatenate(windows))} if windows else {}
            seconds = {"training and test": time.perf_counter() - start, "steps": clock.seconds}
            start = time.perf_counter()
            record = _export(
                model, predict, chosen, windows, logits, labels, settings, config, folder
            )
            seconds["folding and quantization"] = time.perf_counter() - start
            record.update(fold=fold.name, targets=targets[fold.test].tolist(), seconds=seconds)
            write_text(folder / "fold.json", json.dumps(record) + "\n")


def _export(model, predict, train_features, windows, logits, labels, settings, config, folder):
    """Folds, quantizes and tests the trained model; writes its files; returns what to record."""
    frames = model.input_shape[1]
    model.save(folder / "trained.keras")
    folded = fold_model(model)
    folded.save(folder / "folded.keras")
    calibration = np.concatenate([test_windows(one, frames, HOP, config) for one in train_features])
    picked = np.linspace(0, len(calibration) - 1, min(len(calibration), CALIBRATION_WINDOWS))
    calibration = calibration[picked.astype(int)]
    content = to_tflite(folded, calibration, "int8")
    write_bytes(folder / "int8.tflite", content)

    predict_folded = inference(folded)
    expected = predict(calibration)
    difference = np.abs(predict_folded(calibration) - expected).max()
    record = {
        "folding error": float(difference / np.abs(expected).max()),
        "int8 bytes": len(content),
        "parameters": {"trained": model.count_params(), "folded": folded.count_params()},
    }
    if windows:
        stacked = np.concatenate(windows)
        logits["folded"] = predict_folded(stacked)
        if micro.available():
            logits["int8"] = micro.predict(content, stacked)
        counts = [len(one) for one in windows]
        record["posteriors"] = {
            kind: utterance_posteriors(values, counts).tolist() for kind, values in logits.items()
        }
    else:
        name = f"{settings['dataset']}_{settings['model']}"
        record["tflm"] = to_tflm(content, folder / "tflm", name, labels)
        config.save(folder / "front_end.json")
        record["summary"] = str(summary(model))
    return record


class StepClock(keras.callbacks.Callback):
    """Adds up the time of the training steps alone."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds += time.perf_counter() - self.start
