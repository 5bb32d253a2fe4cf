"""A finished study's deployed model as a packaged one, with its card."""

import json
import pathlib
import re
import shutil
import zipfile

from tfhrf.data.corpora import CORPORA
from tfhrf.files import replacing_folder, write_text
from tfhrf.recognition import packaged
from tfhrf.studies import record, results
from tfhrf.studies.card import SOURCES, Source, card
from tfhrf.studies.record import StudyError
from tfhrf.studies.study_files import DEPLOYED, MADE_OF


def package(study, name, into=packaged.FOLDER, licence=None, attribution=None, across=()):
    """Copies the deployed model of a finished study, which `tfhrf.pretrained` then finds by name.

    Args:
        study: folder of the study.
        name: of the model, such as "light-emodb-4"; one that is there is replaced.
        into: folder of the packaged models.
        licence: of the corpus, in words, where card.SOURCES does not have it.
        attribution: the same for whom the corpus is from.
        across: folders of studies that trained on the same corpus and tested on others.

    Returns:
        The model's folder.

    Raises:
        ModelError: a file of the model is damaged.
        ResultsError: the study has no results, or damaged ones.
        StudyError: the study is not finished or may not be given away, or a name or the words on
            the corpus are missing.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise StudyError(f"A model's name is of a-z, 0-9 and single hyphens. Received: {name!r}")
    found, deployed = _finished(study), pathlib.Path(study, DEPLOYED)
    made_of = record.read(study, MADE_OF)
    source = _source(found["settings"], licence, attribution)
    model = packaged.read(deployed)
    # Corpora of what training started from, whose licences count, too.
    earlier = [
        SOURCES[dataset]
        for dataset in model.datasets
        if dataset in SOURCES and SOURCES[dataset] != source
    ]
    tested = [_across(found["settings"], folder) for folder in across]
    place = pathlib.Path(into, name)
    with replacing_folder(place) as folder:
        _copy_smaller(deployed / packaged.STUDY_MODEL, folder / packaged.MODEL)
        shutil.copyfile(deployed / packaged.INT8, folder / packaged.INT8)
        model.config.save(folder / packaged.FRONT_END)
        if (deployed / packaged.TRAINED_ON).exists():  # not in studies of earlier versions
            shutil.copyfile(deployed / packaged.TRAINED_ON, folder / packaged.TRAINED_ON)
        write_text(folder / packaged.LABELS, json.dumps(found["labels"]) + "\n")
        words = card(name, found, made_of, source, model.frames, model.config, tested, earlier)
        write_text(folder / packaged.CARD, words)
    return place


def _finished(study):
    """The results of a study that lacks nothing."""
    found = results.read(study)
    missing = found.get("missing folds")
    if missing or not results.record_of(pathlib.Path(study, DEPLOYED)):
        lacks = ", ".join(missing or [DEPLOYED])
        raise StudyError(f"The study is not finished, it lacks {lacks}. Received: {study}")
    return found


def _source(settings, licence, attribution):
    dataset = settings["dataset"]
    if dataset in CORPORA and CORPORA[dataset].confidential:
        raise StudyError(f"Models of {dataset} are not given away. Received: dataset={dataset}")
    if licence and attribution:
        return Source(settings.get("table", dataset), "speech", licence, attribution)
    if dataset not in SOURCES:
        raise StudyError(
            f"Of a corpus other than {' and '.join(SOURCES)}, --licence and --attribution must say "
            f"what a model of it may be used for. Received: dataset={dataset}"
        )
    return SOURCES[dataset]


def _across(settings, folder):
    found = results.read(folder)
    theirs = found["settings"]
    if theirs["dataset"] != settings["dataset"] or "test_dataset" not in theirs:
        raise StudyError(
            f"Studies across corpora train on {settings['dataset']} and test on another. "
            f"Received: {folder}"
        )
    return found


def _copy_smaller(source, target):
    """Copies a Keras file, which is an archive that nothing is compressed in."""
    with (
        zipfile.ZipFile(source) as there,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as here,
    ):
        for entry in there.infolist():
            # The same bytes whenever it is packaged.
            stamped = zipfile.ZipInfo(entry.filename)
            here.writestr(stamped, there.read(entry), zipfile.ZIP_DEFLATED, 9)
