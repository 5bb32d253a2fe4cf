"""How loud recordings are: a model that trains on hears new ones as loud as those that trained it.

Corpora differ by 10 dB and more, and log-mel frames have no automatic gain. A constant that is
added to all frames is another `mean` of the front end, which costs a device nothing.
"""

import dataclasses

import numpy as np

from tfhrf.log_mel import LogMelConfig
from tfhrf.recognition.packaged import FRONT_END


def mean_level(features):
    """The mean of all values of utterances.

    Args:
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames.
    """
    frames = sum(map(len, features))
    return float(sum(np.mean(one, dtype=np.float64) * (len(one) / frames) for one in features))


def at_level(features, train, level, config):
    """Features of a corpus as loud as those that a model was trained on.

    Args:
        features: list of StoredFrames, of all utterances.
        train: indices of those to train on, which alone decide.
        level: `mean_level` of what the model was trained on.
        config: LogMelConfig of the features.

    Returns:
        List of StoredFrames, and the LogMelConfig that computes them.
    """
    shift = level - mean_level([features[index] for index in train])
    config = dataclasses.replace(config, mean=config.mean - shift / config.scale)
    return [dataclasses.replace(one, shift=shift) for one in features], config


def as_heard(features, config, place):
    """Features of a study's corpus as the model of one of its folds takes them.

    Args:
        features: list of StoredFrames.
        config: LogMelConfig of the features.
        place: folder of the fold.

    Returns:
        List of StoredFrames, and the LogMelConfig that computes them.
    """
    own = front_end_of(place, config)
    if own == config:
        return features, config
    shift = (config.mean - own.mean) * config.scale
    return [dataclasses.replace(one, shift=shift) for one in features], own


def front_end_of(place, config):
    """The LogMelConfig of a fold's model, `config` if it has none of its own."""
    path = place / FRONT_END
    return LogMelConfig.load(path) if path.exists() else config
