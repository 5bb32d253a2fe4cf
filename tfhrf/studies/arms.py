"""The study of what HRF, distillation and size change: its arms, and the command of each."""

import pathlib
import shlex

from tfhrf.files import safe_name
from tfhrf.recognition.packaged import SCRATCH

# What trains: the function that makes each, by its module in tfhrf.models.
BACKBONES = {
    "conv_transformer": "ConvTransformer",
    "conformer": "Conformer",
    "speech_former": "SpeechFormer",
}
# What is tested, and on whom; without the model to deploy.
CORPORA = {
    "emodb": ["--folds=1,2,3,4,5,6,7,8,9,10"],
    "cremad": ["--protocol=kept_speakers", "--folds=1"],
}
# Flags by arm, in the order in which they train: who is taught comes after the teachers.
ARMS = {
    "light": ["--hrf=0"],
    "light with HRF": ["--hrf=4"],
    "large": ["--hrf=0", "--variant=large"],
    "light, distilled": ["--hrf=0"],
    "light with HRF, distilled": ["--hrf=4"],
}
TAUGHT = ("light, distilled", "light with HRF, distilled")
TEACHERS, SEEDS = ("light", "light with HRF"), 2  # whose first seeds teach


def folder(out, corpus, backbone, arm):
    """The folder of an arm, which has one of each seed."""
    return pathlib.Path(out, corpus, backbone, safe_name(arm.replace(",", "").replace(" ", "_")))


def runs_of(out, corpus, backbone, arm, seeds):
    """The folders of an arm's studies."""
    place = folder(out, corpus, backbone, arm)
    return [place / str(seed) for seed in range(seeds)] if seeds > 1 else [place]


def command(out, corpus, backbone, arm, seeds, data_dir):
    """The arguments of Python that train and test an arm, all seeds of it.

    Args:
        out: folder of the whole study.
        corpus, backbone, arm: of CORPORA, BACKBONES, ARMS.
        seeds: how many, from 0.
        data_dir: folder of the corpus.

    Returns:
        List of texts.
    """
    arguments = [f"recipes/train_{backbone.replace('_', '')}.py", f"--dataset={corpus}"]
    arguments += [f"--data_dir={data_dir}", f"--from={SCRATCH}", *CORPORA[corpus], *ARMS[arm]]
    if arm in TAUGHT:
        taught_by = [
            str(run)
            for teacher in TEACHERS
            for run in runs_of(out, corpus, backbone, teacher, seeds)[:SEEDS]
        ]
        arguments.append(f"--teacher={','.join(taught_by)}")
    arguments.append(f"--seed={','.join(map(str, range(seeds)))}")
    return [*arguments, f"--out={folder(out, corpus, backbone, arm)}"]


def in_shell(arguments):
    """A command as one types it."""
    return shlex.join(["python", *arguments])
