"""Trains a SpeechFormer, folds it, quantizes it, and writes it as C++ arrays.

python recipes/train_speechformer.py
python recipes/train_speechformer.py --dataset=emodb --data_dir=PATH/TO/emodb

The work is in the package: tfhrf/models/speech_former.py is the model; in tfhrf/studies/, cli.py
reads the flags, study.py plans the folds, task.py carries one out, training.py fits the model.
"""

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.models import SpeechFormer
from tfhrf.studies import cli

if __name__ == "__main__":
    cli.train("speech_former", SpeechFormer)
