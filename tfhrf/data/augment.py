"""Augmentation of log-mel frames: SpecAugment, changes of voice and level.

Every random number comes from the seed of the utterance, so that what was drawn before, in this
process or another, changes nothing. (tensorflow-io's masks draw from TensorFlow's global state.)
"""

import tensorflow as tf

# SpecAugment (Park et al. 2019): two masks each way, of at most a share of the mels, and seconds.
MASKS = 2
MEL_MASK = 1 / 8
TIME_MASK = 0.4
# Speaking rate and vocal-tract length change by at most so much: factor, share of the mels.
STRETCH = 0.25
SHIFT = 5 / 64


def augment(mels, silence, seed, gain=0.0, hop=0.01):
    """One random variation of an utterance.

    Args:
        mels: log-mel frames, (frames, mels), standardized, so that a masked value of 0 is average.
        silence: value of digital silence, the least there is.
        seed: integer tensor of shape (2,), all that the variation depends on.
        gain: the level changes by at most so much, in units of the frames.
        hop: seconds between frames.

    Returns:
        float32 tensor of shape (changed frames, mels).
    """
    # One operation draws everything: each would cost as much as an interpolation.
    rate, shift, level, *masks = tf.unstack(tf.random.stateless_uniform([3 + 4 * MASKS], seed))
    mels = change_voice(mels, silence, rate, shift)
    if gain:
        mels = tf.maximum(mels + gain * (2.0 * level - 1.0), silence)
    frames, bands = tf.shape(mels)[0], mels.shape[1]
    mel_mask = round(MEL_MASK * bands)
    frame_mask = tf.minimum(round(TIME_MASK / hop), frames // 4) + 1
    kept_frames, kept_bands = tf.ones((frames, 1), tf.bool), tf.ones((1, bands), tf.bool)
    for mask in range(MASKS):
        band_length, band_start, frame_length, frame_start = masks[4 * mask :][:4]
        kept_bands &= _outside(bands, mel_mask, band_length, band_start)
        kept_frames &= _outside(frames, frame_mask, frame_length, frame_start)[:, None]
    return tf.where(kept_frames & kept_bands, mels, 0.0)


def change_voice(mels, silence, rate, shift):
    """Another speaking rate and another vocal-tract length, by interpolation in time and mel.

    Args:
        mels, silence: as of `augment`.
        rate: where the rate is between its slowest (0) and its fastest (1).
        shift: where the shift is between its lowest (0) and its highest (1).
    """
    frames, bands = tf.shape(mels)[0], mels.shape[1]
    rate = 1.0 + STRETCH * (2.0 * rate - 1.0)
    shift = SHIFT * bands * (2.0 * shift - 1.0)
    new_frames = tf.cast(tf.cast(frames, tf.float32) / rate, tf.int32)
    mels = _interpolate(mels, tf.cast(tf.range(new_frames), tf.float32) * rate, axis=0)
    mels = _interpolate(mels, tf.cast(tf.range(bands), tf.float32) + shift, axis=1)
    return tf.maximum(mels, silence)


def draw(uniform, bound):
    """An integer of 0 to bound - 1 from a number of [0, 1)."""
    return tf.minimum(tf.cast(uniform * tf.cast(bound, tf.float32), tf.int32), bound - 1)


def _outside(size, longest, length, start):
    """Which of `size` positions are not masked, by two numbers of [0, 1); (size,)."""
    length = draw(length, longest)
    start = draw(start, tf.maximum(size - length, 1))
    positions = tf.range(size)
    return (positions < start) | (positions >= start + length)


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
