"""Decoding audio files to mono float32 at 16 kHz, through tensorflow-io inside tf.data."""

import tensorflow as tf
import tensorflow_io as tfio

SAMPLE_RATE = 16_000

# How a decoder's integers become samples in [-1, 1): (offset, full scale).
_SCALES = {
    tf.uint8: (128.0, 128.0),
    tf.int16: (0.0, 2.0**15),
    tf.int32: (0.0, 2.0**31),
    tf.float32: (0.0, 1.0),
}
_DTYPES = list(_SCALES)


class AudioError(ValueError):
    """An audio file cannot be used; the message is one line that names the file."""


def decode(paths, sample_rate=SAMPLE_RATE):
    """Decodes WAV, FLAC, Ogg or MP3 files, in order, in parallel.

    Args:
        paths: list of file paths.
        sample_rate: rate to resample to, Hz.

    Yields:
        float32 arrays of shape (samples,), in [-1, 1] up to overshoot; channels are averaged.

    Raises:
        AudioError: a file is missing, empty, undecodable, holds no samples, or holds samples
            that are not finite. Raised before the first file is decoded where the header tells.
    """
    paths = [str(path) for path in paths]
    if not paths:
        return
    dtypes, rates = zip(*[_probe(path) for path in paths], strict=True)
    resampled = any(rate != sample_rate for rate in rates)
    waves = (
        tf.data.Dataset.from_tensor_slices((paths, list(dtypes)))
        .map(
            lambda path, dtype: _decode_one(path, dtype, sample_rate if resampled else None),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .prefetch(tf.data.AUTOTUNE)
        .as_numpy_iterator()
    )
    for path in paths:
        try:
            wave, finite = next(waves)
        except (tf.errors.OpError, StopIteration) as error:
            raise AudioError(f"Audio file cannot be decoded to its end: {path}") from error
        if not finite:
            raise AudioError(f"Audio file holds samples that are not finite: {path}")
        yield wave


def _probe(path):
    """Sample type (index into _DTYPES) and rate of a file that has at least one sample."""
    try:
        file = tfio.audio.AudioIOTensor(path)
        samples, dtype, rate = int(file.shape[0]), file.dtype, int(file.rate)
    except tf.errors.NotFoundError:
        raise AudioError(f"Audio file does not exist: {path}") from None
    except tf.errors.OpError:
        size = tf.io.gfile.stat(path).length
        reason = "is not a known audio format" if size else "is empty"
        raise AudioError(f"Audio file {reason} ({size} bytes): {path}") from None
    if samples == 0:
        raise AudioError(f"Audio file holds 0 seconds of sound: {path}")
    if dtype not in _DTYPES:
        raise AudioError(f"Audio file has samples of type {dtype.name}: {path}")
    return _DTYPES.index(dtype), rate


def _decode_one(path, dtype, sample_rate):
    """Mono samples of one file, at `sample_rate` unless None, and whether all are finite."""

    def reader(dtype):
        def read():
            file = tfio.IOTensor.graph(dtype).from_audio(path)
            offset, full_scale = _SCALES[dtype]
            wave = (tf.cast(file.to_tensor(), tf.float32) - offset) / full_scale
            return wave, tf.cast(file.rate, tf.int64)

        return read

    wave, rate = tf.switch_case(dtype, [reader(dtype) for dtype in _DTYPES])
    wave = tf.reduce_mean(wave, axis=1)
    finite = tf.reduce_all(tf.math.is_finite(wave))
    if sample_rate is not None:
        wave = tf.cond(
            tf.equal(rate, sample_rate),
            lambda: wave,
            lambda: tfio.audio.resample(wave, rate, sample_rate),
        )
    return wave, finite
