"""The space of networks: an ArchSpec is a family and its widths, and knows what it costs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from outliernets.errors import ConfigError, near_miss
from outliernets.nets.families import FAMILIES, Family
from outliernets.nets.layers import Layer, Pair


@dataclass(frozen=True)
class ArchSpec:
    """A network architecture: plain data, comparable and hashable.

    ``widths`` lists the channels in the order the family names them (``FAMILIES``). ``rows`` are
    those of the input, None for the family's usual. The family ``chain`` has ``input`` (rows,
    bands) and ``listed`` layers instead, ``none`` an input alone. What does not exist raises
    ConfigError.
    """

    name: str
    family: str
    widths: tuple[int, ...] = ()
    rows: int | None = None
    input: Pair | None = None
    listed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self.layers  # of what does not exist there are none

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers from input to output."""
        return _family(self.family, self.name).draw(self)

    @property
    def params(self) -> int:
        """Parameters: weights, biases and normalisation."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one window."""
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        """Operations for one window, counted as the paper does: 2 * MAC + bias additions."""
        return 2 * self.macs + sum(layer.bias_adds for layer in self.layers)

    @property
    def input_shape(self) -> tuple[int, int]:
        """Rows and columns of what it reads."""
        if self.input is not None:
            return self.input
        rows, columns, _ = self.layers[0].source
        return rows, columns

    def to_toml(self) -> str:
        """Return the text of a file that ``from_toml`` reads."""
        lines = [f'name = "{self.name}"', f'family = "{self.family}"']
        return "\n".join(lines + FAMILIES[self.family].write(self)) + "\n"

    @classmethod
    def from_toml(cls, text: str, where: str = "network") -> Self:
        """Read a network; ``where`` names the source in the ConfigError for what is wrong."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{where}: not TOML: {error}") from None
        return cls.from_table(table, where)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str = "network") -> Self:
        """Read a network that stands in a table of a TOML file."""
        name, family_name = plain_text(table, "name", where), plain_text(table, "family", where)
        family = _family(family_name, where)
        known = ["name", "family", *family.keys]
        for key in table:
            if key not in known:
                raise ConfigError(f"{where}: unknown key '{key}'; {near_miss(key, known)}")
        return cls(name, family_name, **family.read(table, where))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a network from a TOML file."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot read the network: {error}") from None
        return cls.from_toml(text, str(path))


def _family(name: str, where: str) -> Family:
    if name not in FAMILIES:
        raise ConfigError(f"{where}: unknown family '{name}'; {near_miss(name, FAMILIES)}")
    return FAMILIES[name]


def plain_text(table: Mapping[str, Any], key: str, where: str) -> str:
    """Return a text that can stand in quotes; ConfigError for anything else."""
    value = table.get(key)
    if not isinstance(value, str) or not value.isprintable() or '"' in value or "\\" in value:
        raise ConfigError(f'{where}: {key} must be a plain text, such as {key} = "fan"')
    return value
