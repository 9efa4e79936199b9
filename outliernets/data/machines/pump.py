"""Pumps: vane tones and flowing water; leaking, contaminated, clogged."""

from dataclasses import dataclass

import numpy as np

from outliernets.data.machines.signals import (
    Angle,
    Rng,
    Signal,
    cosine,
    peak,
    poisson_times,
    pulses,
    ring,
    shaft_angle,
    shaped_noise,
    strike,
    tilt,
    tones,
    unit_rms,
)


@dataclass(frozen=True)
class Pump:
    """One water pump. ``visibility`` scales what its faults add to the sound."""

    shaft: float  #: Hz
    vanes: int
    water: float  #: Hz, where the flow is loudest
    visibility: float

    def sound(self, rng: Rng, n: int, severity: float) -> Signal:
        """Return ``n`` samples, RMS 1 without the fault; ``severity`` 1 is broken."""
        angle = shaft_angle(rng, n, self.shaft * rng.normal(1.0, 0.008), 0.002)
        gain = tilt(n, 0.5, 150.0) * (0.3 + peak(n, self.water * rng.normal(1, 0.03), 0.8))
        beat = 1.0 + 0.25 * cosine(angle, self.vanes)
        healthy = unit_rms(self._tones(rng, angle) + 0.8 * shaped_noise(rng, gain, n) * beat)
        if severity == 0.0:
            return healthy
        fault = FAULTS[rng.integers(len(FAULTS))]
        return healthy + severity * self.visibility * fault(self, rng, angle)

    def _tones(self, rng: Rng, angle: Angle) -> Signal:
        harmonics = np.arange(1.0, 7.0)
        vanes = tones(rng, angle, harmonics * self.vanes, 0.6 / harmonics)
        return vanes + tones(rng, angle, [1.0, 2.0], [0.4, 0.25])


def leak(pump: Pump, rng: Rng, angle: Angle) -> Signal:
    """Water or air escapes under pressure: a high hiss that pulses with the vanes."""
    n = len(angle)
    hiss = shaped_noise(rng, peak(n, rng.uniform(3500, 5500), 0.5), n)
    return 0.6 * hiss * (1.0 + 0.5 * cosine(angle, pump.vanes))


def contamination(pump: Pump, rng: Rng, angle: Angle) -> Signal:
    """Grit in the water: irregular knocks against the housing and a rougher flow."""
    n = len(angle)
    times = poisson_times(rng, n, 35.0)
    knocks = strike(n, times, rng.gamma(2.0, 0.8, len(times)), ring(rng, KNOCK, 0.004))
    return knocks + 0.4 * shaped_noise(rng, peak(n, 1.6 * pump.water, 0.4), n)


KNOCK = np.array([1400.0, 2150.0, 3300.0])


def clogging(pump: Pump, rng: Rng, angle: Angle) -> Signal:
    """Starved inlet: cavitation crackles in bursts at the shaft rate."""
    n = len(angle)
    bursts = pulses(angle, 3.0)
    return 1.6 * shaped_noise(rng, peak(n, 2.5 * pump.water, 0.7), n) * bursts


FAULTS = (leak, contamination, clogging)

UNITS = {
    "00": Pump(shaft=24.5, vanes=6, water=500.0, visibility=0.6),
    "02": Pump(shaft=47.0, vanes=5, water=800.0, visibility=0.85),
    "04": Pump(shaft=38.0, vanes=7, water=650.0, visibility=1.3),
    "06": Pump(shaft=29.5, vanes=8, water=950.0, visibility=0.7),
}
