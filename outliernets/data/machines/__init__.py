"""Simulated machines and the factory hall around them: what the simulator mixes."""

from collections.abc import Mapping
from typing import Protocol

from outliernets.data.machines import fan, pump, slider, valve
from outliernets.data.machines.factory import factory_noise
from outliernets.data.machines.signals import RATE, Rng, Signal, decibels

__all__ = [
    "MACHINES",
    "RATE",
    "Machine",
    "Rng",
    "Signal",
    "decibels",
    "factory_noise",
]


class Machine(Protocol):
    """A machine that can be heard, healthy or not."""

    def sound(self, rng: Rng, n: int, severity: float) -> Signal:
        """Return ``n`` samples at RATE; ``severity`` runs from 0 (healthy, RMS 1) to 1."""


MACHINES: Mapping[str, Mapping[str, Machine]] = {
    "fan": fan.UNITS,
    "pump": pump.UNITS,
    "slider": slider.UNITS,
    "valve": valve.UNITS,
}
