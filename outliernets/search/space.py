"""The space of detectors that are searched: an ordered product of decisions, each a few options.

Any combination of options is a detector that compiles: sizes that would not divide are clipped, and
decisions that say nothing for a combination are not looked at. So any sampler can draw from it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError
from outliernets.nets.families import CHAIN, LINEAR, NONE
from outliernets.nets.layers import INPUT_SHAPE, Pair
from outliernets.nets.space import ArchSpec
from outliernets.score import ScoreSpec
from outliernets.view import Part, ViewSpec

Choice = str | int | float
Decisions = Mapping[str, Choice]

#: of the space: to be raised when the same decisions come to mean another detector
VERSION = 3
LEVELS = 5  #: of an encoder of convolutions, at most

VIEWS = {
    "means": ViewSpec(parts=(Part("mean", 64),)),
    "means and deviations": ViewSpec(parts=(Part("mean", 32), Part("deviation", 32))),
    "steady": ViewSpec(parts=(Part("mean", 32, 1.5), Part("deviation", 16), Part("maximum", 16))),
    "transient": ViewSpec(parts=(Part("deviation", 32), Part("maximum", 32))),
    "all statistics": ViewSpec(
        parts=(Part("mean", 64), Part("deviation", 32), Part("maximum", 32))
    ),
    "pool 8": ViewSpec(8),
    "pool 4": ViewSpec(4),
    "pool 2": ViewSpec(2),
    "window": ViewSpec(),
}
FRAMES, BANDS = INPUT_SHAPE[:2]
_CROPPED = {"low half": (0, BANDS // 2), "high half": (BANDS // 2, BANDS), "all": None}
_CONVOLUTIONS = (
    "pointwise",
    "separable 3x1",
    "separable 1x3",
    "separable 3x3",
    "conv 3x1",
    "conv 1x3",
    "conv 3x3",
)
_DOWN = ("max-pool 4x4", "max-pool 2x2", "max-pool 1x2", "stride 2x2", "stride 1x2", NONE)
_WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32)


def _levels() -> Iterator[tuple[str, tuple[Choice, ...]]]:
    """Yield the decisions of each level, from the outside in: it goes down, and up again."""
    for i in range(1, LEVELS + 1):
        yield f"encoder_{i}", _CONVOLUTIONS
        yield f"encoder_{i}_width", _WIDTHS
        yield f"down_{i}", _DOWN
        yield f"decoder_{i}", (NONE, *_CONVOLUTIONS)
        yield f"decoder_{i}_width", _WIDTHS


#: All decisions in order, and their options, the cheapest first.
DECISIONS: Mapping[str, tuple[Choice, ...]] = {
    "view": tuple(VIEWS),
    "detail": ("half", "full"),  # of statistics: half as many bands, or all
    "frames": (FRAMES // 2, FRAMES),  # of a window, the last ones
    "bands_seen": tuple(_CROPPED),
    "statistics_network": (NONE, LINEAR, "dense"),
    "frames_network": (NONE, "dense", "convolutions"),
    "factors": (1, 2, 3, 4, 6, 8, 12, 16, 24),  # of a linear network
    "hidden": (8, 16, 32, 64),  # values beside the code of a dense network
    "code": (2, 4, 8, 16),
    "levels": tuple(range(1, LEVELS + 1)),
    **dict(_levels()),
    "latent": (0, 4, 8, 16, 32),  # 0: the map itself is the code
    "seed": (2, 4, 8, 16, 32),  # channels that the latent vector becomes
    "out": _CONVOLUTIONS,
    "score": ("mse", "peak", "bands", "mahalanobis"),
    "bands": (16, 32, 64),
    "memory": (1, 2, 4, 8, 16),
}


def decide(trial: Any) -> dict[str, Choice]:
    """Have an ``optuna.Trial`` make every decision, in order."""
    return {name: trial.suggest_categorical(name, DECISIONS[name]) for name in DECISIONS}


def smallest() -> dict[str, Choice]:
    """Return the decisions of a detector that costs next to nothing."""
    return {name: options[0] for name, options in DECISIONS.items()}


def hand_made() -> tuple[dict[str, Choice], ...]:
    """Return decisions of detectors that people made: ``steady``, ``transient`` and ``dense-ae``.

    A search begins with them, so that it ends with nothing worse.
    """
    whole = smallest() | {"detail": "full", "frames": FRAMES, "bands_seen": "all"}
    solved = whole | {"statistics_network": LINEAR, "factors": 12, "score": "bands", "bands": 64}
    return (
        solved | {"view": "steady", "memory": 2},
        solved | {"view": "transient", "memory": 1},
        whole | {"view": "means", "statistics_network": "dense", "hidden": 16, "code": 4},
    )


def smallest_ones() -> tuple[dict[str, Choice], ...]:
    """Return decisions of detectors than which others need no less: of memory, of code."""
    whole: dict[str, Choice] = {"view": "window", "frames": FRAMES, "bands_seen": "all"}
    return smallest(), smallest() | whole


def detector(decisions: Decisions) -> DetectorSpec:
    """Return the detector that decisions stand for; equal detectors have equal names.

    Raise ConfigError for decisions that are not those of this space.
    """
    _check(decisions)
    view = _view(decisions)
    rows, columns = view.shape(FRAMES, BANDS)
    network = _network(decisions, view, (rows, columns))
    spec = DetectorSpec("searched", network, view, _score(decisions, (rows, columns)))
    name = f"searched-{hashlib.sha256(spec.to_toml().encode()).hexdigest()[:8]}"
    return replace(spec, name=name, network=replace(network, name=name))


def _check(decisions: Decisions) -> None:
    for name, options in DECISIONS.items():
        if decisions.get(name) not in options:
            raise ConfigError(
                f"search space {VERSION}: {name} = {decisions.get(name)!r} is not one of "
                f"{', '.join(map(str, options))}"
            )


def _view(decisions: Decisions) -> ViewSpec:
    frames, bands = int(decisions["frames"]), _CROPPED[str(decisions["bands_seen"])]
    view = VIEWS[str(decisions["view"])]
    if decisions["detail"] == "half":
        parts = tuple(replace(part, bands=part.bands // 2) for part in view.parts)
        view = replace(view, parts=parts)
    return replace(view, frames=None if frames == FRAMES else frames, bands=bands)


def _score(decisions: Decisions, size: Pair) -> ScoreSpec:
    score = ScoreSpec(str(decisions["score"]))
    if score.is_banded:
        bands = min(int(decisions["bands"]), size[1])
        return replace(score, bands=bands, memory=int(decisions["memory"]))
    return score if size[0] > 1 else ScoreSpec("mse")  # of one row, the largest is the mean


def _network(decisions: Decisions, view: ViewSpec, size: Pair) -> ArchSpec:
    kind = decisions["statistics_network" if view.parts else "frames_network"]
    if kind == NONE:
        return ArchSpec("searched", NONE, input=size)
    if kind == LINEAR:
        return ArchSpec("searched", LINEAR, (size[1], int(decisions["factors"])))
    lines = _dense(decisions, size) if kind == "dense" else _convolutions(decisions, size)
    return ArchSpec("searched", CHAIN, input=size, listed=tuple(lines))


def _dense(decisions: Decisions, size: Pair) -> list[str]:
    hidden, code = decisions["hidden"], decisions["code"]
    out = f"image {size[0]}x{size[1]}x1 linear"
    return [f"dense {hidden}", f"dense {code} linear", f"dense {hidden}", out]


@dataclass(frozen=True)
class _Level:
    """What happens at one size of the map, on the way down and on the way up."""

    encoder: str
    width: int
    how: str  #: ``max-pool``, ``stride``
    factor: Pair  #: by which the map shrinks here, and grows again
    decoder: str  #: with its width; nothing where upsampling is all that happens

    @property
    def down(self) -> list[str]:
        """The layers on the way down."""
        line, by = f"{self.encoder} {self.width}", f"{self.factor[0]}x{self.factor[1]}"
        if prod(self.factor) == 1:
            return [line]
        unequal = self.encoder.startswith("separable") and self.factor[0] != self.factor[1]
        if self.how == "stride" and not unequal:  # a separable one has to pool instead
            return [f"{line} stride {by}"]
        return [line, f"max-pool {by}"]


def _convolutions(decisions: Decisions, size: Pair) -> list[str]:
    """Return the layers of an encoder, perhaps a latent vector, and a decoder."""
    levels = list(_drawn_levels(decisions, size))
    lines = [line for level in levels for line in level.down]
    if decisions["latent"]:
        rows, columns = size
        for level in levels:
            rows, columns = rows // level.factor[0], columns // level.factor[1]
        seed = f"image {rows}x{columns}x{decisions['seed']}"
        lines += [f"latent {decisions['latent']}", seed]
    rows = columns = 1
    for level in reversed(levels):
        rows, columns = rows * level.factor[0], columns * level.factor[1]
        if level.decoder:
            lines += [*_up(rows, columns), level.decoder]
            rows = columns = 1
    return [*lines, *_up(rows, columns), f"{decisions['out']} 1 linear"]


def _drawn_levels(decisions: Decisions, size: Pair) -> Iterator[_Level]:
    """Yield the levels from the outside in; none shrinks the map to less than one value."""
    rows, columns = size
    for i in range(1, int(decisions["levels"]) + 1):
        how, _, text = str(decisions[f"down_{i}"]).partition(" ")
        asked = [int(n) for n in (text or "1x1").split("x")]
        factor = (min(asked[0], rows), min(asked[1], columns))
        rows, columns = rows // factor[0], columns // factor[1]
        up, width = decisions[f"decoder_{i}"], decisions[f"decoder_{i}_width"]
        yield _Level(
            str(decisions[f"encoder_{i}"]),
            int(decisions[f"encoder_{i}_width"]),
            how,
            factor,
            "" if up == NONE else f"{up} {width}",
        )


def _up(rows: int, columns: int) -> list[str]:
    return [f"upsample {rows}x{columns}"] if rows * columns > 1 else []
