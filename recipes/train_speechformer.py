"""Trains a SpeechFormer with HRF, folds it, quantizes it, and writes it as C++ arrays.

python recipes/train_speechformer.py
python recipes/train_speechformer.py --dataset=emodb --data_dir=PATH/TO/emodb
"""

from tfhrf.models import SpeechFormer
from tfhrf.studies import cli
from tfhrf.studies.training import TrainingSettings

DEFAULTS = {"emodb": TrainingSettings(epochs=60, gain=0.5)}

if __name__ == "__main__":
    cli.train("speech_former", SpeechFormer, DEFAULTS)
