"""All tables of the fixed-point front end: integers only, made once, used by the C and its twin."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.errors import ConfigError
from outliernets.features.windows import Standardizer

IntArray = NDArray[np.signedinteger[Any] | np.unsignedinteger[Any]]

TRANSFORM_SIZES = (256, 1024)  #: n_fft / 2 is 8 times a power of four, and fits 32-bit sums
MIN_FLOOR = 1e-15  #: the logarithm of zero must stay below the floor
WINDOW_BITS = 27  #: window table, fraction bits
SPECTRUM_BITS = 22  #: bins, fraction bits, before the radix-4 steps and the frame's shift
LOG_BITS = 16  #: logarithms, fraction bits
LOG_SEGMENTS = 64  #: log2 table: equal parts of an octave
DB_PER_LOG2 = 10.0 * np.log10(2.0) / (1 << LOG_BITS)  #: dB per unit of a Q16 log2
_MAX_AFFINE_SHIFT = 16
_INT32_LIMIT = float(2**31 - 1)


@dataclass(frozen=True, eq=False)
class MelPlan:
    """Integer tables of one front end; ``firmware/lib/on_mel.h`` says what each one means.

    Arrays are read-only and have the C types' widths.
    """

    config: MelConfig
    window: IntArray  #: int32 [n_fft / 2 + 1], Q27
    order: IntArray  #: uint8 [n_fft / 16]
    twiddles: IntArray  #: int32 [n_fft / 8, 3, 2], Q31
    split: IntArray  #: int32 [n_fft / 4, 2], Q31
    first_bin: int
    segment_bins: IntArray  #: uint32 [n_mels + 1]
    start: IntArray  #: uint32 [n_mels + 1], Q31
    slope: IntArray  #: uint32 [n_mels + 1], Q31
    log2_table: IntArray  #: int32 [65], Q16
    floor: int  #: log2, Q16
    offset: IntArray  #: int32 [n_mels], log2, Q16
    gain: IntArray  #: int32 [n_mels]
    bias: IntArray  #: int32 [n_mels]
    affine_shift: int
    lowest: int
    highest: int

    @property
    def points(self) -> int:
        """Complex points of the transform."""
        return self.config.n_fft // 2

    @property
    def flash_bytes(self) -> int:
        """Size of all tables, without the plan struct."""
        return sum(v.nbytes for v in vars(self).values() if isinstance(v, np.ndarray))

    def to_db(self, log2_power: NDArray[np.int32]) -> NDArray[np.float64]:
        """Convert Q16 log2 Mel power (``mel_fixed.log2_frames``) to dB."""
        decibels: NDArray[np.float64] = log2_power * DB_PER_LOG2
        return decibels

    def context(self) -> dict[str, Any]:
        """Return what templates/mel.*.j2 place: plain integers and flat lists of them."""
        tables = {
            name: value.reshape(-1).tolist()
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }
        config = self.config
        return tables | {
            "segments": _rows(tables, "segment_bins", "start", "slope"),
            "bands": _rows(tables, "offset", "gain", "bias"),
            "n_fft": config.n_fft,
            "hop": config.hop,
            "n_mels": config.n_mels,
            "frames": config.frames,
            "sample_rate": config.sample_rate,
            "first_bin": self.first_bin,
            "floor": self.floor,
            "affine_shift": self.affine_shift,
            "lowest": self.lowest,
            "highest": self.highest,
        }


def _rows(tables: dict[str, Any], *columns: str) -> list[list[int]]:
    """Move columns out of ``tables``, as one list of rows: an array of C structs."""
    return [list(row) for row in zip(*(tables.pop(name) for name in columns), strict=True)]


def make_plan(
    config: MelConfig, standardizer: Standardizer, input_scale: float, input_zero_point: int
) -> MelPlan:
    """Compute the tables for ``config`` and the network's int8 input quantisation.

    Raises ConfigError for settings the firmware cannot do, naming the limit.
    """
    check(config)
    edges = mel_edges(config)
    affine = _affine(config, standardizer, input_scale, input_zero_point)
    return MelPlan(
        config=config,
        window=_window(config.n_fft),
        order=_order(config.n_fft // 16),
        twiddles=_twiddles(config.n_fft // 2),
        split=_rotations(np.arange(config.n_fft // 4) / config.n_fft),
        log2_table=_table(np.log2(1 + np.arange(LOG_SEGMENTS + 1) / LOG_SEGMENTS), LOG_BITS, "i4"),
        floor=round(float(np.log2(config.floor)) * (1 << LOG_BITS)),
        offset=_offsets(config, edges),
        **_filters(config, edges),
        **affine,
    )


def check(config: MelConfig) -> None:
    """Raise ConfigError when the fixed-point front end cannot do ``config``."""
    nyquist = config.sample_rate / 2
    limits = [
        ("n_fft", config.n_fft in TRANSFORM_SIZES, f"one of {TRANSFORM_SIZES}"),
        ("hop", 1 <= config.hop <= config.n_fft, "1 ... n_fft"),
        ("n_mels", 1 <= config.n_mels <= config.n_fft // 2, "1 ... n_fft / 2"),
        ("frames", config.frames >= 1, "at least 1"),
        ("fmin", 0 <= config.fmin < config.fmax, "at least 0 and below fmax"),
        ("fmax", config.fmax <= nyquist, f"at most half the sample rate ({nyquist:g} Hz)"),
        ("floor", config.floor >= MIN_FLOOR, f"at least {MIN_FLOOR:g}"),
        ("clip_sigma", config.clip_sigma > 0, "above 0"),
    ]
    for name, fine, allowed in limits:
        if not fine:
            value = getattr(config, name)
            raise ConfigError(f"front end: {name} = {value} is not possible, allowed: {allowed}")


def mel_edges(config: MelConfig) -> NDArray[np.float64]:
    """Return the n_mels + 2 band edges in Hz: equal steps on Slaney's Mel scale.

    Slaney (Auditory Toolbox, 1998): linear below 1 kHz (200/3 Hz per Mel), then 27 steps per
    factor 6.4. The same as ``librosa.mel_frequencies``.
    """
    low, high = _hz_to_mel(config.fmin), _hz_to_mel(config.fmax)
    return np.array([_mel_to_hz(m) for m in np.linspace(low, high, config.n_mels + 2)])


_MEL_BREAK, _HZ_BREAK, _LOG_STEP = 15.0, 1000.0, np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    if hz < _HZ_BREAK:
        return hz * _MEL_BREAK / _HZ_BREAK
    return _MEL_BREAK + float(np.log(hz / _HZ_BREAK) / _LOG_STEP)


def _mel_to_hz(mel: float) -> float:
    if mel < _MEL_BREAK:
        return mel * _HZ_BREAK / _MEL_BREAK
    return _HZ_BREAK * float(np.exp(_LOG_STEP * (mel - _MEL_BREAK)))


def _table(values: NDArray[np.float64], fraction_bits: int, dtype: str) -> IntArray:
    """Round to fixed point, saturate to the type (1.0 in Q31 or Q15), make read-only."""
    limits = np.iinfo(dtype)
    scaled = np.floor(np.asarray(values, np.float64) * 2.0**fraction_bits + 0.5)
    table = np.clip(scaled, limits.min, limits.max).astype(dtype)
    table.flags.writeable = False
    return table


def _window(n_fft: int) -> IntArray:
    """Periodic Hann up to its middle; the other half mirrors it."""
    turns = np.arange(n_fft // 2 + 1) / n_fft
    return _table(np.sin(np.pi * turns) ** 2, WINDOW_BITS, "i4")


def _order(groups: int) -> IntArray:
    """Where the i-th radix-8 group goes: i with its base-4 digits reversed."""
    order = np.zeros(1, np.int64)
    while len(order) < groups:
        order = np.concatenate([4 * order + digit for digit in range(4)])
    return _table(np.argsort(order).astype(np.float64), 0, "u1")


def _rotations(turns: NDArray[np.float64]) -> IntArray:
    """cos and sin of angles in turns, [..., 2], Q31."""
    angle = 2 * np.pi * turns
    return _table(np.stack([np.cos(angle), np.sin(angle)], axis=-1), 31, "i4")


def _twiddles(points: int) -> IntArray:
    """Factors of the last radix-4 step, [points / 4, 3, 2]; earlier steps skip through them."""
    return _rotations(np.outer(np.arange(points // 4), [1, 2, 3]) / points)


def _filters(config: MelConfig, edges: NDArray[np.float64]) -> dict[str, Any]:
    """Bins between neighbouring edges, and their weights in the upper of their two bands.

    Within a segment the weight grows linearly; both numbers are rounded down, so no bin reaches 1.
    """
    bins = np.arange(1, config.n_fft // 2)
    hz = bins * (config.sample_rate / config.n_fft)
    inside = (hz >= edges[0]) & (hz < edges[-1])
    bins, hz = bins[inside], hz[inside]
    if len(bins) == 0:
        raise ConfigError("front end: no FFT bin lies between fmin and fmax; widen the range")
    segment = np.searchsorted(edges, hz, side="right") - 1
    counts = np.bincount(segment, minlength=config.n_mels + 1)
    first = np.minimum(np.cumsum(counts) - counts, len(hz) - 1)
    width = np.diff(edges)
    start = np.where(counts > 0, (hz[first] - edges[:-1]) / width, 0.0)
    slope = np.where(counts > 1, (hz[1] - hz[0]) / width, 0.0) if len(hz) > 1 else 0.0 * width
    return {
        "first_bin": int(bins[0]),
        "segment_bins": _table(counts.astype(np.float64), 0, "u4"),
        "start": _table(start - 2.0**-32, 31, "u4"),
        "slope": _table(slope - 2.0**-32, 31, "u4"),
    }


def _offsets(config: MelConfig, edges: NDArray[np.float64]) -> IntArray:
    """log2 of what turns a triangle's integer energy into librosa's Mel power (Slaney norm)."""
    norm = 2.0 / (edges[2:] - edges[:-2])
    radix4_steps = (config.n_fft.bit_length() - 5) // 2  # each halves amplitudes
    exponent = 2 * (SPECTRUM_BITS - radix4_steps)
    return _table(np.log2(norm) - exponent, LOG_BITS, "i4")


def _affine(
    config: MelConfig, standardizer: Standardizer, scale: float, zero_point: int
) -> dict[str, Any]:
    """gain, bias and shift: Q16 log2 -> dB -> standardised -> int8 steps, and the clipping."""
    if scale <= 0 or len(standardizer.mean) != config.n_mels:
        raise ConfigError(
            f"front end: input scale {scale:g} must be above 0 and the standardiser have "
            f"{config.n_mels} bands (it has {len(standardizer.mean)})"
        )
    step_db = np.array(standardizer.std) * scale  # dB per int8 step
    gain = DB_PER_LOG2 / step_db
    bias = zero_point + 0.5 - np.array(standardizer.mean) / step_db
    shift = _affine_shift(gain, bias)
    return {
        "gain": _table(gain, 32 + shift, "i4"),
        "bias": _table(bias, shift, "i4"),
        "affine_shift": shift,
        "lowest": _int8(-config.clip_sigma / scale + zero_point),
        "highest": _int8(config.clip_sigma / scale + zero_point),
    }


def _affine_shift(gain: NDArray[np.float64], bias: NDArray[np.float64]) -> int:
    """Most fraction bits for which neither the gain nor any result can leave int32."""
    largest_log2 = 80.0 * (1 << LOG_BITS)
    result = float(np.max(np.abs(bias) + gain * largest_log2))
    limit = min(_INT32_LIMIT / (float(np.max(gain)) * 2.0**32), _INT32_LIMIT / result)
    shift = int(np.floor(np.log2(limit)))
    if shift < 0:
        raise ConfigError("front end: the input scale is too fine for int8; check the network")
    return min(shift, _MAX_AFFINE_SHIFT)


def _int8(value: float) -> int:
    return int(np.clip(np.floor(value + 0.5), -128, 127))
