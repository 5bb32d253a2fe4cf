"""Light backbones trained on EMO-DB, in C: equal to TensorFlow Lite Micro on real speech."""

import numpy as np
import pytest
from generated_c import compare, needs_compiler, quantized, random_inputs
from needs import needs_tflm

import tfhrf
from tfhrf.data.corpora import CORPORA
from tfhrf.data.corpora.classes import of_classes
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows
from tfhrf.log_mel import LogMelConfig
from tfhrf.models import Conformer, ConvTransformer, SpeechFormer
from tfhrf.studies.training import TrainingSettings, compile_model, fit

pytestmark = [pytest.mark.slow, needs_compiler, needs_tflm]
CONFIG = LogMelConfig()
INPUTS = 1000


@pytest.fixture(scope="module")
def speech(emodb_dir):
    """(features of each recording, classes, windows of all of them)."""
    utterances = of_classes(CORPORA["emodb"].read(emodb_dir), CORPORA["emodb"].classes)
    features = extract([one.path for one in utterances], CONFIG)
    labels = sorted({one.label for one in utterances})
    targets = np.array([labels.index(one.label) for one in utterances])
    windows = np.concatenate([evaluation_windows(one, 200, 100, CONFIG) for one in features])
    return features, targets, windows


@pytest.mark.parametrize("backbone", [ConvTransformer, Conformer, SpeechFormer])
def test_trained_backbones_equal_tflm_on_a_thousand_inputs(backbone, speech, tmp_path):
    features, targets, windows = speech
    settings = TrainingSettings(frames=200, epochs=3)
    model = backbone((settings.frames, CONFIG.mels), int(targets.max()) + 1, hrf=4)
    compile_model(model, settings, steps_per_epoch=10)
    fit(model, features, targets, settings, 10, CONFIG, seed=0)
    for precision in ("int8", "int16x8"):
        content = tfhrf.to_tflite(tfhrf.fold(model), windows[::5], precision=precision)
        examples = [[one[None]] for one in quantized(windows, content)]
        assert len(examples) >= 600
        # The first two are the least and the largest values everywhere.
        examples += random_inputs(content, INPUTS - len(examples))
        assert len(examples) == INPUTS
        compare(content, tmp_path / precision, 0, examples=examples)
