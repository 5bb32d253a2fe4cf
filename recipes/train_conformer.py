"""Trains a Conformer with HRF, folds it, quantizes it, and writes it as C++ arrays.

python recipes/train_conformer.py
python recipes/train_conformer.py --dataset=emodb --data_dir=PATH/TO/emodb
"""

from tfhrf import commands
from tfhrf.backbones import Conformer

if __name__ == "__main__":
    commands.train("conformer", Conformer)
