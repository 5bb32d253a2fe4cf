"""The C front end beside the Python one: levels, and what a model decides from them."""

import numpy as np
import tensorflow as tf

from tfhrf.data.decode import decode
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.frontend import host
from tfhrf.deploy.levels import quantize
from tfhrf.endpoint import to_int16
from tfhrf.log_mel import mel_filters


def features_of_both(paths, config, scale, zero_point, dtype="int8"):
    """Features of recordings by `tfhrf.data.extract.extract` and by the C front end.

    Args:
        paths: list of paths of 16-bit recordings.
        config: LogMelConfig.
        scale, zero_point, dtype: quantization of a model's input.

    Returns:
        Two lists of float32 arrays of shape (frames, mels), in the order of `paths`; those of the
        C front end are its levels, multiplied out.
    """
    run = host.make(config, scale, zero_point, dtype)
    found = [
        (run(to_int16(wave)).astype(np.float32) - zero_point) * np.float32(scale)
        for wave in decode(paths, config.sample_rate)
    ]
    return extract(paths, config), found


def exact_features(wave, config):
    """The features' definition in float64, to see how exact both front ends are."""
    window = tf.signal.hann_window(config.frame_length, dtype=tf.float64).numpy()
    frames = np.lib.stride_tricks.sliding_window_view(wave, config.frame_length)[:: config.hop]
    power = np.abs(np.fft.rfft(frames * window, config.fft_length)) ** 2
    energies = np.maximum(power @ mel_filters(config).astype(np.float64), config.floor)
    return (np.log(energies) - config.mean) * config.scale


def level_differences(expected, found, scale, zero_point, dtype="int8"):
    """How far features lie apart after quantization.

    Args:
        expected, found: lists of arrays of shape (frames, mels), like those of
            `features_of_both`.
        scale, zero_point, dtype: as there.

    Returns:
        int array: number of values that differ by 0, 1, 2, ... levels.
    """
    levels = [
        quantize(np.concatenate(features), scale, zero_point, dtype).astype(np.int64)
        for features in (expected, found)
    ]
    return np.bincount(np.abs(levels[0] - levels[1]).ravel())


def decision_differences(content, expected, found, hop, config):
    """What an int8 or int16x8 model decides from Python features and from the C front end's.

    The model runs in TensorFlow Lite Micro, over windows of every utterance.

    Args:
        content: bytes of a .tflite file, (1, frames, mels) to (1, classes).
        expected, found: lists of arrays of shape (frames, mels), of `features_of_both`.
        hop: frames between windows.
        config: LogMelConfig.

    Returns:
        dict of numbers: "windows", "unequal windows" (their levels differ somewhere), "changed
        windows" (another class), "levels of margin at most" (by which the class of a changed
        window led in the model's output), "utterances" and "changed utterances" (another class by
        the mean posterior of the windows).
    """
    _, (details,), (output,) = runners.load(content)
    frames = int(details["shape"][1])
    levels, counts = [], []
    for features in (expected, found):
        windows = [evaluation_windows(one, frames, hop, config) for one in features]
        counts.append([len(one) for one in windows])
        levels.append(runners.quantize(np.concatenate(windows), details))
    if counts[0] != counts[1]:
        raise ValueError("Both sides must have the same frames. Received: unequal lengths")
    unequal = np.flatnonzero((levels[0] != levels[1]).any(axis=(1, 2)))
    logits = runners.invoke(content, levels[0]).astype(np.int64)
    others = logits.copy()
    if len(unequal):
        others[unequal] = runners.invoke(content, levels[1][unequal])
    changed = logits.argmax(axis=1) != others.argmax(axis=1)
    top = np.sort(logits, axis=1)
    scale, _ = runners.scale_and_zero_point(output)
    decided = [
        utterance_posteriors(one * scale, counts[0]).argmax(axis=1) for one in (logits, others)
    ]
    return {
        "windows": len(logits),
        "unequal windows": len(unequal),
        "changed windows": int(np.sum(changed)),
        "levels of margin at most": int(np.max((top[:, -1] - top[:, -2])[changed], initial=0)),
        "utterances": len(counts[0]),
        "changed utterances": int(np.sum(decided[0] != decided[1])),
    }
