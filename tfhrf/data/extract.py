"""Audio files, or spans of them, to log-mel frames."""

import tensorflow as tf

from tfhrf.data.decode import AudioError, decode_spans
from tfhrf.log_mel import log_mel
from tfhrf.progress import progress_bar


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
    for frames in stream(paths, config, spans):
        features.append(frames)
        bar.add(1)
    return features


def stream(paths, config, spans):
    """Yields what `extract` returns, with the same arguments and errors, in bounded memory.

    Files are decoded in parallel ahead of the frames, which use all cores themselves.
    """
    wave_spec = tf.TensorSpec((None,), tf.float32)
    compute = tf.function(lambda wave: log_mel(wave, config), input_signature=[wave_spec])
    waves = decode_spans(paths, spans, config.sample_rate)
    for path, span, wave in zip(paths, spans, waves, strict=True):
        if len(wave) < config.frame_length:
            what = "Audio file" if span is None else f"The span from {span[0]:g} to {span[1]:g} s"
            raise AudioError(
                f"{what} is shorter than one frame of {config.frame_length} samples "
                f"({len(wave)} samples): {path}"
            )
        yield compute(wave).numpy()
