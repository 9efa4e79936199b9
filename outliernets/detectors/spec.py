"""A detector as data: what it looks at, the network, the score and the alarm; one TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from outliernets.alarm import AlarmConfig
from outliernets.errors import ConfigError, near_miss
from outliernets.nets.families import NONE
from outliernets.nets.layers import INPUT_SHAPE
from outliernets.nets.space import ArchSpec, plain_text
from outliernets.score import ScoreSpec
from outliernets.view import STATISTICS, Part, ViewSpec

_TABLES = ("view", "network", "score", "alarm")


@dataclass(frozen=True)
class AlarmSpec:
    """How scores become an alarm: a new score weighs 2 ** -smoothing, ``windows`` must agree."""

    smoothing: int = 2
    windows: int = 2

    def __post_init__(self) -> None:
        AlarmConfig(smoothing=self.smoothing, windows=self.windows)


@dataclass(frozen=True)
class DetectorSpec:
    """A detector before it has learned a machine; plain data.

    Parts that do not fit one another raise ConfigError.
    """

    name: str
    network: ArchSpec
    view: ViewSpec = field(default_factory=ViewSpec)
    score: ScoreSpec = field(default_factory=ScoreSpec)
    alarm: AlarmSpec = field(default_factory=AlarmSpec)

    def __post_init__(self) -> None:
        seen = self.view.shape(*INPUT_SHAPE[:2])
        if seen != self.network.input_shape:
            rows, columns = self.network.input_shape
            raise ConfigError(
                f"detector '{self.name}': the view has {seen[0]} x {seen[1]} values, network "
                f"'{self.network.name}' reads {rows} x {columns}"
            )
        if self.score.is_banded and seen[1] % self.score.bands:
            raise ConfigError(
                f"detector '{self.name}': {seen[1]} columns of the view do not pool to the "
                f"score's {self.score.bands} bands"
            )

    def to_toml(self) -> str:
        """Return the text of a file that ``from_toml`` reads."""
        network = "".join(f"{line}\n" for line in self.network.to_toml().splitlines())
        score = [f'kind = "{self.score.kind}"']
        if self.score.is_banded:
            score += [f"bands = {self.score.bands}", f"memory = {self.score.memory}"]
        return (
            f'name = "{self.name}"\n\n'
            f"[view]\n{_view_toml(self.view)}\n"
            f"[network]\n{network}\n"
            "[score]\n" + "".join(f"{line}\n" for line in score) + "\n"
            f"[alarm]\nsmoothing = {self.alarm.smoothing}\nwindows = {self.alarm.windows}\n"
        )

    @classmethod
    def from_toml(cls, text: str, where: str = "detector") -> Self:
        """Read a detector; ``where`` names the source in the ConfigError for what is wrong."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{where}: not TOML: {error}") from None
        _known(table, ("name", *_TABLES), where)
        name = plain_text(table, "name", where)
        parts = {key: _table(table, key, where) for key in _TABLES}
        view = _view(parts["view"], f"{where}, [view]")
        return cls(
            name,
            _network(parts["network"], view, f"{where}, [network]"),
            view,
            _score(parts["score"], f"{where}, [score]"),
            _alarm(parts["alarm"], f"{where}, [alarm]"),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a detector from a TOML file."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot read the detector: {error}") from None
        return cls.from_toml(text, str(path))


def nothing(view: ViewSpec) -> ArchSpec:
    """Return the network that is none, for a view."""
    return ArchSpec("no-network", NONE, input=view.shape(*INPUT_SHAPE[:2]))


def _network(table: Mapping[str, Any], view: ViewSpec, where: str) -> ArchSpec:
    """Return the network; of one that is none, the family says enough."""
    if table.get("family") == NONE:
        usual = nothing(view)
        table = {"name": usual.name, "input": list(usual.input_shape), **table}
    return ArchSpec.from_table(table, where)


def _view_toml(view: ViewSpec) -> str:
    lines = [] if view.frames is None else [f"frames = {view.frames}"]
    lines += [] if view.bands is None else [f"bands = {list(view.bands)}"]
    lines += [f"pool = {view.pool}"] if view.pool > 1 else []
    lines += [f"{part.statistic} = {part.bands}" for part in view.parts]
    weights = [f"{p.statistic} = {p.weight:g}" for p in view.parts if p.weight != 1]
    if weights:
        lines.append(f"weight = {{ {', '.join(weights)} }}")
    return "".join(f"{line}\n" for line in lines)


def _view(table: Mapping[str, Any], where: str) -> ViewSpec:
    _known(table, ("frames", "bands", "pool", "weight", *STATISTICS), where)
    weights = _table(table, "weight", where)
    _known(weights, STATISTICS, f"{where} weight")
    parts = tuple(
        Part(name, _whole(table, name, 0, where), _number(weights, name, 1.0, where))
        for name in STATISTICS
        if name in table
    )
    frames = _whole(table, "frames", 0, where) if "frames" in table else None
    return ViewSpec(_whole(table, "pool", 1, where), parts, frames, _bands(table, where))


def _bands(table: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    match table.get("bands"):
        case None:
            return None
        case [int(low), int(high)]:
            return low, high
        case value:
            raise ConfigError(f"{where}: bands must be [first, behind the last], got {value!r}")


def _score(table: Mapping[str, Any], where: str) -> ScoreSpec:
    _known(table, ("kind", "bands", "memory"), where)
    default = ScoreSpec()
    kind = plain_text(table, "kind", where) if "kind" in table else default.kind
    bands = _whole(table, "bands", default.bands, where)
    return ScoreSpec(kind, bands, _whole(table, "memory", default.memory, where))


def _alarm(table: Mapping[str, Any], where: str) -> AlarmSpec:
    default = AlarmSpec()
    _known(table, vars(default), where)
    return AlarmSpec(**{k: _whole(table, k, v, where) for k, v in vars(default).items()})


def _table(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {key} must be a table")
    return value


def _known(table: Mapping[str, Any], keys: Any, where: str) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError(f"{where}: unknown key '{key}'; {near_miss(key, tuple(keys))}")


def _whole(table: Mapping[str, Any], key: str, default: int, where: str) -> int:
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where}: {key} must be a whole number, got {value!r}")
    return value


def _number(table: Mapping[str, Any], key: str, default: float, where: str) -> float:
    value = table.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigError(f"{where}: {key} must be a number, got {value!r}")
    return float(value)
