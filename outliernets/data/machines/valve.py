"""Solenoid valves: a repeating pattern of clicks; contaminated ones drag, bounce and leak."""

from dataclasses import dataclass

import numpy as np

from outliernets.data.machines.signals import (
    RATE,
    Rng,
    Signal,
    Values,
    peak,
    ring,
    seconds,
    shaped_noise,
    strike,
    unit_rms,
)


@dataclass(frozen=True)
class Valve:
    """One valve. ``visibility`` scales what its faults add to the sound."""

    period: float  #: seconds from opening to opening
    open_share: float  #: share of the period in which it stays open
    body: float  #: Hz, resonance of the body
    visibility: float

    def sound(self, rng: Rng, n: int, severity: float) -> Signal:
        """Return ``n`` samples, RMS 1 without the fault; ``severity`` 1 is broken."""
        opening = self._openings(rng, n)
        closing = opening + self.open_share * self.period
        clicks = self._clicks(rng, n, opening, 1.0) + self._clicks(rng, n, closing, 0.8)
        puff = self._gate(n, opening, 0.05) * shaped_noise(rng, peak(n, 2500, 0.7), n)
        healthy = unit_rms(clicks + 0.12 * puff)
        if severity == 0.0:
            return healthy
        fault = FAULTS[rng.integers(len(FAULTS))]
        return healthy + severity * self.visibility * fault(self, rng, n, opening)

    def _openings(self, rng: Rng, n: int) -> Values:
        period = self.period * rng.normal(1.0, 0.005)
        count = int(n / RATE / period) + 2
        return (np.arange(count) - rng.uniform()) * period + rng.normal(0, 0.002, count)

    def _clicks(self, rng: Rng, n: int, times: Values, strength: float) -> Signal:
        blow = ring(rng, self.body * rng.normal(1, 0.01) * BODY, 0.006)
        return strike(n, times, strength * rng.normal(1.0, 0.06, len(times)), blow)

    def _gate(self, n: int, times: Values, hold: float) -> Signal:
        """A loudness curve that jumps up at each of ``times`` and fades over ``hold`` seconds."""
        fade = np.exp(-seconds(int(5 * hold * RATE)) / hold)
        return strike(n, times, np.ones(len(times)), fade)


BODY = np.array([1.0, 1.48, 2.09, 2.75])


def dragging(valve: Valve, rng: Rng, n: int, opening: Values) -> Signal:
    """Dirt on the plunger: each opening is followed by a long scrape."""
    scrape = shaped_noise(rng, peak(n, 1.3 * valve.body, 0.4), n)
    return 1.0 * scrape * valve._gate(n, opening, rng.uniform(0.06, 0.12))


def bouncing(valve: Valve, rng: Rng, n: int, opening: Values) -> Signal:
    """A weak spring: the plunger hits its seat a second and a third time."""
    late = np.concatenate([opening + 0.05, opening + 0.09])
    return 1.2 * unit_rms(valve._clicks(rng, n, late, 1.0))


def leaking(valve: Valve, rng: Rng, n: int, opening: Values) -> Signal:
    """The seat does not close: a hiss that never stops."""
    return 0.45 * shaped_noise(rng, peak(n, rng.uniform(3000, 5000), 0.4), n)


FAULTS = (dragging, bouncing, leaking)

UNITS = {
    "00": Valve(period=0.62, open_share=0.4, body=1500.0, visibility=2.0),
    "02": Valve(period=0.85, open_share=0.5, body=1150.0, visibility=1.4),
    "04": Valve(period=0.48, open_share=0.45, body=1850.0, visibility=2.0),
    "06": Valve(period=1.05, open_share=0.3, body=1350.0, visibility=0.8),
}
