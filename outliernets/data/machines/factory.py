"""The noise of a factory hall: air, hum, other machines, clanks, voices; never the same twice."""

import math

import numpy as np

from outliernets.data.machines.signals import (
    RATE,
    Rng,
    Signal,
    angle_of,
    cosine,
    decibels,
    peak,
    poisson_times,
    ring,
    seconds,
    shaft_angle,
    shaped_noise,
    single,
    slow_curve,
    strike,
    tilt,
    tones,
    unit_rms,
)


def factory_noise(rng: Rng, n: int) -> Signal:
    """Return ``n`` samples of a random moment in a factory hall, RMS 1."""
    scene = _air(rng, n)
    scene += decibels(rng.uniform(-16, -6)) * _hum(rng, n)
    for _ in range(rng.integers(0, 3)):
        scene += decibels(rng.uniform(-16, -5)) * _neighbour(rng, n)
    scene += decibels(rng.uniform(-12, -4)) * _clanks(rng, n)
    if rng.uniform() < 0.3:
        scene += decibels(rng.uniform(-14, -6)) * _voice(rng, n)
    return unit_rms(scene)


def _air(rng: Rng, n: int) -> Signal:
    """Coloured noise whose tilt, resonances and loudness differ from clip to clip."""
    gain = tilt(n, rng.normal(0.75, 0.08))
    for _ in range(2):
        gain = gain * (1.0 + rng.uniform(0.0, 1.2) * peak(n, 2.0 ** rng.uniform(7, 12.5), 0.5))
    breeze = shaped_noise(rng, gain, n) * _swell(rng, n, 1.5)
    hiss = shaped_noise(rng, peak(n, rng.uniform(2500, 5500), 0.8), n) * _swell(rng, n, 3.0)
    return breeze + decibels(rng.uniform(-20, -11)) * hiss


def _swell(rng: Rng, n: int, depth_db: float) -> Signal:
    """A slow loudness curve with a deviation of ``depth_db``."""
    curve = slow_curve(rng, n, rng.uniform(1.0, 4.0))
    loudness: Signal = np.exp(curve * (depth_db * math.log(10.0) / 20.0))
    return loudness


def _hum(rng: Rng, n: int) -> Signal:
    """Mains hum: 100 Hz and harmonics."""
    angle = angle_of(50.0 * seconds(n))
    orders = np.array([1.0, 2.0, 4.0, 6.0, 8.0])
    return unit_rms(tones(rng, angle, orders, rng.uniform(0.1, 1.0, 5) / np.sqrt(orders)))


def _neighbour(rng: Rng, n: int) -> Signal:
    """Another rotating machine that may start or stop during the clip."""
    angle = shaft_angle(rng, n, rng.uniform(15, 120), 0.002)
    orders = np.sort(rng.choice(np.arange(1.0, 25.0), 6, replace=False))
    sound = unit_rms(tones(rng, angle, orders, rng.uniform(0.2, 1.0, 6) / np.sqrt(orders)))
    late = single(seconds(n) - rng.uniform(-10, 10))
    switch = 0.5 + 0.5 * np.tanh(late / 0.3)
    switched: Signal = sound * (switch if rng.uniform() < 0.5 else 1.0 - switch)
    return switched


def _clanks(rng: Rng, n: int) -> Signal:
    """Metal on metal: a few random blows per clip, each with its own modes."""
    total = np.zeros(n, np.float32)
    for when in poisson_times(rng, n, rng.uniform(0.05, 0.4)):
        modes = 2.0 ** rng.uniform(8.5, 12.3, 5)
        blow = ring(rng, modes, rng.uniform(0.02, 0.15))
        total += strike(n, np.array([when]), rng.uniform(0.3, 1.0, 1) * 6.0, blow)
    return total


def _voice(rng: Rng, n: int) -> Signal:
    """A shout or a radio: a gliding voice pitch under syllables, with two formants."""
    length = min(n, int(rng.uniform(0.5, 2.0) * RATE))
    angle = shaft_angle(rng, length, rng.uniform(100, 230), 0.06)
    orders = np.arange(1.0, 16.0)
    low, high = rng.uniform(350, 800), rng.uniform(1100, 2200)
    amplitudes = 1.0 / (1.0 + np.square((160.0 * orders - low) / 150.0))
    amplitudes += 0.6 / (1.0 + np.square((160.0 * orders - high) / 250.0))
    syllables = 0.5 - 0.5 * cosine(angle_of(rng.uniform(2.5, 5.0) * seconds(length)))
    total = np.zeros(n, np.float32)
    start = rng.integers(0, n - length + 1)
    total[start : start + length] = 2.0 * unit_rms(
        tones(rng, angle, orders, amplitudes) * syllables
    )
    return total
