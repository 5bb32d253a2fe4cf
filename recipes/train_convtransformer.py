"""Trains a ConvTransformer, folds it, quantizes it, and writes it as C++ arrays.

python recipes/train_convtransformer.py
python recipes/train_convtransformer.py --dataset=emodb --data_dir=PATH/TO/emodb
python recipes/train_convtransformer.py --variant=tiny --hrf=4

The work is in the package: tfhrf/models/conv_transformer.py is the model; in tfhrf/studies/, cli.py
reads the flags, study.py plans the folds, task.py carries one out, training.py fits the model.
"""

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.models import ConvTransformer
from tfhrf.studies import cli

if __name__ == "__main__":
    cli.train("conv_transformer", ConvTransformer, variants=("light", "large", "tiny"))
