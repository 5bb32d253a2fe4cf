"""The card of a trained model: its figures, what it was made of, what it is for and not for."""

import shlex
from typing import NamedTuple

import numpy as np

from tfhrf.recognition.packaged import SCRATCH
from tfhrf.studies import shrink
from tfhrf.studies.tables import protocol_in_words


class Source(NamedTuple):
    """Where a model's training data come from, in words for its card.

    Attributes:
        title: name of the corpus.
        what: as in "anger in German acted speech".
        licence: of the corpus.
        attribution: who made it, and what its licence asks to be said.
    """

    title: str
    what: str
    licence: str
    attribution: str


# Corpora whose licences allow to give away what was trained on them, to anyone for anything.
SOURCES = {
    "cremad": Source(
        "CREMA-D",
        "American English acted speech",
        "Open Database License (ODbL) 1.0",
        "Cao, Cooper, Keutmann, Gur, Nenkova and Verma: CREMA-D: Crowd-sourced Emotional "
        "Multimodal Actors Dataset, IEEE Transactions on Affective Computing 5 (2014). The model "
        "contains information from CREMA-D, which is made available under the ODbL: "
        "https://github.com/CheyneyComputerScience/CREMA-D",
    ),
    "emodb": Source(
        "EMO-DB",
        "German acted speech",
        "CC0 1.0",
        "Burkhardt, Paeschke, Rolfes, Sendlmeier and Weiss: A Database of German Emotional Speech, "
        "Interspeech 2005",
    ),
}
PURPOSE = """\
To try the tools before training anything, as a start for a model of one's own, and to teach: what a
model of this size can hear on a microcontroller, what it costs, and where it fails. What it names
is how a voice sounds to it, not what a person feels."""
ACTED = """\
**Acted speech is not everyday speech.** Actors were asked to show one emotion, in a studio, in a
few sentences. What people say when they feel something, other languages, rooms, microphones and
ages are not in the corpus: elsewhere expect figures far below these, often those of chance."""
ELSEWHERE = """\
**The figures hold for recordings like those of the corpus.** Other speakers' languages, rooms,
microphones and ages may bring them down to chance."""
FORBIDDEN = """\
For no decision about a person: not in hiring, schools, work, credit, insurance, policing, borders,
health or therapy; not to watch or rate people; not on anyone who has not agreed to it. The law may
forbid it: the European Union's AI Act, for one, prohibits inferring emotions at work and in
education but for medical or safety reasons, and counts emotion recognition as high-risk."""
KINDS = {"folded": "float32", "int8": "int8, TensorFlow Lite Micro"}


def card(name, results, made_of, source, frames, config, across=(), earlier=()):
    """The card of a model as Markdown; its first paragraph is a summary of one sentence.

    Args:
        name: of the model.
        results: of its study, as of `tfhrf.studies.results.collect`.
        made_of: what the study was made of, as of `tfhrf.studies.record.made_of`.
        source: Source.
        frames: of a window.
        config: LogMelConfig.
        across: results of studies of other corpora tested by models trained on this one.
        earlier: Sources of what trained the model that training started from.

    Returns:
        Text.
    """
    settings = results["settings"]
    how = protocol_in_words(settings, len(results["folds"]))
    shown = ", ".join(
        f"{_ua(score)} in {KINDS[kind].partition(',')[0]}"
        for kind, score in _kinds(results).items()
    )
    seconds = (config.frame_length + (frames - 1) * config.hop) / config.sample_rate
    facts = {
        "classes": ", ".join(results["labels"]),
        "window": f"{seconds:.2f} s at {config.sample_rate:,} Hz, {frames} frames of "
        f"{config.mels} mels",
        "parameters": f"{results['parameters']['folded']:,}, in training "
        f"{results['parameters']['trained']:,}",
        "int8 graph": f"{results['int8 bytes']:,} bytes",
        "trained by": f"`{command(settings)}`",
        "licence": "Apache-2.0, as tfhrf; the corpus's is below",
    }
    if results["tflm"]:
        facts["RAM in TensorFlow Lite Micro"] = f"{results['tflm']['arena_bytes']:,} bytes"
    blocks = [
        f"# {name}",
        f"{', '.join(results['labels']).capitalize()} in {source.what} ({source.title}): "
        f"UA {shown}; {how}.",
        _table(("", ""), facts.items()),
        "## Figures",
        "Of models that the same command trained with the tested speakers held out; this one has "
        f"heard them all. {results['utterances']} {results['decisions']}, {how}. UA is the mean "
        "recall of the classes, WA the accuracy.",
        _scores(results),
        _recalls(results),
    ]
    if across:
        blocks += [
            "On corpora that it has not heard, on the classes that both have:",
            _across(across),
        ]
    heard = (
        f"{made_of['recordings']['count']:,} recordings of {made_of['speakers']['count']} speakers"
    )
    corpus = f"{source.title}, {source.what}: {heard}. Licence: {source.licence}."
    blocks += ["## Corpus", corpus, source.attribution]
    blocks += [
        f"Training started from {settings['from']}, a model of {one.title}, {one.what}. "
        f"Licence: {one.licence}. {one.attribution}"
        for one in earlier
    ]
    blocks += ["## What it is for", PURPOSE]
    blocks.append(ACTED if source in SOURCES.values() else ELSEWHERE)
    blocks += ["## What it must not be used for", FORBIDDEN]
    return "\n\n".join(blocks) + "\n"


def command(settings):
    """The command that trained a study with these settings, up to where the recordings lie."""
    recipe = f"recipes/train_{settings['model'].replace('_', '')}.py"
    flags = ["dataset", "variant", "hrf", "seed", "epochs", "augmentation", "protocol"]
    flags += ["speakers", "test_dataset", *shrink.DEFAULTS]
    given = {name: settings[name] for name in flags if name in settings}
    if "test_dataset" in given:
        del given["protocol"]
    if "speakers" in given:
        given["speakers"] = given["speakers"].replace("+", ",")
    if "labels" in settings:
        given["labels"] = settings["labels"].replace("+", ",").replace("&", "+")
    given["from"] = settings.get("from", SCRATCH)
    words = [f"--{name}={value}" for name, value in given.items()]
    words += ["--trim"] * bool(settings.get("trim"))
    words += ["--improvised"] * (settings.get("turns") == "improvised")
    taught = f" (and --teacher: {settings['teacher']})" if "teacher" in settings else ""
    return shlex.join(["python", recipe, *words]) + taught


def _kinds(results):
    """Scores of the models that are packaged."""
    return {kind: results["scores"][kind] for kind in KINDS if kind in results["scores"]}


def _ua(score):
    return f"{score['ua']:.3f}".removeprefix("0")


def _scores(results):
    head, rows = ["", "UA", "WA"], []
    several = len(results["folds"]) > 1
    if several:
        head.append("UA of a fold")
    for kind, score in _kinds(results).items():
        row = [KINDS[kind], f"{score['ua']:.3f}", f"{score['wa']:.3f}"]
        if several:
            folds = [found[kind]["ua"] for found in results["folds"].values()]
            row.append(f"{min(folds):.3f} to {max(folds):.3f}")
        rows.append(row)
    return _table(head, rows)


def _recalls(results):
    kinds = _kinds(results)
    columns = []
    for score in kinds.values():
        counts = np.asarray(score["confusion"])
        columns.append(np.diagonal(counts) / np.maximum(1, counts.sum(axis=1)))
    rows = [
        (label, *(f"{recall:.3f}" for recall in row))
        for label, row in zip(results["labels"], np.transpose(columns), strict=True)
    ]
    return _table(("recall", *(KINDS[kind] for kind in kinds)), rows)


def _across(across):
    rows = []
    for one in across:
        scores = _kinds(one)
        values = [f"{scores[kind]['ua']:.3f}" if kind in scores else "" for kind in KINDS]
        rows.append((one["settings"]["test_dataset"], ", ".join(one["labels"]), *values))
    return _table(("tested on", "classes", *(f"UA, {kind}" for kind in KINDS.values())), rows)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
