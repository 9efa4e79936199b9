"""Settings that many parts share: which task, and how sound becomes log-Mel windows."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from outliernets.errors import ConfigError, near_miss

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DECIBELS = re.compile(r"(min|-|\+)?(\d+)dB", re.IGNORECASE)
SEED = 20210401
INT8_RANGE_DB = (-100.0, 0.0)  #: what rows of the front end cover where no network says it


@dataclass(frozen=True, order=True)
class Task:
    """One machine under one noise condition, written ``machine/unit/snr``: ``fan/06/6dB``.

    ``unit`` is the machine's id (two digits in MIMII). ``snr`` is ``6dB``, ``0dB``, ``-6dB``
    (``min6dB`` is read as ``-6dB``) or any other name of a recording condition.
    """

    machine: str
    unit: str
    snr: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``fan/06/6dB``; raise ConfigError that says what the form is."""
        parts = text.strip().split("/")
        if len(parts) != 3 or not all(_NAME.fullmatch(p.lstrip("-")) for p in parts):
            raise ConfigError(
                f"task '{text}' is not of the form MACHINE/ID/SNR, such as fan/06/6dB or "
                "pump/00/-6dB"
            )
        machine, unit, snr = parts
        return cls(machine.lower(), unit.removeprefix("id_"), _canonical_snr(snr))

    def __str__(self) -> str:
        return f"{self.machine}/{self.unit}/{self.snr}"

    @property
    def identifier(self) -> str:
        """The task as a C identifier: ``fan_06_6db``, ``fan_00_min6db``."""
        text = f"{self.machine}_{self.unit}_{self.snr.replace('-', 'min')}"
        return c_identifier(text)


def _canonical_snr(text: str) -> str:
    match = _DECIBELS.fullmatch(text)
    if not match:
        return text
    sign = "-" if match[1] and match[1].lower() in ("min", "-") and int(match[2]) else ""
    return f"{sign}{int(match[2])}dB"


def c_identifier(text: str) -> str:
    """Return ``text`` as a lower-case C identifier."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"m_{name}"


def library_name(name: str) -> str:
    """Return the ``--name`` of a C library; ConfigError unless it is an identifier."""
    if name != c_identifier(name):
        raise ConfigError(
            f"--name {name} is not a lower-case C identifier; try --name {c_identifier(name)}"
        )
    return name


@dataclass(frozen=True)
class MelConfig:
    """How PCM becomes log-Mel windows; the defaults are the paper's, with power 2 in place of 1.

    Frames are *not* centred (no padding), as a streaming device computes them: frame ``t`` covers
    samples ``[t * hop, t * hop + n_fft)``.
    """

    sample_rate: int = 16_000  #: Hz
    n_fft: int = 1024  #: samples in a frame
    hop: int = 512  #: samples between frames
    n_mels: int = 128  #: Mel bands
    fmin: float = 0.0  #: Hz, lower edge of the first band
    fmax: float = 8_000.0  #: Hz, upper edge of the last band
    mel_scale: str = "slaney"  #: or "htk"; Slaney's area normalisation of the filters with both
    power: int = 2  #: what a filter sums up: 2 energies, 1 magnitudes (the paper's)
    frames: int = 32  #: frames in a window
    floor: float = 1e-10  #: Mel power below this is raised to it (-100 dB), magnitudes to its root
    clip_sigma: float = 6.0  #: standardised values are clipped to +- this many deviations

    @property
    def window_samples(self) -> int:
        """New samples a window of ``frames`` frames consumes (windows do not overlap)."""
        return self.frames * self.hop

    @property
    def min_samples(self) -> int:
        """Samples of the shortest clip that holds a window."""
        return (self.frames - 1) * self.hop + self.n_fft

    def scored_samples(self, samples: int) -> int:
        """Return how many of a clip's ``samples`` belong to whole windows; the rest is never heard.

        The clip holds a window at least (``min_samples``).
        """
        return samples - (samples - self.min_samples) % self.window_samples

    @property
    def window_ms(self) -> float:
        """How much time one window covers, in milliseconds: the real-time budget."""
        return 1000.0 * self.window_samples / self.sample_rate


def mel_config(settings: Iterable[str]) -> MelConfig:
    """Return the default front end with ``NAME=VALUE`` settings; ConfigError names what is wrong.

    Without ``fmax``, bands reach up to half the sample rate.
    """
    default = MelConfig()
    kinds = {f.name: type(getattr(default, f.name)) for f in dataclasses.fields(default)}
    chosen: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in kinds:
            raise ConfigError(f"front end: no setting '{name}' ({near_miss(name, kinds)})")
        try:
            chosen[name] = kinds[name](value)
        except ValueError:
            kind = {int: "a whole number", float: "a number"}[kinds[name]]
            raise ConfigError(f"front end: {name} = '{value}' is not {kind}") from None
    if "sample_rate" in chosen:
        chosen.setdefault("fmax", chosen["sample_rate"] / 2)
    return dataclasses.replace(default, **chosen)


def fingerprint(*values: Any) -> str:
    """Return a short hash of JSON-like values and dataclasses: equal content, equal hash."""
    text = json.dumps(values, sort_keys=True, default=_jsonable)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
