"""Where utterances begin and end: one frozen rule in integers, the same here and on a device.

Frames whose energy stands out from the noise are speech. `endpoint.c` of a firmware project
computes the same bits as `Endpointer`.
"""

import dataclasses
import enum
import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

DECIBEL = 85  # of a level, which has 8 fractional bits and doubles every 3.01 dB
HELD = 2**23  # samples
LARGEST_FRAME = 8192  # samples: the energy of a longer one needs more than 64 bits


@dataclasses.dataclass(frozen=True)
class EndpointConfig:
    """What tells speech from silence.

    A frame's level is the energy of its samples about their own mean, so that no constant offset
    counts. A frame is speech that is `threshold` above the noise floor, within an utterance
    `release`. The floor follows the levels down with a time constant of 2**fall frames, up with
    2**rise, and in speech climbs by `climb`. An utterance begins with `speech` frames of speech in
    a row and ends after `hangover` frames without; `margin` frames on either side belong to it. One
    that lasts for `longest` frames ends as well, and the floor then rises to its quietest frame:
    whatever never pauses is noise.
    """

    frame: int = 160  # samples
    threshold: int = 9  # dB
    release: int = 6  # dB
    least_floor: int = -70  # dB; a square wave of full scale has 0
    first_floor: int = -50  # dB, at most, of the first frame: a recording may begin with speech
    fall: int = 3
    rise: int = 7
    climb: int = 3  # parts of a decibel, 256 each, in a frame
    speech: int = 5  # frames
    margin: int = 10  # frames
    hangover: int = 50  # frames
    longest: int = 1500  # frames

    def __post_init__(self) -> None:
        for field, (least, most) in LIMITS.items():
            value = getattr(self, field)
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError(
                    f"`{field}` must be an integer in [{least}, {most}]. Received: {value!r}"
                )
        if self.release > self.threshold:
            raise ValueError(
                f"`release` must not be above threshold={self.threshold}. Received: {self.release}"
            )
        if self.first_floor < self.least_floor:
            raise ValueError(
                f"`first_floor` must not be below least_floor={self.least_floor}. "
                f"Received: {self.first_floor}"
            )
        if self.longest <= self.speech + self.margin:
            raise ValueError(
                f"`longest` must be above speech + margin, {self.speech + self.margin} frames. "
                f"Received: {self.longest}"
            )

    @classmethod
    def at(cls, sample_rate: int, hop: int = 1) -> "EndpointConfig":
        """The defaults in time, at a sample rate in Hz.

        Args:
            sample_rate: Hz.
            hop: samples; a frame is a whole number of them, of about 10 ms or one hop. With the hop
                of a front end, utterances begin where its frames do.
        """
        frame = hop * max(1, round(sample_rate / 100 / hop))
        longer = 100 * frame / sample_rate  # than a frame of 10 ms
        halvings = round(math.log2(longer))
        default = cls()
        return cls(
            frame=frame,
            fall=max(0, default.fall - halvings),
            rise=max(0, default.rise - halvings),
            climb=max(1, round(default.climb * longer)),
            **{
                field: max(1, round(getattr(default, field) / longer))
                for field in ("speech", "margin", "hangover", "longest")
            },
        )


LIMITS = {
    "frame": (1, LARGEST_FRAME),
    "threshold": (1, 60),
    "release": (1, 60),
    "least_floor": (-90, 0),
    "first_floor": (-90, 0),
    "fall": (0, 15),
    "rise": (0, 15),
    "climb": (0, 2560),
    "speech": (1, 1000),
    "margin": (0, 1000),
    "hangover": (1, 10_000),
    "longest": (1, 200_000),
}


class Event(enum.IntEnum):
    """What a frame has shown; the numbers are those of endpoint.h."""

    QUIET = 1  # no utterance
    START = 2  # one has begun, at `start`
    SPEECH = 3  # it goes on, at least up to `end`
    END = 4  # it is over; it went from `start` to `end`


class Endpointer:
    """Follows one stream, level by level.

    Attributes:
        start: first sample of the utterance.
        end: the sample behind the last one that surely belongs to it.
        floor: of the noise, a level with 8 more fractional bits; None before the first frame.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self.position = self.start = self.end = 0
        self.floor: int | None = None
        self.speaking = False
        self.run = 0  # frames of speech in a row before an utterance
        self.room = 0  # frames since the last utterance, as far as they may belong to the next one
        self.quiet = 0  # frames in a row without speech, in an utterance
        self.quietest = 0  # level of the utterance

    def take(self, level: int) -> Event:
        """The event of the next frame, by its level."""
        config = self.config
        self.position += config.frame
        active = self._stands_out(level)
        if not self.speaking:
            self.room = min(self.room + 1, config.speech + config.margin)
            self.run = self.run + 1 if active else 0
            if self.run < config.speech:
                return Event.QUIET
            self.start = self.position - config.frame * min(self.run + config.margin, self.room)
            self.end, self.speaking = self.position, True
            self.quiet, self.quietest = 0, level
            return Event.START
        self.quiet = 0 if active else self.quiet + 1
        self.quietest = min(self.quietest, level)
        if self.quiet <= config.margin:
            self.end = self.position
        if self.quiet >= config.hangover:
            return self._over()
        if self.position - self.start >= config.longest * config.frame:
            self.floor = max(self.floor or 0, self.quietest << 8)
            return self._over()
        return Event.SPEECH

    def finish(self, samples: int) -> bool:
        """Whether the end of the stream ends an utterance; a rest of `samples` is no frame."""
        if self.speaking and self.quiet <= self.config.margin:
            self.end = self.position + samples
        return self.speaking

    def _stands_out(self, level: int) -> bool:
        """Whether a frame is speech; the floor follows it."""
        config = self.config
        energy = level << 8
        least = decibels(config.least_floor, config) << 8
        if self.floor is None:
            self.floor = max(min(energy, decibels(config.first_floor, config) << 8), least)
        above = energy - self.floor
        limit = config.release if self.speaking else config.threshold
        active = above > limit * DECIBEL << 8
        if above < 0:
            self.floor += above >> config.fall
        elif active:
            self.floor += config.climb * DECIBEL
        else:
            self.floor += above >> config.rise
        self.floor = max(self.floor, least)
        return active

    def _over(self) -> Event:
        self.speaking, self.run = False, 0
        self.room = max(self.quiet - self.config.margin, 0)
        return Event.END


def logarithm(energy: int) -> int:
    """The logarithm to base 2 with 8 fractional bits, linear between powers of two; 0 of 0."""
    if energy == 0:
        return 0
    exponent = energy.bit_length() - 1
    return exponent << 8 | (energy << 8 >> exponent) & 255


def decibels(value: int, config: EndpointConfig) -> int:
    """The level of a frame whose samples have so many dB of full scale."""
    return logarithm(config.frame**2 << 30) + value * DECIBEL


def levels(samples: NDArray[np.int16], config: EndpointConfig) -> list[int]:
    """The level of each whole frame of 16-bit samples."""
    count = len(samples) // config.frame
    frames = samples[: count * config.frame].reshape(count, config.frame).astype(np.int64)
    energies = config.frame * np.sum(frames**2, axis=1) - np.sum(frames, axis=1) ** 2
    return [logarithm(energy) for energy in energies.tolist()]


def utterances(samples: NDArray[np.int16], config: EndpointConfig) -> list[tuple[int, int]]:
    """Start and end, in samples, of each utterance of a recording.

    Args:
        samples: int16 array of one dimension.
        config: EndpointConfig.

    Raises:
        ValueError: the samples are others.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(
            "`samples` must be an int16 array of one dimension. "
            f"Received: {samples.dtype}, shape {samples.shape}"
        )
    endpointer, found = Endpointer(config), []
    for level in levels(samples, config):
        if endpointer.take(level) == Event.END:
            found.append((endpointer.start, endpointer.end))
    if endpointer.finish(len(samples) % config.frame):
        found.append((endpointer.start, endpointer.end))
    return found


def trim(wave: NDArray[np.float32], config: EndpointConfig) -> NDArray[np.float32]:
    """A recording without the silence before its first and after its last utterance.

    Args:
        wave: floats of shape (samples,) in [-1, 1].
        config: EndpointConfig.

    Returns:
        The samples between; all of them if nothing in the wave is an utterance.
    """
    return np.concatenate([np.zeros(0, np.float32), *trim_blocks([wave], config)])


def trim_blocks(
    blocks: Iterable[NDArray[np.float32]], config: EndpointConfig, most: int = HELD
) -> Iterator[NDArray[np.float32]]:
    """`trim` of a wave that comes in blocks.

    Args:
        blocks: floats of shape (samples,) each, in [-1, 1].
        config: EndpointConfig.
        most: samples that are held back; a silence that is longer is not cut.

    Yields:
        Blocks of what remains, in order.
    """
    endpointer = Endpointer(config)
    held: NDArray[np.float32] = np.zeros(0, np.float32)
    first = 0  # sample of the stream that `held` begins with
    rest: NDArray[np.int16] = np.zeros(0, np.int16)
    heard = begun = False  # whether there was an utterance; whether something was yielded
    for block in blocks:
        held = np.concatenate([held, block])
        samples = np.concatenate([rest, to_int16(block)])
        rest = samples[len(samples) // config.frame * config.frame :]
        for level in levels(samples, config):
            if endpointer.take(level) == Event.START and not heard:
                heard = True
                if not begun:
                    held, first = held[endpointer.start - first :], endpointer.start
        ready = endpointer.end - first if heard else 0
        if len(held) - ready > most:
            ready = len(held)
        if ready > 0:
            yield held[:ready]
            held, first, begun = held[ready:], first + ready, True
    endpointer.finish(len(rest))
    last = endpointer.end - first if heard else len(held)
    if last > 0:
        yield held[:last]


def to_int16(wave: ArrayLike) -> NDArray[np.int16]:
    """Samples in [-1, 1) as 16-bit integers, clipped."""
    scaled = np.round(np.asarray(wave) * 2.0**15)
    samples: NDArray[np.int16] = np.clip(scaled, -(2**15), 2**15 - 1).astype(np.int16)
    return samples
