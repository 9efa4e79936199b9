"""The arithmetic of firmware/lib/on_mel.c in numpy, bit for bit, for many frames at once.

Names follow the C. All arithmetic is int64, whose right shift is a floor as in the C.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from outliernets.features.plan import LOG_BITS, MelPlan

Int64 = NDArray[np.int64]
_BLOCK = 64  # frames at a time: their arrays fit a processor's cache
_SQRT_HALF_Q31 = 1_518_500_250
_LOG_ZERO = -64 << LOG_BITS
_DOWN = 4  # ON_FFT_DOWN


def log2_frames(pcm: NDArray[np.int16], plan: MelPlan) -> NDArray[np.int32]:
    """Return log2 of the Mel power of every frame of ``pcm`` [n], Q16, [frames, n_mels].

    1.0 is the power at full scale = 1, as in ``mel.log_mel``; ``plan.to_db`` converts to dB.
    """
    blocks = [_log2_block(block, plan) for block in _frame_blocks(pcm, plan)]
    empty = np.zeros((0, plan.config.n_mels), np.int32)
    return np.concatenate([empty, *blocks])


def quantized_frames(pcm: NDArray[np.int16], plan: MelPlan) -> NDArray[np.int8]:
    """Return the int8 network input of every frame of ``pcm`` [n], as [frames, n_mels]."""
    return quantized(log2_frames(pcm, plan), plan)


def quantized(log2_power: NDArray[np.int32], plan: MelPlan) -> NDArray[np.int8]:
    """Return the int8 network input for what ``log2_frames`` returned, same shape."""
    value = (plan.bias + ((log2_power.astype(np.int64) * plan.gain) >> 32)) >> plan.affine_shift
    row: NDArray[np.int8] = np.clip(value, plan.lowest, plan.highest).astype(np.int8)
    return row


def _frame_blocks(pcm: NDArray[np.int16], plan: MelPlan) -> Iterator[NDArray[np.int16]]:
    if len(pcm) < plan.config.n_fft:
        return
    view = np.lib.stride_tricks.sliding_window_view(pcm, plan.config.n_fft)
    frames = view[:: plan.config.hop]
    for start in range(0, len(frames), _BLOCK):
        yield frames[start : start + _BLOCK]


def _log2_block(frames: NDArray[np.int16], plan: MelPlan) -> NDArray[np.int32]:
    re, im, shift = _spectrum(frames, plan)
    level = _log2(_band_energies(re, im, plan), plan.log2_table.astype(np.int64))
    level += plan.offset - (shift[:, None] * 2 << LOG_BITS)
    return np.maximum(level, plan.floor).astype(np.int32)


def _spectrum(frames: NDArray[np.int16], plan: MelPlan) -> tuple[Int64, Int64, Int64]:
    """on_fft_real: bins [frames, n_fft / 2] as re, im, and each frame's shift."""
    re, im = _first(frames, plan)
    shift = _normalising_shift(re, im)
    re, im = re << shift[:, None], im << shift[:, None]
    span, down = 8, _DOWN
    while span < plan.points:
        re, im = _radix4_step(re, im, span, down, plan)
        span, down = span * 4, 0
    return *_split(re, im, plan), shift


def _first(frames: NDArray[np.int16], plan: MelPlan) -> tuple[Int64, Int64]:
    window = np.concatenate([plan.window, plan.window[-2:0:-1]]).astype(np.int64)
    points = (frames * window >> 16).reshape(len(frames), 8, -1, 2)
    re, im = _radix8(points[..., 0], points[..., 1])
    source = np.argsort(plan.order)
    shape = (len(frames), plan.points)
    return re[:, source].reshape(shape), im[:, source].reshape(shape)


def _radix8(x: Int64, y: Int64) -> tuple[Int64, Int64]:
    """Eight-point transforms over axis 1 of [frames, 8, groups], as [frames, groups, 8]."""
    even_re, even_im = _radix4(x[:, 0::2], y[:, 0::2])
    odd_re, odd_im = _radix4(x[:, 1::2], y[:, 1::2])
    odd_re, odd_im = _turn_eighths(odd_re, odd_im)
    re = np.concatenate([even_re + odd_re, even_re - odd_re], axis=1)
    im = np.concatenate([even_im + odd_im, even_im - odd_im], axis=1)
    return re.transpose(0, 2, 1), im.transpose(0, 2, 1)


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
    x[:, 1], y[:, 1] = _times_sqrt_half(re[:, 1] + im[:, 1], im[:, 1] - re[:, 1])
    x[:, 2], y[:, 2] = im[:, 2], -re[:, 2]
    x[:, 3], y[:, 3] = _times_sqrt_half(im[:, 3] - re[:, 3], -re[:, 3] - im[:, 3])
    return x, y


def _times_sqrt_half(*values: Int64) -> tuple[Int64, ...]:
    return tuple(2 * (v * _SQRT_HALF_Q31 >> 32) for v in values)


def _normalising_shift(re: Int64, im: Int64) -> Int64:
    bits = np.bitwise_or.reduce((re ^ (re >> 63)) | (im ^ (im >> 63)), axis=1)
    return 30 - _bit_length(bits | 1)


def _bit_length(values: Int64) -> Int64:
    """Bits of each positive value; rounding to float64 may reach the next power of two."""
    length = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    corrected: Int64 = length - (values >> (length - 1) == 0)
    return corrected


def _half_rotate(re: Int64, im: Int64, cos_sin: Int64) -> tuple[Int64, Int64]:
    cos, sin = cos_sin[..., 0], cos_sin[..., 1]
    return (re * cos + im * sin) >> 32, (im * cos - re * sin) >> 32


def _radix4_step(re: Int64, im: Int64, span: int, down: int, plan: MelPlan) -> tuple[Int64, Int64]:
    """Combine neighbouring transforms of ``span`` points, four at a time, at half scale."""
    stride = plan.points // (4 * span)
    twiddles = plan.twiddles[::stride].astype(np.int64).transpose(1, 0, 2)
    x = re.reshape(-1, 4, span)
    y = im.reshape(-1, 4, span)
    turned_x, turned_y = _half_rotate(x[:, 1:], y[:, 1:], twiddles)
    x = np.concatenate([x[:, :1] >> 1, turned_x], axis=1) >> down
    y = np.concatenate([y[:, :1] >> 1, turned_y], axis=1) >> down
    x, y = _radix4(x, y)
    return x.reshape(re.shape), y.reshape(im.shape)


def _split(re: Int64, im: Int64, plan: MelPlan) -> tuple[Int64, Int64]:
    half = plan.points // 2
    low, high = slice(1, half), slice(None, half, -1)
    even_re, even_im = (re[:, low] + re[:, high]) >> 1, (im[:, low] - im[:, high]) >> 1
    odd_re, odd_im = re[:, low] - re[:, high], im[:, low] + im[:, high]
    x, y = _half_rotate(odd_re, odd_im, plan.split[1:].astype(np.int64))
    out_re, out_im = re.copy(), im.copy()
    out_re[:, low], out_im[:, low] = even_re + y, even_im - x
    out_re[:, high], out_im[:, high] = even_re - y, even_im + x
    return out_re, out_im


def _band_energies(re: Int64, im: Int64, plan: MelPlan) -> Int64:
    rise = _rise(plan)
    used = slice(plan.first_bin, plan.first_bin + len(rise))
    re, im = re[:, used], im[:, used]
    every = _segment_sums(re * re + im * im, plan)
    upper = 2 * _segment_sums((re * rise >> 32) * re + (im * rise >> 32) * im, plan)
    return upper[:, :-1] + (every - upper)[:, 1:]


def _rise(plan: MelPlan) -> Int64:
    """Each bin's weight in the upper of its two bands, Q31."""
    segments = zip(plan.segment_bins, plan.start, plan.slope, strict=True)
    return np.concatenate([int(a) + int(b) * np.arange(n) for n, a, b in segments])


def _segment_sums(values: Int64, plan: MelPlan) -> Int64:
    """Sums over each segment's bins; differences of running sums, so empty segments work."""
    running = np.zeros((len(values), values.shape[1] + 1), np.int64)
    np.cumsum(values, axis=1, out=running[:, 1:])
    ends = np.concatenate([[0], np.cumsum(plan.segment_bins, dtype=np.int64)])
    return np.diff(running[:, ends], axis=1)


def _log2(value: Int64, table: Int64) -> Int64:
    positive = np.maximum(value, 1)
    zeros = 64 - _bit_length(positive)
    mantissa = (positive.astype(np.uint64) << zeros.astype(np.uint64) >> np.uint64(32)).astype(
        np.int64
    )
    index = (mantissa >> 25) & 63
    rest = (mantissa >> 10) & 0x7FFF
    slope = table[index + 1] - table[index]
    result = ((63 - zeros) << LOG_BITS) + table[index] + ((slope * rest + 0x4000) >> 15)
    return np.where(value > 0, result, _LOG_ZERO)
