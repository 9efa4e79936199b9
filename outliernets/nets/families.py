"""The families of networks: what their members are made of, and which layers that makes.

Members of a prototype have widths that are free; those of ``chain`` list their layers, and those of
``none`` have no layers at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from outliernets.errors import ConfigError
from outliernets.nets.chain import Chain
from outliernets.nets.layers import INPUT_SHAPE, LARGEST_WIDTH, Layer, Stack
from outliernets.nets.nothing import Nothing

if TYPE_CHECKING:
    from outliernets.nets.space import ArchSpec

Widths = Sequence[int]
LINEAR, CHAIN, NONE = "linear", "chain", "none"


class Family(Protocol):
    """What an ArchSpec of a family says beside its name, and what it stands for."""

    @property
    def keys(self) -> Sequence[str]:
        """What the table of a member has in TOML."""

    def read(self, table: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the fields of an ArchSpec that stand in a table; ConfigError for nonsense."""

    def write(self, spec: "ArchSpec") -> list[str]:
        """Return lines that ``read`` reads."""

    def draw(self, spec: "ArchSpec") -> tuple[Layer, ...]:
        """Return the layers from input to output; ConfigError for what cannot be."""


@dataclass(frozen=True)
class Prototype:
    """A network with free widths.

    ``groups`` names the widths in order, with how many there are of each; ``layers`` turns all of
    them into layers, for an input of so many rows. ``rows``: what the input may have, usual first.
    """

    groups: tuple[tuple[str, int], ...]
    layers: Callable[[Widths, int], tuple[Layer, ...]]
    rows: tuple[int, ...] = (INPUT_SHAPE[0],)

    @property
    def keys(self) -> Sequence[str]:
        """See Family."""
        return ("rows", *(group for group, _ in self.groups))

    def read(self, table: Mapping[str, Any], where: str) -> dict[str, Any]:
        """See Family."""
        widths = [w for group, count in self.groups for w in _widths(table, group, count, where)]
        rows = _widths(table, "rows", 1, where)[0] if "rows" in table else None
        return {"widths": tuple(widths), "rows": rows}

    def write(self, spec: "ArchSpec") -> list[str]:
        """See Family."""
        lines = [] if spec.rows is None else [f"rows = {spec.rows}"]
        start = 0
        for group, count in self.groups:
            values = list(spec.widths[start : start + count])
            lines.append(f"{group} = {values[0] if count == 1 else values}")
            start += count
        return lines

    def draw(self, spec: "ArchSpec") -> tuple[Layer, ...]:
        """See Family."""
        where, size = f"network '{spec.name}'", sum(count for _, count in self.groups)
        if len(spec.widths) != size or spec.input or spec.listed:
            form = ", ".join(f"{group} x {count}" for group, count in self.groups)
            raise ConfigError(
                f"{where}: family {spec.family} takes {size} widths ({form}), "
                f"got {len(spec.widths)}"
            )
        if spec.rows is not None and spec.rows not in self.rows:
            allowed = ", ".join(map(str, self.rows))
            raise ConfigError(
                f"{where}: family {spec.family} reads {allowed} rows, not {spec.rows}"
            )
        for width in spec.widths:
            if not 1 <= width <= LARGEST_WIDTH:
                raise ConfigError(f"{where}: width {width} is not within 1..{LARGEST_WIDTH}")
        return self.layers(spec.widths, spec.rows or self.rows[0])


def _widths(table: Mapping[str, Any], key: str, count: int, where: str) -> list[int]:
    value = table.get(key)
    values = value if count > 1 else [value]
    if (
        not isinstance(values, list)
        or len(values) != count
        or any(not isinstance(v, int) or isinstance(v, bool) for v in values)
    ):
        form = "an integer" if count == 1 else f"a list of {count} integers"
        raise ConfigError(f"{where}: {key} must be {form}, got {value!r}")
    return values


def _fan(widths: Widths, rows: int) -> tuple[Layer, ...]:
    """Seven separable 3x3 convolutions around a pooled core, 8 x 8 of 32 rows; no dense latent."""
    net = Stack((rows, *INPUT_SHAPE[1:]))
    for i, size in enumerate([(1, 2), (1, 2), (4, 4)]):
        net.separable(f"enc{i + 1}", widths[i])
        net.max_pool(f"pool{i + 1}", size)
    for i, factor in enumerate([(4, 4), (1, 2), (1, 2)]):
        net.upsample(f"up{i + 1}", factor)
        net.separable(f"dec{i + 1}", widths[3 + i])
    net.separable("out", 1, relu=False)
    return tuple(net.layers)


def _slider(widths: Widths, rows: int) -> tuple[Layer, ...]:
    """Five strided convolutions, a latent vector, a dense seed image and five upsamplings."""
    encoder, latent, seed, decoder = widths[:5], widths[5], widths[6], widths[7:]
    net = Stack()
    for i, stride in enumerate([(1, 2), (1, 2), (2, 2), (2, 2), (2, 2)]):
        net.conv(f"enc{i + 1}", encoder[i], stride=stride)
    net.squeeze("latent", latent, relu=True)
    net.dense("seed", (4, 4, seed), relu=True)
    for i, factor in enumerate([(2, 2), (2, 2), (2, 2), (1, 2)]):
        net.upsample(f"up{i + 1}", factor)
        net.conv(f"dec{i + 1}", decoder[i])
    net.upsample("up5", (1, 2))
    net.conv("out", 1, relu=False)
    return tuple(net.layers)


def _cae(widths: Widths, rows: int) -> tuple[Layer, ...]:
    """CAE-MCS of Ribeiro et al. 2020: normalised 5x5 and 3x3 convolutions, transposed back."""
    encoder, latent, decoder = widths[:5], widths[5], widths[6:]
    shape = [(5, (1, 2)), (5, (1, 2)), (5, (2, 2)), (3, (2, 2)), (3, (2, 2))]
    net = Stack()
    for i, (kernel, stride) in enumerate(shape):
        net.conv(f"enc{i + 1}", encoder[i], kernel, stride, norm=True)
    net.squeeze("latent", latent, relu=False)
    net.dense("seed", (4, 4, encoder[-1]), relu=False)
    for i, (kernel, stride) in enumerate(reversed(shape[1:])):
        net.transpose_conv(f"dec{i + 1}", decoder[i], kernel, stride)
    net.transpose_conv("out", 1, *shape[0], last=True)
    return tuple(net.layers)


def _linear(widths: Widths, rows: int) -> tuple[Layer, ...]:
    """Two linear layers, down to ``factors`` numbers and back; solved rather than trained."""
    bands, factors = widths
    net = Stack((rows, bands, 1))
    net.dense("factors", (1, factors, 1), relu=False)
    net.dense("out", (1, bands, 1), relu=False)
    return tuple(net.layers)


def _dense(widths: Widths, rows: int) -> tuple[Layer, ...]:
    """Three layers down to a linear latent vector and back; reads one row of bands."""
    bands, encoder, latent, decoder = widths
    net = Stack((rows, bands, 1))
    net.dense("enc", (1, encoder, 1), relu=True)
    net.dense("latent", (1, latent, 1), relu=False)
    net.dense("dec", (1, decoder, 1), relu=True)
    net.dense("out", (1, bands, 1), relu=False)
    return tuple(net.layers)


FAMILIES: Mapping[str, Family] = {
    "fan": Prototype((("encoder", 3), ("decoder", 3)), _fan, (32, 16, 8, 4)),
    "slider": Prototype((("encoder", 5), ("latent", 1), ("seed", 1), ("decoder", 4)), _slider),
    "cae": Prototype((("encoder", 5), ("latent", 1), ("decoder", 4)), _cae),
    "dense": Prototype((("bands", 1), ("encoder", 1), ("latent", 1), ("decoder", 1)), _dense, (1,)),
    LINEAR: Prototype((("bands", 1), ("factors", 1)), _linear, (1,)),
    CHAIN: Chain(),
    NONE: Nothing(),
}
