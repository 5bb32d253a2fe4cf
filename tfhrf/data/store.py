"""Log-mel frames computed once: TFRecord shards on disk, from which frames are read when needed.

A folder of shards is named by everything its content depends on, so that a stale one is never
found. It may be deleted at any time.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import itertools
import json
import pathlib

import numpy as np
import soundfile
import soxr
import tensorflow as tf

from tfhrf.data import extract
from tfhrf.data.decode import AudioError
from tfhrf.files import checksum, replacing, write_text
from tfhrf.progress import progress_bar
from tfhrf.workers import Local, Task

FOLDER = pathlib.Path("runs") / "features"
SHARD = 256  # utterances
# A record of a TFRecord file: uint64 length, its CRC, the bytes, their CRC.
_BEFORE, _AFTER = 12, 4
# Of what is in the shards. To be raised when the same recordings and configuration give other
# frames, or a shard another form; a test compares frames of a fixed recording.
VERSION = 2


class CacheError(ValueError):
    """Frames cannot be read any more; the message is one line that names the shard."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredFrames:
    """Log-mel frames of one utterance, (frames, mels), which np.asarray reads from their shard.

    It stands in for the array wherever that would take memory: its length is known, and a pickle
    of it holds no frames.
    """

    shard: pathlib.Path
    offset: int  # bytes, of the first frame
    frames: int
    mels: int
    shift: tuple[float, ...] = ()  # added to each mel, if any
    least: float = -np.inf  # no value is below it then

    def __len__(self):
        return self.frames

    def __array__(self, dtype=None, copy=None):
        """Reads the frames, float32 unless `dtype`.

        Raises:
            CacheError: the shard is gone or shorter than it was.
        """
        record = 4 * extract.FRAMES * self.mels
        between = self.frames // extract.FRAMES * (_AFTER + _BEFORE)
        size = 4 * self.frames * self.mels + between
        try:
            with self.shard.open("rb", buffering=0) as file:
                file.seek(self.offset)
                content = file.read(size)
        except OSError as error:
            raise CacheError(
                f"Features cannot be read ({error.strerror}). Received: {self.shard}"
            ) from None
        if len(content) != size:
            raise CacheError(
                f"Features were cut short while they were in use. Received: {self.shard}"
            )
        if between:
            starts = range(0, size, record + _AFTER + _BEFORE)
            content = b"".join(content[start:][:record] for start in starts)
        frames = np.frombuffer(content, "<f4").reshape(self.frames, self.mels)
        if self.shift:
            frames = np.maximum(frames + np.array(self.shift, np.float32), np.float32(self.least))
        return frames.astype(dtype or np.float32, copy=False)


def prepare(paths, config, spans=None, root=FOLDER, engine=None, bad=None):
    """Computes the log-mel frames of utterances that are not on disk yet, with a progress bar.

    What is there is read to its end once, to see that it is whole; a shard that is not is
    computed again, as is one that an earlier preparation did not come to, or that holds less than
    all its utterances because some could not be used.

    Args:
        paths: list of file paths.
        config: LogMelConfig.
        spans: list of (start, end) in seconds, or None for a whole file, one per path; whole
            files if not given.
        root: folder in which these utterances get a folder of their own.
        engine: what of tfhrf.workers computes shards, Local if None. Wherever that is, recordings
            are found by their paths.
        bad: None, or a dict to which the utterances that cannot be used are added, by their
            index: what is wrong, in one line.

    Returns:
        List of StoredFrames, in the order of `paths`; as arrays they equal what `extract`
        returns. Utterances that were added to `bad` are None.

    Raises:
        AudioError: as `extract`, unless there is a `bad`. Shards that were complete by then stay.
    """
    spans = spans or [None] * len(paths)
    folder = pathlib.Path(root) / folder_name(paths, config, spans, bad is not None)
    starts = range(0, len(paths), SHARD)
    parts = {
        folder / f"{number:05}-of-{len(starts):05}.tfrecord": range(len(paths))[start:][:SHARD]
        for number, start in enumerate(starts)
    }
    bar = progress_bar(len(paths), "file" if not any(spans) else "segment")
    counts = {}
    for shard, part in parts.items():
        found = _frame_counts(shard, config.mels)
        if len(found) == len(part):
            counts[shard] = found
            bar.add(len(part))
    missing = [shard for shard in parts if shard not in counts]
    if missing:
        engine = engine or Local()
        tasks = []
        for run in engine.runs(missing):
            named = [
                (
                    shard.name,
                    [pathlib.Path(paths[i]).absolute() for i in parts[shard]],
                    [spans[i] for i in parts[shard]],
                )
                for shard in run
            ]
            units = sum(len(parts[shard]) for shard in run)
            tasks.append(Task(compute_shards, (named, config, bad is not None), folder, units))
        for _, computed in engine.map(tasks, bar.add):
            for name, (found, wrong) in computed.items():
                counts[folder / name] = found
                for place, reason in wrong.items():
                    bad[parts[folder / name][place]] = reason
        config.save(folder / "front_end.json")
    features = itertools.chain.from_iterable(
        _stored(shard.absolute(), counts[shard], config.mels) for shard in parts
    )
    return [None if bad and index in bad else one for index, one in enumerate(features)]


def contents(paths, config, spans=None, root=FOLDER):
    """Checksums of the recordings' bytes, kept beside the shards until a recording changes.

    Where they are not there yet, a progress bar is shown.

    Args:
        paths, config, spans, root: as of `prepare`.

    Returns:
        List of texts, one per path.

    Raises:
        AudioError: a file does not exist.
        OSError: a file cannot be read.
    """
    kept = pathlib.Path(root) / folder_name(paths, config, spans or [None] * len(paths))
    kept = kept / "contents.json"
    if kept.is_file():
        found = json.loads(kept.read_text())
    else:
        distinct, sums = list(dict.fromkeys(paths)), {}
        bar = progress_bar(len(distinct), "file")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for path, found_sum in zip(distinct, pool.map(checksum, distinct), strict=True):
                sums[path] = found_sum
                bar.add(1)
        found = [sums[path] for path in paths]
        write_text(kept, json.dumps(found))
    return found


def compute_shards(folder, advance, shards, config, skip=False):
    """Computes shards, each complete or absent in `folder`.

    Args:
        folder: of the shards.
        advance: called with 1 for every utterance.
        shards: list of (name, paths of its utterances, their spans).
        config: LogMelConfig.
        skip: whether utterances that cannot be used are left out.

    Returns:
        Dict by name of two things: the list of the utterances' numbers of frames, and what is
        wrong with those that were left out, by their places in the shard.
    """
    paths, spans = (
        list(itertools.chain.from_iterable(shard[place] for shard in shards)) for place in (1, 2)
    )
    computed = {}
    with contextlib.closing(extract.stream(paths, config, spans, not skip)) as stream:
        for name, own_paths, _ in shards:
            wrong: dict = {}
            own = _counted(itertools.islice(stream, len(own_paths)), advance)
            counts = write_shard(folder / name, _usable(own, wrong) if skip else own)
            computed[name] = counts[: len(own_paths)], wrong
    return computed


def folder_name(paths, config, spans, missing_too=False):
    """The name of the folder of these utterances: mels, checksum of the front end, of the sources.

    The front end is its configuration, VERSION, and the versions of the libraries that compute.
    The sources are, in order, every utterance's path, size, times of modification and of change
    (nanoseconds), and span.

    Raises:
        AudioError: a file does not exist, unless `missing_too`.
    """
    libraries = tf.__version__, soundfile.__libsndfile_version__, soxr.__version__
    front_end = hashlib.sha256(json.dumps(config.values).encode())
    front_end.update(f"{VERSION} {libraries}".encode())
    sources = hashlib.sha256()
    states: dict = {}
    for path, span in zip(paths, spans, strict=True):
        if path not in states:
            states[path] = _state(path, missing_too)
        times = span and tuple(map(float, span))
        sources.update(f"{states[path]} {times}\n".encode())
    return f"{config.mels}mels-{front_end.hexdigest()[:12]}-{sources.hexdigest()[:20]}"


def write_shard(path, utterances):
    """Writes frames as a shard, all of it or nothing.

    A record is the float32s of an utterance, or of every FRAMES frames of a longer one: an
    utterance ends with the first record of less, which may be empty.

    Args:
        path: path of the shard.
        utterances: iterable of iterables of float32 arrays, as of `tfhrf.data.extract.stream`.

    Returns:
        List of the utterances' numbers of frames.
    """
    counts = []
    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for blocks in utterances:
            count = 0
            for block in blocks:
                writer.write(block.astype("<f4", copy=False).tobytes())
                count += len(block)
            counts.append(count)
    return counts


def _usable(utterances, wrong):
    """Utterances, of which those that cannot be used end early; `wrong` gets the reasons.

    If there are any, one more is there, empty, so that the shard is not taken for complete.
    """

    def until_wrong(place, blocks):
        try:
            yield from blocks
        except AudioError as error:
            wrong[place] = str(error)
            yield np.zeros((0, 0), "f4")

    yield from itertools.starmap(until_wrong, enumerate(utterances))
    if wrong:
        yield [np.zeros((0, 0), "f4")]


def _state(path, missing_too):
    """What changes when the file changes."""
    absolute = str(pathlib.Path(path).absolute())
    try:
        stat = pathlib.Path(path).stat()
    except OSError:
        if missing_too:
            return absolute, None
        raise AudioError("Audio file does not exist", path) from None
    return absolute, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _frame_counts(shard, mels):
    """The utterances' numbers of frames; none if the shard is missing or a checksum is wrong."""
    if not shard.is_file():
        return []
    counts, count = [], 0
    try:
        for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
            frames = len(record) // (4 * mels)
            count += frames
            if frames < extract.FRAMES:
                counts.append(count)
                count = 0
    except tf.errors.DataLossError:
        return []
    return counts if count == 0 else []


def _counted(utterances, advance):
    for blocks in utterances:
        yield blocks
        advance(1)


def _stored(shard, counts, mels):
    end = 0
    for count in counts:
        yield StoredFrames(shard, end + _BEFORE, count, mels)
        end += 4 * count * mels + (count // extract.FRAMES + 1) * (_BEFORE + _AFTER)
