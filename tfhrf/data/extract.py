"""Audio files, or spans of them, to log-mel frames."""

import contextlib
import functools

import numpy as np
import tensorflow as tf

from tfhrf.data.decode import AudioError, decode_blocks
from tfhrf.endpoint import EndpointConfig, trim, trim_blocks
from tfhrf.log_mel import log_mel
from tfhrf.progress import progress_bar

FRAMES = 4096  # that are computed at a time, 41 s


def extract(paths, config, spans=None):
    """Log-mel frames of audio files or of spans of them, with a progress bar.

    Args:
        paths: list of file paths.
        config: LogMelConfig.
        spans: list of (start, end) in seconds, or None for a whole file, one per path; whole
            files if not given.

    Returns:
        List of float32 arrays of shape (frames, mels), in the order of `paths`.

    Raises:
        AudioError: a file cannot be used, or a span is outside its file, or either is shorter
            than one frame; names the file.
    """
    spans = spans or [None] * len(paths)
    bar = progress_bar(len(paths), "file" if not any(spans) else "segment")
    features = []
    with contextlib.closing(stream(paths, config, spans)) as utterances:
        for blocks in utterances:
            features.append(np.concatenate(list(blocks)))
            bar.add(1)
    return features


def stream(paths, config, spans, check_first=True):
    """The log-mel frames of utterances, in memory that is bounded whatever their length.

    Files are decoded in parallel ahead of the frames, which use all cores themselves.

    Args:
        paths, config, spans: as of `extract`.
        check_first: whether the heads of all files are read before anything is computed.

    Yields:
        Per utterance, an iterator of float32 arrays of shape (FRAMES, mels), the last of which is
        shorter, to be used up before the next utterance. It raises AudioError as `extract`; the
        utterances after it may be good.

    Raises:
        AudioError: the head of a file tells that it cannot be used.
    """
    decoded = decode_blocks(paths, spans, config.sample_rate, check_first)
    with contextlib.closing(decoded):
        for path, span, waves in zip(paths, spans, decoded, strict=True):
            yield _frames(waves, config, path, span)


@functools.cache
def _compute(config):
    wave_spec = tf.TensorSpec((None,), tf.float32)
    return tf.function(lambda wave: log_mel(wave, config), input_signature=[wave_spec])


def compute(wave, config):
    """The log-mel frames of a wave as of `extract`, float32 of shape (frames, mels)."""
    return _compute(config)(trim(wave, _rule(config)) if config.trim else wave).numpy()


def _cut(waves, config):
    """Blocks of a wave, without the silence at its ends if that is the front end's."""
    if not config.trim:
        return waves
    return trim_blocks(waves, _rule(config))


def _rule(config):
    return EndpointConfig.at(config.sample_rate, config.hop)


def _frames(waves, config, path, span):
    """Frames of an utterance, which are the same whatever the blocks of its wave."""
    traced = _compute(config)
    step = FRAMES * config.hop
    samples = max(step, step - config.hop + config.frame_length)
    total, wave = 0, np.zeros(0, "f4")
    for block in _cut(waves, config):
        total += len(block)
        wave = np.concatenate([wave, block]) if len(wave) else block
        while len(wave) >= samples:
            yield traced(wave[:samples]).numpy()
            wave = wave[step:]
    if total < config.frame_length:
        what = "Audio file" if span is None else f"The span from {span[0]:g} to {span[1]:g} s"
        raise AudioError(
            f"{what} is shorter than one frame of {config.frame_length} samples ({total} samples)",
            path,
        )
    # What is left may be shorter than a frame: none is the sign of the end.
    yield traced(wave).numpy()
