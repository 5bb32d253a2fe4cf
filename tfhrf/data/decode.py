"""Decoding audio files to mono float32 at one rate: in parallel, in order, in bounded memory."""

import collections
import contextlib
import itertools
import os
import queue
import threading

import numpy as np
import soxr

from tfhrf.data.sound_file import check, open_sound
from tfhrf.data.sound_header import AudioError

SAMPLE_RATE = 16_000
AHEAD = 2  # threads beyond one for each core, and bundles of samples of each that wait
BUNDLE = 2**18  # samples
TOGETHER = 2**20  # bytes of files that a thread decodes one after the other


def decode(paths, sample_rate=SAMPLE_RATE):
    """Decodes audio files, in order, in parallel.

    Args:
        paths: list of file paths, of whatever libsndfile reads, and ffmpeg where it is installed.
        sample_rate: rate to resample to, Hz.

    Yields:
        float32 arrays of shape (samples,), in [-1, 1] up to overshoot; channels are averaged.

    Raises:
        AudioError: a file is missing, empty, undecodable, cut short, holds no samples, or samples
            that are not finite. Raised before the first file is decoded where the header tells.
    """
    paths = list(paths)
    return decode_spans(paths, [None] * len(paths), sample_rate)


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
    with contextlib.closing(decode_blocks(paths, spans, sample_rate)) as utterances:
        for blocks in utterances:
            yield np.concatenate(list(blocks))


def decode_blocks(paths, spans, sample_rate=SAMPLE_RATE, check_first=True):
    """Decodes spans of files, each in blocks, so that files of any length take bounded memory.

    Args:
        paths, spans, sample_rate: as of `decode_spans`.
        check_first: whether all heads are read before anything is decoded.

    Yields:
        Per span, an iterator of float32 arrays of shape (samples,), to be used up before the next
        one. It raises AudioError if the span cannot be decoded; the next one may be good.

    Raises:
        AudioError: a head tells that its file cannot be used.
    """
    pairs = list(zip(map(os.fspath, paths), spans, strict=True))
    runs = [
        (path, [span for _, span in run])
        for path, run in itertools.groupby(pairs, key=lambda pair: pair[0])
    ]
    if check_first:
        for path in dict.fromkeys(path for path, _ in runs):
            check(path)
    streams = (_of_files(batch, sample_rate) for batch in _batches(runs))
    with contextlib.closing(_ahead(streams, (os.cpu_count() or 1) + AHEAD)) as items:
        for _ in pairs:
            blocks = _until_end(items)
            yield blocks
            with contextlib.suppress(AudioError):
                collections.deque(blocks, maxlen=0)


def _until_end(items):
    """The blocks of a span, which end with None or an error."""
    for item in items:
        if isinstance(item, AudioError):
            raise item
        if item is None:
            return
        yield item


def _batches(runs):
    """Lists of runs whose files are so small that threads would take longer to begin with them."""
    batch, size = [], 0
    for path, spans in runs:
        batch.append((path, spans))
        with contextlib.suppress(OSError):
            size += os.stat(path).st_size  # noqa: PTH116
        if size >= TOGETHER:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _of_files(batch, sample_rate):
    for path, spans in batch:
        yield from _of_file(path, spans, sample_rate)


def _of_file(path, spans, sample_rate):
    """Blocks of spans of a file; each span ends with None or an AudioError."""
    ended = 0
    try:
        with open_sound(path) as (rate, blocks):
            blocks = _resampled(blocks, rate, sample_rate)
            for item in _cut(blocks, spans, sample_rate, path):
                yield item
                ended += item is None or isinstance(item, AudioError)
    except AudioError as error:
        yield from [error] * (len(spans) - ended)


def _resampled(blocks, rate, sample_rate):
    if rate == sample_rate:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, "f4"), last=True)


def _cut(blocks, spans, sample_rate, path):
    """Blocks of spans; those that no later span needs are forgotten."""
    bounds = [
        (0, None) if span is None else tuple(round(second * sample_rate) for second in span)
        for span in spans
    ]
    # Where the later spans begin.
    needed = list(itertools.accumulate([first for first, _ in bounds[:0:-1]], min))[::-1]
    needed.append(float("inf"))
    held: collections.deque = collections.deque()  # positions and blocks
    end = 0
    for span, (first, last), later in zip(spans, bounds, needed, strict=True):
        done, place = first, 0
        wrong = last is not None and not 0 <= first < last
        while wrong or last is None or done < last:
            if place == len(held):
                block = next(blocks, None)
                if block is None:
                    break
                held.append((end, block))
                end += len(block)
            start, block = held[place]
            if not wrong:
                part = block[max(0, done - start) : last and max(0, last - start)]
                if len(part):
                    yield part
                    done += len(part)
            if start + len(block) <= later:
                held.popleft()
            else:
                place += 1
        # Resampling may take a few samples from the end.
        missing = last is not None and (done == first or done < last - sample_rate // 1000)
        if span is None and done == 0:
            yield AudioError(
                f"Audio file holds no sample at {sample_rate:,} Hz, it is too short", path
            )
        elif wrong or missing:
            yield AudioError(
                f"A span must be within the {end / sample_rate:g} s of its file and not empty: "
                f"{path}. Received: {span[0]:g} to {span[1]:g} s"
            )
        else:
            yield None


def _ahead(streams, count):
    """The items of generators, one generator after the other; threads run ahead of them.

    Args:
        streams: iterable of generators.
        count: how many of them run at a time.

    Yields:
        What the generators yield, and raises what they raise.
    """
    streams = iter(streams)
    running: collections.deque = collections.deque()  # threads and what they have yielded
    stopped = threading.Event()

    def run(stream, bundles):
        try:
            with contextlib.closing(stream):
                for bundle in _bundled(stream):
                    bundles.put((bundle, None))
                    if stopped.is_set():
                        return
            bundles.put(((), StopIteration))
        except BaseException as error:
            bundles.put(((), error))

    def fill():
        for stream in itertools.islice(streams, count - len(running)):
            bundles: queue.Queue = queue.Queue(AHEAD)
            # A thread that waits for its items to be taken must not hold up the end of Python.
            thread = threading.Thread(target=run, args=(stream, bundles), daemon=True)
            thread.start()
            running.append((thread, bundles))

    try:
        fill()
        while running:
            bundle, end = running[0][1].get()
            yield from bundle
            if end is StopIteration:
                running.popleft()
                fill()
            elif end is not None:
                raise end
    finally:
        stopped.set()
        for thread, bundles in running:
            with contextlib.suppress(queue.Empty):
                while True:
                    bundles.get_nowait()
            thread.join()


def _bundled(items):
    """Lists of items that hold BUNDLE samples or a block more: each list wakes another thread."""
    bundle, samples = [], 0
    for item in items:
        bundle.append(item)
        samples += len(item) if isinstance(item, np.ndarray) else 0
        if samples >= BUNDLE:
            yield bundle
            bundle, samples = [], 0
    yield bundle
