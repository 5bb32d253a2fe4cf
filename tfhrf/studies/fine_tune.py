"""fine_tune: a trained model goes on learning from a user's table of recordings, in one call."""

import functools
import os
import pathlib
import types
from collections.abc import Mapping

from tfhrf.data.folds import trained_on
from tfhrf.files import safe_name
from tfhrf.recognition.packaged import START, Pretrained, find, read
from tfhrf.studies import material, study
from tfhrf.studies.defaults import fine_for, settings_for
from tfhrf.studies.results import DEPLOYED
from tfhrf.studies.start import begun_from, continued
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
        test: whether models with every speaker held out in turn are trained and tested as well;
            figures are in `results.json` then. They run in processes: a script calls it under
            `if __name__ == "__main__":`.

    Returns:
        Pretrained: the model that all recordings trained, in the folder `out/deployed`.

    Raises:
        AudioError, CorpusError, ModelError, StudyError, TrainingError: as the recipes.
    """
    trained = find(model) if not isinstance(model, Pretrained) else model
    backbone, _, variant = trained.model.name.rpartition("_")
    source = str(trained.folder.resolve())
    asked = dict.fromkeys(("protocol", "labels", "speakers", "test_dataset"))
    places = {
        "table": os.fspath(table),
        "data_dir": data_dir,
        "columns": [f"{name}={column}" for name, column in (columns or {}).items()],
    }
    given = types.SimpleNamespace(dataset="table", improvised=False, **asked, **places)
    made_of = material.read(given)
    count = len(trained_on(made_of.folds))
    fixed = {"frames": trained.frames, **fine_for(trained.recordings, count)}
    training = settings_for(count, **fixed, **({"epochs": epochs} if epochs else {}))
    settings = {
        "model": backbone or variant,
        "dataset": "table",
        "variant": variant,
        "hrf": 0,
        "seed": seed,
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
        levels=trained.levels,
    )
    return read(folder / DEPLOYED)
