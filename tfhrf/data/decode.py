"""Decoding audio files to mono float32 at 16 kHz, through tensorflow-io inside tf.data."""

import itertools
import os
import pathlib
import wave as wav_files

import tensorflow as tf
import tensorflow_io as tfio

SAMPLE_RATE = 16_000
AHEAD = 2  # decoded files that wait; fixed, so that hours-long ones do not fill the memory

# Content of a file to samples in [-1, 1), (samples, channels), by format and sample type. These
# decoders keep no state: a file opened with tfio.IOTensor.graph is shared by the parallel calls
# of a `map`, which then mix up their files.
_DECODERS = {
    ("WAV", "uint8"): lambda content: _scaled(_wav(content, tf.uint8), 128, 2**7),
    ("WAV", "int16"): lambda content: _scaled(_wav(content, tf.int16), 0, 2**15),
    ("WAV", "int24"): lambda content: _scaled(_wav(content, tf.int32), 0, 2**31),
    # tensorflow-io takes the bits of these integers for the bits of floats.
    ("WAV", "int32"): lambda content: _scaled(
        tf.bitcast(_wav(content, tf.float32), tf.int32), 0, 2**31
    ),
    ("WAV", "float32"): lambda content: _wav(content, tf.float32),
    ("FLAC", "uint8"): lambda content: _scaled(_flac(content, tf.uint8), 128, 2**7),
    ("FLAC", "int16"): lambda content: _scaled(_flac(content, tf.int16), 0, 2**15),
    ("FLAC", "int24"): lambda content: _scaled(_flac(content, tf.int32), 0, 2**31),
}
_KINDS = list(_DECODERS)
_PCM = {1: "uint8", 2: "int16", 3: "int24", 4: "int32"}  # by bytes of a sample
_FORMATS = {b"RIFF": "WAV", b"fLaC": "FLAC"}  # by a file's first bytes
_SAMPLE_TYPES = {tf.uint8: "uint8", tf.int16: "int16", tf.int32: "int24", tf.float32: "float32"}
_FORMAT_PCM, _FORMAT_EXTENSIBLE = 1, 0xFFFE  # tags in a WAV file's "fmt " chunk


class AudioError(ValueError):
    """An audio file cannot be used; the message is one line that names the file."""


def decode(paths, sample_rate=SAMPLE_RATE):
    """Decodes WAV or FLAC files, in order, in parallel.

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
    kinds, rates = zip(*[_probe(path) for path in paths], strict=True)
    target = sample_rate if any(rate != sample_rate for rate in rates) else None
    waves = (
        tf.data.Dataset.from_tensor_slices((paths, list(kinds), tf.constant(rates, tf.int64)))
        .map(
            lambda path, kind, rate: _decode_one(path, kind, rate, target),
            num_parallel_calls=os.cpu_count(),
            deterministic=True,
        )
        .prefetch(AHEAD)
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


def decode_spans(paths, spans, sample_rate=SAMPLE_RATE):
    """Decodes spans of files, in order; files that follow each other in `paths` are decoded once.

    Args:
        paths: list of file paths, one per span.
        spans: list of (start, end) in seconds of the file, or None for the whole file.
        sample_rate: rate to resample to, Hz.

    Yields:
        float32 arrays of shape (samples,), as `decode`.

    Raises:
        AudioError: as `decode`; a span is negative, empty or goes beyond the end of its file.
    """
    pairs = list(zip(map(str, paths), spans, strict=True))
    runs = [(path, list(run)) for path, run in itertools.groupby(pairs, key=lambda pair: pair[0])]
    waves = decode([path for path, _ in runs], sample_rate)
    for (path, run), wave in zip(runs, waves, strict=True):
        for _, span in run:
            yield wave if span is None else _cut(wave, span, sample_rate, path)


def _cut(wave, span, sample_rate, path):
    start, end = span
    first, last = round(start * sample_rate), round(end * sample_rate)
    # Resampling may take a few samples from the end.
    if not 0 <= first < last <= len(wave) + sample_rate // 1000 or first >= len(wave):
        raise AudioError(
            f"A span must be within the {len(wave) / sample_rate:g} s of its file and not empty: "
            f"{path}. Received: {start:g} to {end:g} s"
        )
    return wave[first:last]


def _probe(path):
    """Kind (index into _KINDS) and rate of a file that has at least one sample."""
    # The usual files. tensorflow-io knows the others too, but keeps some memory of each.
    try:
        with wav_files.open(path, "rb") as header:
            if header.getnframes():
                return _KINDS.index(("WAV", _PCM[header.getsampwidth()])), header.getframerate()
    except (OSError, EOFError, wav_files.Error, KeyError):
        pass
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
    with pathlib.Path(path).open("rb") as content:
        head = content.read(4096)
    kind = _FORMATS.get(head[:4]), _SAMPLE_TYPES.get(dtype)
    if kind == ("WAV", "float32") and _wav_format(head) == _FORMAT_PCM:
        kind = "WAV", "int32"
    if kind not in _DECODERS:
        raise AudioError(f"Audio file is neither WAV nor FLAC: {path}")
    return _KINDS.index(kind), rate


def _wav_format(head):
    """The tag of a WAV file's samples, from the head of the file."""
    start = head.find(b"fmt ") + 8
    tag = int.from_bytes(head[start : start + 2], "little")
    if tag == _FORMAT_EXTENSIBLE:
        tag = int.from_bytes(head[start + 24 : start + 26], "little")
    return tag


def _decode_one(path, kind, rate, sample_rate):
    """Mono samples of one file, at `sample_rate` unless None, and whether all are finite."""
    content = tf.io.read_file(path)
    branches = [lambda decoder=decoder: decoder(content) for decoder in _DECODERS.values()]
    wave = tf.reduce_mean(tf.switch_case(kind, branches), axis=1)
    finite = tf.reduce_all(tf.math.is_finite(wave))
    if sample_rate is not None:
        wave = tf.cond(
            tf.equal(rate, sample_rate),
            lambda: wave,
            lambda: tfio.audio.resample(wave, rate, sample_rate),
        )
    return wave, finite


def _wav(content, dtype):
    return tfio.audio.decode_wav(content, dtype=dtype)


def _flac(content, dtype):
    return tfio.audio.decode_flac(content, dtype=dtype)


def _scaled(integers, zero, full_scale):
    return (tf.cast(integers, tf.float32) - zero) / full_scale
