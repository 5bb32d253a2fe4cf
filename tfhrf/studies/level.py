"""How loud recordings are: a model that trains on hears new ones as loud as those that trained it.

Corpora differ by 10 dB and more, and from mel to mel: microphones, rooms, and lost bands. Log-mel
frames have no automatic gain. An equalizer in the front end makes good for it on the average, and
costs a device next to nothing.
"""

import dataclasses
import math

import numpy as np

from tfhrf.log_mel import LogMelConfig
from tfhrf.recognition.packaged import FRONT_END
from tfhrf.studies.record import StudyError

NEPER = 10.0 / math.log(10.0)  # dB of a natural logarithm of energies
DEEPEST = -90.0  # dB of an equalizer
HEARD = 1e-3  # above silence, of a mel that is not silent throughout


def mel_levels(features):
    """The mean of each mel over all frames of utterances.

    Args:
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames.

    Returns:
        float64 array of shape (mels,).
    """
    frames = sum(map(len, features))
    return sum(np.sum(one, axis=0, dtype=np.float64) for one in features) / frames


def equalized(config, features, levels):
    """The front end to which recordings are as loud as those that a model was trained on.

    A mel's energy is at most as it was, before the floor, which keeps values that are at the floor
    there; what is to be louder has another `mean`. Mels without a sound stay as they are.

    Args:
        config: LogMelConfig of the features.
        features: list of StoredFrames, of the utterances to train on.
        levels: `mel_levels` of what the model was trained on.

    Returns:
        LogMelConfig.
    """
    found = mel_levels(features)
    heard = found > config.silence + HEARD
    if not heard.any():
        return config
    shift = (np.array(levels) - found) / config.scale
    most = shift[heard].max()
    wanted = np.array(config.equalizer or 0.0) + np.where(heard, (shift - most) * NEPER, 0.0)
    return dataclasses.replace(
        config,
        mean=config.mean - float(most),
        equalizer=tuple(np.round(np.maximum(wanted, DEEPEST), 2).tolist()),
    )


def as_heard(features, config, own):
    """Features of one front end as another one computes them that `equalized` has returned for it.

    Args:
        features: list of StoredFrames.
        config: LogMelConfig of the features.
        own: the other one.

    Returns:
        List of StoredFrames.
    """
    if own == config:
        return features
    gains = np.array(own.equalizer or 0.0) - np.array(config.equalizer or 0.0)
    shift = (gains / NEPER + config.mean - own.mean) * config.scale
    shift = tuple(np.broadcast_to(shift, config.mels).tolist())
    return [dataclasses.replace(one, shift=shift, least=float(own.silence)) for one in features]


def front_end_of(place, config):
    """The LogMelConfig of a fold's model, `config` if it has none of its own.

    Raises:
        StudyError: its file is damaged.
    """
    path = place / FRONT_END
    try:
        return LogMelConfig.load(path) if path.exists() else config
    except ValueError as error:
        raise StudyError(
            f"The front end of a fold is damaged. Received: {path} ({error})"
        ) from None
