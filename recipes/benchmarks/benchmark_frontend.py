"""Prints how exact the C front end is.

python recipes/benchmarks/benchmark_frontend.py --data_dir=EMODB
python recipes/benchmarks/benchmark_frontend.py --data_dir=EMODB --model_dir=runs/STUDY/deployed

Needs a C compiler. What it costs on a Cortex-M is printed by tflm/count_frontend.py.
"""

import pathlib

import front_end_comparison as comparison
import keras
import numpy as np
from absl import flags

import tfhrf
from tfhrf.data.corpora import emodb
from tfhrf.data.decode import decode
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows
from tfhrf.deploy import runners
from tfhrf.log_mel import LogMelConfig
from tfhrf.models import ConvTransformer
from tfhrf.studies import cli
from tfhrf.studies.study_files import FRONT_END, INT8
from tfhrf.studies.training import TrainingSettings, compile_model, fit

DATA_DIR = flags.DEFINE_string("data_dir", None, "The EMO-DB folder.", required=True)
MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "A folder of a study, with int8.tflite; a model is trained if not given."
)
EPOCHS = flags.DEFINE_integer(
    "epochs", 15, "Epochs of the model that is trained here.", lower_bound=1
)


def main():
    utterances = emodb.read(DATA_DIR.value)
    paths = [utterance.path for utterance in utterances]
    if MODEL_DIR.value:
        folder = pathlib.Path(MODEL_DIR.value)
        content = (folder / INT8).read_bytes()
        config_path = folder / FRONT_END
        config = LogMelConfig.load(config_path) if config_path.exists() else LogMelConfig()
    else:
        config = LogMelConfig()
        content = train(utterances, extract(paths, config), config)
    scale, zero_point = runners.scale_and_zero_point(runners.load(content)[1][0])
    expected, found = comparison.features_of_both(paths, config, scale, zero_point)
    print(f"\n{config}\nint8, scale {scale:.6f}, zero point {zero_point}")
    counts = comparison.level_differences(expected, found, scale, zero_point)
    for difference, count in enumerate(counts):
        print(f"  {count:9,} of {counts.sum():,} values differ by {difference}")
    exact = [comparison.exact_features(wave, config) for wave in decode(paths, config.sample_rate)]
    for name, features in (("Python", expected), ("C", found)):
        counts = comparison.level_differences(exact, features, scale, zero_point)
        print(f"  {counts[1:].sum():9,} values of {name} differ from float64")
    hop = config.hop_frames
    decided = comparison.decision_differences(content, expected, found, hop, config)
    print("  " + ", ".join(f"{number:,} {name}" for name, number in decided.items()))


def train(utterances, features, config):
    """An int8 ConvTransformer, briefly trained on all speakers."""
    keras.utils.set_random_seed(0)
    labels = sorted({utterance.label for utterance in utterances})
    targets = np.array([labels.index(utterance.label) for utterance in utterances])
    settings = TrainingSettings(epochs=EPOCHS.value)
    model = ConvTransformer((settings.frames, config.mels), len(labels), preset="light", hrf=4)
    steps = max(1, len(features) // settings.batch_size)
    compile_model(model, settings, steps)
    fit(model, features, targets, settings, steps, config, 0)
    hop = config.hop_frames
    windows = np.concatenate(
        [evaluation_windows(one, settings.frames, hop, config) for one in features]
    )
    return tfhrf.to_tflite(tfhrf.fold(model), windows[::5])


if __name__ == "__main__":
    cli.run(main)
