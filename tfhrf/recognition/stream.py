"""What a trained model answers to a stream: each utterance in it, as a device hears it."""

from typing import Any

import numpy as np

from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.endpoint import EndpointConfig, utterances
from tfhrf.log_mel import log_mel_numpy
from tfhrf.recognition.packaged import Pretrained


def answers(model: Pretrained, samples: Any) -> list[tuple[int, int, Any]]:
    """The utterances that the endpointer finds, and what the int8 model says of each.

    Args:
        model: of `find`.
        samples: int16 array of one dimension, at the rate of the front end.

    Returns:
        List of start and end in samples, and the posteriors of the classes, (classes,), the mean
        over the utterance's windows, by TensorFlow Lite Micro's kernels or TensorFlow Lite's.
    """
    config = model.config
    predict = runners.predictor()
    found = []
    for start, end in utterances(samples, EndpointConfig.at(config.sample_rate, config.hop)):
        frames = log_mel_numpy(samples[start:end].astype(np.float32) / 2**15, config)
        windows = evaluation_windows(frames, model.frames, config.hop_frames, config)
        posteriors = utterance_posteriors(predict(model.int8, windows), [len(windows)])
        found.append((start, end, posteriors[0]))
    return found
