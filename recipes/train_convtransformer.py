"""Trains a ConvTransformer with HRF, folds it, quantizes it, and writes it as C++ arrays.

python recipes/train_convtransformer.py
python recipes/train_convtransformer.py --dataset=emodb --data_dir=PATH/TO/emodb
"""

import functools
import pathlib

from absl import flags

from tfhrf import commands, report, study
from tfhrf.backbones import ConvTransformer
from tfhrf.corpora import READERS, CorpusError
from tfhrf.training import TrainingSettings

DATASET = flags.DEFINE_enum("dataset", "synthetic", sorted(READERS), "The corpus.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "The corpus folder; synthetic makes its own.")
VARIANT = flags.DEFINE_enum("variant", "light", ["light", "large"], "Size of the model.")
HRF = flags.DEFINE_enum("hrf", "4", ["0", "2", "4", "8"], "Expansion of the HRF layers; 0: none.")
FOLDS = flags.DEFINE_list("folds", None, "Numbers of the folds to run; all if not given.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of everything random.", lower_bound=0)
EPOCHS = flags.DEFINE_integer("epochs", None, "Epochs, fixed in advance.", lower_bound=1)
OUT = flags.DEFINE_string("out", None, "Folder of the study; under runs/ if not given.")

# Epochs per corpus, the same for every fold: no test fold picks its own.
DEFAULT_EPOCHS = {"synthetic": 20, "emodb": 60}


def main():
    dataset = DATASET.value
    if DATA_DIR.value is None and dataset != "synthetic":
        raise CorpusError(f"--data_dir is needed with --dataset={dataset}")
    epochs = EPOCHS.value or DEFAULT_EPOCHS[dataset]
    settings = {
        "model": "conv_transformer",
        "dataset": dataset,
        "variant": VARIANT.value,
        "hrf": int(HRF.value),
        "seed": SEED.value,
        "epochs": epochs,
    }
    name = "-".join(f"{value}" for value in settings.values())
    out = OUT.value or pathlib.Path("runs") / name
    results = study.run(
        functools.partial(ConvTransformer, preset=VARIANT.value, hrf=settings["hrf"]),
        READERS[dataset](DATA_DIR.value or "runs/corpora"),
        TrainingSettings(epochs=epochs),
        settings,
        out,
        fold_numbers=study.fold_numbers(FOLDS.value),
    )
    print(f"\n{report.table(results)}\n\nWritten to {out}")


if __name__ == "__main__":
    commands.run(main)
