"""What a trained model says of a sound: decoded, cut into windows, decided, averaged."""

import dataclasses
import os
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from tfhrf.data.decode import AudioError, decode
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.endpoint import EndpointConfig, to_int16, trim, utterances
from tfhrf.log_mel import LogMelConfig, log_mel_numpy
from tfhrf.recognition.packaged import DEFAULT, Pretrained, find

TOGETHER = 256  # windows in memory at a time


@dataclasses.dataclass(frozen=True)
class Window:
    """What a model says of one window of a sound."""

    start: float  # seconds of the sound
    end: float
    label: str
    posteriors: dict[str, float]  # by label; they add up to 1


@dataclasses.dataclass(frozen=True)
class Recognition:
    """What a model says of a sound."""

    label: str  # of the highest posterior
    posteriors: dict[str, float]  # by label, the mean over the windows
    windows: tuple[Window, ...]
    silent: bool  # whether no frame is louder than silence: then the answer means nothing


def recognize(
    file: str | os.PathLike[str],
    model: str | os.PathLike[str] | Pretrained = DEFAULT,
    *,
    every: float | None = None,
    precision: Literal["int8", "float32"] = "int8",
) -> Recognition:
    """What a trained model says of a sound file.

    The sound is one utterance: posteriors are averaged over its windows, as studies test it. A
    sound that is shorter than a window is padded with silence.

    Args:
        file: a sound file of any format, rate and number of channels.
        model: name of a packaged model, folder of a model such as `runs/STUDY/deployed`, or what
            `tfhrf.pretrained` returned.
        every: seconds between the starts of two windows; one second if None. The last window is
            flush with the end.
        precision: "int8", as a device computes it, by TensorFlow Lite Micro's kernels or where
            its wheel is missing by TensorFlow Lite's; or "float32", the folded model in Keras.

    Returns:
        Recognition.

    Raises:
        AudioError: the file cannot be used.
        ModelError: there is no such model, or it is not complete.
        ValueError: another argument is out of range.
    """
    chosen = model if isinstance(model, Pretrained) else find(model)
    if precision not in ("int8", "float32"):
        raise ValueError(f"`precision` must be 'int8' or 'float32'. Received: {precision!r}")
    number = isinstance(every, (int, float, np.number))
    if every is not None and not (number and 0 < every < float("inf")):
        raise ValueError(f"`every` must be a positive number of seconds. Received: {every!r}")
    config = chosen.config
    (wave,) = decode([os.fspath(file)], config.sample_rate)
    wave, offset = _trimmed(wave, config)
    if len(wave) < config.frame_length:
        raise AudioError(
            f"Audio file is shorter than one frame of {config.frame_length} samples "
            f"({len(wave)} samples)",
            file,
        )
    features = log_mel_numpy(wave, config)
    seconds = config.hop / config.sample_rate
    hop = config.hop_frames if every is None else max(1, round(every / seconds))
    logits = np.concatenate(
        [_logits(chosen, windows, precision) for windows in _parts(features, chosen, hop)]
    )
    posteriors = utterance_posteriors(logits, [1] * len(logits))
    length = len(wave) / config.sample_rate
    last = max(0, len(features) - chosen.frames)
    windows = []
    for index, row in enumerate(posteriors):
        start = min(index * hop, last) * seconds
        end = min(start + chosen.frames * seconds, length)
        windows.append(Window(offset + start, offset + end, *_said(chosen, row)))
    silent = bool(features.max() <= config.silence)
    return Recognition(*_said(chosen, posteriors.mean(axis=0)), tuple(windows), silent)


def _trimmed(wave: Any, config: LogMelConfig) -> tuple[Any, float]:
    """The samples that the front end takes, and at what second they begin."""
    if not config.trim:
        return wave, 0.0
    rule = EndpointConfig.at(config.sample_rate, config.hop)
    found = utterances(to_int16(wave), rule)
    return trim(wave, rule), found[0][0] / config.sample_rate if found else 0.0


def _parts(features: Any, model: Pretrained, hop: int) -> Iterator[Any]:
    """The evaluation windows of a sound, TOGETHER at a time."""
    frames, step = model.frames, TOGETHER * hop
    last = max(0, len(features) - frames)
    for start in range(0, last + hop, step):
        part = features[min(start, last) : start + step - hop + frames]
        yield evaluation_windows(part, frames, hop, model.config)


def _logits(model: Pretrained, windows: Any, precision: str) -> Any:
    if precision == "int8":
        predict = runners.predictor()
        return predict(model.int8, windows)
    return np.asarray(model.model(windows, training=False))


def _said(model: Pretrained, posteriors: Any) -> tuple[str, dict[str, float]]:
    named = dict(zip(model.labels, posteriors.tolist(), strict=True))
    return model.labels[int(posteriors.argmax())], named
