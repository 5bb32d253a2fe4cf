"""What a recipe is asked to train and test on: flags to a corpus, its utterances and folds."""

import functools
import pathlib
import types
import warnings
from typing import NamedTuple

from absl import flags

from tfhrf.data import folds
from tfhrf.data.corpora import CORPORA, Corpus, CorpusError, CorpusWarning, of_speakers
from tfhrf.data.corpora.classes import class_per_label, common_classes, of_classes, parse_classes
from tfhrf.data.corpora.text import composed
from tfhrf.data.folds import Fold, FoldError
from tfhrf.data.tables import PATTERN, read_folders, read_table

OWN = ("folders", "table")  # data that are no published corpus
PLACES = ("data_dir", "table", "columns", "pattern", "test_data_dir")  # flags of where data are


class Material(NamedTuple):
    """What a study trains and tests on.

    Attributes:
        corpus: Corpus, for its classes and how they are scored.
        utterances: list of Utterance, labelled by class.
        folds: list of Fold of them.
        protocol: name of what made the folds.
        settings: what else the user asked for, that sets the study apart.
    """

    corpus: Corpus
    utterances: list
    folds: list[Fold]
    protocol: str
    settings: dict


def define_flags():
    """Defines the flags that `read` takes."""
    datasets = sorted((*CORPORA, *OWN))
    flags.DEFINE_enum("dataset", "synthetic", datasets, "The corpus, or data of one's own.")
    define_places()
    flags.DEFINE_list(
        "labels",
        None,
        "The classes: labels of the corpus, happiness=happiness+excitement to merge some, or all.",
    )
    flags.DEFINE_string("protocol", None, "Which folds, where a corpus has a choice; else its own.")
    flags.DEFINE_bool("improvised", False, "IEMOCAP: the turns of improvised dialogs alone.")
    flags.DEFINE_list("speakers", None, "These speakers of the corpus alone; all if not given.")
    flags.DEFINE_enum("test_dataset", None, sorted(CORPORA), "Another corpus, to test on alone.")


def define_places():
    """Defines the flags of where recordings and labels are, all that `read_again` takes."""
    flags.DEFINE_string("data_dir", None, "The corpus folder; synthetic makes its own.")
    flags.DEFINE_string("table", None, "table: file with columns path, label, speaker and others.")
    flags.DEFINE_list("columns", None, "table: names of columns, such as path=file,label=emotion.")
    flags.DEFINE_string("pattern", PATTERN, "folders: where label and speaker stand in a path.")
    flags.DEFINE_string("test_data_dir", None, "The folder of the corpus that is tested on alone.")


def read(given):
    """Reads what the flags name.

    Raises:
        CorpusError, FoldError: as the readers and the protocols, or flags do not go together.
    """
    if given.data_dir is None and given.dataset not in ("synthetic", "table"):
        raise CorpusError(
            f"--data_dir is needed with --dataset={given.dataset}. Received: no --data_dir"
        )
    if given.pattern != PATTERN and given.dataset != "folders":
        raise CorpusError(f"--pattern needs --dataset=folders. Received: --dataset={given.dataset}")
    if given.test_data_dir is not None and not given.test_dataset:
        raise CorpusError(
            f"--test_data_dir needs --test_dataset. Received: --test_data_dir={given.test_data_dir}"
        )
    corpus, utterances = _read_own(given) if given.dataset in OWN else _read_corpus(given)
    settings: dict = {"turns": "improvised"} if given.improvised else {}
    if given.table:
        settings["table"] = pathlib.Path(given.table).stem
    # The names that readers give are composed, too.
    labels, speakers = (
        [composed(one) for one in some or ()] for some in (given.labels, given.speakers)
    )
    if labels:
        known = {utterance.label for utterance in utterances}
        corpus = corpus._replace(classes=parse_classes(labels, known))
        settings["labels"] = "+".join(text.replace("+", "&") for text in labels)
    if speakers:
        utterances = of_speakers(utterances, speakers)
        settings["speakers"] = "+".join(sorted(speakers))
    if given.test_dataset:
        return _across(given, corpus, utterances, settings)
    utterances = of_classes(utterances, corpus.classes)
    protocol = _protocol(given, corpus)
    return Material(corpus, utterances, corpus.protocols[protocol](utterances), protocol, settings)


def read_again(settings, given):
    """Reads what a study was made of.

    Args:
        settings: of the study, a dict.
        given: flags of `define_places`, which tell where it is now.

    Raises:
        CorpusError, FoldError: as `read`.
    """
    dataset, across = settings.get("dataset"), settings.get("test_dataset")
    if dataset not in CORPORA and dataset not in OWN:
        raise CorpusError(f"A study names its corpus. Received: dataset={dataset}")
    chosen = {
        "dataset": dataset,
        "labels": [
            text.replace("&", "+") for text in settings.get("labels", "").split("+") if text
        ],
        "protocol": None if across else settings.get("protocol"),
        "improvised": settings.get("turns") == "improvised",
        "speakers": [name for name in settings.get("speakers", "").split("+") if name],
        "test_dataset": across,
    }
    places = {name: getattr(given, name) for name in PLACES}
    return read(types.SimpleNamespace(**chosen, **places))


def _read_corpus(given):
    if given.improvised and given.dataset != "iemocap":
        raise CorpusError(f"--improvised is for IEMOCAP. Received: --dataset={given.dataset}")
    if given.table or given.columns:
        raise CorpusError(f"--table needs --dataset=table. Received: --dataset={given.dataset}")
    corpus = CORPORA[given.dataset]
    options = {"improvised": True} if given.improvised else {}
    return corpus, corpus.read(given.data_dir or "runs/corpora", **options)


def _read_own(given):
    """Corpus and utterances of the user's table or folders."""
    if given.dataset == "folders":
        utterances = read_folders(given.data_dir, given.pattern)
    elif given.table is None:
        raise CorpusError("--table is needed with --dataset=table. Received: no --table")
    else:
        utterances = read_table(given.table, given.data_dir, columns=_columns(given.columns or ()))
    classes = class_per_label(sorted({utterance.label for utterance in utterances}))
    return Corpus(read_table, classes, _protocols_of(utterances)), utterances


def _columns(texts):
    """Names of columns by what they are."""
    for text in texts:
        if not all(text.partition("=")):
            raise CorpusError(
                f"Columns are given as path=file,label=emotion. Received: --columns={text}"
            )
    return dict(text.partition("=")[::2] for text in texts)


def _protocols_of(utterances):
    """The protocols that a user's own recordings allow, the best one first."""
    known = all(utterance.speaker for utterance in utterances)
    if not known:
        warnings.warn(
            "Who speaks is not known: the same voice may be in training and in test, and figures "
            "may be too good",
            CorpusWarning,
            stacklevel=2,
        )
    if any(utterance.split for utterance in utterances):
        return {"official": functools.partial(_official, validation="validation")}
    if any(utterance.group != utterance.speaker for utterance in utterances):
        count = min(5, len({utterance.group for utterance in utterances}))
        return {f"group_{count}_fold": functools.partial(folds.group_folds, count=count)}
    if not known:
        return {"stratified_5_fold": functools.partial(folds.stratified_folds, count=5)}
    alone = {"leave_one_speaker_out": folds.leave_one_speaker_out}
    five = {"speaker_5_fold": functools.partial(folds.speaker_folds, count=5)}
    many = len({utterance.speaker for utterance in utterances}) > 10
    return five | alone if many else alone | five


def _official(utterances, validation):
    """As `folds.official`; warns of classes that a user's own split leaves out of a side."""
    found = folds.official(utterances, validation)
    classes = {utterance.label for utterance in utterances}
    for fold in found:
        for side, name in ((fold.train, "train"), (fold.test, "test")):
            lacking = sorted(classes - {utterances[index].label for index in side})
            if side and lacking:
                warnings.warn(
                    f"The split '{name}' has no recording of: {', '.join(lacking)}",
                    CorpusWarning,
                    stacklevel=3,
                )
    return found


def _protocol(given, corpus):
    """The name of the protocol that the user chose, or the corpus's own."""
    protocol = given.protocol or next(iter(corpus.protocols))
    if protocol not in corpus.protocols:
        raise FoldError(
            f"--dataset={given.dataset} has the protocols {', '.join(corpus.protocols)}. "
            f"Received: --protocol={protocol}"
        )
    return protocol


def _across(given, corpus, utterances, settings):
    """Material that trains on one corpus and tests on what another has in common with it."""
    if given.test_data_dir is None and given.test_dataset != "synthetic":
        raise CorpusError(
            f"--test_data_dir is needed with --test_dataset={given.test_dataset}. "
            "Received: no --test_data_dir"
        )
    if given.protocol:
        raise FoldError(
            "--test_dataset is a protocol of its own, of one fold. "
            f"Received: --protocol={given.protocol}"
        )
    other = CORPORA[given.test_dataset]
    theirs = other.read(given.test_data_dir or "runs/corpora")
    known = {utterance.label for utterance in theirs}
    wanted, there = common_classes(corpus.classes, class_per_label(sorted(known)))
    train, test = of_classes(utterances, wanted), of_classes(theirs, there)
    both = [
        one._replace(speaker=f"{name}/{one.speaker}", group=f"{name}/{one.group}")
        for name, some in ((given.dataset, train), (f"test/{given.test_dataset}", test))
        for one in some
    ]
    fold = folds.one_fold(both, len(train), len(test), f"{given.dataset} to {given.test_dataset}")
    return Material(
        corpus._replace(classes=wanted, confidential=corpus.confidential or other.confidential),
        both,
        fold,
        "cross_corpus",
        settings | {"test_dataset": given.test_dataset},
    )
