"""fine_tune: a trained model goes on learning from a user's table of recordings, in one call."""

import functools
import numbers
import os
import pathlib
import types
from collections.abc import Mapping

from tfhrf.data.corpora import Corpus
from tfhrf.data.corpora.classes import class_per_label, of_classes
from tfhrf.data.folds import trained_on
from tfhrf.data.tables import PATTERN, read_table
from tfhrf.files import safe_name
from tfhrf.recognition.packaged import START, Pretrained, find, read
from tfhrf.studies import material, study
from tfhrf.studies.defaults import fine_for, settings_for
from tfhrf.studies.start import begun_from, continued
from tfhrf.studies.study_files import DEPLOYED
from tfhrf.workers import Local


def fine_tune(
    table: str | os.PathLike[str],
    model: str | os.PathLike[str] | Pretrained = START,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    out: str | os.PathLike[str] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    test: bool = False,
) -> Pretrained:
    """Trains a trained model on, on recordings of one's own, and quantizes it.

    Classes are the labels of the table; those that the model has keep their weights. Three
    trainings begin at the model's weights, and the mean of theirs is what comes out; weights of ten
    times as many recordings count as a fourth. It is what the recipes do with `--from`, and goes on
    where it was stopped if it is called again. Needs the extra `recipes`.

    Args:
        table: path of a table of recordings with columns path, label and, if it is known, speaker,
            as `tfhrf.data.read_table` takes it.
        model: name of a packaged model, folder of a model such as `runs/STUDY/deployed`, or what
            `tfhrf.pretrained` returned.
        data_dir: folder of the recordings; that of the table if None.
        columns: names of columns where they differ, such as {"label": "emotion"}.
        out: folder of the study; in `runs` if None.
        epochs: how often each of three trainings sees the recordings; by their number if None.
        seed: of everything random.
        test: whether models with every speaker held out in turn are trained and tested as well.
            Figures, in `results.json`, need it; a study without them is another one, in a folder
            of its own. They run in processes: a script calls it under
            `if __name__ == "__main__":`.

    Returns:
        Pretrained: the model that all recordings trained, in the folder `out/deployed`.

    Raises:
        AudioError, CorpusError, ModelError, StudyError, TrainingError: as the recipes.
        FoldError: `test` is asked for, and the recordings cannot be split: all are of one speaker,
            or without speakers a class has fewer than five.
        ValueError: `columns`, `epochs` or `seed` is not what it should be.
    """
    _check(columns, epochs, seed)
    trained = find(model) if not isinstance(model, Pretrained) else model
    backbone, _, variant = trained.model.name.rpartition("_")
    source = str(trained.folder.resolve())
    made_of = (_with_folds if test else _without_folds)(table, data_dir, columns or {})
    count = len(trained_on(made_of.folds) or made_of.utterances)
    fixed = {"frames": trained.frames, **fine_for(trained.recordings, count)}
    training = settings_for(count, **fixed, **({} if epochs is None else {"epochs": int(epochs)}))
    settings = {
        "model": backbone or variant,
        "dataset": "table",
        "variant": variant,
        "hrf": 0,
        "seed": int(seed),
        "epochs": training.epochs,
        "protocol": made_of.protocol,
        **made_of.settings,
        **begun_from(trained),
    }
    folder = pathlib.Path(
        out or pathlib.Path("runs", safe_name("-".join(map(str, settings.values()))))
    )
    labels = made_of.corpus.labels
    build = functools.partial(continued, source=source, labels=labels, hrf=0)
    study.run(
        [study.Study(build, settings, folder)],
        made_of.corpus,
        made_of.utterances,
        made_of.folds,
        training,
        fold_numbers=None if test else [],
        config=trained.config,
        engine=None if test else Local(1),
        begun=trained,
    )
    return read(folder / DEPLOYED)


def _check(columns, epochs, seed):
    """Raises ValueError for arguments that no study can have."""

    def is_whole(value):
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)

    if columns is not None and not (
        isinstance(columns, Mapping) and all(isinstance(one, str) for one in columns.values())
    ):
        raise ValueError(
            'Columns are a dict of names, such as {"label": "emotion"}. '
            f"Received: columns={columns!r}"
        )
    if epochs is not None and not (is_whole(epochs) and epochs >= 1):
        raise ValueError(f"Epochs are an integer from 1. Received: epochs={epochs!r}")
    if not (is_whole(seed) and 0 <= seed < 2**32):
        raise ValueError(f"A seed is an integer from 0 to 4294967295. Received: seed={seed!r}")


def _with_folds(table, data_dir, columns):
    asked = dict.fromkeys(("protocol", "labels", "speakers", "test_dataset", "test_data_dir"))
    places = {
        "table": os.fspath(table),
        "data_dir": data_dir,
        "pattern": PATTERN,
        "columns": [f"{name}={column}" for name, column in columns.items()],
    }
    return material.read(
        types.SimpleNamespace(dataset="table", improvised=False, **asked, **places)
    )


def _without_folds(table, data_dir, columns):
    """As `_with_folds`, of recordings that may be too few, or of too few speakers, for folds."""
    utterances = read_table(table, data_dir, columns=dict(columns))
    classes = class_per_label(sorted({one.label for one in utterances}))
    return material.Material(
        Corpus(read_table, classes, {}),
        of_classes(utterances, classes),
        [],
        "none",
        {"table": pathlib.Path(table).stem},
    )
