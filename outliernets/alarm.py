"""From scores to an alarm in integers: twin of ``on_alarm.c`` and ``on_calibrate.c``."""

import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import ConfigError

SCORE_MAX = 2**64 - 1
MAX_SMOOTHING = 16
MAX_WINDOWS = 255
MIN_LEARNED, MAX_LEARNED = 8, 65535  #: windows to learn a level from
MAX_FACTOR = 255  #: deviations between mean and threshold, at most
RECORD_VERSION = 1
_VALUE_BITS = 24
_COUNTER_MAX = 2**32 - 1
_RECORD = struct.Struct("<4sHHIIQQI")
_MAGIC = b"ONCA"


@dataclass(frozen=True)
class AlarmConfig:
    """When to raise and when to end an alarm.

    The smoothed score has to be above ``threshold`` for ``windows`` windows in a row, and then
    below ``release`` for as many. A new score weighs ``2 ** -smoothing``.
    """

    threshold: int = SCORE_MAX
    release: int = SCORE_MAX
    smoothing: int = 2
    windows: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.release <= self.threshold <= SCORE_MAX:
            raise ConfigError(
                f"alarm: release {self.release} and threshold {self.threshold} are not possible; "
                f"needs 0 <= release <= threshold < 2**64"
            )
        _check("smoothing", self.smoothing, 0, MAX_SMOOTHING)
        _check("windows", self.windows, 1, MAX_WINDOWS)

    def context(self) -> dict[str, Any]:
        """What the template prints."""
        return dict(vars(self))


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigError(f"alarm: {name} = {value} is not possible; give {least} ... {most}")


@dataclass
class Alarm:
    """What is known of the sound so far; ``on_alarm_t``."""

    smoothed: int = 0
    scores: int = 0
    alarms: int = 0
    streak: int = 0
    on: bool = False

    def smooth(self, config: AlarmConfig, score: int) -> None:
        """Take a window's score into the mean; the first one is the mean."""
        if self.scores == 0:
            self.smoothed = score
        elif score > self.smoothed:
            self.smoothed += (score - self.smoothed) >> config.smoothing
        else:
            self.smoothed -= (self.smoothed - score) >> config.smoothing
        self.scores = min(self.scores + 1, _COUNTER_MAX)

    def judge(self, config: AlarmConfig) -> bool:
        """Raise or end the alarm by the mean; return whether it changed."""
        if self.on:
            speaks_for_change = self.smoothed < config.release
        else:
            speaks_for_change = self.smoothed > config.threshold
        self.streak = self.streak + 1 if speaks_for_change else 0
        if self.streak < config.windows or not speaks_for_change:
            return False
        self.on, self.streak = not self.on, 0
        if self.on:
            self.alarms = min(self.alarms + 1, _COUNTER_MAX)
        return True

    def clear(self) -> None:
        """End the alarm without a judgement."""
        self.on, self.streak = False, 0


def smoothed(scores: Iterable[int], config: AlarmConfig) -> NDArray[np.uint64]:
    """Return what the alarm judges: the mean after each score of one stream of sound."""
    alarm, means = Alarm(), []
    for score in scores:
        alarm.smooth(config, int(score))
        means.append(alarm.smoothed)
    return np.array(means, np.uint64)


@dataclass(frozen=True)
class Level:
    """What normal scores are like."""

    mean: int
    deviation: int  #: standard deviation, rounded up: never 0


@dataclass
class Calibration:
    """Learns the level of normal (smoothed) scores; ``on_calibrate_t``."""

    wanted: int
    seen: int = 0
    shift: int = 0
    total: int = 0
    squares: int = 0

    def __post_init__(self) -> None:
        check_calibration(self.wanted, 1)

    def add(self, score: int) -> bool:
        """Take one score; return whether it was the last that is wanted."""
        while score >> self.shift >> _VALUE_BITS:
            self.shift += 1
            self.total >>= 1
            self.squares >>= 2
        value = score >> self.shift
        self.total += value
        self.squares += value * value
        self.seen += 1
        return self.seen == self.wanted

    def level(self) -> Level:
        """Return mean and deviation of the scores so far."""
        mean, deviation = self._values()
        return Level(self._scaled(mean), self._scaled(deviation))

    def apply(self, factor: int, config: AlarmConfig) -> AlarmConfig:
        """Return ``config`` with threshold = mean + factor * deviation, release half way to it."""
        check_calibration(self.wanted, factor)
        mean, deviation = self._values()
        margin = factor * deviation
        threshold, release = self._scaled(mean + margin), self._scaled(mean + (margin >> 1))
        return replace(config, threshold=threshold, release=release)

    def _values(self) -> tuple[int, int]:
        mean, rest = divmod(self.total, self.seen)
        expected = mean * self.total + rest * self.total // self.seen
        variance = max(self.squares - expected, 0) // self.seen
        root = math.isqrt(variance)
        return mean, max(root + (root * root < variance), 1)

    def _scaled(self, value: int) -> int:
        return min(value << self.shift, SCORE_MAX)


def check_calibration(windows: int, factor: int) -> None:
    """Raise ConfigError for what the firmware refuses to learn."""
    if not MIN_LEARNED <= windows <= MAX_LEARNED:
        raise ConfigError(
            f"calibrate: {windows} windows are not possible; give {MIN_LEARNED} ... {MAX_LEARNED}"
        )
    if not 1 <= factor <= MAX_FACTOR:
        raise ConfigError(
            f"calibrate: {factor} deviations are not possible; give 1 ... {MAX_FACTOR}"
        )


def record(config: AlarmConfig, model_id: int, windows: int) -> bytes:
    """Return the bytes a board keeps of a calibration; the format is in ``on_calibrate.h``."""
    body = _RECORD.pack(
        _MAGIC, RECORD_VERSION, _RECORD.size + 4, model_id, config.smoothing,
        config.threshold, config.release, windows,
    )  # fmt: skip
    return body + struct.pack("<I", zlib.crc32(body))


def restored(data: bytes, config: AlarmConfig, model_id: int) -> AlarmConfig | None:
    """Return ``config`` with the thresholds of a record; None if it is damaged or another's."""
    if len(data) != _RECORD.size + 4 or zlib.crc32(data[:-4]) != int.from_bytes(
        data[-4:], "little"
    ):
        return None
    magic, version, size, model, smoothing, threshold, release, _ = _RECORD.unpack(data[:-4])
    expected = (_MAGIC, RECORD_VERSION, _RECORD.size + 4, model_id, config.smoothing)
    if (magic, version, size, model, smoothing) != expected or release > threshold:
        return None
    return replace(config, threshold=threshold, release=release)
