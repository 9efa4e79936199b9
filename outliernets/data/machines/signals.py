"""Building blocks of synthetic sound: shaped noise, tones, ring-downs, slow random curves."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Signal: TypeAlias = NDArray[np.float32]  #: samples; single precision halves the time
Angle: TypeAlias = NDArray[np.uint32]  #: 2**32 is a turn, so that it wraps by itself
Values: TypeAlias = NDArray[np.float64]  #: a few parameters: orders, amplitudes, times
Rng: TypeAlias = np.random.Generator

RATE = 16_000  #: samples per second of everything that is simulated


def rms(x: Signal) -> float:
    """Return the root mean square of ``x``."""
    return float(np.sqrt(np.dot(x, x) / len(x)))


def unit_rms(x: Signal) -> Signal:
    """Return ``x`` scaled to an RMS of 1; silence stays silence."""
    level = rms(x)
    return x * np.float32(1.0 / level) if level > 0 else x


def decibels(level: float) -> float:
    """Return the amplitude factor of ``level`` dB."""
    return float(10.0 ** (level / 20.0))


def single(x: ArrayLike) -> Signal:
    """Return ``x`` in single precision."""
    return np.asarray(x, np.float32)


def seconds(n: int) -> Values:
    """Return the times of ``n`` samples in seconds."""
    return np.arange(n) / RATE


@lru_cache(maxsize=4)
def octaves(n: int) -> Signal:
    """Return log2 of the frequencies in Hz of the spectrum of ``n`` samples (0 counts as 1 Hz)."""
    return single(np.log2(np.maximum(np.fft.rfftfreq(n, 1.0 / RATE), 1.0)))


def shaped_noise(rng: Rng, gain: Signal, n: int) -> Signal:
    """Return ``n`` samples of noise, RMS 1, with the amplitude spectrum ``gain`` (n // 2 + 1)."""
    spectrum = rng.standard_normal(2 * len(gain), np.float32).view(np.complex64)
    spectrum *= gain
    spectrum[0] = 0.0
    return unit_rms(single(np.fft.irfft(spectrum, n)))


def tilt(n: int, slope: float, corner: float = 60.0) -> Signal:
    """Return a gain that falls by ``slope`` * 6 dB per octave above ``corner`` Hz."""
    return np.exp2(np.float32(-slope) * np.maximum(octaves(n), np.float32(np.log2(corner))))


def peak(n: int, centre: float, width: float) -> Signal:
    """Return a bell of height 1 at ``centre`` Hz, ``width`` octaves wide."""
    distance = (octaves(n) - np.float32(np.log2(centre))) * np.float32(1.0 / width)
    bell: Signal = np.exp(np.float32(-0.5) * np.square(distance))
    return bell


def slow_curve(rng: Rng, n: int, period: float) -> Signal:
    """Return a random curve (mean 0, deviation about 1) that changes over ``period`` seconds."""
    knots = int(np.ceil(n / (period * RATE))) + 2
    where = (np.arange(knots) - rng.uniform()) * period * RATE
    return single(np.interp(np.arange(n, dtype=np.float64), where, rng.standard_normal(knots)))


def angle_of(turns: Values) -> Angle:
    """Return ``turns`` as an angle that wraps: the phase accumulator of a synthesiser."""
    whole = np.multiply(turns - np.floor(turns), 2.0**32)
    return whole.astype(np.uint64).astype(np.uint32)


def angle_at(hertz: Signal) -> Angle:
    """Return the angle of a shaft that turns with ``hertz``, sample by sample."""
    return angle_of(np.cumsum(hertz, dtype=np.float64) / RATE)


def shaft_angle(rng: Rng, n: int, hertz: float, wander: float) -> Angle:
    """Return the angle of a shaft whose speed wanders by the fraction ``wander``."""
    return angle_at(hertz * (1.0 + wander * slow_curve(rng, n, 1.5)))


def cosine(angle: Angle, order: int = 1, offset: float = 0.0) -> Signal:
    """Return the cosine of ``order`` times ``angle`` plus ``offset`` turns (0 to 1)."""
    wrapped = (angle * np.uint32(order) + np.uint32(offset * 2.0**32)).view(np.int32)
    cosines: Signal = np.cos(wrapped.astype(np.float32) * np.float32(np.pi / 2**31))
    return cosines


def pulses(angle: Angle, sharpness: float) -> Signal:
    """Return a curve that rises to 1 once a turn; the larger ``sharpness``, the shorter."""
    curve: Signal = np.exp(sharpness * (cosine(angle) - 1.0))
    return curve


def tones(rng: Rng, angle: Angle, orders: ArrayLike, amplitudes: ArrayLike) -> Signal:
    """Return the sum of cosines at integer ``orders`` of ``angle``, with random offsets."""
    total = np.zeros(len(angle), np.float32)
    for order, amplitude in zip(np.ravel(orders), np.ravel(amplitudes), strict=True):
        total += np.float32(amplitude) * cosine(angle, int(order), rng.uniform())
    return total


def ring(rng: Rng, modes: ArrayLike, decay: float) -> Values:
    """Return a struck resonance: ``modes`` in Hz, time constant ``decay`` in seconds, peak 1."""
    t = seconds(int(5.0 * decay * RATE) + 1)
    waves = np.sin(
        2.0 * np.pi * np.outer(np.asarray(modes), t) + rng.uniform(0, 0.5, (np.size(modes), 1))
    )
    sound: Values = waves.sum(axis=0) * np.exp(-t / decay)
    return sound / max(float(np.abs(sound).max()), 1e-9)


def strike(n: int, times: Values, strengths: Values, sound: Values) -> Signal:
    """Return ``n`` samples with ``sound`` at each of ``times`` (seconds), scaled."""
    starts = np.round(times * RATE).astype(np.int64)
    inside = (starts >= 0) & (starts < n)
    where = starts[inside, None] + np.arange(len(sound))
    values = strengths[inside, None] * sound
    return single(np.bincount(where.ravel(), values.ravel(), minlength=n)[:n])


def regular_times(rng: Rng, n: int, per_second: float, slip: float) -> Values:
    """Return event times in seconds: ``per_second`` of them, each gap off by the share ``slip``."""
    count = int(n / RATE * per_second) + 1
    return np.cumsum(rng.normal(1.0, slip, count) / per_second) - rng.uniform() / per_second


def poisson_times(rng: Rng, n: int, per_second: float) -> Values:
    """Return random event times in seconds, ``per_second`` of them on average."""
    length = n / RATE
    return np.sort(rng.uniform(0.0, length, rng.poisson(per_second * length)))
