"""The front end: audio to log-mel frames, by one frozen configuration.

The same configuration travels with a model to the device, where C code computes the same
frames; so it is plain numbers, saved as JSON beside every model.
"""

import dataclasses
import functools
import json
import math
import numbers
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from tfhrf.files import write_text

if TYPE_CHECKING:
    import tensorflow as tf

TOGETHER = 4096  # frames that `log_mel_numpy` computes at a time, 41 s
MANY = 2**31


@dataclasses.dataclass(frozen=True)
class LogMelConfig:
    """What turns samples into log-mel frames.

    Frames are not padded: frame t covers samples [t * hop, t * hop + frame_length). The power
    spectrum of the Hann-windowed frame goes through triangular filters on the mel scale; the
    natural logarithm of the energies, never below `floor`, is shifted and scaled by fixed
    numbers so that speech lies around zero with about unit variance.

    With `trim`, silence before the first and after the last utterance of a recording has been cut
    by the rule of `tfhrf.endpoint`, which cuts a stream into utterances on a device.

    Raises:
        ValueError: a field is of another type or out of range; `equalizer` has a value from -90 to
            0 for each mel, or none.
    """

    sample_rate: int = 16_000  # Hz
    frame_length: int = 400  # samples, 25 ms
    hop: int = 160  # samples, 10 ms
    fft_length: int = 512  # samples
    mels: int = 64
    lower_hz: float = 60.0
    upper_hz: float = 7600.0
    floor: float = 1e-5  # energy, for samples in [-1, 1]
    mean: float = -4.0  # of the natural logarithm
    scale: float = 0.25
    trim: bool = False
    equalizer: tuple[float, ...] = ()  # dB that each mel gets, 0 at most; () for none

    def __post_init__(self) -> None:
        object.__setattr__(self, "equalizer", tuple(self.equalizer))  # JSON has lists
        for name in ("sample_rate", "frame_length", "hop", "fft_length", "mels"):
            value = getattr(self, name)
            whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
            if not (whole and 1 <= int(value) < MANY):
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
        for name in ("lower_hz", "upper_hz", "mean"):
            if not _is_number(value := getattr(self, name)):
                raise ValueError(f"`{name}` must be a number. Received: {name}={value!r}")
        for name in ("floor", "scale"):
            if not (_is_number(value := getattr(self, name)) and value > 0):
                raise ValueError(f"`{name}` must be a positive number. Received: {name}={value!r}")
        if not 0 <= self.lower_hz < self.upper_hz:
            raise ValueError(
                "`lower_hz` must not be negative, and less than `upper_hz`. "
                f"Received: lower_hz={self.lower_hz}, upper_hz={self.upper_hz}"
            )
        if not isinstance(self.trim, bool):
            raise ValueError(f"`trim` must be True or False. Received: trim={self.trim!r}")
        values = self.equalizer
        if values and not (
            len(values) == self.mels and all(_is_number(one) and -90 <= one <= 0 for one in values)
        ):
            raise ValueError(
                f"`equalizer` must have {self.mels} values from -90 to 0. Received: {values}"
            )

    @property
    def silence(self) -> np.float32:
        """The value of a frame of digital silence, with which short recordings are padded."""
        return np.float32((np.log(self.floor) - self.mean) * self.scale)

    @property
    def hop_frames(self) -> int:
        """Frames between the windows of an utterance, which begin every second."""
        return max(1, round(self.sample_rate / self.hop))

    def frames(self, seconds: float) -> int:
        """Number of frames of a recording of `seconds`."""
        return max(0, 1 + (round(seconds * self.sample_rate) - self.frame_length) // self.hop)

    @property
    def values(self) -> dict[str, Any]:
        """The fields by name; an equalizer only where there is one."""
        values = dataclasses.asdict(self)
        return values if self.equalizer else {k: v for k, v in values.items() if k != "equalizer"}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the configuration as JSON."""
        write_text(path, json.dumps(self.values, indent=2) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LogMelConfig":
        """Reads a configuration that `save` wrote."""
        try:
            values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"A front-end configuration is no JSON. Received: {path}") from error
        known = {field.name for field in dataclasses.fields(cls)}
        # What was saved before silence could be cut has no word of it.
        if not isinstance(values, dict) or {*values, "trim", "equalizer"} != known:
            found = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise ValueError(
                f"A front-end configuration has the keys {sorted(known)}. "
                f"Received: {found} in {path}"
            )
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{error} in {path}") from error


def _is_number(value: object) -> bool:
    """Whether it is a finite real number."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


@functools.cache
def mel_filters(config: LogMelConfig) -> NDArray[np.float32]:
    """Triangular filters (HTK scale), equalized, float32 of shape (fft_length / 2 + 1, mels)."""
    bins = np.linspace(0, config.sample_rate / 2, config.fft_length // 2 + 1)
    edges = np.linspace(hz_to_mel(config.lower_hz), hz_to_mel(config.upper_hz), config.mels + 2)
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    bins = hz_to_mel(bins)[:, None]
    rising = (bins - below) / (centre - below)
    falling = (above - bins) / (above - centre)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    gains = 10.0 ** (np.array(config.equalizer or 0.0) / 10.0)
    return (filters * gains).astype(np.float32)


def hann(length: int) -> NDArray[np.float64]:
    """As `tf.signal.hann_window` has it: its period is even."""
    period = length - length % 2
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / period)
    return window


def hz_to_mel(hz: ArrayLike) -> NDArray[np.float64]:
    """The HTK mel scale."""
    mel: NDArray[np.float64] = 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)
    return mel


def log_mel(wave: "tf.Tensor", config: LogMelConfig) -> "tf.Tensor":
    """Log-mel frames of a waveform.

    Args:
        wave: float32 tensor of shape (..., samples) in [-1, 1].
        config: LogMelConfig.

    Returns:
        float32 tensor of shape (..., frames, mels).
    """
    # Here, because it takes seconds to load.
    import tensorflow as tf

    window = tf.signal.hann_window(config.frame_length)
    frames = tf.signal.frame(wave, config.frame_length, config.hop) * window
    spectrum = tf.signal.rfft(frames, [config.fft_length])
    power = tf.math.square(tf.math.real(spectrum)) + tf.math.square(tf.math.imag(spectrum))
    energies = tf.linalg.matmul(power, mel_filters(config))
    return (tf.math.log(tf.maximum(energies, config.floor)) - config.mean) * config.scale


def log_mel_numpy(wave: NDArray[np.float32], config: LogMelConfig) -> NDArray[np.float32]:
    """`log_mel` up to rounding, without TensorFlow.

    Args:
        wave: floats of shape (samples,) in [-1, 1], at least a frame of them.
        config: LogMelConfig.

    Returns:
        float32 array of shape (frames, mels).
    """
    length = config.frame_length
    window = hann(length)
    frames, filters = sliding_window_view(wave, length)[:: config.hop], mel_filters(config)
    energies = np.concatenate(
        [
            np.abs(np.fft.rfft(frames[start : start + TOGETHER] * window, config.fft_length)) ** 2
            @ filters
            for start in range(0, len(frames), TOGETHER)
        ]
    )
    scaled = (np.log(np.maximum(energies, config.floor)) - config.mean) * config.scale
    return np.asarray(scaled, np.float32)
