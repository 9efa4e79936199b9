"""Read one clip as 16-bit PCM at the wanted rate, and refuse what must not reach a model."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.errors import DataError

Pcm16 = NDArray[np.int16]

FULL_SCALE = 32768.0
CLIPPED_SHARE = 0.01  #: more samples than this at full scale are worth a notice
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  #: what recorders that stream write before they know the length

MIN_SAMPLES = MelConfig().min_samples  #: one window of the default front end


@dataclass(frozen=True)
class Pcm:
    """Samples of one channel, full scale = 32767, and what had to be done to get them."""

    samples: Pcm16
    notices: tuple[str, ...] = ()


class ClipError(DataError):
    """A clip cannot be used. ``text`` is the message without the file's name."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.text = text


def read_pcm(path: Path, sample_rate: int, min_samples: int = MIN_SAMPLES) -> Pcm:
    """Return channel 0 of an audio file as int16 at ``sample_rate``.

    16-bit files of the right rate come through bit for bit; other widths are scaled and
    saturated, other rates resampled with a notice. ``min_samples`` is what one window needs.

    Raises:
        ClipError: missing, empty, truncated or corrupt file, NaN or infinity, silence, too short.
    """
    channel, rate = _first_channel(path)
    if not np.isfinite(channel).all():
        raise ClipError(path, "holds NaN or infinite samples; export it again as 16-bit WAV")
    notices = []
    if rate != sample_rate:
        channel = _resampled(channel, rate, sample_rate)
        notices.append(f"resampled from {rate} to {sample_rate} Hz")
    samples = _to_int16(channel)
    _refuse_unusable(path, samples, sample_rate, min_samples)
    clipped = float(np.mean((samples == 32767) | (samples == -32768)))
    if clipped > CLIPPED_SHARE:
        notices.append(f"clipped: {clipped:.1%} of the samples are at full scale")
    return Pcm(samples, tuple(notices))


def _first_channel(path: Path) -> tuple[NDArray[np.generic], int]:
    """Return channel 0, int16 as it is or else float64, and the sample rate."""
    import soundfile

    _refuse_broken_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            kind = "int16" if file.subtype == "PCM_16" else "float64"
            frames = file.read(dtype=kind, always_2d=True)
            promised, rate = file.frames, file.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise ClipError(path, f"cannot be read as audio: {reason}") from error
    if len(frames) < promised:
        raise ClipError(path, f"is truncated: {len(frames)} of {promised} samples are there")
    return frames[:, 0], rate


def _refuse_broken_file(path: Path) -> None:
    """Raise ClipError for what libsndfile would read without a word, and for missing files."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            promised = _promised_size(file)
    except OSError as error:
        raise ClipError(path, f"cannot be read: {error.strerror}") from error
    if size == 0:
        raise ClipError(path, "is empty (0 bytes); copy or record it again")
    if promised > size:
        raise ClipError(
            path, f"is truncated: {size} of {promised} bytes are there; copy or record it again"
        )


def _promised_size(file: BinaryIO) -> int:
    """Return how long a WAV or AIFF file says it is, 0 where it does not say.

    libsndfile shortens a truncated file to what is there: only the chunk headers tell.
    """
    form, _, kind = struct.unpack("4s4s4s", file.read(12).ljust(12, b"\0"))
    order = {b"RIFF": "<", b"FORM": ">"}.get(form)
    if order is None or kind not in (b"WAVE", b"AIFF", b"AIFC"):
        return 0
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", header)
        if name in (b"data", b"SSND"):
            return 0 if size in _UNKNOWN_SIZE else int(file.tell() + size)
        file.seek(size + size % 2, 1)
    return 0


def _resampled(channel: NDArray[np.generic], rate: int, wanted: int) -> NDArray[np.generic]:
    import soxr

    scale = FULL_SCALE if channel.dtype == np.int16 else 1.0
    resampled: NDArray[np.generic] = soxr.resample(
        channel.astype(np.float64) / scale, rate, wanted, quality="HQ"
    )
    return resampled


def _to_int16(channel: NDArray[np.generic]) -> Pcm16:
    if channel.dtype == np.int16:
        return np.ascontiguousarray(channel, np.int16)
    scaled = np.rint(channel.astype(np.float64) * FULL_SCALE)
    samples: Pcm16 = np.clip(scaled, -32768, 32767).astype(np.int16)
    return samples


def _refuse_unusable(path: Path, samples: Pcm16, rate: int, min_samples: int) -> None:
    if len(samples) < min_samples:
        raise ClipError(
            path,
            f"is too short: {len(samples) / rate:.2f} s, one window needs "
            f"{min_samples / rate:.2f} s; record longer clips",
        )
    if samples.min() == samples.max():
        raise ClipError(
            path, f"is silent: every sample is {samples[0]}; check the microphone, remove the clip"
        )
