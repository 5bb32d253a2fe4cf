"""Training that starts from the weights of a trained model."""

import contextlib
import zlib

import keras

from tfhrf.data.corpora import CORPORA, CorpusError
from tfhrf.data.corpora.spans import sound_seconds
from tfhrf.hrf.expand import expand
from tfhrf.recognition import packaged
from tfhrf.studies.defaults import MUCH, window_for
from tfhrf.studies.record import StudyError


def start(source, backbone, variants, tested):
    """What a recipe starts from, if it is a model of the recipe's.

    Args:
        source: name of a packaged model, or the folder of a model.
        backbone, variants: name of the recipe's backbone, and the presets that are asked for.
        tested: name of the corpus that folds test.

    Returns:
        (Pretrained, what the settings of a study say of it).

    Raises:
        ModelError: there is no such model, or it is not complete.
        StudyError: it is one of another backbone or variant, or was trained on the tested corpus.
    """
    found = packaged.find(source)
    asked = [f"{backbone}_{variant}" for variant in variants]
    if asked != [found.model.name]:
        raise StudyError(
            f"{source} is a {found.model.name}: take its recipe and its --variant. "
            f"Received: {', '.join(asked)}"
        )
    if tested in found.datasets and tested in CORPORA:
        raise StudyError(
            f"{source} was trained on {tested}, whose test would ask for what it knows by heart. "
            f"Received: --from={source}"
        )
    return found, begun_from(found)


def check_unheard(begun, utterances, marks, folds):
    """Raises StudyError if folds test recordings that trained what training starts from.

    Args:
        begun: Pretrained.
        utterances: list of Utterance.
        marks: of all utterances, as of `record.marks`.
        folds: list of Fold.
    """
    tested = {index for fold in folds for index in fold.test}
    heard = set(begun.heard)
    # A copy in another format has other marks, and the same names.
    known = max(
        sum(marks[index] in heard for index in tested),
        _named_like(begun.datasets, [utterances[index] for index in tested]),
    )
    if known:
        raise StudyError(
            f"{begun.name} was trained on {known} of the {len(tested)} utterances "
            "that folds test: they would ask for what it knows by heart "
            f"(--from={packaged.SCRATCH} trains from scratch). Received: {begun.folder}"
        )


def usual(backbone, variants, tested, utterances):
    """What a recipe starts from where nobody says it, or None: from scratch.

    It is the packaged model START where that is one of the recipe's, has heard MUCH times as many
    recordings, none of them of the tested corpus, and sees windows as long as would be chosen here.

    Args:
        backbone, variants, tested: as of `start`.
        utterances: list of Utterance to train on.
    """
    found = packaged.find(packaged.START)
    if tested in found.datasets or MUCH * len(utterances) > (found.recordings or 0):
        return None
    if _named_like(found.datasets, utterances):
        return None
    lengths = []
    for one in utterances:
        # For who decodes it to refuse or skip.
        with contextlib.suppress(CorpusError):
            start, end = one.span or (0.0, sound_seconds(one.path))
            lengths.append(found.config.frames(end - start))
    if not lengths or window_for(lengths, found.config) != found.frames:
        return None
    # Last, because the model is loaded.
    if [f"{backbone}_{variant}" for variant in variants] != [found.model.name]:
        return None
    print(
        f"Starting from {found.name}, which {found.recordings:,} recordings of "
        f"{', '.join(found.datasets)} trained (its licence: tfhrf models {found.name}); "
        f"--from={packaged.SCRATCH} trains from scratch"
    )
    return found, begun_from(found)


def _named_like(datasets, utterances):
    """How many recordings have names as those of some corpora have them."""
    patterns = [CORPORA[name].names for name in datasets if name in CORPORA]
    return sum(
        any(pattern and pattern.fullmatch(one.path.stem) for pattern in patterns)
        for one in utterances
    )


def begun_from(found):
    """What the settings of a study say of the trained model that it starts from.

    Its name finds a packaged model anywhere, another one only its folder.
    """
    named = found.folder.parent == packaged.FOLDER
    source = found.name if named else str(found.folder)
    return {"from": source, "weights": f"{zlib.crc32(found.int8):08x}"}


def continued(input_shape, classes, source, labels, hrf):
    """A new model with a trained one's weights, as Study.build makes it.

    Args:
        input_shape: (frames, mels), those of the trained model.
        classes: number of classes.
        source: as of `start`.
        labels: names of the classes. If they are not the trained model's, the classifier is a new
            one, in which labels that both have keep their weights.
        hrf: expansion of the HRF layers, which `tfhrf.expand` puts in, or 0.
    """
    found = packaged.find(source)
    if found.model.input_shape[1:] != tuple(input_shape):
        raise StudyError(
            f"{source} takes windows of {found.model.input_shape[1:]}. "
            f"Received: {tuple(input_shape)}"
        )
    model = found.model
    if tuple(labels) != found.labels:
        model = _with_classifier(model, found.labels, tuple(labels))
    return expand(model, hrf) if hrf else model


def _with_classifier(model, before, labels):
    old = model.layers[-1]
    if not isinstance(old, keras.layers.Dense):
        raise StudyError(f"A model must end with a Dense layer. Received: {old.name}")
    new = keras.layers.Dense(len(labels), name=old.name)
    model = keras.Model(model.inputs[0], new(old.input), name=model.name)
    weights = new.get_weights()
    for place, label in enumerate(labels):
        if label in before:
            for mine, theirs in zip(weights, old.get_weights(), strict=True):
                mine[..., place] = theirs[..., before.index(label)]
    new.set_weights(weights)
    return model
