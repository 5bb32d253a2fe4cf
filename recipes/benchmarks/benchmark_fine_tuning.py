"""Prints what a trained model is worth as a start, on a few recordings of a corpus new to it.

python recipes/benchmarks/benchmark_fine_tuning.py --dataset=emodb --data_dir=EMODB

For every seed half of the speakers are drawn, and of their recordings `--clips` to train on; the
other half is the test. The same recipe trains on these from scratch and `--from` the model.
"""

import pathlib

import numpy as np
from absl import flags
from own_tables import draw_speakers, once, train_on, write_table

from tfhrf.recognition.packaged import find
from tfhrf.studies import cli, material, tables
from tfhrf.studies.record import StudyError

material.define_flags()
MODEL = flags.DEFINE_string("model", "light-cremad-6", "What training starts from.")
CLIPS = flags.DEFINE_integer("clips", 100, "Recordings to train on.", lower_bound=1)
SEEDS = flags.DEFINE_integer("seeds", 5, "How many, from 0.", lower_bound=2)
OUT = flags.DEFINE_string("out", "runs/fine_tuning", "Folder of the tables and studies.")


def main():
    utterances = once(material.read(flags.FLAGS).utterances)
    backbone, _, variant = find(MODEL.value).model.name.rpartition("_")
    seeds, scratch, tuned = range(SEEDS.value), [], []
    for seed in seeds:
        table = pathlib.Path(OUT.value, f"{seed}.csv")
        train, test = draw_speakers(utterances, np.random.default_rng(seed), 1 / 2)
        if len(train) < CLIPS.value:
            raise StudyError(f"Too few recordings to train on. Received: {len(train)}")
        write_table(table, train[: CLIPS.value], test)
        given = [backbone, f"--variant={variant}", f"--seed={seed}"]
        scratch.append(train_on(table, table.with_suffix("") / "scratch", *given))
        tuned.append(train_on(table, table.with_suffix("") / "tuned", *given, source=MODEL.value))
    gains = np.subtract(tuned, scratch)
    print(f"\n{CLIPS.value} recordings to train on, UA of the int8 models on the other speakers")
    print(f"seed    from scratch    from {MODEL.value}    gain")
    for seed, before, after, gain in zip(seeds, scratch, tuned, gains, strict=True):
        print(f"{seed:4} {before:15.3f} {after:{8 + len(MODEL.value)}.3f} {gain:+7.3f}")
    print(f"mean {np.mean(scratch):15.3f} {np.mean(tuned):{8 + len(MODEL.value)}.3f}", end=" ")
    print(f"{gains.mean():+7.3f} ± {tables.half_interval(gains):.3f} (95 % over seeds)")


if __name__ == "__main__":
    cli.run(main)
