"""The arithmetic of firmware/lib/on_mel.c in numpy, bit for bit, for many frames at once.

Names follow the C. All arithmetic is int64, whose right shift is a floor as in the C.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from outliernets.features.plan import (
    LOG_BITS,
    VALUE_BITS,
    IntArray,
    MelPlan,
    bit_reversed,
    first_points,
    window_order,
)

Int64 = NDArray[np.int64]
_BLOCK = 64  # frames at a time: their arrays fit a processor's cache
_SQRT_HALF_Q31 = 1_518_500_250
_LOG_ZERO = -64 << LOG_BITS  # log2(0)
_ENERGY_BITS = 10  # that the choice of a frame's shift does not look at


def log2_frames(pcm: NDArray[np.int16], plan: MelPlan) -> NDArray[np.int32]:
    """Return log2 of the integer Mel sums of every frame of ``pcm`` [n], Q24, [frames, n_mels].

    ``plan.to_db`` converts to dB.
    """
    blocks = [_log2_block(block, plan) for block in _frame_blocks(pcm, plan)]
    empty = np.zeros((0, plan.config.n_mels), np.int32)
    return np.concatenate([empty, *blocks])


def quantized_frames(pcm: NDArray[np.int16], plan: MelPlan) -> NDArray[np.int8]:
    """Return the int8 network input of every frame of ``pcm`` [n], as [frames, n_mels]."""
    return quantized(log2_frames(pcm, plan), plan)


def quantized(log2_mel: NDArray[np.int32], plan: MelPlan) -> NDArray[np.int8]:
    """Return the int8 network input for what ``log2_frames`` returned, same shape."""
    value = (plan.bias + ((log2_mel.astype(np.int64) * plan.gain) >> 32)) >> VALUE_BITS
    row: NDArray[np.int8] = (np.clip(value, plan.lowest, 127) - plan.margin).astype(np.int8)
    return row


def _frame_blocks(pcm: NDArray[np.int16], plan: MelPlan) -> Iterator[NDArray[np.int16]]:
    if len(pcm) < plan.config.n_fft:
        return
    view = np.lib.stride_tricks.sliding_window_view(pcm, plan.config.n_fft)
    frames = view[:: plan.config.hop]
    for start in range(0, len(frames), _BLOCK):
        yield frames[start : start + _BLOCK]


def _log2_block(frames: NDArray[np.int16], plan: MelPlan) -> NDArray[np.int32]:
    samples = frames.astype(np.int64)
    shift = _shift(samples, plan)
    re, im = _spectrum(samples, shift, plan)
    energy = re * re + im * im
    bins = energy if plan.config.power == 2 else _root(energy, plan.root_table.astype(np.int64))
    level = _log2(_band_sums(bins, plan), plan.log2_table.astype(np.int64))
    return (level - (shift[:, None] * plan.config.power << LOG_BITS)).astype(np.int32)


def _shift(frames: Int64, plan: MelPlan) -> Int64:
    """on_fft_shift: bits by which each frame can be scaled up."""
    top = (frames * frames).sum(axis=1) >> _ENERGY_BITS | 1
    room: Int64 = (plan.room + 32 - _bit_length(top)) >> 1
    return np.clip(room, 0, plan.max_shift)


def _spectrum(frames: Int64, shift: Int64, plan: MelPlan) -> tuple[Int64, Int64]:
    """on_fft_real: bins [frames, n_fft / 2] as re, im."""
    re, im = _first(frames, shift, plan)
    span = re.shape[-1]
    re, im = re.reshape(len(frames), -1), im.reshape(len(frames), -1)
    while span < plan.points:
        re, im = _radix4_step(re, im, span, plan)
        span *= 4
    return _split(re, im, plan)


def _first(frames: Int64, shift: Int64, plan: MelPlan) -> tuple[Int64, Int64]:
    """The windowed first step: [frames, groups, points of a group], groups as they are stored."""
    window = _whole_window(plan) << shift[:, None]
    size = first_points(plan.config.n_fft)
    points = (frames * window >> 16).reshape(len(frames), size, -1, 2)
    transform = _radix8 if size == 8 else _radix4
    order = bit_reversed(plan.points // size)
    re, im = (z.transpose(0, 2, 1)[:, order] for z in transform(points[..., 0], points[..., 1]))
    return re, im


def _whole_window(plan: MelPlan) -> Int64:
    half = np.zeros(plan.points, np.int64)
    order = window_order(plan.config.n_fft)
    half[order] = plan.window[:, :-1].reshape(order.shape)
    return np.concatenate([half, (1 << plan.window_bits) - half])


def _radix8(x: Int64, y: Int64) -> tuple[Int64, Int64]:
    """Eight-point transforms over axis 1."""
    even_re, even_im = _radix4(x[:, 0::2], y[:, 0::2])
    odd_re, odd_im = _turn_eighths(*_radix4(x[:, 1::2], y[:, 1::2]))
    re = np.concatenate([even_re + odd_re, even_re - odd_re], axis=1)
    im = np.concatenate([even_im + odd_im, even_im - odd_im], axis=1)
    return re, im


def _radix4(x: Int64, y: Int64) -> tuple[Int64, Int64]:
    """Four-point transforms over axis 1."""
    sum02_x, diff02_x = x[:, 0] + x[:, 2], x[:, 0] - x[:, 2]
    sum02_y, diff02_y = y[:, 0] + y[:, 2], y[:, 0] - y[:, 2]
    sum13_x, diff13_x = x[:, 1] + x[:, 3], x[:, 1] - x[:, 3]
    sum13_y, diff13_y = y[:, 1] + y[:, 3], y[:, 1] - y[:, 3]
    re = [sum02_x + sum13_x, diff02_x + diff13_y, sum02_x - sum13_x, diff02_x - diff13_y]
    im = [sum02_y + sum13_y, diff02_y - diff13_x, sum02_y - sum13_y, diff02_y + diff13_x]
    return np.stack(re, axis=1), np.stack(im, axis=1)


def _turn_eighths(re: Int64, im: Int64) -> tuple[Int64, Int64]:
    """Multiply row k of axis 1 by exp(-i pi k / 4), k = 0 ... 3."""
    x, y = re.copy(), im.copy()
    x[:, 1] = 2 * _mul_half(re[:, 1] + im[:, 1], _SQRT_HALF_Q31)
    y[:, 1] = 2 * _mul_half(im[:, 1] - re[:, 1], _SQRT_HALF_Q31)
    x[:, 2], y[:, 2] = im[:, 2], -re[:, 2]
    x[:, 3] = 2 * _mul_half(im[:, 3] - re[:, 3], _SQRT_HALF_Q31)
    y[:, 3] = -2 * _mul_half(im[:, 3] + re[:, 3], _SQRT_HALF_Q31)
    return x, y


def _mul_half(x: Int64, y: Int64 | int) -> Int64:
    """on_mul_half: to nearest, halves up."""
    return (x * y + (1 << 31)) >> 32


def _bit_length(values: Int64) -> Int64:
    """Bits of each positive value; rounding to float64 may reach the next power of two."""
    length = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    corrected: Int64 = length - (values >> (length - 1) == 0)
    return corrected


def _half_rotate(re: Int64, im: Int64, cos_sin: IntArray) -> tuple[Int64, Int64]:
    cos, sin = cos_sin[..., 0].astype(np.int64), cos_sin[..., 1].astype(np.int64)
    return (
        _mul_half(re, cos) + _mul_half(im, sin),
        _mul_half(im, cos) + ((np.int64(1 << 31) - re * sin) >> 32),
    )


def _radix4_step(re: Int64, im: Int64, span: int, plan: MelPlan) -> tuple[Int64, Int64]:
    """Combine neighbouring transforms of ``span`` points, four at a time; the second is z2."""
    stride = plan.points // (4 * span)
    twiddles = plan.twiddles[stride - 1 :: stride].transpose(1, 0, 2)  # of z1, z3, z2
    order = [2, 3, 1]
    x, y = re.reshape(-1, 4, span).copy(), im.reshape(-1, 4, span).copy()
    turned = _half_rotate(x[:, order, 1:], y[:, order, 1:], twiddles)
    x[:, order, 1:], y[:, order, 1:] = 2 * turned[0], 2 * turned[1]
    x, y = _radix4(x[:, [0, 2, 1, 3]], y[:, [0, 2, 1, 3]])
    return x.reshape(re.shape), y.reshape(im.shape)


def _split(re: Int64, im: Int64, plan: MelPlan) -> tuple[Int64, Int64]:
    """From the spectrum of n_fft / 2 complex points to that of the real frame."""
    half = plan.points // 2
    low, high = slice(1, half), slice(None, half, -1)
    even_re, even_im = (re[:, low] + re[:, high]) >> 1, (im[:, low] - im[:, high]) >> 1
    odd_re, odd_im = re[:, low] - re[:, high], im[:, low] + im[:, high]
    x, y = _half_rotate(odd_re, odd_im, plan.split)
    out_re, out_im = re.copy(), im.copy()
    out_re[:, low], out_im[:, low] = even_re + y, even_im - x
    out_re[:, high], out_im[:, high] = even_re - y, even_im + x
    return out_re, out_im


def _band_sums(bins: Int64, plan: MelPlan) -> NDArray[np.uint64]:
    """Weighted sums over the bins of every band [frames, n_mels], modulo 2^64 as in the C."""
    counts = plan.segment_bins.astype(np.int64)
    used = slice(plan.first_bin, plan.first_bin + int(counts.sum()))
    from_last = np.concatenate([np.arange(n)[::-1] for n in counts]).astype(np.uint64)
    values = bins[:, used].astype(np.uint64)
    every = _segment_sums(values, plan)
    rising = _scaled(every, plan.last) - _scaled(
        _segment_sums(values * from_last, plan), plan.slope
    )
    return rising[:, :-1] + (every - rising)[:, 1:]


def _scaled(values: NDArray[np.uint64], factor: IntArray) -> NDArray[np.uint64]:
    """floor(value factor / 2^32)"""
    wide, bits = factor.astype(np.uint64), np.uint64(32)
    low = values & np.uint64(0xFFFF_FFFF)
    result: NDArray[np.uint64] = (values >> bits) * wide + (low * wide >> bits)
    return result


def _segment_sums(values: NDArray[np.uint64], plan: MelPlan) -> NDArray[np.uint64]:
    """Sums over each segment's bins; differences of running sums, so empty segments work."""
    running = np.zeros((len(values), values.shape[1] + 1), np.uint64)
    np.cumsum(values, axis=1, out=running[:, 1:])
    ends = np.concatenate([[0], np.cumsum(plan.segment_bins, dtype=np.int64)])
    return np.diff(running[:, ends], axis=1)


def _top_bits(value: Int64, zeros: Int64) -> Int64:
    """The upper word of value << zeros."""
    return (value.astype(np.uint64) << zeros.astype(np.uint64) >> np.uint64(32)).astype(np.int64)


def _log2(sums: NDArray[np.uint64], table: Int64) -> Int64:
    value = sums.astype(np.int64)
    positive = np.maximum(value, 1)
    zeros = 64 - _bit_length(positive)
    mantissa = _top_bits(positive, zeros)
    start, slope = table[(mantissa >> 26) & 31].transpose(2, 0, 1)
    fraction = start + slope * ((mantissa >> 11) & 0x7FFF) >> 31 - LOG_BITS
    return np.where(value > 0, ((63 - zeros) << LOG_BITS) + fraction, _LOG_ZERO)


def _root(value: Int64, table: Int64) -> Int64:
    """on_root"""
    positive = np.maximum(value, 1)
    zeros = (64 - _bit_length(positive)) & ~1
    mantissa = _top_bits(positive, zeros)
    index = (mantissa >> 25) - 32
    rest = (mantissa & 0x1FF_FFFF) << 6
    root = table[index] + (2 * (table[index + 1] - table[index]) * rest >> 32)
    down = zeros // 2 - 1
    result = (root + ((1 << down) >> 1)) >> down
    return np.where(value > 0, result, 0)
