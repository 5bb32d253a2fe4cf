"""How a study's int8 models do on its test utterances as users would send them."""

import collections
import functools
import itertools
import json
import pathlib
import zlib

import numpy as np

from tfhrf.data.decode import decode_spans
from tfhrf.data.distort import CONDITIONS, VERSION, Missing
from tfhrf.data.extract import compute
from tfhrf.data.store import contents
from tfhrf.deploy import runners
from tfhrf.files import write_text
from tfhrf.log_mel import LogMelConfig
from tfhrf.progress import progress_bar
from tfhrf.studies import record, study_page
from tfhrf.studies.assess import decide, posteriors_of
from tfhrf.studies.level import front_end_of
from tfhrf.studies.metrics import scores_of_counts
from tfhrf.studies.pictures import save_stress
from tfhrf.studies.record import StudyError
from tfhrf.studies.results import complete
from tfhrf.studies.study import named, usable
from tfhrf.studies.study_files import INT8, MADE_OF, RESULTS, SETTINGS, STRESS
from tfhrf.workers import Local

VOICES = 16  # utterances of others from which the babble of a fold is mixed
VOICE_SECONDS = 10  # of each at most


def run(out, material):
    """Tests the int8 models of a study in every condition that is not in its folder yet.

    Args:
        out: folder of the study.
        material: tfhrf.studies.material.Material that the study was made of.

    Returns:
        The content of `stress.json`: a dict of plain values with the study's "settings",
        "decisions", number of "folds", "missing folds" and, under "conditions", by name "ua" and
        "confusion" of all folds' decisions, or as "missing" why there are none.

    Raises:
        StudyError: no fold is complete, the study was made of other data, or TensorFlow Lite
            Micro is not here.
        AudioError: a recording cannot be used.
    """
    out = pathlib.Path(out)
    if not runners.available():
        raise StudyError(
            "TensorFlow Lite Micro runs a study's int8 models. Received: no wheel of tflite-micro"
        )
    corpus, utterances = material.corpus, material.utterances
    folds = named(material.folds)
    made_of = record.read(out, MADE_OF)
    try:
        config = LogMelConfig(**made_of["front end"])
    except (KeyError, TypeError):
        raise StudyError(f"The study is of another version. Received: {out / MADE_OF}") from None
    finished = _results(out)
    if finished.get("left out"):
        utterances, folds, _ = usable(utterances, folds, config, Local(), {})
    paths, spans = ([getattr(one, name) for one in utterances] for name in ("path", "span"))
    checksums = contents(paths, config, spans)
    record.check_data(out, record.data_of(utterances, checksums, folds, corpus.labels))
    places = {found["fold"]: out / folder for folder, found in complete(out).items()}
    tested = [fold for fold in folds if fold.name in places and fold.test]
    if not tested:
        raise StudyError(f"No fold of the study is complete. Received: {out}")
    models = {fold.name: (places[fold.name] / INT8).read_bytes() for fold in tested}
    frames = int(runners.load(models[tested[0].name])[1][0]["shape"][1])
    results = {
        "settings": record.read(out, SETTINGS),
        "decisions": corpus.decisions,
        "folds": len(tested),
        "missing folds": sorted({fold.name for fold in folds} - set(models)),
        "made of": {
            "distortions": VERSION,
            "models": {name: zlib.crc32(content) for name, content in models.items()},
        },
    }
    names = [f"{c} {one.span}" for c, one in zip(checksums, utterances, strict=True)]
    configs = {fold.name: front_end_of(places[fold.name], config) for fold in tested}
    _test(out, results, tested, models, corpus, utterances, names, frames, configs)
    title = f"{results['settings']['dataset']}, {results['settings']['model']}, int8"
    save_stress(out / STRESS[1], results, title)
    if finished:
        study_page.write(out, finished)
    return results


def _results(out):
    """What the study found, empty if it is not finished."""
    try:
        return json.loads((out / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _test(out, results, folds, models, corpus, utterances, names, frames, configs):
    """Adds the conditions to the results, and writes these as often as one was tested."""
    results["conditions"] = known = _found(out, results["made of"])
    left = [name for name in CONDITIONS if name not in known]
    tests = sum(len(fold.test) for fold in folds)
    bar = progress_bar(tests * len(left), "utterance")
    targets = np.array([corpus.labels.index(one.label) for one in utterances])
    groups = [one.group for one in utterances]
    for condition in left:
        start, counts = bar.added, np.zeros((len(corpus.labels),) * 2, int)
        try:
            for fold in folds:
                predict = functools.partial(runners.predict, models[fold.name])
                config = configs[fold.name]
                heard = _heard(condition, fold, utterances, names, config)
                posteriors = posteriors_of({"int8": predict}, heard, frames, config, bar.add)
                chosen = [groups[i] for i in fold.test]
                decided = decide(posteriors, targets[fold.test], chosen, corpus)
                counts += decided["confusion"]["int8"]
            scores = scores_of_counts(counts)
            known[condition] = {"ua": scores.ua, "confusion": scores.confusion}
        except Missing as error:
            bar.add(tests - (bar.added - start))
            known[condition] = {"missing": str(error)}
        results["conditions"] = {name: known[name] for name in CONDITIONS if name in known}
        write_text(out / STRESS[0], json.dumps(results, indent=2) + "\n")


def _found(out, made_of):
    """The conditions that an earlier run of the same models has tested."""
    try:
        found = json.loads((out / STRESS[0]).read_text(encoding="utf-8"))
        same = found["made of"] == made_of
        return {name: one for name, one in found["conditions"].items() if same and "ua" in one}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _heard(condition, fold, utterances, names, config):
    """Yields the log-mel frames of a fold's test utterances in a condition."""
    some = [utterances[i] for i in fold.test]
    rate = config.sample_rate
    waves = decode_spans([one.path for one in some], [one.span for one in some], rate)
    voices = functools.cache(lambda: _voices(fold, utterances, names, config))
    for index, wave in zip(fold.test, waves, strict=True):
        # The same recording meets the same noise wherever it lies and whoever is tested before.
        seed = zlib.crc32(names[index].encode())
        changed = CONDITIONS[condition](wave, rate, seed, voices)
        yield compute(changed, config)


def _voices(fold, utterances, names, config):
    """Waves of speakers whom a fold does not test, one of each in turn, VOICES of them at most."""
    tested = {"", *(utterances[i].speaker for i in fold.test)}
    others = collections.defaultdict(list)
    for index in sorted(range(len(utterances)), key=names.__getitem__):
        if utterances[index].speaker not in tested:
            others[utterances[index].speaker].append(index)
    rng = np.random.default_rng(zlib.crc32(fold.name.encode()))
    turns = itertools.zip_longest(
        *(rng.permutation(others[speaker]) for speaker in rng.permutation(sorted(others)))
    )
    chosen = [index for turn in turns for index in turn if index is not None][:VOICES]
    paths, spans = ([getattr(utterances[i], name) for i in chosen] for name in ("path", "span"))
    waves = decode_spans(paths, spans, config.sample_rate)
    return [wave[: VOICE_SECONDS * config.sample_rate] for wave in waves]
