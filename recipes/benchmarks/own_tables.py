"""Tables of some recordings of a corpus, as a user with few has them, and trainings on these."""

import collections
import csv
import os
import pathlib
import subprocess
import sys

from absl import flags

from tfhrf.files import checksum, replacing
from tfhrf.recognition.packaged import SCRATCH
from tfhrf.studies import results
from tfhrf.studies.arms import in_shell
from tfhrf.studies.record import StudyError


def place_of():
    """The folder that paths in tables start from."""
    return flags.FLAGS.data_dir or os.curdir


def once(utterances):
    """Utterances whose recording is in the corpus once: a table may not label one in two ways."""
    sums = [checksum(one.path) for one in utterances]
    counts = collections.Counter(sums)
    return [one for one, found in zip(utterances, sums, strict=True) if counts[found] == 1]


def draw_speakers(utterances, rng, share):
    """Draws speakers to train on.

    Args:
        utterances: list of Utterance.
        rng: numpy Generator.
        share: of the speakers.

    Returns:
        The utterances of the speakers drawn, in a random order, and those of the others.
    """
    speakers = rng.permutation(sorted({utterance.speaker for utterance in utterances}))
    heard = set(speakers[: round(share * len(speakers))])
    train = [one for one in utterances if one.speaker in heard]
    test = [one for one in utterances if one.speaker not in heard]
    return [train[i] for i in rng.permutation(len(train))], test


def write_table(path, train, test):
    """Writes a table of utterances to train and to test on.

    Raises:
        StudyError: there is none on one of the sides.
    """
    if not (train and test):
        raise StudyError(f"Too few recordings. Received: {len(train)}, {len(test)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as work, work.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "speaker", "split"])
        for split, some in (("train", train), ("test", test)):
            for one in some:
                place = os.path.relpath(one.path, place_of())
                writer.writerow([place, one.label, one.speaker, split])


def train_on(table, study, backbone, *more, source=SCRATCH):
    """Trains and tests a recipe's model on a table; goes on where it was.

    Args:
        table: path.
        study: folder.
        backbone: of the recipe.
        more: flags.
        source: what training starts from.

    Returns:
        UA of the int8 model.

    Raises:
        StudyError: the training stopped.
    """
    arguments = [f"recipes/train_{backbone.replace('_', '')}.py", "--dataset=table"]
    arguments += [f"--table={table}", f"--data_dir={place_of()}", "--folds=1", *more]
    arguments += [f"--from={source}", f"--out={study}"]
    print(f"\n{in_shell(arguments)}", flush=True)
    recipe = pathlib.Path(__file__).parents[1] / pathlib.Path(arguments[0]).name
    if subprocess.run([sys.executable, str(recipe), *arguments[1:]], check=False).returncode:
        raise StudyError(f"A training stopped. Received: {study}")
    return results.read(study)["scores"]["int8"]["ua"]
