"""Augmentation of log-mel frames: SpecAugment through tensorflow-io, changes of voice and level."""

import tensorflow as tf
import tensorflow_io as tfio

# SpecAugment (Park et al. 2019): two masks each way, of at most a share of the mels, and seconds.
MASKS = 2
MEL_MASK = 1 / 8
TIME_MASK = 0.4
# Speaking rate and vocal-tract length change by at most so much: factor, share of the mels.
STRETCH = 0.25
SHIFT = 5 / 64


def augment(mels, silence, gain=0.0, hop=0.01):
    """One random variation of an utterance.

    Args:
        mels: log-mel frames, (frames, mels), standardized, so that a masked value of 0 is average.
        silence: value of digital silence, the least there is.
        gain: the level changes by at most so much, in units of the frames.
        hop: seconds between frames.

    Returns:
        float32 tensor of shape (changed frames, mels).
    """
    mels = change_voice(mels, silence)
    if gain:
        mels = tf.maximum(mels + tf.random.uniform((), -gain, gain), silence)
    mel_mask = round(MEL_MASK * mels.shape[1])
    frame_mask = tf.minimum(round(TIME_MASK / hop), tf.shape(mels)[0] // 4) + 1
    for _ in range(MASKS):
        mels = tfio.audio.freq_mask(mels, mel_mask)
        mels = tfio.audio.time_mask(mels, frame_mask)
    return mels


def change_voice(mels, silence):
    """Another speaking rate and another vocal-tract length, by interpolation in time and mel."""
    frames, bands = tf.shape(mels)[0], mels.shape[1]
    rate = 1.0 + tf.random.uniform((), -STRETCH, STRETCH)
    most = SHIFT * bands
    shift = tf.random.uniform((), -most, most)
    new_frames = tf.cast(tf.cast(frames, tf.float32) / rate, tf.int32)
    mels = _interpolate(mels, tf.cast(tf.range(new_frames), tf.float32) * rate, axis=0)
    mels = _interpolate(mels, tf.cast(tf.range(bands), tf.float32) + shift, axis=1)
    return tf.maximum(mels, silence)


def _interpolate(values, positions, axis):
    """Linear interpolation along an axis; positions outside take the value of the edge."""
    last = tf.cast(tf.shape(values)[axis] - 1, tf.float32)
    positions = tf.clip_by_value(positions, 0.0, last)
    below = tf.floor(positions)
    above = tf.minimum(below + 1.0, last)
    share = positions - below
    share = share[:, None] if axis == 0 else share[None, :]
    lower = tf.gather(values, tf.cast(below, tf.int32), axis=axis)
    upper = tf.gather(values, tf.cast(above, tf.int32), axis=axis)
    return lower * (1.0 - share) + upper * share
