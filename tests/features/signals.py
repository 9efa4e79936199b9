"""Signals the front end is measured on, each int16 at 16 kHz."""

import numpy as np

RATE = 16_000
LENGTH = RATE
LEVELS = (-3, -20, -40, -60, -70)  #: dB re full scale


def _sine(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(LENGTH) / RATE)


def _sweep() -> np.ndarray:
    t = np.arange(LENGTH) / RATE
    return np.sin(2 * np.pi * (20 * t + (7900 - 20) * t**2 / (2 * t[-1])))


def _impulses() -> np.ndarray:
    """Alternating impulses whose place in the frame wanders over all positions."""
    x = np.zeros(LENGTH)
    x[::733] = 1.0
    x[::1466] = -1.0
    return x


def _noise() -> np.ndarray:
    return np.random.default_rng(7).uniform(-1.0, 1.0, LENGTH)


SHAPES = {
    "sine 50 Hz": lambda: _sine(50.0),
    "sine 997.3 Hz": lambda: _sine(997.3),
    "sine on a bin": lambda: _sine(1000.0),
    "sine 7.9 kHz": lambda: _sine(7900.0),
    "sweep": _sweep,
    "impulses": _impulses,
    "noise": _noise,
}


def at_level(shape: str, level: float) -> np.ndarray:
    """One of SHAPES with its peak ``level`` dB below full scale."""
    return np.round(32767 * 10 ** (level / 20) * SHAPES[shape]()).astype(np.int16)


def extremes() -> dict[str, np.ndarray]:
    """Signals that would overflow careless arithmetic, four frames each; some random cases too."""
    n = 1024 + 3 * 512
    t = np.arange(n)
    rng = np.random.default_rng(11)
    low, high = -32768, 32767
    signals = {
        "silence": np.zeros(n),
        "constant minimum": np.full(n, low),
        "constant maximum": np.full(n, high),
        "one step": np.where(t == 700, 1, 0),
        "one impulse at its lowest": np.where(t == 512, low, 0),
        "impulse where the window begins": np.where(t == 1, low, 0),
        "alternating": np.where(t % 2 == 0, high, low),
        "random extremes": rng.choice([low, high], n),
        "dither": rng.integers(-1, 2, n),
        "loud, then silence": np.where(t < 600, low, 0),
    }
    for period in (3, 4, 5, 8, 16, 64, 250, 1024):
        signals[f"square wave of {period}"] = np.where(t % period < period / 2, high, low)
    return {name: x.astype(np.int16) for name, x in signals.items()}
