"""Running a recipe: absl flags, and errors of the user's making as one line and exit code 2."""

import dataclasses
import functools
import pathlib
import sys

from absl import app, flags

from tfhrf import report, study
from tfhrf.audio import AudioError
from tfhrf.corpora import READERS, CorpusError


def run(main, positional=False):
    """Parses the flags and calls `main()`, or `main(arguments)` if positional arguments are its
    own; the recipe's last line.
    """
    app.run(lambda arguments: _guarded(main, arguments[1:], positional), flags_parser=_parse)


def train(model, backbone, defaults):
    """The recipe of a backbone: studies it on a corpus and prints a table.

    Args:
        model: name of the backbone in files and tables.
        backbone: function of (input_shape, classes, preset=, hrf=) that returns a Keras model.
        defaults: TrainingSettings per corpus. The epochs are the same for every fold: no test
            fold picks its own.
    """
    flags.DEFINE_enum("dataset", "synthetic", sorted(READERS), "The corpus.")
    flags.DEFINE_string("data_dir", None, "The corpus folder; synthetic makes its own.")
    flags.DEFINE_enum("variant", "light", ["light", "large"], "Size of the model.")
    flags.DEFINE_enum("hrf", "4", ["0", "2", "4", "8"], "Expansion of the HRF layers; 0: none.")
    flags.DEFINE_list("folds", None, "Numbers of the folds to run; all if not given.")
    flags.DEFINE_integer("seed", 0, "Seed of everything random.", lower_bound=0)
    flags.DEFINE_integer("epochs", None, "Epochs, fixed in advance.", lower_bound=1)
    flags.DEFINE_string("out", None, "Folder of the study; under runs/ if not given.")
    run(lambda: _train(model, backbone, defaults, flags.FLAGS))


def _train(model, backbone, defaults, given):
    if given.data_dir is None and given.dataset != "synthetic":
        raise CorpusError(f"--data_dir is needed with --dataset={given.dataset}")
    training = defaults[given.dataset]
    training = dataclasses.replace(training, epochs=given.epochs or training.epochs)
    settings = {
        "model": model,
        "dataset": given.dataset,
        "variant": given.variant,
        "hrf": int(given.hrf),
        "seed": given.seed,
        "epochs": training.epochs,
    }
    out = given.out or pathlib.Path("runs") / "-".join(str(value) for value in settings.values())
    results = study.run(
        functools.partial(backbone, preset=given.variant, hrf=settings["hrf"]),
        READERS[given.dataset](given.data_dir or "runs/corpora"),
        training,
        settings,
        out,
        fold_numbers=study.fold_numbers(given.folds),
    )
    print(f"\n{report.table(results)}\n\nWritten to {out}")


def _parse(arguments):
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        return _fail(error)


def _guarded(main, arguments, positional):
    if arguments and not positional:
        _fail(f"Unexpected argument: {arguments[0]}")
    try:
        main(arguments) if positional else main()
    except (AudioError, CorpusError, report.ReportError, study.StudyError) as error:
        _fail(error)


def _fail(error):
    print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
