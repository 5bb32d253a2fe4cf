"""Fixed windows of log-mel frames: random and augmented to train on, evenly spaced to test on."""

import numpy as np
import tensorflow as tf

from tfhrf.augmentation import augment

READERS = 4  # utterances that are read at a time


def silence(config):
    """The value of a frame of digital silence, with which short recordings are padded."""
    return np.float32((np.log(config.floor) - config.mean) * config.scale)


def training_batches(features, labels, settings, classes, config, seed):
    """An endless dataset of augmented random windows.

    Args:
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames:
            one is read when its turn comes, a few batches are in memory.
        labels: class index per utterance.
        settings: TrainingSettings, for frames per window, windows per batch, and augmentation.
        classes: number of classes.
        config: LogMelConfig of the features.
        seed: seed of shuffling, cropping and augmentation.

    Returns:
        tf.data.Dataset of (windows, one-hot labels), float32 of shapes
        (batch_size, frames, mels) and (batch_size, classes).
    """
    frames = settings.frames

    def read(index, label):
        row = tf.numpy_function(lambda i: np.asarray(features[i]), [index], tf.float32)
        return tf.ensure_shape(row, (None, config.mels)), label

    def window(row, label):
        mels = augment(row, silence(config), settings.gain)
        crop = tf.shape(mels)[0] - frames
        start = tf.random.uniform((), 0, tf.maximum(crop, 0) + 1, dtype=tf.int32)
        before = tf.random.uniform((), 0, tf.maximum(-crop, 0) + 1, dtype=tf.int32)
        mels = mels[start : start + frames]
        after = frames - before - tf.shape(mels)[0]
        mels = tf.pad(mels, [[before, after], [0, 0]], constant_values=silence(config))
        return tf.ensure_shape(mels, (frames, config.mels)), tf.one_hot(label, classes)

    # All utterances are shuffled by their numbers; reading goes ahead of what uses the frames.
    # The random operations of `map` take their seeds from the global one; sequential, they
    # repeat exactly. One thread keeps up: training takes the time.
    # There is nothing to tune, and the tuner can hold up the end of an iterator for seconds.
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        tf.data.Dataset.from_tensor_slices((np.arange(len(labels)), labels))
        .shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)
        .repeat()
        .map(read, num_parallel_calls=READERS, deterministic=True)
        .map(window)
        .batch(settings.batch_size, drop_remainder=True)
        .prefetch(4)
        .with_options(options)
    )


def test_windows(features, frames, hop, config):
    """All windows of one utterance: every `hop` frames, the last one flush with the end.

    Args:
        features: float32 array of shape (frames of the utterance, mels), or StoredFrames.
        frames: length of a window; a shorter utterance is padded on both sides.
        hop: distance of windows, in frames.
        config: LogMelConfig of the features.

    Returns:
        float32 array of shape (windows, frames, mels).
    """
    features = np.asarray(features)
    missing = frames - len(features)
    if missing > 0:
        padding = ((missing // 2, missing - missing // 2), (0, 0))
        return np.pad(features, padding, constant_values=silence(config))[None]
    starts = [*range(0, len(features) - frames, hop), len(features) - frames]
    return np.stack([features[start : start + frames] for start in starts])


def utterance_posteriors(logits, counts):
    """Averages the posteriors of an utterance's windows.

    Args:
        logits: (all windows, classes), utterance after utterance.
        counts: number of windows of each utterance.

    Returns:
        float64 array of shape (utterances, classes).
    """
    logits = np.asarray(logits, np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    posteriors = exponentials / exponentials.sum(axis=1, keepdims=True)
    return np.stack([part.mean(axis=0) for part in np.split(posteriors, np.cumsum(counts)[:-1])])
