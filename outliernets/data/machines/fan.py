"""Fans: blade and shaft tones in turbulent flow; imbalance, broken blade, bearing, clogging."""

from dataclasses import dataclass

import numpy as np

from outliernets.data.machines.signals import (
    Angle,
    Rng,
    Signal,
    cosine,
    peak,
    pulses,
    regular_times,
    ring,
    shaft_angle,
    shaped_noise,
    strike,
    tilt,
    tones,
    unit_rms,
)


@dataclass(frozen=True)
class Fan:
    """One fan. ``visibility`` scales what its faults add to the sound."""

    shaft: float  #: Hz
    blades: int
    motor: int  #: order of the shaft at which the motor whines: its slots
    flow: float  #: Hz, where the turbulence is loudest
    bearing: float  #: Hz, resonance that a damaged bearing excites
    visibility: float

    def sound(self, rng: Rng, n: int, severity: float) -> Signal:
        """Return ``n`` samples, RMS 1 without the fault; ``severity`` 1 is broken."""
        angle = shaft_angle(rng, n, self.shaft * rng.normal(1.0, 0.006), 0.0015)
        flow = self._flow(rng, n)
        healthy = unit_rms(self._tones(rng, angle) + flow * self._chopping(angle))
        if severity == 0.0:
            return healthy
        fault = FAULTS[rng.integers(len(FAULTS))]
        return healthy + severity * self.visibility * fault(self, rng, angle, flow)

    def _flow(self, rng: Rng, n: int) -> Signal:
        gain = tilt(n, 0.45, 200.0) * (0.35 + peak(n, self.flow * rng.normal(1, 0.02), 0.7))
        return shaped_noise(rng, gain, n)

    def _tones(self, rng: Rng, angle: Angle) -> Signal:
        harmonics = np.arange(1.0, 9.0)
        blade = tones(rng, angle, harmonics * self.blades, 0.55 / harmonics)
        whine = tones(rng, angle, [self.motor, 2 * self.motor], [0.12, 0.05])
        return blade + whine

    def _chopping(self, angle: Angle) -> Signal:
        """The blades cut the flow: its loudness follows the blade-pass rate."""
        return 1.0 + 0.3 * cosine(angle, self.blades)


def imbalance(fan: Fan, rng: Rng, angle: Angle, flow: Signal) -> Signal:
    """The rotor shakes: strong low shaft harmonics, and the flow pulses once a turn."""
    shaking = tones(rng, angle, np.arange(1.0, 7.0), [1.0, 0.9, 0.8, 0.6, 0.5, 0.4])
    return 1.2 * shaking + 1.6 * flow * cosine(angle)


def broken_blade(fan: Fan, rng: Rng, angle: Angle, flow: Signal) -> Signal:
    """One blade differs: sidebands at the shaft rate around every blade-pass harmonic."""
    centres = np.repeat(np.arange(1.0, 6.0) * fan.blades, 4)
    orders = centres + np.tile([-2.0, -1.0, 1.0, 2.0], 5)
    chuff = pulses(angle, 4.0)
    return 0.35 * tones(rng, angle, orders, np.full(20, 1.0)) + 1.5 * flow * chuff


def worn_bearing(fan: Fan, rng: Rng, angle: Angle, flow: Signal) -> Signal:
    """Balls roll over a pit: impacts at 3.58 times the shaft rate ring the housing."""
    times = regular_times(rng, len(angle), 3.58 * fan.shaft, 0.02)
    strengths = rng.gamma(4.0, 0.25, len(times))
    return 1.2 * strike(len(angle), times, strengths, ring(rng, fan.bearing * MODES, 0.0015))


MODES = np.array([1.0, 1.37, 1.81])


def clogging(fan: Fan, rng: Rng, angle: Angle, flow: Signal) -> Signal:
    """Dirt narrows the inlet: the flow whistles an octave above its usual pitch."""
    n = len(angle)
    return 0.7 * shaped_noise(rng, peak(n, fan.flow * rng.uniform(1.8, 2.4), 0.25), n)


FAULTS = (imbalance, broken_blade, worn_bearing, clogging)

UNITS = {
    "00": Fan(shaft=24.0, blades=5, motor=41, flow=420.0, bearing=2300.0, visibility=1.0),
    "02": Fan(shaft=29.0, blades=7, motor=49, flow=700.0, bearing=2900.0, visibility=1.6),
    "04": Fan(shaft=33.0, blades=6, motor=36, flow=560.0, bearing=2600.0, visibility=1.25),
    "06": Fan(shaft=41.0, blades=9, motor=52, flow=1100.0, bearing=3400.0, visibility=2.2),
}
