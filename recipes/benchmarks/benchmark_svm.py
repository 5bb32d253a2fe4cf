"""Prints what a support vector machine on statistics of the frames scores, to compare with.

python recipes/benchmarks/benchmark_svm.py --dataset=emodb --data_dir=EMODB
python recipes/benchmarks/benchmark_svm.py --dataset=emodb --data_dir=EMODB --labels=all

The corpus, its classes and its folds are those of the same flags of train_*.py. Nothing is tuned.
"""

import numpy as np
from absl import flags
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tfhrf.data.extract import extract
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies import cli, material
from tfhrf.studies.metrics import confusion_counts, scores_of_counts

C = 10.0
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

material.define_flags()


def main():
    made_of = material.read(flags.FLAGS)
    paths, spans = ([getattr(u, name) for u in made_of.utterances] for name in ("path", "span"))
    inputs = np.stack([functionals(one) for one in extract(paths, LogMelConfig(), spans)])
    labels = made_of.corpus.labels
    targets = np.array([labels.index(utterance.label) for utterance in made_of.utterances])
    counts = np.zeros((len(labels),) * 2, int)
    for fold in made_of.folds:
        classifier = make_pipeline(StandardScaler(), SVC(C=C, class_weight="balanced"))
        classifier.fit(inputs[fold.train], targets[fold.train])
        decided = np.eye(len(labels))[classifier.predict(inputs[fold.test])]
        counts += confusion_counts(targets[fold.test], decided)
    scores = scores_of_counts(counts)
    print(f"\n{made_of.protocol}, {counts.sum()} utterances, {len(labels)} classes")
    print(f"SVM on {inputs.shape[1]} statistics: WA {scores.wa:.3f}, UA {scores.ua:.3f}")


def functionals(frames):
    """Statistics over time of log-mel frames, (frames, mels), and of their changes."""
    changes = np.abs(np.diff(frames, axis=0))
    return np.concatenate(
        [
            frames.mean(axis=0),
            frames.std(axis=0),
            *np.quantile(frames, QUANTILES, axis=0),
            changes.mean(axis=0),
            changes.std(axis=0),
        ]
    )


if __name__ == "__main__":
    cli.run(main)
