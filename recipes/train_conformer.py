"""Trains a Conformer with HRF, folds it, quantizes it, and writes it as C++ arrays.

python recipes/train_conformer.py
python recipes/train_conformer.py --dataset=emodb --data_dir=PATH/TO/emodb
"""

from tfhrf.models import Conformer
from tfhrf.studies import cli

if __name__ == "__main__":
    cli.train("conformer", Conformer)
