"""Augmentation of log-mel frames: SpecAugment, changes of voice and level, noise.

Every random number comes from the seed of the utterance, so that what was drawn before, in this
process or another, changes nothing. (tensorflow-io's masks draw from TensorFlow's global state.)
"""

import math

import numpy as np
import tensorflow as tf

from tfhrf.log_mel import mel_filters

# SpecAugment (Park et al. 2019): two masks each way, of at most a share of the mels, and seconds.
MASKS = 2
MEL_MASK = 1 / 8
TIME_MASK = 0.4
# Speaking rate and vocal-tract length change by at most so much: factor, share of the mels.
STRETCH = 0.25
SHIFT = 5 / 64
# Another distance or microphone changes the level by so many dB, at least and at most.
GAIN = (-15.0, 9.0)
# Wide augmentation, for microphones and rooms that the corpus does not know: other levels, and
# pauses deeper or less deep below speech, by a factor of e to one of these.
WIDE_GAIN = (-21.0, 15.0)
RANGE = (-0.6, 0.6)
# And a share of the utterances is heard among so many other voices, so many dB below it together.
AMONG = 0.25
VOICES = (2, 6)
VOICES_BELOW = (3.0, 30.0)
# Voices are put together once: clips of so many frames.
CLIPS, CLIP = 64, 400
# A share of the utterances is heard in steady noise, between loud and hardly there: dB below the
# utterance. Its colour lies between brown and violet: from the lowest mel to the highest, the
# density of its power rises by a factor of e to one of these.
NOISY = 0.5
BELOW = (0.0, 30.0)
TILT = (-6.0, 3.0)


def augment(mels, seed, config, voices=None):
    """One random variation of an utterance.

    Args:
        mels: log-mel frames, (frames, mels), standardized, so that a masked value of 0 is average.
        seed: integer tensor of shape (2,), all that the variation depends on.
        config: LogMelConfig of the frames.
        voices: of `other_voices`, for wide augmentation: utterances are heard among them, the
            dynamic range changes, too, and the level by more. None: the usual one.

    Returns:
        float32 tensor of shape (changed frames, mels).
    """
    # One operation draws everything: each would cost as much as an interpolation.
    numbers = tf.unstack(tf.random.stateless_uniform([6 + 4 * MASKS], seed))
    rate, shift, level, noisy, below, tilt, *masks = numbers
    if voices is not None:
        mels = change_range(mels, config.silence, seed)
    mels = change_voice(mels, config.silence, rate, shift)
    mels = tf.cond(noisy < NOISY, lambda: add_noise(mels, below, tilt, seed, config), lambda: mels)
    if voices is not None:
        mels = add_voices(mels, voices, seed, config)
    gain = _between(GAIN if voices is None else WIDE_GAIN, level)
    mels = tf.maximum(mels + gain * decibel(config), config.silence)
    frames, bands = tf.shape(mels)[0], mels.shape[1]
    mel_mask = round(MEL_MASK * bands)
    frame_mask = tf.minimum(round(TIME_MASK * config.sample_rate / config.hop), frames // 4) + 1
    kept_frames, kept_bands = tf.ones((frames, 1), tf.bool), tf.ones((1, bands), tf.bool)
    for mask in range(MASKS):
        band_length, band_start, frame_length, frame_start = masks[4 * mask :][:4]
        kept_bands &= _outside(bands, mel_mask, band_length, band_start)
        kept_frames &= _outside(frames, frame_mask, frame_length, frame_start)[:, None]
    return tf.where(kept_frames & kept_bands, mels, 0.0)


def change_range(mels, silence, seed):
    """Another dynamic range: each mel's distances from its mean over time grow or shrink.

    Args:
        mels, seed: as of `augment`.
        silence: value of digital silence, the least there is.
    """
    own_seed = tf.random.experimental.stateless_fold_in(seed, 2)
    factor = tf.exp(tf.random.stateless_uniform((), own_seed, *RANGE))
    mean = tf.reduce_mean(mels, axis=0, keepdims=True)
    return tf.maximum(mean + factor * (mels - mean), silence)


def other_voices(features, config, seed):
    """Clips of several people who talk at once, equally loud.

    Args:
        features: list of arrays (frames of the utterance, mels), or of StoredFrames; what is
            heard is some of them, from anywhere and again from their start.
        config: LogMelConfig of the features.
        seed: seed of who is heard and from where.

    Returns:
        float32 array of shape (CLIPS, CLIP, mels): natural logarithms of power, whose mean over
        each clip, summed over mels, is 1.
    """
    rng = np.random.default_rng(seed)
    clips = np.empty((CLIPS, CLIP, config.mels), np.float32)
    for clip in clips:
        total = np.zeros(clip.shape)
        for index in rng.integers(len(features), size=rng.integers(VOICES[0], VOICES[1] + 1)):
            power = np.exp(np.asarray(features[index], np.float64) / config.scale + config.mean)
            places = (rng.integers(len(power)) + np.arange(CLIP)) % len(power)
            total += power[places] / power.sum(axis=1).mean()
        clip[:] = np.log(total / total.sum(axis=1).mean())
    return clips


def add_voices(mels, voices, seed, config):
    """Other people, who talk while a share of the utterances is spoken: powers add.

    Args:
        mels, seed, config: as of `augment`.
        voices: of `other_voices`.
    """
    own_seed = tf.random.experimental.stateless_fold_in(seed, 3)
    among, clip, start, below = tf.unstack(tf.random.stateless_uniform([4], own_seed))
    number, length, _ = voices.shape

    def heard():
        places = (draw(start, length) + tf.range(tf.shape(mels)[0])) % length
        noise = tf.gather(tf.constant(voices)[draw(clip, number)], places)
        return _with_noise(mels, noise, _between(VOICES_BELOW, below), config)

    return tf.cond(among < AMONG, heard, lambda: mels)


def change_voice(mels, silence, rate, shift):
    """Another speaking rate and another vocal-tract length, by interpolation in time and mel.

    Args:
        mels: as of `augment`.
        silence: value of digital silence, the least there is.
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


def add_noise(mels, below, tilt, seed, config):
    """Steady noise, whose power adds to that of the frames; as if it had been in the recording.

    Args:
        mels, seed, config: as of `augment`.
        below: where the level of the noise is between its highest (0) and its lowest (1).
        tilt: where its colour is between its darkest (0) and its brightest (1).
    """
    frames, bands = tf.shape(mels)[0], mels.shape[1]
    # White noise has a power in every filter that is as large as the filter is wide.
    widths = mel_filters(config).sum(axis=0) + 1e-3
    noise = tf.math.log(widths) + _between(TILT, tilt) * tf.linspace(0.0, 1.0, bands)
    noise -= tf.reduce_logsumexp(noise)
    # Energies of noise vary from frame to frame, here by a factor of e either way.
    own_seed = tf.random.experimental.stateless_fold_in(seed, 1)
    noise += tf.random.stateless_uniform((frames, bands), own_seed, -1.0, 1.0)
    return _with_noise(mels, noise, _between(BELOW, below), config)


def _with_noise(mels, noise, below, config):
    """Frames and noise at once.

    Args:
        mels, config: as of `augment`.
        noise: logarithms of power, (frames, mels), whose mean, summed over mels, is 1.
        below: by how much less power it shall have than the frames, dB.
    """
    logarithms = mels / config.scale + config.mean
    power = tf.reduce_logsumexp(logarithms) - tf.math.log(tf.cast(tf.shape(mels)[0], tf.float32))
    noise += power - below * math.log(10.0) / 10.0
    # Sums of energies as differences of logarithms: they cannot overflow.
    return mels + config.scale * tf.math.softplus(noise - logarithms)


def decibel(config):
    """By how much frames change when the level changes by 1 dB."""
    return config.scale * math.log(10.0) / 10.0


def _between(limits, uniform):
    """From a number of [0, 1) to one between two limits."""
    least, most = limits
    return least + (most - least) * uniform


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
