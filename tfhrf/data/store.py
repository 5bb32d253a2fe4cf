"""Log-mel frames computed once: TFRecord shards on disk, from which frames are read when needed.

A folder of shards is named by everything its content depends on, so that a stale one is never
found. It may be deleted at any time.
"""

import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_io as tfio

from tfhrf import log_mel
from tfhrf.data import decode, extract
from tfhrf.files import replacing, write_text
from tfhrf.progress import progress_bar
from tfhrf.workers import Local, Task

FOLDER = pathlib.Path("runs") / "features"
SHARD = 256  # utterances
VERSION = 1  # of the arithmetic of the frames; see tests/data/test_store.py
# A record of a TFRecord file: uint64 length, its CRC, the bytes, their CRC.
_BEFORE, _AFTER = 12, 4
# The frames depend on these, so a change of theirs makes another cache.
_CODE = (decode.__file__, log_mel.__file__, extract.__file__, __file__)


class CacheError(ValueError):
    """Frames cannot be read any more; the message is one line that names the shard."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredFrames:
    """Log-mel frames of one utterance, (frames, mels), which np.asarray reads from their shard.

    It stands in for the array wherever that would take memory: its length is known, and a pickle
    of it holds no frames.
    """

    shard: pathlib.Path
    offset: int  # bytes
    frames: int
    mels: int

    def __len__(self):
        return self.frames

    def __array__(self, dtype=None, copy=None):
        """Reads the frames, float32 unless `dtype`.

        Raises:
            CacheError: the shard is gone or shorter than it was.
        """
        try:
            with self.shard.open("rb", buffering=0) as file:
                file.seek(self.offset)
                record = file.read(4 * self.frames * self.mels)
        except OSError as error:
            raise CacheError(f"Features cannot be read ({error.strerror}): {self.shard}") from None
        if len(record) != 4 * self.frames * self.mels:
            raise CacheError(f"Features were cut short while they were in use: {self.shard}")
        frames = np.frombuffer(record, "<f4").reshape(self.frames, self.mels)
        return frames.astype(dtype or np.float32, copy=False)


def prepare(paths, config, spans=None, root=FOLDER, engine=None):
    """Computes the log-mel frames of utterances that are not on disk yet, with a progress bar.

    What is there is read to its end once, to see that it is whole; a shard that is not is
    computed again, as is one that an earlier preparation did not come to.

    Args:
        paths: list of file paths.
        config: LogMelConfig.
        spans: list of (start, end) in seconds, or None for a whole file, one per path; whole
            files if not given.
        root: folder in which these utterances get a folder of their own.
        engine: what of tfhrf.workers computes shards, Local if None. Wherever that is, recordings
            are found by their paths.

    Returns:
        List of StoredFrames, in the order of `paths`; as arrays they equal what `extract`
        returns.

    Raises:
        AudioError: as `extract`. Shards that were complete by then stay.
    """
    spans = spans or [None] * len(paths)
    folder = pathlib.Path(root) / folder_name(paths, config, spans)
    starts = range(0, len(paths), SHARD)
    parts = {
        folder / f"{number:05}-of-{len(starts):05}.tfrecord": range(len(paths))[start:][:SHARD]
        for number, start in enumerate(starts)
    }
    bar = progress_bar(len(paths), "file" if not any(spans) else "segment")
    sizes = {}
    for shard, part in parts.items():
        found = _record_sizes(shard)
        if len(found) == len(part):
            sizes[shard] = found
            bar.add(len(part))
    missing = [shard for shard in parts if shard not in sizes]
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
            tasks.append(Task(compute_shards, (named, config), folder, units))
        for _, computed in engine.map(tasks, bar.add):
            sizes |= {folder / name: found for name, found in computed.items()}
        config.save(folder / "front_end.json")
    return [
        frames for shard in parts for frames in _stored(shard.absolute(), sizes[shard], config.mels)
    ]


def contents(paths, config, spans=None, root=FOLDER):
    """Checksums of the recordings' bytes, kept beside the shards until a recording changes.

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
        distinct = list(dict.fromkeys(paths))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            sums = dict(zip(distinct, pool.map(_checksum, distinct), strict=True))
        found = [sums[path] for path in paths]
        write_text(kept, json.dumps(found))
    return found


def _checksum(path):
    total = hashlib.sha256()
    with pathlib.Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()[:32]


def compute_shards(folder, advance, shards, config):
    """Computes shards, each complete or absent in `folder`.

    Args:
        folder: of the shards.
        advance: called with 1 for every utterance.
        shards: list of (name, paths of its utterances, their spans).
        config: LogMelConfig.

    Returns:
        Dict of the sizes of the records, bytes, by name.
    """
    paths, spans = (
        list(itertools.chain.from_iterable(shard[place] for shard in shards)) for place in (1, 2)
    )
    stream = extract.stream(paths, config, spans)
    return {
        name: write_shard(
            folder / name, _counted(itertools.islice(stream, len(own_paths)), advance)
        )
        for name, own_paths, _ in shards
    }


def folder_name(paths, config, spans):
    """The name of the folder of these utterances: mels, checksum of the front end, of the sources.

    The front end is its configuration, the code that computes frames, and the versions of
    TensorFlow and tensorflow-io. The sources are, in order, every utterance's path, size, times
    of modification and of change (nanoseconds), and span.

    Raises:
        AudioError: a file does not exist.
    """
    front_end = hashlib.sha256(json.dumps(dataclasses.asdict(config)).encode())
    front_end.update(f"{tf.__version__} {tfio.__version__}".encode())
    for path in _CODE:
        front_end.update(pathlib.Path(path).read_bytes())
    sources = hashlib.sha256()
    states: dict = {}
    for path, span in zip(paths, spans, strict=True):
        if path not in states:
            states[path] = _state(path)
        times = span and tuple(map(float, span))
        sources.update(f"{states[path]} {times}\n".encode())
    return f"{config.mels}mels-{front_end.hexdigest()[:12]}-{sources.hexdigest()[:20]}"


def write_shard(path, arrays):
    """Writes frames as a shard, all of it or nothing: a record is the float32s of one utterance.

    Args:
        path: path of the shard.
        arrays: iterable of float32 arrays of shape (frames, mels).

    Returns:
        List of the records' sizes in bytes.
    """
    sizes = []
    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for array in arrays:
            record = array.astype("<f4", copy=False).tobytes()
            writer.write(record)
            sizes.append(len(record))
    return sizes


def _state(path):
    """What changes when the file changes."""
    try:
        stat = pathlib.Path(path).stat()
    except FileNotFoundError:
        raise decode.AudioError(f"Audio file does not exist: {path}") from None
    absolute = str(pathlib.Path(path).absolute())
    return absolute, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _record_sizes(shard):
    """Sizes of a shard's records, bytes; none if it is missing or a checksum in it is wrong."""
    if not shard.is_file():
        return []
    try:
        return [len(record) for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()]
    except tf.errors.DataLossError:
        return []


def _counted(arrays, advance):
    for array in arrays:
        yield array
        advance(1)


def _stored(shard, sizes, mels):
    end = 0
    for size in sizes:
        yield StoredFrames(shard, end + _BEFORE, size // (4 * mels), mels)
        end += _BEFORE + size + _AFTER
