"""Trains and tests every arm of the study of HRF, distillation and size; resumes where it was.

python recipes/study_hrf.py --emodb=PATH/TO/emodb --cremad=PATH/TO/CREMA-D
python recipes/study_hrf.py --emodb=PATH/TO/emodb --seeds=2 --backbones=conv_transformer

Every arm is a command of a train_*.py recipe, which is printed before it runs; arms of the same
corpus have the same folds and, seed by seed, the same order of data and the same augmentation.
`report_study.py` makes a report of what is there.
"""

import pathlib
import subprocess
import sys

from absl import flags

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.studies import arms, cli
from tfhrf.studies.record import StudyError

for corpus in arms.CORPORA:
    flags.DEFINE_string(corpus, None, "The corpus folder; the corpus is left out if not given.")
BACKBONES = flags.DEFINE_list("backbones", ",".join(arms.BACKBONES), "What is studied.")
CHOSEN = flags.DEFINE_list("arms", None, f"Of {'; '.join(arms.ARMS)}, by number from 1.")
flags.register_validator(
    "backbones",
    lambda given: bool(given) and set(given) <= set(arms.BACKBONES),
    f"values are of <{'|'.join(arms.BACKBONES)}>",
)
flags.register_validator(
    "arms",
    lambda given: given is None or set(given) <= set(map(str, range(1, len(arms.ARMS) + 1))),
    f"values are numbers from 1 to {len(arms.ARMS)}",
)
SEEDS = flags.DEFINE_integer("seeds", 10, "How many, from 0.", lower_bound=1)
OUT = flags.DEFINE_string("out", "runs/study_hrf", "Folder of the study.")
ENGINE = flags.DEFINE_list("engine_flags", [], "Flags for every command, such as --engine=ray.")


def main():
    places = {name: flags.FLAGS[name].value for name in arms.CORPORA if flags.FLAGS[name].value}
    if not places:
        raise StudyError("Give the folder of a corpus, --emodb or --cremad. Received: neither")
    names = list(arms.ARMS)
    for corpus, data_dir in places.items():
        for backbone in BACKBONES.value:
            for arm in [names[int(n) - 1] for n in CHOSEN.value] if CHOSEN.value else names:
                arguments = arms.command(OUT.value, corpus, backbone, arm, SEEDS.value, data_dir)
                print(f"\n{corpus}, {backbone}, {arm}:\n{arms.in_shell(arguments)}", flush=True)
                recipe = pathlib.Path(__file__).with_name(pathlib.Path(arguments[0]).name)
                command = [sys.executable, str(recipe), *arguments[1:], *ENGINE.value]
                done = subprocess.run(command, check=False)
                if done.returncode:
                    raise StudyError(f"An arm stopped. Received: {corpus}, {backbone}, {arm}")


if __name__ == "__main__":
    cli.run(main)
