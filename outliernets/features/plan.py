"""All tables of the fixed-point front end: integers only, made once, used by the C and its twin."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.errors import ConfigError
from outliernets.features.windows import Standardizer

IntArray = NDArray[np.signedinteger[Any] | np.unsignedinteger[Any]]

TRANSFORM_SIZES = (256, 512, 1024, 2048)  #: n_fft the firmware has a transform for
MIN_FLOOR = 1e-15  #: the logarithm of zero must stay below the floor
LOG_BITS = 24  #: logarithms, fraction bits
VALUE_BITS = 12  #: standardised values, fraction bits
LOG_SEGMENTS = 32  #: log2 table: equal parts of an octave
ROOT_SEGMENTS = 32  #: square root table: equal parts of 1, from 1 to 4
MAX_FRACTION_BITS = 14  #: of windowed samples, however quiet they are
_SAMPLE_BITS = 15  #: of a magnitude
_GAIN_BITS = 32 + VALUE_BITS - LOG_BITS
_LARGEST_LOG2 = 84  #: magnitude of a logarithm, that of zero in the quietest frame


@dataclass(frozen=True, eq=False)
class MelPlan:
    """Integer tables of one front end; ``firmware/lib/on_mel.h`` says what each one means.

    Arrays are read-only and have the C types' widths.
    """

    config: MelConfig
    window_bits: int  #: fraction bits of the window
    room: int
    max_shift: int
    window: IntArray  #: int32 [groups, ...]: see on_fft.h
    twiddles: IntArray  #: int32 [n_fft / 8 - 1, 3, 2], Q31
    split: IntArray  #: int32 [n_fft / 4 - 1, 2], Q31
    first_bin: int
    segment_bins: IntArray  #: uint32 [n_mels + 1]
    last: IntArray  #: uint32 [n_mels + 1], Q32
    slope: IntArray  #: uint32 [n_mels + 1], Q32
    log2_table: IntArray  #: uint32 [32, 2]
    root_table: IntArray  #: int32 [97], Q30; empty where power is 2
    gain: IntArray  #: int32 [n_mels], Q20
    bias: IntArray  #: int32 [n_mels], Q12
    lowest: IntArray  #: int32 [n_mels]
    margin: int
    offset: NDArray[np.float64]  #: [n_mels], what is added to log2, not in the firmware

    @property
    def points(self) -> int:
        """Complex points of the transform."""
        return self.config.n_fft // 2

    @property
    def flash_bytes(self) -> int:
        """Size of all tables, without the plan struct."""
        return sum(v.nbytes for k, v in self._tables().items() if k != "offset")

    def _tables(self) -> dict[str, NDArray[Any]]:
        return {name: v for name, v in vars(self).items() if isinstance(v, np.ndarray)}

    def to_db(self, log2_mel: NDArray[np.int32]) -> NDArray[np.float64]:
        """Convert what ``mel_fixed.log2_frames`` returns to dB, as ``mel.log_mel`` has them."""
        level = log2_mel / (1 << LOG_BITS) + self.offset
        decibels: NDArray[np.float64] = np.maximum(
            level * db_per_octave(self.config), 10.0 * np.log10(self.config.floor)
        )
        return decibels

    def context(self) -> dict[str, Any]:
        """Return what templates/mel.*.j2 place: plain integers and flat lists of them."""
        tables = {
            name: value.reshape(-1).tolist()
            for name, value in self._tables().items()
            if name != "offset"
        }
        config = self.config
        return tables | {
            "log2_segments": self.log2_table.tolist(),
            "bands": _bands(tables),
            "n_fft": config.n_fft,
            "hop": config.hop,
            "n_mels": config.n_mels,
            "frames": config.frames,
            "sample_rate": config.sample_rate,
            "first_bin": self.first_bin,
            "power": config.power,
            "window_bits": self.window_bits,
            "room": self.room,
            "max_shift": self.max_shift,
            "margin": self.margin,
        }


def _bands(tables: dict[str, Any]) -> list[list[int]]:
    """Move columns out of ``tables`` as rows of C structs; the first segment is before any band."""
    segments = zip(*(tables.pop(name) for name in ("segment_bins", "last", "slope")), strict=True)
    bands = zip(*(tables.pop(name) for name in ("bias", "gain", "lowest")), strict=True)
    return [[*a, *b] for a, b in zip(segments, [(0, 0, 0), *bands], strict=True)]


def make_plan(
    config: MelConfig, standardizer: Standardizer, input_scale: float, input_zero_point: int
) -> MelPlan:
    """Compute the tables for ``config`` and the network's int8 input quantisation.

    Raises ConfigError for settings the firmware cannot do, naming the limit.
    """
    check(config)
    edges = mel_edges(config)
    filters = _filters(config, edges)
    scale = _scale(config, int(filters["segment_bins"].max()))
    offset = _offsets(config, edges, scale["window_bits"])
    return MelPlan(
        config=config,
        **scale,
        window=_window(config.n_fft, scale["window_bits"]),
        twiddles=_twiddles(config.n_fft // 2),
        split=_rotations(np.arange(1, config.n_fft // 4) / config.n_fft),
        **filters,
        log2_table=_log2_table(),
        root_table=_root_table(config.power),
        offset=offset,
        **_affine(config, standardizer, input_scale, input_zero_point, offset),
    )


def check(config: MelConfig) -> None:
    """Raise ConfigError when the fixed-point front end cannot do ``config``."""
    nyquist = config.sample_rate / 2
    limits = [
        ("n_fft", config.n_fft in TRANSFORM_SIZES, f"one of {TRANSFORM_SIZES}"),
        ("hop", 1 <= config.hop <= config.n_fft, "1 ... n_fft"),
        ("sample_rate", 8_000 <= config.sample_rate <= 48_000, "8000 ... 48000 Hz"),
        ("n_mels", 16 <= config.n_mels <= 128, "16 ... 128"),
        ("power", config.power in (1, 2), "1 or 2"),
        ("mel_scale", config.mel_scale in _SCALES, " or ".join(_SCALES)),
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
    """Return the n_mels + 2 band edges in Hz: equal steps on the Mel scale ``config.mel_scale``.

    ``slaney`` (Auditory Toolbox, 1998): linear below 1 kHz (200/3 Hz per Mel), then 27 steps per
    factor 6.4. ``htk`` (the HTK Book): 2595 log10(1 + hz / 700). The same as
    ``librosa.mel_frequencies``.
    """
    to_mel, to_hz = _SCALES[config.mel_scale]
    low, high = to_mel(config.fmin), to_mel(config.fmax)
    return np.array([to_hz(m) for m in np.linspace(low, high, config.n_mels + 2)])


_MEL_BREAK, _HZ_BREAK, _LOG_STEP = 15.0, 1000.0, np.log(6.4) / 27.0


def _slaney_mel(hz: float) -> float:
    if hz < _HZ_BREAK:
        return hz * _MEL_BREAK / _HZ_BREAK
    return _MEL_BREAK + float(np.log(hz / _HZ_BREAK) / _LOG_STEP)


def _slaney_hz(mel: float) -> float:
    if mel < _MEL_BREAK:
        return mel * _HZ_BREAK / _MEL_BREAK
    return _HZ_BREAK * float(np.exp(_LOG_STEP * (mel - _MEL_BREAK)))


def _htk_mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


def _htk_hz(mel: float) -> float:
    return 700.0 * float(10.0 ** (mel / 2595.0) - 1.0)


_SCALES = {"slaney": (_slaney_mel, _slaney_hz), "htk": (_htk_mel, _htk_hz)}


def db_per_octave(config: MelConfig) -> float:
    """Return the dB that double the Mel energy (power 2) or Mel magnitude (power 1)."""
    return float(20.0 / config.power * np.log10(2.0))


def _table(values: NDArray[np.float64], fraction_bits: int, dtype: str) -> IntArray:
    """Round to fixed point, saturate to the type (1.0 in Q31 or Q15), make read-only."""
    limits = np.iinfo(dtype)
    scaled = np.floor(np.asarray(values, np.float64) * 2.0**fraction_bits + 0.5)
    table = np.clip(scaled, limits.min, limits.max).astype(dtype)
    table.flags.writeable = False
    return table


def _scale(config: MelConfig, longest: int) -> dict[str, Any]:
    """Fraction bits of the window, and how far a frame of known energy can be scaled up.

    ``longest`` is the number of bins of the longest segment. With ``f`` fraction bits, for any
    samples x and for samples of the energy E = sum x^2:

    * points z of the half-length transform pair even and odd samples. Half of the window is
      N / 4 in sum and 3 N / 16 in squares, so bins of either half are at most 2^15 N / 4 2^f and
      sqrt(3 N / 16 E) 2^f (Cauchy); the split adds two of them, which must stay below 2^31
    * energies of all bins together are at most N / 2 sum (x w)^2 4^f (Parseval), so the weighted
      sum of a segment is at most ``longest - 1`` times that, which must stay below 2^64
    """
    n = config.n_fft
    widest = np.log2(max(1, longest - 1)) if config.power == 2 else 0.0
    loud_bins = 29 - _SAMPLE_BITS - np.log2(n / 4)
    loud_sums = (64 - widest - np.log2(n / 2 * 3 * n / 8) - 2 * _SAMPLE_BITS) / 2
    fraction = int(np.floor(min(loud_bins, loud_sums)))
    energy_bits = int(min(60 - np.log2(3 * n / 16), 64 - widest - np.log2(n / 2)))
    return {
        "window_bits": 16 + fraction,
        "room": energy_bits - 2 * fraction - 42,
        "max_shift": MAX_FRACTION_BITS - fraction,
    }


def _window(n_fft: int, fraction_bits: int) -> IntArray:
    """First half of a periodic Hann window in the order of use, and where the next group goes."""
    samples = np.sin(np.pi * np.arange(n_fft // 2) / n_fft) ** 2
    used = _table(samples[window_order(n_fft)], fraction_bits, "i4")
    places = 2 * first_points(n_fft) * np.roll(bit_reversed(len(used)), -1)
    table = np.column_stack([used.reshape(len(used), -1), places]).astype("i4")
    table.flags.writeable = False
    return table


def bit_reversed(count: int) -> NDArray[np.int64]:
    """Return 0 ... count - 1, a power of two, with the bits of each in reversed order."""
    order = np.zeros(1, np.int64)
    while len(order) < count:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def first_points(n_fft: int) -> int:
    """Return the points of a transform in the first step; what is left is a power of four."""
    return 8 if (n_fft // 2).bit_length() % 2 == 0 else 4


def window_order(n_fft: int) -> NDArray[np.int64]:
    """Return where the table of the window has its samples from, [groups, parts, 2].

    A group takes pairs of samples from as many equal parts of the half frame as it has pairs there:
    the even parts first, as they make a transform of their own.
    """
    parts = first_points(n_fft) // 2
    pairs = np.arange(n_fft // 2).reshape(parts, -1, 2)
    even_first = [0, 2, 1, 3] if parts == 4 else [0, 1]
    return pairs[even_first].transpose(1, 0, 2)


def _log2_table() -> IntArray:
    """Start (Q31, plus half a unit of the logarithm) and slope (Q16) of every part of an octave."""
    nodes = np.log2(1 + np.arange(LOG_SEGMENTS + 1) / LOG_SEGMENTS)
    start = nodes[:-1] + 2.0 ** -(LOG_BITS + 1)
    return _table(np.stack([start, np.diff(nodes) / 2**15], axis=-1), 31, "u4")


def _root_table(power: int) -> IntArray:
    x = np.arange(ROOT_SEGMENTS, 4 * ROOT_SEGMENTS + 1) / ROOT_SEGMENTS
    return _table(np.sqrt(x) if power == 1 else np.zeros(0), 30, "i4")


def _rotations(turns: NDArray[np.float64]) -> IntArray:
    """cos and sin of angles in turns, [..., 2], Q31."""
    angle = 2 * np.pi * turns
    return _table(np.stack([np.cos(angle), np.sin(angle)], axis=-1), 31, "i4")


def _twiddles(points: int) -> IntArray:
    """Factors of the last radix-4 step but the first, [points / 4 - 1, 3, 2], in order of use.

    Earlier steps skip through them.
    """
    return _rotations(np.outer(np.arange(1, points // 4), [1, 3, 2]) / points)


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
    width = np.diff(edges)
    final = np.maximum(np.cumsum(counts) - 1, 0)
    last = np.where(counts > 0, (hz[final] - edges[:-1]) / width, 0.0)
    slope = np.where(counts > 1, config.sample_rate / config.n_fft / width, 0.0)
    slopes = _weights(slope)
    return {
        "first_bin": int(bins[0]),
        "segment_bins": _table(counts.astype(np.float64), 0, "u4"),
        "last": _at_least(_weights(last), (counts - (counts > 0)) * slopes),
        "slope": slopes,
    }


def _at_least(values: IntArray, lowest: IntArray) -> IntArray:
    result: IntArray = np.maximum(values, lowest).astype(values.dtype)
    result.flags.writeable = False
    return result


def _weights(values: NDArray[np.float64]) -> IntArray:
    """Q32, rounded down: so no weight that is derived from them leaves 0 ... 1."""
    return _table(values - 2.0**-33, 32, "u4")


def _offsets(
    config: MelConfig, edges: NDArray[np.float64], window_bits: int
) -> NDArray[np.float64]:
    """log2 of what turns a triangle's integer sum into librosa's Mel value (Slaney norm)."""
    norm = 2.0 / (edges[2:] - edges[:-2])
    offsets: NDArray[np.float64] = np.log2(norm) - config.power * (window_bits - 16 + _SAMPLE_BITS)
    offsets.flags.writeable = False
    return offsets


def _affine(
    config: MelConfig,
    standardizer: Standardizer,
    scale: float,
    zero_point: int,
    offset: NDArray[np.float64],
) -> dict[str, Any]:
    """gain, bias and limits: log2 -> dB -> standardised -> int8 steps, rounded and clipped."""
    if scale <= 0 or len(standardizer.mean) != config.n_mels:
        raise ConfigError(
            f"front end: input scale {scale:g} must be above 0 and the standardiser have "
            f"{config.n_mels} bands (it has {len(standardizer.mean)})"
        )
    step_db = np.array(standardizer.std) * scale  # dB per int8 step
    margin = 127 - _int8(config.clip_sigma / scale + zero_point)
    zero = zero_point + 0.5 + margin - np.array(standardizer.mean) / step_db  # of 0 dB
    gain = db_per_octave(config) / step_db
    bias = zero + gain * offset
    largest = float(np.max(np.abs(bias) + gain * _LARGEST_LOG2))
    if max(largest * 2.0**VALUE_BITS, float(gain.max()) * 2.0**_GAIN_BITS) >= 2.0**31:
        raise ConfigError("front end: the input scale is too fine for int8; check the network")
    floor = np.floor(zero + 10.0 * np.log10(config.floor) / step_db)
    lowest = np.maximum(floor, _int8(-config.clip_sigma / scale + zero_point) + margin)
    return {
        "gain": _table(gain, _GAIN_BITS, "i4"),
        "bias": _table(bias, VALUE_BITS, "i4"),
        "lowest": _table(np.minimum(lowest, 127), 0, "i4"),
        "margin": margin,
    }


def _int8(value: float) -> int:
    return int(np.clip(np.floor(value + 0.5), -128, 127))
