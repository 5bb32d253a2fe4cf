"""Tests the int8 models of finished studies on sound as users send it: levels, noise, a room.

python recipes/stress.py --data_dir=PATH/TO/emodb runs/conv_transformer-emodb-light-0-0-*

What is tested in which way is as in the study; only where the recordings are has to be said again.
"""

from absl import flags

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.studies import cli, material, record, stress, tables
from tfhrf.studies.study_files import SETTINGS

material.define_places()


def main(folders):
    if not folders:
        raise record.StudyError("Give the folders of one or more studies. Received: none")
    for folder in folders:
        settings = record.read(folder, SETTINGS)
        results = stress.run(folder, material.read_again(settings, flags.FLAGS))
        print(f"\n{tables.stress_table(results)}\n\nWritten to {folder}")


if __name__ == "__main__":
    cli.run(main, positional=True)
