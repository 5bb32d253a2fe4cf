"""Prints what models reach by the number of recordings they train on, plain and with HRF.

python recipes/benchmarks/benchmark_recordings.py --dataset=cremad --data_dir=CREMAD

Speakers that `--protocol=kept_speakers` keeps apart are left alone. For every seed two thirds of
the others are drawn, and `--clips` of their recordings to train on, the fewer ones among the more;
the others are the test.
"""

import pathlib

import numpy as np
from absl import flags
from own_tables import draw_speakers, once, train_on, write_table

from tfhrf.data.folds import kept_speakers
from tfhrf.studies import cli, material, tables
from tfhrf.studies.arms import BACKBONES
from tfhrf.studies.record import StudyError

material.define_flags()
CLIPS = flags.DEFINE_list("clips", "150,300,600,1200", "Numbers of recordings to train on.")
MODELS = flags.DEFINE_list("backbones", ",".join(BACKBONES), "What trains.")
SEEDS = flags.DEFINE_integer("seeds", 3, "How many, from 0.", lower_bound=2)
OUT = flags.DEFINE_string("out", "runs/recordings", "Folder of the tables and studies.")
TRAINED_ON = 2 / 3  # of the speakers
flags.register_validator(
    "clips", lambda given: all(text.isdigit() and int(text) for text in given), "must be counts"
)
flags.register_validator(
    "backbones",
    lambda given: set(given) <= set(BACKBONES),
    f"values are of <{'|'.join(BACKBONES)}>",
)


def main():
    utterances = once(material.read(flags.FLAGS).utterances)
    (kept,) = kept_speakers(utterances)
    utterances = [utterances[i] for i in kept.train]
    scores = {}
    for seed in range(SEEDS.value):
        train, test = draw_speakers(utterances, np.random.default_rng(seed), TRAINED_ON)
        for clips in map(int, CLIPS.value):
            if clips > len(train):
                raise StudyError(f"{clips} recordings are too many. Received: {len(train)}")
            place = pathlib.Path(OUT.value, f"{seed}", f"{clips}")
            write_table(place / "some.csv", train[:clips], test)
            for backbone in MODELS.value:
                scores[clips, backbone, seed] = [
                    train_on(
                        place / "some.csv",
                        place / f"{backbone}-{hrf}",
                        backbone,
                        f"--hrf={hrf}",
                        f"--seed={seed}",
                    )
                    for hrf in (0, 4)
                ]
    print("\nUA of the int8 models on the other speakers, mean over seeds")
    print("recordings  backbone            plain    HRF 4    gain")
    for clips in map(int, CLIPS.value):
        gains = []
        for backbone in MODELS.value:
            plain, hrf = np.transpose(
                [scores[clips, backbone, seed] for seed in range(SEEDS.value)]
            )
            gains.append(hrf - plain)
            print(f"{clips:10}  {backbone:17} {plain.mean():7.3f}  {hrf.mean():7.3f}", end="  ")
            print(f"{gains[-1].mean():+.3f} ± {tables.half_interval(gains[-1]):.3f}")
        of_seeds = np.mean(gains, axis=0)
        print(f"{clips:10}  {'mean of them':35}", end="  ")
        print(f"{of_seeds.mean():+.3f} ± {tables.half_interval(of_seeds):.3f} (95 % over seeds)")


if __name__ == "__main__":
    cli.run(main)
