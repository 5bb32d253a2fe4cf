"""Prints what a trained model is worth as a start, on a few recordings of a corpus new to it.

python recipes/benchmarks/benchmark_fine_tuning.py --dataset=emodb --data_dir=EMODB

For every seed half of the speakers are drawn, and of their recordings `--clips` to train on; the
other half is the test. The same recipe trains on these from scratch and `--from` the model.
"""

import collections
import csv
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
from absl import flags

from tfhrf.recognition.packaged import find
from tfhrf.studies import cli, material, tables
from tfhrf.studies.arms import in_shell
from tfhrf.studies.record import StudyError

material.define_flags()
flags.DEFINE_list("folds", None, "Not used here.")
MODEL = flags.DEFINE_string("model", "light-cremad-6", "What training starts from.")
CLIPS = flags.DEFINE_integer("clips", 100, "Recordings to train on.", lower_bound=1)
SEEDS = flags.DEFINE_integer("seeds", 5, "How many, from 0.", lower_bound=2)
OUT = flags.DEFINE_string("out", "runs/fine_tuning", "Folder of the tables and studies.")


def main():
    utterances = once(material.read(flags.FLAGS).utterances)
    seeds, scratch, tuned = range(SEEDS.value), [], []
    for seed in seeds:
        table = pathlib.Path(OUT.value, f"{seed}.csv")
        write_table(table, utterances, seed)
        scratch.append(train(table, seed, "scratch"))
        tuned.append(train(table, seed, "tuned", f"--from={MODEL.value}"))
    gains = np.subtract(tuned, scratch)
    print(f"\n{CLIPS.value} recordings to train on, UA of the int8 models on the other speakers")
    print(f"seed    from scratch    from {MODEL.value}    gain")
    for seed, before, after, gain in zip(seeds, scratch, tuned, gains, strict=True):
        print(f"{seed:4} {before:15.3f} {after:{8 + len(MODEL.value)}.3f} {gain:+7.3f}")
    print(f"mean {np.mean(scratch):15.3f} {np.mean(tuned):{8 + len(MODEL.value)}.3f}", end=" ")
    print(f"{gains.mean():+7.3f} ± {tables.half_interval(gains):.3f} (95 % over seeds)")


def once(utterances):
    """Utterances whose recording is in the corpus once: a table may not label one in two ways."""
    digests = [hashlib.sha256(pathlib.Path(one.path).read_bytes()).digest() for one in utterances]
    counts = collections.Counter(digests)
    return [one for one, digest in zip(utterances, digests, strict=True) if counts[digest] == 1]


def place_of():
    """The folder that paths in tables start from."""
    return flags.FLAGS.data_dir or os.curdir


def train(table, seed, name, *more):
    """Trains and tests on a table's recordings; returns the int8 model's UA."""
    backbone, _, variant = find(MODEL.value).model.name.rpartition("_")
    study = table.with_suffix("") / name
    arguments = [f"recipes/train_{backbone.replace('_', '')}.py", f"--variant={variant}"]
    arguments += ["--dataset=table", f"--table={table}", f"--data_dir={place_of()}"]
    arguments += ["--folds=1", f"--seed={seed}", f"--out={study}", *more]
    print(f"\n{in_shell(arguments)}", flush=True)
    if subprocess.run([sys.executable, *arguments], check=False).returncode:
        raise StudyError(f"A training stopped. Received: {study}")
    return json.loads((study / "results.json").read_text())["scores"]["int8"]["ua"]


def write_table(path, utterances, seed):
    """Writes a table of recordings to train on, and of those of other speakers to test on."""
    rng = np.random.default_rng(seed)
    speakers = rng.permutation(sorted({utterance.speaker for utterance in utterances}))
    heard = set(speakers[: len(speakers) // 2])
    sides = {True: [], False: []}
    for utterance in utterances:
        sides[utterance.speaker in heard].append(utterance)
    if len(sides[True]) < CLIPS.value:
        raise StudyError(f"Too few recordings to train on. Received: {len(sides[True])}")
    chosen = [sides[True][i] for i in rng.permutation(len(sides[True]))[: CLIPS.value]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "speaker", "split"])
        for split, some in (("train", chosen), ("test", sides[False])):
            for one in some:
                place = os.path.relpath(one.path, place_of())
                writer.writerow([place, one.label, one.speaker, split])


if __name__ == "__main__":
    cli.run(main)
