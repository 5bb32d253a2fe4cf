"""One sound file to blocks of mono float32: by libsndfile, or by ffmpeg what libsndfile cannot."""

import contextlib
import functools
import io
import os
import re
import shutil
import struct
import subprocess
import tempfile
from typing import Any

import numpy as np
import soundfile

from tfhrf.data.sound_header import AudioError, check_rate, read_header

BLOCK = 2**18  # samples, of all channels, that are decoded at a time
_UNRECOGNISED = 1  # an error of libsndfile
# An MP3 file without an index claims up to a frame more than it has.
_SLACK = {"MP3": 1152, "MPEG_LAYER_III": 1152}


def check(path):
    """Opens a file and closes it.

    Raises:
        AudioError: the head of the file tells that it cannot be used.
    """
    with _opened(path) as (sound, kind):
        # To ask ffmpeg takes as long as to decode: of what may be no sound at all.
        if sound is None and not kind:
            with _by_ffmpeg(path, kind):
                pass


@contextlib.contextmanager
def open_sound(path):
    """Opens a file for decoding.

    Yields:
        Its rate, Hz, and an iterator of float32 arrays of shape (samples,), the mean of the
        channels, which raises AudioError if the file is not what it claims.

    Raises:
        AudioError: the file is missing or cannot be decoded.
    """
    with contextlib.ExitStack() as stack:
        sound, kind = stack.enter_context(_opened(path))
        if sound is None:
            rate, blocks = stack.enter_context(_by_ffmpeg(path, kind))
        else:
            rate, blocks = sound.samplerate, _by_libsndfile(sound, path)
        check_rate(rate, path)
        yield rate, _mono(blocks, path)


def _mono(blocks, path):
    found = False
    for block in blocks:
        found = True
        if not np.isfinite(block).all():
            raise AudioError("Audio file holds samples that are not finite", path)
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
    if not found:
        raise AudioError("Audio file holds 0 seconds of sound", path)


class _Sequential(soundfile.SoundFile):
    """A file that is read from its beginning to its end.

    soundfile seeks after each read of a file that it may seek in, from which an MP3 file decodes
    otherwise.
    """

    def seekable(self):
        return False


class _Repaired(io.RawIOBase):
    """A part of a file behind another head."""

    def __init__(self, file, head, start, stop):
        self._file, self._head, self._start = file, head, start
        self._size = len(head) + stop - start
        self._position = 0

    def tell(self):
        return self._position

    def seek(self, offset, whence=os.SEEK_SET):
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer):
        count = max(0, min(len(buffer), self._size - self._position))
        part = self._head[self._position :][:count]
        if len(part) < count:
            self._file.seek(self._start + self._position + len(part) - len(self._head))
            part += self._file.read(count - len(part))
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)


@contextlib.contextmanager
def _opened(path):
    """The file as libsndfile opens it, or None if that is for ffmpeg to do; and its kind."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb", buffering=0))  # noqa: PTH123
            header = read_header(file, path)
            file.seek(0)
        except FileNotFoundError:
            raise AudioError("Audio file does not exist", path) from None
        except OSError as error:
            raise AudioError(f"Audio file cannot be read ({error.strerror})", path) from None
        source = _Repaired(file, *header.repaired) if header.repaired else file.fileno()
        try:
            sound = stack.enter_context(_Sequential(source, closefd=False))
        except soundfile.SoundFileError as error:
            if _ffmpeg() is None:
                raise _unreadable(error, header.kind, path) from None
            sound = None
        if sound is not None:
            check_rate(sound.samplerate, path)
            if sound.frames == 0:
                raise AudioError("Audio file holds 0 seconds of sound", path)
        yield sound, header.kind


def _unreadable(error, kind, path):
    if kind:
        what = f"is {kind}, which libsndfile cannot read"
    elif error.code == _UNRECOGNISED:
        what = f"is not a known audio format ({os.stat(path).st_size} bytes)"  # noqa: PTH116
    else:
        what = f"cannot be decoded ({error.error_string})"
    return AudioError(
        f"Audio file {what}; install ffmpeg, which reads more, or convert it to WAV or FLAC", path
    )


def _by_libsndfile(sound, path):
    """Blocks of shape (samples, channels) of an open file."""
    claimed = 0 if sound.frames > 2**48 else sound.frames  # a FLAC stream may not know
    # A short read is the last one.
    count = min(max(1, BLOCK // sound.channels), claimed + 1 if claimed else BLOCK)
    slack = _SLACK.get(sound.format, _SLACK.get(sound.subtype, 0))
    total, block = 0, None
    while block is None or len(block) == count:
        try:
            block = sound.read(count, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            reason = f" ({error.error_string})" if error.error_string else ""
            raise AudioError(f"Audio file cannot be decoded to its end{reason}", path) from None
        total += len(block)
        if len(block):
            yield block
    if total < claimed - slack:
        raise AudioError(
            f"Audio file cannot be decoded to its end: {total:,} of {claimed:,} samples", path
        )


@functools.cache
def _ffmpeg():
    return shutil.which("ffmpeg")


@contextlib.contextmanager
def _by_ffmpeg(path, kind):
    """Rate and blocks of shape (samples, channels) of a file's first sound track."""
    command = [_ffmpeg(), "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-i", b"file:" + os.fsencode(os.path.abspath(path)), "-map", "0:a:0"]  # noqa: PTH100
    command += ["-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as errors:
        process: Any = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            head = process.stdout.read(24)
            if len(head) < 24:
                raise _ffmpeg_error(process, errors, kind, path)
            _, start, _, _, rate, channels = struct.unpack(">4s5I", head)
            process.stdout.read(start - len(head))
            yield rate, _ffmpeg_blocks(process, errors, channels, kind, path)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _ffmpeg_blocks(process, errors, channels, kind, path):
    count = max(1, BLOCK // channels)
    while content := process.stdout.read(4 * channels * count):
        block = np.frombuffer(content[: len(content) // (4 * channels) * 4 * channels], ">f4")
        yield block.astype("f4").reshape(-1, channels)
    process.wait()
    errors.seek(0)
    if process.returncode or errors.read(1):
        raise _ffmpeg_error(process, errors, kind, path)


def _ffmpeg_error(process, errors, kind, path):
    process.wait()
    errors.seek(0)
    text = re.sub(r"^\[\w+ @ \w+\] ", "", errors.read().decode("utf-8", "replace").lstrip())
    reason = text.partition("\n")[0].replace(f"file:{os.path.abspath(path)}: ", "")  # noqa: PTH100
    size = os.stat(path).st_size  # noqa: PTH116
    return AudioError(
        f"Audio file is {kind or f'not a known audio format ({size} bytes)'}: neither libsndfile "
        f"nor ffmpeg can decode it ({reason or 'no reason given'})",
        path,
    )
