"""Fixed windows of log-mel frames: random and augmented to train on, evenly spaced to test on.

Functions that need TensorFlow load it: `tfhrf recognize` answers without it.
"""

import numpy as np

IN_MEMORY = 2**26  # bytes of frames that training keeps in memory, 44 minutes of 64 mels
READ = 8  # utterances read at a time where there are more


def training_batches(features, labels, settings, classes, config, seed):
    """An endless dataset of augmented random windows.

    Args:
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames.
            Up to IN_MEMORY they are read at once, else each one when its turn comes, so that a
            few batches are in memory. The batches are the same, bit for bit.
        labels: class index per utterance, or shares of the classes, (utterances, classes).
        settings: TrainingSettings, for frames per window, windows per batch and augmentation.
        classes: number of classes.
        config: LogMelConfig of the features.
        seed: seed of shuffling, cropping and augmentation.

    Returns:
        tf.data.Dataset of (windows, shares of the classes, one-hot for indices), float32 of shapes
        (batch_size, frames, mels) and (batch_size, classes).
    """
    import tensorflow as tf

    from tfhrf.data.augment import augment, draw, other_voices

    frames = settings.frames
    labels = np.asarray(labels)
    if labels.ndim == 1:
        labels = np.eye(classes, dtype=np.float32)[labels]
    voices = other_voices(features, config, seed) if settings.augmentation == "wide" else None
    whole = 4 * config.mels * sum(map(len, features)) <= IN_MEMORY

    def arrays(indices):
        rows = [np.asarray(features[index]) for index in indices]
        return np.concatenate(rows), np.array([len(row) for row in rows])

    def read(indices, labels):
        rows, lengths = tf.numpy_function(arrays, [indices], [tf.float32, tf.int64])
        return ragged(tf.ensure_shape(rows, (None, config.mels)), lengths), labels

    def ragged(rows, lengths):
        return tf.RaggedTensor.from_row_lengths(rows, tf.ensure_shape(lengths, (None,)))

    def window(number, utterance):
        row, label = utterance
        own_seed = tf.stack([seed, 2 * number])
        mels = augment(row, own_seed, config, voices)
        crop = tf.shape(mels)[0] - frames
        # Odd, so that the augmentation has drawn other numbers.
        own_seed = tf.stack([seed, 2 * number + 1])
        start, before = tf.unstack(tf.random.stateless_uniform([2], own_seed))
        start = draw(start, tf.maximum(crop, 0) + 1)
        before = draw(before, tf.maximum(-crop, 0) + 1)
        mels = mels[start : start + frames]
        after = frames - before - tf.shape(mels)[0]
        mels = tf.pad(mels, [[before, after], [0, 0]], constant_values=config.silence)
        return tf.ensure_shape(mels, (frames, config.mels)), label

    # One thread keeps up: training takes the time.
    # There is nothing to tune, and the tuner can hold up the end of an iterator for seconds.
    options = tf.data.Options()
    options.autotune.enabled = False
    numbers = np.arange(len(labels))
    source = ragged(*arrays(numbers)) if whole else numbers
    utterances = (
        tf.data.Dataset.from_tensor_slices((source, labels))
        .shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)
        .repeat()
    )
    if not whole:
        utterances = utterances.batch(READ).map(read).unbatch()
    return (
        utterances.enumerate()
        .map(window)
        .batch(settings.batch_size, drop_remainder=True)
        .prefetch(4)
        .with_options(options)
    )


def validation_batches(features, labels, settings, classes, config):
    """The middle window of every utterance, for a learning curve, a few batches in memory.

    Args:
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames.
        labels: class index per utterance.
        settings: TrainingSettings, for frames per window and windows per batch.
        classes: number of classes.
        config: LogMelConfig of the features.

    Returns:
        tf.data.Dataset of (windows, one-hot labels), one pass over the utterances in order;
        shapes are those of `training_batches`, the last batch may be smaller.
    """
    import tensorflow as tf

    one_hot = np.eye(classes, dtype=np.float32)

    def pairs():
        for one, label in zip(features, labels, strict=True):
            yield middle_window(one, settings.frames, config), one_hot[label]

    shapes = (settings.frames, config.mels), (classes,)
    signature = tuple(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    dataset = tf.data.Dataset.from_generator(pairs, output_signature=signature)
    counted = dataset.apply(tf.data.experimental.assert_cardinality(len(features)))
    return counted.batch(settings.batch_size).prefetch(1)


def middle_window(features, frames, config):
    """The window in the middle of an utterance, padded if it is shorter, (frames, mels)."""
    start = max(0, len(features) - frames) // 2
    (window,) = evaluation_windows(np.asarray(features)[start : start + frames], frames, 1, config)
    return window


def evaluation_windows(features, frames, hop, config):
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
        return np.pad(features, padding, constant_values=config.silence)[None]
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
