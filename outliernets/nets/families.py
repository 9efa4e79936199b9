"""The families of networks: what their widths are called and which layers they make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outliernets.nets.layers import INPUT_SHAPE, Layer, Stack

Widths = Sequence[int]
LINEAR = "linear"


@dataclass(frozen=True)
class Family:
    """A prototype with free widths.

    ``groups`` names the widths in order, with how many there are of each; ``draw`` turns all of
    them into layers, for an input of so many rows. ``rows``: what the input may have, usual first.
    """

    groups: tuple[tuple[str, int], ...]
    draw: Callable[[Widths, int], tuple[Layer, ...]]
    rows: tuple[int, ...] = (INPUT_SHAPE[0],)

    @property
    def size(self) -> int:
        """How many widths a member has."""
        return sum(count for _, count in self.groups)


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


FAMILIES = {
    "fan": Family((("encoder", 3), ("decoder", 3)), _fan, (32, 16, 8, 4)),
    "slider": Family((("encoder", 5), ("latent", 1), ("seed", 1), ("decoder", 4)), _slider),
    "cae": Family((("encoder", 5), ("latent", 1), ("decoder", 4)), _cae),
    "dense": Family((("bands", 1), ("encoder", 1), ("latent", 1), ("decoder", 1)), _dense, (1,)),
    LINEAR: Family((("bands", 1), ("factors", 1)), _linear, (1,)),
}
