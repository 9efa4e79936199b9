"""What stands in for faults, so that a search never hears one of the machine it is for.

Normal clips are compared with changed copies of themselves (the faults that the choice of
a detector makes up, and warped, shifted or knocked at) and with normal sound of other machines of
the same kind. That telling these apart is like telling faults apart is an assumption.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from outliernets import evaluate
from outliernets.detectors.base import Fitted, Ints
from outliernets.detectors.choice import FAULTS, Fault, some_bands, with_fault
from outliernets.errors import DataError
from outliernets.evenly import evenly
from outliernets.view import Windows

CLIPS = 40  #: of each kind, about: normal clips are taken evenly, or changed several times
OTHERS, LABELLED = "other machines", "labelled faults"


def _pitch(x: Windows, random: np.random.Generator) -> None:
    """All bands move by half a band to three."""
    _move(x, np.arange(x.shape[2]) + _sign(random) * random.uniform(0.5, 3))


def _stretched_bands(x: Windows, random: np.random.Generator) -> None:
    """High bands move more than low ones, as with another speed of rotation."""
    _move(x, np.arange(x.shape[2]) * (1 + _sign(random) * random.uniform(0.02, 0.06)))


def _stretched_time(x: Windows, random: np.random.Generator) -> None:
    """What comes and goes does so more quickly or more slowly, by a sixth to a half."""
    frames = x.reshape(-1, x.shape[2])
    pace = random.uniform(1.2, 2.0) ** _sign(random)
    x[:] = frames[(np.arange(len(frames)) * pace).astype(int) % len(frames)].reshape(x.shape)


def _impulses(x: Windows, random: np.random.Generator) -> None:
    """Rare short sounds are mixed in; levels add up as energies do, so the louder one counts."""
    frames = np.arange(x.shape[0] * x.shape[1])
    level = np.full(len(frames), -np.inf)
    for begin in random.choice(frames, max(1, len(frames) // 64), replace=False):
        past = frames - begin
        level = np.maximum(level, np.where(past >= 0, random.uniform(2, 4) - past, -np.inf))
    bands = some_bands(x.shape[2], random)
    x[:, :, bands] = np.logaddexp(x[:, :, bands], level.reshape(x.shape[:2])[..., None])


def _boost(x: Windows, random: np.random.Generator) -> None:
    """A resonance: some bands are louder, the middle one most."""
    bands = x.shape[2]
    centre, width = random.uniform(0, bands), random.uniform(2, bands / 8)
    bump = np.exp(-(((np.arange(bands) - centre) / width) ** 2))
    x += (random.uniform(0.5, 2) * bump).astype(x.dtype)


def _move(x: Windows, places: np.ndarray) -> None:
    """Read each band at a place between bands; beyond the ends the last one goes on."""
    places = np.clip(places, 0, x.shape[2] - 1)
    below = np.minimum(places.astype(int), x.shape[2] - 2)
    share = (places - below).astype(x.dtype)
    x[:] = x[:, :, below] * (1 - share) + x[:, :, below + 1] * share


def _sign(random: np.random.Generator) -> int:
    return int(random.choice([-1, 1]))


WARPS: tuple[Fault, ...] = (_pitch, _stretched_bands, _stretched_time, _impulses, _boost)
KINDS = {fault.__name__.strip("_").replace("_", " "): fault for fault in (*FAULTS, *WARPS)}


@dataclass(frozen=True, eq=False)
class Heard:
    """Windows [n, 32, 128] of clips, and the number of each one's clip [n]."""

    windows: Windows
    clips: Ints

    def scores(self, fitted: Fitted) -> list[float]:
        """Return the score of each clip: the mean of its windows."""
        scores = fitted.scores(self.windows, self.clips)
        return list(map(float, evaluate.clip_scores(scores, self.clips)))

    def followed_by(self, more: "Heard") -> "Heard":
        """Return these clips and then ``more`` of them."""
        clips = np.concatenate([self.clips, more.clips + int(self.clips[-1]) + 1])
        return Heard(np.concatenate([self.windows, more.windows]), clips)

    def some(self, count: int) -> "Heard":
        """Return at most ``count`` clips, evenly chosen and numbered from 0."""
        total = int(self.clips[-1]) + 1 if len(self.clips) else 0
        return self.of(evenly(total, count))

    def of(self, chosen: Sequence[int]) -> "Heard":
        """Return some clips by number, numbered from 0."""
        parts = [np.flatnonzero(self.clips == clip) for clip in chosen]
        parts = [part for part in parts if len(part)]
        if not parts:
            raise DataError("no clip is long enough to be judged")
        clips = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return Heard(np.asarray(self.windows[np.concatenate(parts)]), clips)


@dataclass(frozen=True, eq=False)
class Proxies:
    """Normal clips, and by kind what has to be told from them."""

    normal: Heard
    kinds: Mapping[str, Heard]

    @classmethod
    def make(cls, normal: Heard, others: Heard | None, clip_sigma: float, seed: int) -> Self:
        """Make them of normal clips that nobody learned from; same arguments, same proxies.

        ``others``: normal clips of other machines, standardised as this one's; None: there are
        none.
        """
        normal = normal.some(CLIPS)
        times = max(1, round(CLIPS / (int(normal.clips[-1]) + 1)))
        kinds = {
            name: _changed(normal, fault, times, clip_sigma, np.random.default_rng([seed, number]))
            for number, (name, fault) in enumerate(KINDS.items())
        }
        if others is not None:
            kinds[OTHERS] = others.some(CLIPS)
        return cls(normal, kinds)

    @classmethod
    def labelled(cls, test: Heard, abnormal: Sequence[bool], seed: int) -> Self:
        """Return a half of the test clips, faults and all, as the paper's search was steered.

        ``abnormal`` [clips] are the labels. Figures on these clips say nothing about others.
        """
        random = np.random.default_rng(seed)

        def half(label: bool) -> Heard:
            clips = [i for i, found in enumerate(abnormal) if found == label]
            return test.of(sorted(random.permutation(clips)[: (len(clips) + 1) // 2].tolist()))

        if len(set(abnormal)) < 2:
            raise DataError("the paper's protocol needs normal and abnormal test clips")
        return cls(half(False), {LABELLED: half(True)})

    def separation(self, fitted: Fitted) -> dict[str, float]:
        """Return, by kind, the AUC of its clips against the normal ones."""
        quiet = self.normal.scores(fitted)
        return {name: _auc(quiet, heard.scores(fitted)) for name, heard in self.kinds.items()}


def _changed(
    normal: Heard, fault: Fault, times: int, limit: float, random: np.random.Generator
) -> Heard:
    count = int(normal.clips[-1]) + 1
    copies = [with_fault(normal.windows, normal.clips, fault, limit, random) for _ in range(times)]
    clips = [normal.clips + count * i for i in range(times)]
    return Heard(np.concatenate(copies), np.concatenate(clips))


def _auc(quiet: list[float], loud: list[float]) -> float:
    truth = [False] * len(quiet) + [True] * len(loud)
    return evaluate.auc(truth, quiet + loud) or 0.0
