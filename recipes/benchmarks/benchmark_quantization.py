"""What quantization, pruning and clustering cost the folded models of a finished study.

python recipes/benchmarks/benchmark_quantization.py --data_dir=PATH/TO/emodb runs/STUDY
python recipes/benchmarks/benchmark_quantization.py --data_dir=PATH/TO/emodb --what=steps \
    --held_out=03,08,09,10,11,12,13,14,15,16 runs/STUDY

Of windows of held-out speakers: signal to noise of the integer logits, as TensorFlow Lite Micro
computes them, against the float model's, share of equal decisions, accuracy; in C flash, RAM and
instructions. Then, of all these speakers' utterances, UA of every way.
"""

import collections
import copy
import pathlib
from typing import NamedTuple, get_args

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from tfhrf.compression.pipeline import compress
from tfhrf.data.corpora.text import composed
from tfhrf.data.store import prepare
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import convert, fidelity
from tfhrf.deploy.tflite.balance import balance
from tfhrf.files import safe_name
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import cli, material, record, shrink
from tfhrf.studies.assess import calibration_windows
from tfhrf.studies.level import as_heard, front_end_of
from tfhrf.studies.metrics import confusion_counts, recall
from tfhrf.studies.results import record_of
from tfhrf.studies.study_files import FOLDED, FRONT_END, SETTINGS

material.define_places()
flags.DEFINE_list("held_out", ["03"], "Names of the folds, such as held-out speakers.")
flags.DEFINE_list("what", ["ranges", "steps"], "ranges, steps or both.")
flags.DEFINE_integer("steps", 500, "Of each training after the fold.", lower_bound=1)
# Arguments of `compress` whose steps are measured.
WAYS = {
    "qat": {"quantize": "qat"},
    "prune": {"prune": 0.5, "quantize": "qat"},
    "cluster": {"cluster": 16, "quantize": "qat"},
}
flags.DEFINE_list("ways", [*WAYS], "Ways to make models small, of qat, prune and cluster.")
for name, values in (("what", ("ranges", "steps")), ("ways", tuple(WAYS))):
    flags.register_validator(
        name,
        lambda given, values=values: set(given) <= set(values),
        f"values are of <{'|'.join(values)}>",
    )


def windows_of(features, indices, frames, config):
    """(windows of some utterances, number of the utterance of each)."""
    each = [evaluation_windows(features[i], frames, config.hop_frames, config) for i in indices]
    places = np.repeat(indices, [len(one) for one in each])
    return np.concatenate(each), places


class Heard(NamedTuple):
    """What models are tested on: windows, class and number of the utterance of each, and logits
    of the float model."""

    windows: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    expected: np.ndarray


def counted(heard, logits):
    """Confusions of the utterances; posteriors of their windows are averaged."""
    _, first, counts = np.unique(heard.places, return_index=True, return_counts=True)
    return np.array(confusion_counts(heard.labels[first], utterance_posteriors(logits, counts)))


def line(fold, way, content, heard, counts):
    """A line of the table, an integer graph beside the float model's logits; `counts` of the way
    grow by its confusions."""
    logits = runners.predict(content, heard.windows)
    counts[way] += counted(heard, logits)
    decided = logits.argmax(axis=1)
    return (
        f"{f'{fold} {way}':34}{fidelity.signal_to_noise(heard.expected, logits):7.1f}"
        f"{np.mean(decided == heard.expected.argmax(axis=1)):8.3f}"
        f"{np.mean(decided == heard.labels):8.3f}"
    )


def ranges(fold, model, calibration, heard, counts):
    graph = convert.float_graph(model, "int8")
    balanced = copy.deepcopy(graph)
    balance(balanced, [calibration])
    for word, tried in (("", graph), (", balanced", balanced)):
        for how in get_args(convert.Ranges)[:3]:
            content = convert.integers_of(
                copy.deepcopy(tried), [calibration], "int8", lambda _: "", how
            )
            print(line(fold, f"{how}{word}", content, heard, counts), flush=True)


def steps(fold, model, calibration, lessons, heard, counts):
    content = convert.to_tflite(model, calibration, precision="int16x8")
    print(line(fold, "int16x8", content, heard, counts), flush=True)
    shown = set()
    for way in flags.FLAGS.ways:
        batches = tf.data.Dataset.from_tensor_slices(lessons).shuffle(len(lessons), 0).repeat()
        found = compress(
            model, calibration, batches=batches.batch(32), steps=flags.FLAGS.steps, **WAYS[way]
        )
        for step, content in found.steps.items():
            if content in shown:
                continue
            shown.add(content)
            text = line(fold, f"{way}: {step}", content, heard, counts)
            device = shrink.measured(content)
            count = (device["instructions"] or 0) / 1e6
            print(f"{text}{device['flash']:9,}{device['ram']:8,}{count:8.2f}", flush=True)


def main(folders):
    if len(folders) != 1:
        given = " ".join(folders) or "none"
        raise record.StudyError(f"Give the folder of one study. Received: {given}")
    folder = pathlib.Path(folders[0])
    settings = record.read(folder, SETTINGS)
    made_of = material.read_again(settings, flags.FLAGS)
    base = LogMelConfig.load(folder / FRONT_END)
    folds = {fold.name: fold for fold in made_of.folds}
    held_out = [composed(name) for name in flags.FLAGS.held_out]
    for name in held_out:
        if name not in folds or not record_of(folder / safe_name(name)):
            raise record.StudyError(
                f"A complete fold of the study is needed, of {', '.join(folds)}. "
                f"Received: --held_out={name}"
            )
    utterances = made_of.utterances
    stored = prepare([u.path for u in utterances], base, [u.span for u in utterances])
    targets = np.array([made_of.corpus.labels.index(u.label) for u in utterances])
    counts: dict = collections.defaultdict(int)
    print(f"{'':34}{'dB':>7}{'equal':>8}{'right':>8}{'flash':>9}{'RAM':>8}{'M4, M':>8}")
    for fold in [folds[name] for name in folds if name in held_out]:
        place = folder / safe_name(fold.name)
        model = keras.saving.load_model(place / FOLDED, compile=False)
        config = front_end_of(place, base)
        features = as_heard(stored, base, config)
        frames = model.input_shape[1]
        calibration = calibration_windows([features[i] for i in fold.train], frames, config)
        windows, places = windows_of(features, fold.test, frames, config)
        expected = model.predict(windows, verbose=0)
        heard = Heard(windows, targets[places], places, expected)
        counts["float32"] += counted(heard, expected)
        if "ranges" in flags.FLAGS.what:
            ranges(fold.name, model, calibration, heard, counts)
        if "steps" in flags.FLAGS.what:
            lessons, _ = windows_of(features, fold.train, frames, config)
            steps(fold.name, model, calibration, lessons, heard, counts)
    print(f"\n{int(counts['float32'].sum())} utterances{'UA':>28}")
    base = recall(counts["float32"])
    for way, found in counts.items():
        print(f"{way:34}{recall(found):8.4f}{recall(found) - base:+8.4f}")


if __name__ == "__main__":
    cli.run(main, positional=True)
