"""What the head of a sound file tells before anything is decoded: what it is, whether it is whole.

libsndfile takes the samples that are there of a file that was cut short, and none of one whose
recorder never came to write how many there are; so the sizes in headers are read here as well.
"""

import itertools
import os
import struct
from typing import Any, NamedTuple

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz
_CHANNELS = 1024  # libsndfile takes no more

_LFS = b"version https://git-lfs"
# Files that libsndfile does not read, and what is often found under a sound file's name: where
# which bytes are.
_KINDS = (
    (4, b"ftyp", "MPEG-4 (M4A, MP4)"),
    (4, b"moov", "QuickTime"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "Windows Media (WMA)"),
    (0, b"#!AMR", "AMR"),
    (0, b".RMF", "RealMedia"),
    (0, b"ADIF", "AAC"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"\x0bw", "AC-3"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA", "True Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"DSD ", "DSD"),
    (0, b"FRM8", "DSD"),
    (0, b"ajkg", "Shorten"),
    (28, b"Speex   ", "Speex"),
    (0, b"FLV", "Flash video"),
    (8, b"AVI ", "AVI video"),
    (0, b"\x00\x00\x01\xba", "MPEG video"),
    (0, b"MThd", "MIDI, notes and not sound"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%PDF", "a PDF"),
    (0, b"<!", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"{", "a text file"),
)
_WAV_CODECS = {
    0x0001: "PCM",
    0x0003: "floats",
    0x0160: "Windows Media",
    0x0161: "Windows Media",
    0x0162: "Windows Media",
    0x0163: "Windows Media",
    0x00FF: "AAC",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
    0x0022: "TrueSpeech",
    0x0042: "G.723.1",
    0x0045: "G.726",
    0x0064: "G.726",
    0x0083: "G.729",
    0x0050: "MPEG layer 2",
    0x0055: "MP3",
    0xA109: "Speex",
    0xF1AC: "FLAC",
    0x674F: "Vorbis",
    0x566F: "Vorbis",
}
_EXTENSIBLE, _IMA_ADPCM = 0xFFFE, 0x0011
_IRCAM = (b"\x64\xa3", b"\xa3\x64")  # where its magic begins, in either order of bytes
_COUNTED = 2**31  # libsndfile counts samples of IMA ADPCM in 32 bits
_ENDS, _UNKNOWN = (2**31, 2**32, 2**63, 2**64), 2**16  # close below an end: "until the end"


class AudioError(ValueError):
    """An audio file cannot be used; the message is one line that names the file."""

    def __init__(self, what, path=None):
        shown = what if path is None else f"{what}. Received: {path}"
        # Names of files are bytes, which may be no text.
        shown = shown.replace("\n", "\\n").encode("utf-8", "backslashreplace").decode()
        super().__init__(shown)


class Header(NamedTuple):
    """What a file is.

    Attributes:
        kind: its name, "" if libsndfile knows better.
        repaired: None, or a WAV header and the start and end of the samples that belong behind it,
            where those of the file mislead.
    """

    kind: str
    repaired: tuple[bytes, int, int] | None = None


class _Chunk(NamedTuple):
    name: bytes
    start: int  # of the content
    size: int  # as claimed


class _Layout(NamedTuple):
    """Of a container's chunks."""

    first: int  # position of the first chunk
    head: str  # of a chunk, as of struct: name and size
    align: int
    data: bytes  # name of the chunk of samples
    own: int = 0  # bytes of the chunk's head that its size counts


_NAMES = (b"fmt ", b"data", b"LIST", b"fact")
_RIFF = _Layout(12, "<4sI", 2, b"data")
_AIFF = _Layout(12, ">4sI", 2, b"SSND")
_CAF = _Layout(8, ">4sq", 1, b"data")
_W64 = _Layout(40, "<4s12xq", 8, b"data", own=24)


def read_header(file, path):
    """Reads what the head of an open file tells.

    Args:
        file: the file, opened for reading bytes.
        path: its name in errors.

    Returns:
        Header.

    Raises:
        AudioError: the file is empty, cut short, a Git LFS pointer, or claims an impossible rate.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(4096)
    if not head:
        raise AudioError("Audio file is empty (0 bytes)", path)
    if head.startswith(_LFS):
        raise AudioError(
            "Audio file is a Git LFS pointer, not the recording; run `git lfs pull` there", path
        )
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _wav(file, size, head, path)
    if head[:4] == b"FORM":
        _check_chunks(file, size, _AIFF, path)
    elif head[:4] == b"caff":
        _check_chunks(file, size, _CAF, path)
    elif head[:4] == b"riff":
        _check_chunks(file, size, _W64, path)
        _check_blocks(file, size, {one.name: one for one in _chunks(file, size, _W64)}, path)
    elif head[:2] == _IRCAM[0] or head[2:4] == _IRCAM[1]:
        _check_ircam(head, path)
    elif head[:4] == b".snd" and len(head) >= 12:
        start, length = struct.unpack(">II", head[4:12])
        _check_size(length, size - start, path)
    elif head[:7] == b"NIST_1A":
        return _sphere(head, size, path)
    elif head[:4] == b"OggS":
        _check_ogg(file, size, path)
    kinds = (kind for place, magic, kind in _KINDS if head[place:].startswith(magic))
    return Header(next(kinds, ""))


def check_rate(rate, path):
    """Raises AudioError for a sample rate that no recording has."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"Audio file claims a sample rate of {rate} Hz, outside "
            f"{LOWEST_RATE:,} to {HIGHEST_RATE:,}",
            path,
        )


def _wav(file, size, head, path):
    chunks = list(_chunks(file, size, _RIFF))
    found = {chunk.name: chunk for chunk in reversed(chunks)}
    if b"fmt " not in found or b"data" not in found:
        missing = "fmt" if b"fmt " not in found else "data"
        raise AudioError(f"WAV file has no {missing} chunk, it was cut short or damaged", path)
    form = _content(file, found[b"fmt "])
    if len(form) < 16:
        raise AudioError("WAV file has a format chunk that was cut short", path)
    tag, _, rate = struct.unpack("<HHI", form[:8])
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack("<H", form[24:26])
    check_rate(rate, path)
    data = found[b"data"]
    if sum(chunk.name == b"data" for chunk in chunks) > 1:
        raise AudioError("WAV file has several data chunks, of which one should be sound", path)
    left = size - data.start
    length = data.size
    if b"ds64" in found and length == 2**32 - 1:
        length = int.from_bytes(_content(file, found[b"ds64"])[8:16], "little")
    _check_blocks(file, size, found, path)
    unknown = length == 0 and left and not _chunk_follows(file, data.start, size)
    if not unknown:
        _check_size(length, left, path)
    kind = f"a WAV file of {_WAV_CODECS.get(tag, f'codec 0x{tag:04X}')}"
    misaligned = any(
        one.start + one.size + one.size % 2 + 8 > other.start
        for one, other in itertools.pairwise(chunks)
        if other.start <= data.start
    )
    wide = head[:4] != b"RIFF" and (head[:4] == b"BW64" or length > left)
    if not (unknown or misaligned or wide):
        return Header(kind)
    stop = size if unknown else min(size, data.start + length)
    claimed = min(stop - data.start, 2**32 - 1)
    start = struct.pack("<4sI4s4sI", b"RIFF", 2**32 - 1, b"WAVE", b"fmt ", len(form)) + form
    start += b"\0" * (len(form) % 2) + struct.pack("<4sI", b"data", claimed)
    return Header(kind, (start, data.start, stop))


def _chunks(file, size, layout):
    """The chunks of a file up to the last one whose head is there."""
    position, length = layout.first, struct.calcsize(layout.head)
    while position + length <= size:
        file.seek(position)
        name, claimed = struct.unpack(layout.head, file.read(length))
        chunk = _Chunk(name, position + length, claimed - layout.own)
        yield chunk
        if chunk.size < 0 or not _is_name(name):
            return
        end = chunk.start + chunk.size
        position = end + -end % layout.align
        # Some programs leave out the byte that makes a length even.
        if position != end and layout is _RIFF:
            file.seek(end)
            here = file.read(5)
            if here[:4] in _NAMES or (_is_name(here[:4]) and not _is_name(here[1:])):
                position = end


def _is_name(name):
    return len(name) == 4 and all(32 <= letter < 127 for letter in name)


def _chunk_follows(file, position, size):
    """Whether there is a chunk at a position, and not samples."""
    file.seek(position)
    head = file.read(8)
    return (
        len(head) == 8
        and _is_name(head[:4])
        and position + 8 + int.from_bytes(head[4:], "little") <= size
    )


def _content(file, chunk):
    file.seek(chunk.start)
    return file.read(min(chunk.size, 4096))


def _check_chunks(file, size, layout, path):
    for name, start, length in _chunks(file, size, layout):
        if name == layout.data:
            _check_size(length, size - start, path)
            return


def _check_size(claimed, left, path):
    """Raises AudioError if fewer bytes are left than are claimed.

    Recorders that write into a pipe, or were switched off, leave 0, -1 or about the largest number.
    """
    unknown = claimed < 0 or any(-_UNKNOWN <= claimed - end <= 0 for end in _ENDS)
    if claimed > left and not unknown:
        raise AudioError(
            f"Audio file was cut short: {max(left, 0):,} of {claimed:,} bytes of sound are there",
            path,
        )


def _check_blocks(file, size, found, path):
    """Raises AudioError for more IMA ADPCM than libsndfile 1.2.2 can count (CVE-2026-37555)."""
    form = _content(file, found[b"fmt "]) if b"fmt " in found else b""
    if b"data" not in found or form[:2] != struct.pack("<H", _IMA_ADPCM):
        return
    if len(form) < 20:
        raise AudioError("WAV file has a format chunk that was cut short", path)
    align, samples = struct.unpack("<H4xH", form[12:20])
    total = samples * -(-(size - found[b"data"].start) // max(align, 1))
    if total >= _COUNTED:
        raise AudioError(f"Audio file claims {total:,} samples of IMA ADPCM", path)


def _check_ircam(head, path):
    """Raises AudioError for a rate or channels that end libsndfile 1.2.2 (CVE-2025-52194)."""
    if len(head) < 16:
        raise AudioError("IRCAM file was cut short", path)
    (channels,) = struct.unpack("<i", head[8:12])
    order = "<" if 0 < channels <= _CHANNELS else ">"
    rate, channels = struct.unpack(f"{order}fi", head[4:12])
    check_rate(rate, path)
    if not 0 < channels <= _CHANNELS:
        raise AudioError(f"IRCAM file claims {channels:,} channels", path)


def _sphere(head, size, path):
    """NIST SPHERE: lines of name, type and value."""
    lines = [line.split(None, 2) for line in head[:1024].decode("latin-1").splitlines()]
    fields: dict[str, Any] = {line[0]: line[2].strip() for line in lines if len(line) == 3}
    if "shorten" in fields.get("sample_coding", ""):
        return Header("NIST SPHERE compressed by Shorten (sph2pipe unpacks it)")
    try:
        start = int(lines[1][0])
        length = int(fields["sample_count"]) * int(fields.get("channel_count", 1))
        length *= int(fields["sample_n_bytes"])
    except (KeyError, ValueError, IndexError):
        return Header("NIST SPHERE with a damaged header")
    _check_size(length, size - start, path)
    return Header("NIST SPHERE")


def _check_ogg(file, size, path):
    """The last page of an Ogg file says that it is the last, and is whole."""
    file.seek(max(0, size - 2**17))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    whole = len(page) > 26 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    if not whole or not page[5] & 4:
        raise AudioError(
            "Audio file was cut short: the last page of the Ogg stream is missing", path
        )
