"""Slide rails: a carriage moves to and fro; damaged rail, loose belt, missing grease."""

from dataclasses import dataclass

import numpy as np

from outliernets.data.machines.signals import (
    RATE,
    Rng,
    Signal,
    Values,
    angle_at,
    angle_of,
    cosine,
    peak,
    pulses,
    ring,
    seconds,
    shaped_noise,
    strike,
    tilt,
    tones,
    unit_rms,
)


@dataclass(frozen=True)
class Slider:
    """One slide rail. ``visibility`` scales what its faults add to the sound."""

    period: float  #: seconds for one stroke and the pause after it
    belt: float  #: Hz, belt tooth rate at full speed
    rolling: float  #: Hz, where the rolling noise is loudest
    stop: float  #: Hz, resonance of the end stop
    visibility: float

    def sound(self, rng: Rng, n: int, severity: float) -> Signal:
        """Return ``n`` samples, RMS 1 without the fault; ``severity`` 1 is broken."""
        motion = self._motion(rng, n)
        healthy = unit_rms(self._rolling(rng, motion) + self._drive(rng, motion))
        healthy = unit_rms(healthy + self._stops(rng, motion))
        if severity == 0.0:
            return healthy
        fault = FAULTS[rng.integers(len(FAULTS))]
        return healthy + severity * self.visibility * fault(self, rng, motion)

    def _motion(self, rng: Rng, n: int) -> "Motion":
        period = self.period * rng.normal(1.0, 0.01)
        cycle = seconds(n) / period + rng.uniform()
        stroke = np.clip(np.mod(cycle, 1.0) / MOVING, 0.0, 1.0)
        speed = 0.5 - 0.5 * cosine(angle_of(stroke))
        return Motion(stroke, speed)

    def _rolling(self, rng: Rng, motion: "Motion") -> Signal:
        n = len(motion.speed)
        gain = tilt(n, 0.4, 150.0) * (0.25 + peak(n, self.rolling * rng.normal(1, 0.02), 0.6))
        return shaped_noise(rng, gain, n) * (0.1 + motion.speed)

    def _drive(self, rng: Rng, motion: "Motion") -> Signal:
        angle = angle_at(self.belt * motion.speed)
        teeth = tones(rng, angle, [1.0, 2.0, 3.0, 4.0], [0.5, 0.4, 0.2, 0.1])
        return teeth * motion.speed

    def _stops(self, rng: Rng, motion: "Motion") -> Signal:
        times = motion.times_at(0.98)
        strengths = rng.normal(3.0, 0.4, len(times))
        blow = ring(rng, self.stop * np.array([1.0, 1.6, 2.3]), 0.012)
        return strike(len(motion.speed), times, strengths, blow)


MOVING = 0.8  #: share of a cycle in which the carriage moves


@dataclass(frozen=True)
class Motion:
    """Where the carriage is, sample by sample."""

    stroke: Values  #: position within the stroke, 0 to 1
    speed: Signal  #: 0 to 1

    def times_at(self, position: float) -> Values:
        """Return when (seconds) the carriage passes ``position`` on each stroke."""
        passed = (self.stroke[:-1] < position) & (self.stroke[1:] >= position)
        return np.flatnonzero(passed) / RATE


def damaged_rail(slider: Slider, rng: Rng, motion: Motion) -> Signal:
    """A notch: the carriage knocks twice at the same place of every stroke."""
    place = rng.uniform(0.25, 0.7)
    times = np.concatenate([motion.times_at(place + d) for d in (0.0, 0.04, 0.1)])
    blow = ring(rng, rng.uniform(1500, 3000) * np.array([1.0, 1.7, 2.2]), 0.02)
    return strike(len(motion.speed), times, rng.normal(5.0, 0.8, len(times)), blow)


def loose_belt(slider: Slider, rng: Rng, motion: Motion) -> Signal:
    """The belt flaps: a low rattle while the carriage moves."""
    angle = angle_at(14.0 * (0.3 + motion.speed))
    n = len(motion.speed)
    flaps = pulses(angle, 6.0) * motion.speed
    return 4.0 * shaped_noise(rng, peak(n, rng.uniform(400, 900), 0.5), len(flaps)) * flaps


def no_grease(slider: Slider, rng: Rng, motion: Motion) -> Signal:
    """Dry rail: friction noise and a squeal whose pitch follows the speed."""
    n = len(motion.speed)
    pitch = rng.uniform(1800, 3600) * (0.9 + 0.1 * motion.speed)
    squeal = tones(rng, angle_at(pitch), [1.0, 2.0], [0.7, 0.3])
    friction = shaped_noise(rng, peak(n, 3200.0, 0.6), n)
    return (squeal + 1.0 * friction) * np.square(motion.speed)


FAULTS = (damaged_rail, loose_belt, no_grease)

UNITS = {
    "00": Slider(period=1.1, belt=190.0, rolling=900.0, stop=620.0, visibility=2.6),
    "02": Slider(period=1.5, belt=240.0, rolling=1300.0, stop=480.0, visibility=1.5),
    "04": Slider(period=0.9, belt=160.0, rolling=700.0, stop=850.0, visibility=1.0),
    "06": Slider(period=1.9, belt=310.0, rolling=1700.0, stop=390.0, visibility=0.7),
}
