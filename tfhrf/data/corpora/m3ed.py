"""M3ED, Mandarin dialogues of TV series (Zhao et al. 2022; for research, from its authors).

`annotation.json` holds the labels, `splitInfo/movie_list_train.txt` and so on the official split
by series. Sound is either in clips, `A_anjia_1_1.wav` (speaker, then the utterance's name), or in
the dialogs' videos, `anjia/anjia_1.mp4`, from which ffmpeg takes it.
"""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import warnings
import zlib

from tfhrf.data.corpora.file_names import existing, sound_files
from tfhrf.data.corpora.spans import checked_span, sound_seconds
from tfhrf.data.corpora.text import read_text
from tfhrf.data.corpora.utterance import CorpusError, CorpusWarning, Utterance, listed
from tfhrf.files import replacing
from tfhrf.progress import progress_bar

# In the order of the corpus's own class numbers.
LABELS = ("Happy", "Neutral", "Sad", "Disgust", "Anger", "Fear", "Surprise")
FRAME_RATE = 25  # frames per second, in which times are given
SERIES = {"train": 38, "val": 7, "test": 11}
DIALOGS = 990
UTTERANCES = 24_449
# A public list of fewer utterances, by split and by label.
LISTED = {"train": 17_420, "val": 2819, "test": 4198}
LISTED_LABELS = {
    "Happy": 2286,
    "Neutral": 10_021,
    "Sad": 3957,
    "Disgust": 1497,
    "Anger": 5231,
    "Fear": 395,
    "Surprise": 1050,
}
SAMPLE_RATE = 16_000
# Where the sound of videos is kept.
CACHE = pathlib.Path("runs") / "corpora" / "m3ed"

_TIME = re.compile(r"(\d+):(\d\d):(\d\d):(\d\d)")


def read(data_dir, cache_dir=CACHE):
    """Reads M3ED, seven classes: the utterances' main emotion.

    An utterance's sound is its clip, found by name anywhere under the folder, or else a span of
    its dialog's video.

    Args:
        data_dir: the corpus folder.
        cache_dir: folder for the sound of videos, 16 kHz WAV, one file per dialog.

    Returns:
        List of Utterance, by series, dialog and number of the utterance. The speaker is the
        dialog and the letter of the speaker, the group the series. Warns of a partial copy.

    Raises:
        CorpusError: a file is missing or malformed, a label or a time is wrong, a series is in no
            split or in two, the copy is complete and its counts are not those of the corpus, or
            ffmpeg is needed and fails. Names the file and the utterance.
    """
    data_dir = existing(data_dir)
    path = data_dir / "annotation.json"
    annotation = _annotation(path)
    splits = _splits(data_dir / "splitInfo")
    for series in annotation:
        if series not in splits:
            raise CorpusError(
                f"A series is in no list of {data_dir / 'splitInfo'}. Received: {series}"
            )
    _check_counts(path, annotation, splits)

    clips = _clips(data_dir)
    videos: dict[pathlib.Path, pathlib.Path] = {}  # sound of a dialog's video, by the video
    utterances, places, silent, secondary = [], [], [], []
    for series, dialogs in annotation.items():
        series_videos = _videos(data_dir / series)
        for dialog in sorted(dialogs, key=_number):
            entries = dialogs[dialog]["Dialog"]
            for name in sorted(entries, key=_number):
                entry, where = entries[name], f"{path}, utterance {name}"
                speaker = _field(entry, "Speaker", where)
                label, others = _labels(entry, where)
                if label not in others:
                    secondary.append(name)
                clip = clips.get(f"{speaker}_{name}")
                video = series_videos.get(dialog)
                if clip is not None:
                    sound, span = clip, None
                elif video is not None:
                    sound = videos.setdefault(video, _sound_of(video, cache_dir))
                    span = _span(entry, where)
                else:
                    silent.append(name)
                    continue
                places.append(where)
                utterances.append(
                    Utterance(sound, label, f"{dialog}_{speaker}", series, span, splits[series])
                )
    if not utterances:
        raise CorpusError(
            f"No sound of M3ED, neither clips nor videos, is in the folder. Received: {data_dir}"
        )
    _extract({video: sound for video, sound in videos.items() if not sound.is_file()})
    durations = {sound: sound_seconds(sound) for sound in videos.values()}
    utterances = [
        one
        if one.span is None
        else one._replace(span=checked_span(*one.span, where, durations[one.path]))
        for one, where in zip(utterances, places, strict=True)
    ]
    _warn(path, annotation, silent, secondary, _overlapping(utterances))
    return utterances


def seconds(time):
    """Seconds of a time HH:MM:SS:FF, whose last part counts frames, 25 to a second.

    Raises:
        ValueError: the text is not such a time.
    """
    match = _TIME.fullmatch(time)
    if match is None or int(match[4]) >= FRAME_RATE:
        raise ValueError(f"Not a time HH:MM:SS:FF of {FRAME_RATE} frames. Received: {time!r}")
    hours, minutes, whole, frames = map(int, match.groups())
    return 3600 * hours + 60 * minutes + whole + frames / FRAME_RATE


def _annotation(path):
    if not path.is_file():
        raise CorpusError(f"M3ED has its labels in a file that is missing. Received: no {path}")
    text = read_text(path, "The annotation of M3ED")
    try:
        annotation = json.loads(text)
        for dialogs in annotation.values():
            for dialog, content in dialogs.items():
                _number(dialog)
                for name in content["Dialog"] | {}:
                    _number(name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"Not the annotation of M3ED ({error}). Received: {path}") from None
    return annotation


def _splits(folder):
    """Name of the split by series."""
    splits: dict[str, str] = {}
    for split in SERIES:
        path = folder / f"movie_list_{split}.txt"
        if not path.is_file():
            raise CorpusError(f"M3ED has its split in a file that is missing. Received: no {path}")
        for number, line in enumerate(read_text(path, "A list of M3ED").splitlines(), start=1):
            series = line.strip()
            if series in splits:
                raise CorpusError(
                    f"A series is in two splits, {splits[series]} and {split}: {path}, line "
                    f"{number}. Received: {series}"
                )
            if series:
                splits[series] = split
    return splits


def _check_counts(path, annotation, splits):
    """Counts of a complete annotation."""
    contents = [content for dialogs in annotation.values() for content in dialogs.values()]
    count = sum(len(content["Dialog"]) for content in contents)
    public = sum(LISTED.values())
    complete = len(contents) == DIALOGS
    if len(contents) > DIALOGS or (complete and count not in (UTTERANCES, public)):
        raise CorpusError(
            f"M3ED has {DIALOGS} dialogs and {UTTERANCES:,} or {public:,} utterances: {path}. "
            f"Received: {len(contents)} and {count:,}"
        )
    if not complete:
        return
    series = collections.Counter(splits[name] for name in annotation)
    if series != SERIES:
        raise CorpusError(f"M3ED has the series {SERIES}: {path}. Received: {dict(series)}")
    if count == public:
        by_split: collections.Counter = collections.Counter()
        by_label: collections.Counter = collections.Counter()
        for name, dialogs in annotation.items():
            for content in dialogs.values():
                for utterance, entry in content["Dialog"].items():
                    label, _ = _labels(entry, f"{path}, utterance {utterance}")
                    by_split[splits[name]] += 1
                    by_label[label] += 1
        for expected, found in ((LISTED, by_split), (LISTED_LABELS, by_label)):
            for name, number in expected.items():
                if found[name] != number:
                    raise CorpusError(
                        f"M3ED has {number:,} utterances of {name}: {path}. "
                        f"Received: {found[name]:,}"
                    )


def _clips(data_dir):
    clips: dict[str, pathlib.Path] = {}
    for path in sound_files(data_dir, deep=True):
        if path.stem in clips:
            raise CorpusError(f"A clip is there twice. Received: {clips[path.stem]} and {path}")
        clips[path.stem] = path
    return clips


def _videos(folder):
    """The videos of a series by dialog."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.stem: path for path in found if path.suffix.lower() == ".mp4" and path.is_file()}


def _number(name):
    """The number at the end of a dialog's or an utterance's name: 10 comes after 9."""
    return int(name.rsplit("_", 1)[1])


def _field(entry, field, where, kind=str):
    value = entry.get(field) if isinstance(entry, dict) else None
    if value in (None, "", {}):
        raise CorpusError(f"The field {field} is missing. Received: {where}")
    if not isinstance(value, kind):
        raise CorpusError(f"The field {field} is no {kind.__name__}: {where}. Received: {value!r}")
    return value


def _labels(entry, where):
    """The main emotion, and all emotions, of which there may be several."""
    emotions = _field(entry, "EmoAnnotation", where, dict)
    label = _field(emotions, "final_main_emo", where).strip()
    if label not in LABELS:
        raise CorpusError(f"Unknown emotion: {where}, final_main_emo. Received: {label!r}")
    several = _field({"final_mul_emo": label} | emotions, "final_mul_emo", where).split(",")
    several = [part.strip() for part in several]
    for part in several:
        if part not in LABELS:
            raise CorpusError(f"Unknown emotion: {where}, final_mul_emo. Received: {part!r}")
    return label, several


def _span(entry, where):
    start, end = (_field(entry, f"{edge}Time", where) for edge in ("Start", "End"))
    try:
        span = seconds(start), seconds(end)
    except ValueError as error:
        raise CorpusError(f"In {where}: {error}") from None
    return checked_span(*span, where)


def _sound_of(video, cache_dir):
    """Where a video's sound is kept: another video, or a changed one, has another place."""
    state = video.stat()
    key = zlib.crc32(f"{video.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
    return pathlib.Path(cache_dir) / f"{video.stem}-{key:08x}.wav"


def _extract(sounds):
    """Takes the sound from videos, all of a file or nothing."""
    if not sounds:
        return
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise CorpusError(
            f"ffmpeg is needed to take the sound from videos; install it, or give clips. "
            f"Received: {next(iter(sounds))}"
        )
    print("Taking the sound from the videos of M3ED")
    bar = progress_bar(len(sounds), "video")
    for video, sound in sounds.items():
        with replacing(sound) as temporary:
            command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-i", str(video), "-vn"]
            command += ["-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "wav", str(temporary)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                reason = result.stderr.strip().splitlines() or ["no reason given"]
                raise CorpusError(
                    f"ffmpeg cannot take the sound from a video ({reason[-1]}). Received: {video}"
                )
        bar.add(1)


def _overlapping(utterances):
    """How many spans begin before the same speaker's last one has ended."""
    last: dict[str, float] = {}
    count = 0
    for utterance in utterances:
        if utterance.span is not None:
            count += utterance.span[0] < last.get(utterance.speaker, 0)
            last[utterance.speaker] = utterance.span[1]
    return count


def _warn(path, annotation, silent, secondary, overlapping):
    missing = []
    dialogs = sum(map(len, annotation.values()))
    if dialogs < DIALOGS:
        missing.append(f"{dialogs} of {DIALOGS} dialogs are there")
    if silent:
        by_dialog = collections.Counter(name.rsplit("_", 1)[0] for name in silent)
        missing.append(
            f"{len(silent)} utterances of {len(by_dialog)} dialogs have neither clip nor video "
            f"({listed(by_dialog)})"
        )
    if missing:
        warnings.warn(
            f"Partial copy of M3ED in {path.parent}: {'; '.join(missing)}",
            CorpusWarning,
            stacklevel=3,
        )
    if secondary:
        warnings.warn(
            f"{len(secondary)} utterances have a main emotion that is not among their emotions "
            f"({listed(secondary)}): {path}",
            CorpusWarning,
            stacklevel=3,
        )
    if overlapping:
        warnings.warn(
            f"{overlapping} utterances begin before their speaker's last one has ended: {path}",
            CorpusWarning,
            stacklevel=3,
        )
