"""A hundred odd files: each is decoded as libsndfile or ffmpeg does, or named in one line.

Where libsndfile itself is misled, the samples that were written are the truth.
"""

import contextlib
import os
import re
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from needs import needs

from tfhrf.data import sound_file
from tfhrf.data.decode import AudioError, decode

RATE = 16_000
# No sum of sines, so that a sample in the wrong place shows.
SAMPLES = (np.arange(4000) * 7919 % 20_011 - 10_005).astype("<i2")
DATA = SAMPLES.tobytes()
FLOATS = (SAMPLES / 2**15).astype("<f4")
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
needs_ffmpeg = needs("ffmpeg")


def chunk(name, content, size=None, pad=True):
    length = struct.pack("<I", len(content) if size is None else size)
    return name + length + content + b"\0" * (pad and len(content) % 2)


def form(tag=1, channels=1, rate=RATE, bits=16, align=None, more=b""):
    align = channels * bits // 8 if align is None else align
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits)
    return chunk(b"fmt ", head + more)


def riff(*chunks, size=None, name=b"RIFF"):
    content = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(content) if size is None else size) + content


F, D = form(), chunk(b"data", DATA)
LIST = b"INFOIART\3\0\0\0abc"
MISLEADING = chunk(b"JUNK", b"xxfmt \x10\0\0\0\3\0\2\0\x80\xbb\0\0data\x10\0\0\0" + bytes(28))
FLOAT_FORM, FLOAT_DATA = form(3, bits=32), chunk(b"data", FLOATS.tobytes())
EXTENSIBLE = form(0xFFFE, more=struct.pack("<HHI", 22, 16, 0) + PCM_GUID)


def rf64(sizes, name=b"RF64"):
    ds64 = chunk(b"ds64", struct.pack("<QQQI", *sizes, 0))
    return riff(ds64, F, chunk(b"data", DATA, 2**32 - 1), size=2**32 - 1, name=name)


# Bytes of WAV files with the samples above: by hand, so that every recorder's habit can be there.
WAVS = {
    "plain": riff(F, D),
    "into a pipe": riff(
        F, chunk(b"LIST", LIST, pad=True), chunk(b"data", DATA, 2**32 - 1), size=2**32 - 1
    ),
    "size 0": riff(F, chunk(b"data", DATA, 0), size=0),
    "size 0, the file's is right": riff(F, chunk(b"data", DATA, 0)),
    "size 0 of floats": riff(FLOAT_FORM, chunk(b"data", FLOATS.tobytes(), 0), size=0),
    "size 0x7FFFFFFF": riff(F, chunk(b"data", DATA, 2**31 - 1), size=2**31 + 35),
    "size 0x80000000": riff(F, chunk(b"data", DATA, 2**31), size=2**31 + 36),
    "size 0x7FFFF000": riff(F, chunk(b"data", DATA, 0x7FFFF000), size=0x7FFFF024),
    "size 0xFFFFFFDB": riff(F, chunk(b"data", DATA, 2**32 - 37), size=2**32 - 1),
    "the file's size alone unknown": riff(F, D, size=2**32 - 1),
    "the file's size alone 0": riff(F, D, size=0),
    "the file's size too small": riff(F, D, size=100),
    "LIST of odd length": riff(F, chunk(b"LIST", LIST), D),
    "LIST of odd length, not padded": riff(F, chunk(b"LIST", LIST, pad=False), D),
    "LIST of odd length, not padded, size 0": riff(
        F, chunk(b"LIST", LIST, pad=False), chunk(b"data", DATA, 0)
    ),
    "alignment 1": riff(form(align=1), D),
    "alignment 4": riff(form(align=4), D),
    "alignment 0": riff(form(align=0), D),
    "junk first": riff(chunk(b"JUNK", bytes(28)), F, D),
    "'fmt ' in junk": riff(MISLEADING, F, D),
    "'fmt ' in junk, floats": riff(MISLEADING, FLOAT_FORM, FLOAT_DATA),
    "junk first, floats": riff(chunk(b"JUNK", bytes(52)), FLOAT_FORM, FLOAT_DATA),
    "'fmt ' in LIST, floats": riff(chunk(b"LIST", b"INFOfmt \1\0"), FLOAT_FORM, FLOAT_DATA),
    "fact and PEAK, floats": riff(
        FLOAT_FORM, chunk(b"fact", b"\xa0\x0f\0\0"), chunk(b"PEAK", bytes(16)), FLOAT_DATA
    ),
    "LIST behind": riff(F, D, chunk(b"LIST", LIST)),
    "LIST of odd length behind, not padded": riff(F, D, chunk(b"LIST", LIST, pad=False)),
    "bext behind": riff(F, D, chunk(b"bext", bytes(602))),
    "bext before": riff(chunk(b"bext", bytes(602)), F, D),
    "XMP of odd length behind": riff(F, D, chunk(b"_PMX", b"<xmp>" * 7)),
    "XMP of odd length behind, not padded": riff(F, D, chunk(b"_PMX", b"<xmp>" * 7, pad=False)),
    "chunk behind that was cut": riff(F, D, chunk(b"LIST", LIST, 1000)),
    "cue and smpl behind": riff(F, D, chunk(b"cue ", bytes(28)), chunk(b"smpl", bytes(36))),
    "ID3 chunk behind": riff(F, D, chunk(b"id3 ", b"ID3\3" + bytes(17))),
    "garbage behind": riff(F, D) + b"garbage!" * 10,
    "ID3 tag before": b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + riff(F, D),
    "format of 18 bytes": riff(form(more=b"\0\0"), D),
    "format of 40 bytes": riff(form(more=bytes(24)), D),
    "extensible": riff(EXTENSIBLE, D),
    "12 bits in 16": riff(form(bits=12, align=2), D),
    "RF64": rf64((len(DATA) + 80, len(DATA), 4000)),
    "RF64 into a pipe": rf64((0, 0, 0)),
    "RF64 into a pipe, -1": rf64((2**64 - 1, 2**64 - 1, 2**64 - 1)),
    "BW64": rf64((len(DATA) + 80, len(DATA), 4000), b"BW64"),
}
# WAV files that cannot be used, and what is said of them.
BAD_WAVS = {
    "cut": (riff(F, D)[:2000], "cut short: 1,956 of 8,000 bytes of sound"),
    "cut within a sample": (riff(F, D)[:2001], "cut short"),
    "cut in the head": (riff(F, D)[:30], "no data chunk"),
    "cut behind the head": (riff(F, D)[:44], "cut short: 0 of 8,000"),
    "cut, floats": (riff(FLOAT_FORM, FLOAT_DATA)[:9000], "cut short"),
    "cut, RF64": (rf64((len(DATA) + 80, len(DATA), 4000))[:5000], "cut short"),
    "data chunk twice": (riff(F, D, D), "several data chunks"),
    "another data chunk": (riff(F, D, chunk(b"data", DATA[::-1])), "several data chunks"),
    "no samples": (riff(F, chunk(b"data", b"")), "0 seconds"),
    "no samples and LIST": (riff(F, chunk(b"data", b""), chunk(b"LIST", LIST)), "0 seconds"),
    "half a sample": (riff(F, chunk(b"data", b"\1")), "0 seconds"),
    "no data": (riff(F), "no data chunk"),
    "no format": (riff(D), "no fmt chunk"),
    "short format": (riff(chunk(b"fmt ", b"\1\0\1\0"), D), "format chunk"),
    "1 Hz": (riff(form(rate=1), D), "rate of 1 Hz"),
    "0 Hz": (riff(form(rate=0), D), "rate of 0 Hz"),
    "999 Hz": (riff(form(rate=999), D), "rate of 999 Hz"),
    "900 kHz": (riff(form(rate=900_000), D), "rate of 900000 Hz"),
    "4 GHz": (riff(form(rate=4_000_000_000), D), "rate of 4000000000 Hz"),
    "no channels": (riff(form(channels=0, align=2), D), "WAV file of PCM"),
    "no bits": (riff(form(bits=0, align=2), D), "WAV file of PCM"),
    "unknown codec": (riff(form(0x1234), D), "codec 0x1234"),
    "Windows Media": (riff(form(0x161), D), "Windows Media"),
    "NaN": (
        riff(FLOAT_FORM, chunk(b"data", np.where(FLOATS > 0.3, np.nan, FLOATS).tobytes())),
        "not finite",
    ),
    "infinity": (
        riff(FLOAT_FORM, chunk(b"data", np.where(FLOATS > 0.3, np.inf, FLOATS).tobytes())),
        "not finite",
    ),
}
# What else is found under a sound file's name.
FOREIGN = {
    "nothing": (b"", "is empty"),
    "text": (b"this is not audio " * 100, "not a known audio format"),
    "noise": (np.random.default_rng(0).bytes(5000), "not a known audio format"),
    "zeros": (bytes(5000), "not a known audio format"),
    "LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 8044\n",
        "Git LFS pointer, .* `git lfs pull`",
    ),
    "web page": (b"<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
    "ZIP": (b"PK\3\4" + bytes(100), "a ZIP archive"),
    "JSON": (b'{"message": "rate limit exceeded"}', "a text file"),
    "AMR, cut": (b"#!AMR\n", "AMR|0 seconds"),
    "M4A, cut": (b"\0\0\0\x20ftypM4A " + bytes(40), "MPEG-4"),
    "Matroska, cut": (b"\x1aE\xdf\xa3" + bytes(40), "Matroska"),
    "WMA, cut": (b"0&\xb2u\x8ef\xcf\x11" + bytes(40), "Windows Media"),
    "Monkey's Audio, cut": (b"MAC " + bytes(40), "Monkey's Audio"),
    "MIDI": (b"MThd\0\0\0\6" + bytes(40), "MIDI"),
}
# By libsndfile: format, subtype, channels, rate.
WRITTEN = [
    ("WAV", "PCM_U8", 1, 16_000),
    ("WAV", "PCM_16", 2, 16_000),
    ("WAV", "PCM_16", 6, 48_000),
    ("WAV", "PCM_24", 1, 44_100),
    ("WAV", "PCM_32", 2, 48_000),
    ("WAV", "FLOAT", 2, 16_000),
    ("WAV", "DOUBLE", 1, 16_000),
    ("WAV", "ULAW", 1, 8000),
    ("WAV", "ALAW", 1, 8000),
    ("WAV", "IMA_ADPCM", 1, 16_000),
    ("WAV", "MS_ADPCM", 2, 22_050),
    ("WAV", "GSM610", 1, 8000),
    ("WAV", "G721_32", 1, 8000),
    ("WAVEX", "PCM_24", 2, 96_000),
    ("RF64", "PCM_16", 1, 16_000),
    ("RF64", "FLOAT", 2, 16_000),
    ("W64", "PCM_16", 1, 16_000),
    ("W64", "PCM_24", 2, 44_100),
    ("W64", "IMA_ADPCM", 1, 16_000),
    ("AIFF", "PCM_16", 1, 16_000),
    ("AIFF", "PCM_24", 2, 48_000),
    ("AIFF", "FLOAT", 1, 16_000),
    ("AIFF", "ULAW", 1, 8000),
    ("AU", "PCM_16", 1, 16_000),
    ("AU", "ULAW", 1, 8000),
    ("AU", "DOUBLE", 2, 16_000),
    ("NIST", "PCM_16", 1, 16_000),
    ("NIST", "ULAW", 1, 8000),
    ("CAF", "PCM_16", 1, 16_000),
    ("CAF", "FLOAT", 2, 44_100),
    ("CAF", "ALAC_16", 1, 16_000),
    ("FLAC", "PCM_S8", 1, 16_000),
    ("FLAC", "PCM_16", 1, 11_025),
    ("FLAC", "PCM_24", 2, 192_000),
    ("OGG", "VORBIS", 1, 16_000),
    ("OGG", "VORBIS", 2, 44_100),
    ("OGG", "OPUS", 1, 16_000),
    ("OGG", "OPUS", 2, 48_000),
    ("MP3", "MPEG_LAYER_III", 1, 16_000),
    ("MP3", "MPEG_LAYER_III", 2, 44_100),
    ("VOC", "PCM_16", 1, 16_000),
    ("SVX", "PCM_16", 1, 16_000),
    ("IRCAM", "FLOAT", 1, 16_000),
    ("IRCAM", "PCM_16", 2, 44_100),
    ("PAF", "PCM_24", 1, 16_000),
    ("MAT5", "PCM_16", 1, 16_000),
]
# Heads that libsndfile 1.2.2 counts with in 32 bits, or makes an integer of, before it looks.
IMA = form(0x11, align=1, bits=4, more=struct.pack("<HH", 2, 50_000))
CRAFTED = {
    "more IMA ADPCM than can be counted": (
        riff(IMA, chunk(b"data", bytes(50_000))),
        "2,500,000,000",
    ),
    "IMA ADPCM without samples per block": (
        riff(form(0x11, align=256, bits=4), chunk(b"data", bytes(512))),
        "cut short",
    ),
    **{
        f"IRCAM, {order}{rate}, {channels}": (
            {"<": b"\x64\xa3\x03\0", ">": b"\0\x01\xa3\x64"}[order]
            + struct.pack(f"{order}fii", rate, channels, 2)
            + bytes(1100),
            expected,
        )
        for order, rate, channels, expected in [
            ("<", float("nan"), 1, "rate of nan"),
            (">", float("inf"), 1, "rate of inf"),
            ("<", -3e38, 2, "rate of -3"),
            (">", 3e38, 2, "rate of 3"),
            ("<", 16_000.0, 2**31 - 1, "rate|channels"),
            (">", 16_000.0, -5, "rate|channels"),
        ]
    },
    "IRCAM, its head alone": (b"\x64\xa3\x03\0abcd", "cut short"),
}
# What a file of these says of its length is compared with what is there.
CUT = [
    ("WAV", "IMA_ADPCM"),
    ("WAV", "DOUBLE"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("NIST", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]
# By ffmpeg: name, arguments, and whether libsndfile reads it too.
ENCODED = [
    ("pipe.wav", ["-f", "wav"], True),
    ("pipe.flac", ["-f", "flac"], True),
    ("pipe.aiff", ["-f", "aiff"], True),
    ("pipe.au", ["-f", "au"], True),
    ("pipe.w64", ["-f", "w64"], True),
    ("pipe.caf", ["-f", "caf"], False),
    ("pipe.mp3", ["-f", "mp3"], True),
    ("pipe.ogg", ["-f", "ogg", "-c:a", "libvorbis"], True),
    ("pipe.opus", ["-f", "ogg", "-c:a", "libopus"], True),
    ("mp3.wav", ["-f", "wav", "-c:a", "mp3"], True),
    ("noxing.mp3", ["-f", "mp3", "-write_xing", "0"], True),
    ("adpcm.wav", ["-f", "wav", "-c:a", "adpcm_ms"], True),
    ("alac.m4a", ["-c:a", "alac"], False),
    ("aac.m4a", ["-c:a", "aac"], False),
    ("aac.aac", ["-c:a", "aac"], False),
    ("aac.mp4", ["-c:a", "aac"], False),
    ("opus.webm", ["-c:a", "libopus"], False),
    ("a.mka", ["-c:a", "pcm_s16le"], False),
    ("a.wma", ["-c:a", "wmav2"], False),
    ("a.wv", ["-c:a", "wavpack"], False),
    ("a.tta", ["-c:a", "tta"], False),
    ("a.avi", ["-c:a", "pcm_s16le"], False),
    ("g726.wav", ["-f", "wav", "-c:a", "adpcm_g726", "-ar", "8000", "-b:a", "32k"], False),
]


def decoded(path, rate):
    """The samples of a file at its own rate."""
    (wave,) = decode([path], rate)
    assert wave.dtype == np.float32
    return wave


def by_libsndfile(path):
    """Mono samples and the rate, all at once."""
    with soundfile.SoundFile(path) as file:
        if file.frames > 2**48:  # in the head of a FLAC stream is no length, and soundfile seeks
            file.seekable = lambda: False
        samples = file.read(2**20, dtype="float32", always_2d=True)
        return samples.mean(axis=1) if file.channels > 1 else samples[:, 0], file.samplerate


def by_ffmpeg(path):
    command = ["ffmpeg", "-v", "error", "-i", path, "-vn", "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(content, "<f4")


def error_of(path):
    with pytest.raises(AudioError) as caught:
        list(decode([path]))
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", WAVS)
def test_odd_wav_files_give_the_samples_that_are_in_them(tmp_path, name):
    (tmp_path / "a.wav").write_bytes(WAVS[name])
    np.testing.assert_array_equal(decoded(tmp_path / "a.wav", RATE), FLOATS)


@pytest.mark.parametrize("ffmpeg", [True, False])
@pytest.mark.parametrize("name", {**BAD_WAVS, **FOREIGN, **CRAFTED})
def test_what_cannot_be_used_is_one_line(tmp_path, name, ffmpeg, monkeypatch):
    if not ffmpeg:
        monkeypatch.setattr(sound_file, "_ffmpeg", lambda: None)
    content, expected = {**BAD_WAVS, **FOREIGN, **CRAFTED}[name]
    (tmp_path / "a.wav").write_bytes(content)
    text = error_of(tmp_path / "a.wav")
    assert re.search(expected, text), text


@pytest.mark.parametrize(("kind", "subtype", "channels", "rate"), WRITTEN)
def test_equals_libsndfile(tmp_path, kind, subtype, channels, rate):
    path = write(tmp_path / f"a.{kind.lower()}", kind, subtype, channels, rate)
    expected, found_rate = by_libsndfile(path)
    assert len(expected) > 20_000
    np.testing.assert_array_equal(decoded(path, found_rate), expected)


@pytest.mark.parametrize(("kind", "subtype"), CUT)
def test_what_was_cut_short_is_named(tmp_path, kind, subtype):
    path = write(tmp_path / f"a.{kind.lower()}", kind, subtype, 1, 16_000)
    content = path.read_bytes()
    for share in (0.2, 0.6, 0.8):
        path.write_bytes(content[: int(share * len(content))])
        # Of a small part of an MP3 file libsndfile does not see what it is.
        assert re.search("cut short|to its end|not a known", error_of(path))


@needs_ffmpeg
@pytest.mark.parametrize(("name", "arguments", "by_both"), ENCODED)
def test_equals_ffmpeg_where_libsndfile_cannot(tmp_path, name, arguments, by_both, monkeypatch):
    source = write(tmp_path / "source.wav", "WAV", "PCM_16", 1, 16_000)
    command = ["ffmpeg", "-v", "error", "-i", source, *arguments]
    if name.startswith("pipe."):
        content = subprocess.run([*command, "-"], capture_output=True, check=True).stdout
        (tmp_path / name).write_bytes(content)
    else:
        subprocess.run([*command, tmp_path / name], check=True)
    path = tmp_path / name
    if by_both:
        expected, rate = by_libsndfile(path)
    else:
        expected, rate = by_ffmpeg(path), 8000 if "g726" in name else 16_000
        if "opus" in name:
            rate = 48_000
    assert len(expected) > 15_000
    np.testing.assert_array_equal(decoded(path, rate), expected)
    if not by_both:
        monkeypatch.setattr(sound_file, "_ffmpeg", lambda: None)
        assert "install ffmpeg" in error_of(path)


@pytest.mark.parametrize("kind", ["WAV", "RF64", "W64", "AIFF", "AU", "NIST", "CAF", "FLAC", "OGG"])
def test_damaged_files_are_decoded_or_named(tmp_path, kind, monkeypatch):
    """Nothing else is raised, whatever bytes of the head or the tail are wrong."""
    monkeypatch.setattr(sound_file, "_ffmpeg", lambda: None)
    subtype = "VORBIS" if kind == "OGG" else "PCM_16"
    path = write(tmp_path / "a", kind, subtype, 1, 16_000)
    content = np.frombuffer(path.read_bytes(), "u1")
    rng = np.random.default_rng(0)
    for number in range(60):
        damaged = content[: rng.integers(1, len(content)) if number % 3 else None].copy()
        places = rng.integers(0, min(200, len(damaged)), rng.integers(1, 9))
        damaged[places if number % 2 else -1 - places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(AudioError):
            list(decode([path]))


def test_names_that_are_not_utf8(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xfcml\xe4ut\n.wav")  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(riff(F, D))
    np.testing.assert_array_equal(decoded(os.fsdecode(path), RATE), FLOATS)
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(riff(F, D)[:2000])
    with pytest.raises(AudioError) as caught:
        list(decode([os.fsdecode(path)]))
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_file_that_may_not_be_read_are_named(tmp_path):
    (tmp_path / "a.wav").mkdir()
    assert "cannot be read" in error_of(tmp_path / "a.wav")
    with contextlib.suppress(OSError):
        (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
        assert "cannot be read" in error_of(tmp_path / "loop.wav")


def write(path, kind, subtype, channels, rate):
    """Two seconds of changing tones at least, other ones in each channel."""
    time = np.arange(max(2 * rate, 24_000)) / rate
    waves = [
        0.3 * np.sin(2 * np.pi * (200 + 90 * time + 31 * channel) * time)
        for channel in range(channels)
    ]
    mode = {"format": kind, "subtype": subtype, "channels": channels, "samplerate": rate}
    with soundfile.SoundFile(path, "w", **mode) as file:
        file.write(np.stack(waves, axis=1).astype("f4"))
    return path
