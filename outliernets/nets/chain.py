"""Networks whose layers are listed one by one: everything between the families, and beside them.

A layer is a line of text: ``conv 3x3 8``, ``separable 3x1 12``, ``pointwise 8``, ``max-pool 1x2``,
``upsample 2x2``, ``latent 16`` (a convolution as large as the image), ``dense 16``, ``image 4x4x8``
(a dense layer seen as an image). Sizes are rows (time) x columns (bands). ``stride 2x2`` may follow
a convolution; ``linear`` leaves the ReLU out.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from outliernets.errors import ConfigError, near_miss
from outliernets.nets.layers import LARGEST_WIDTH, Layer, Pair, Shape, Stack

if TYPE_CHECKING:
    from outliernets.nets.space import ArchSpec

_EXAMPLES = {
    "conv": "conv 3x3 8",
    "separable": "separable 3x3 8",
    "pointwise": "pointwise 8",
    "max-pool": "max-pool 1x2",
    "upsample": "upsample 2x2",
    "latent": "latent 16",
    "dense": "dense 16",
    "image": "image 4x4x8",
}
_SIZE, _WINDOW, _STRIDE = (
    r"(?P<size>\d+)",
    r"(?P<window>\d+x\d+)",
    r"(?: stride (?P<stride>\d+x\d+))?",
)
_LINEAR = r"(?P<linear> linear)?"
_FORMS = {
    "conv": f"{_WINDOW} {_SIZE}{_STRIDE}{_LINEAR}",
    "separable": f"{_WINDOW} {_SIZE}{_STRIDE}{_LINEAR}",
    "pointwise": f"{_SIZE}{_STRIDE}{_LINEAR}",
    "max-pool": _WINDOW,
    "upsample": _WINDOW,
    "latent": f"{_SIZE}{_LINEAR}",
    "dense": f"{_SIZE}{_LINEAR}",
    "image": rf"(?P<shape>\d+x\d+x\d+){_LINEAR}",
}


class Chain:
    """The family of networks whose layers are listed."""

    keys: Sequence[str] = ("input", "layers")

    def read(self, table: Mapping[str, Any], where: str) -> dict[str, Any]:
        """See Family."""
        source, listed = read_input(table, where), table.get("layers")
        if not isinstance(listed, list) or not all(isinstance(line, str) for line in listed):
            raise ConfigError(f'{where}: layers must be a list of texts, as ["conv 3x3 8"]')
        return {"input": source, "listed": tuple(" ".join(line.split()) for line in listed)}

    def write(self, spec: "ArchSpec") -> list[str]:
        """See Family."""
        assert spec.input is not None
        lines = [f'    "{line}",' for line in spec.listed]
        return [f"input = {list(spec.input)}", "layers = [", *lines, "]"]

    def draw(self, spec: "ArchSpec") -> tuple[Layer, ...]:
        """See Family."""
        where = f"network '{spec.name}'"
        if spec.input is None or not spec.listed or spec.widths or spec.rows:
            raise ConfigError(f"{where}: family {spec.family} takes an input and a list of layers")
        within(spec.input, LARGEST_WIDTH, f"{where}, input")
        source: Shape = (*spec.input, 1)
        net, counts = Stack(source), dict.fromkeys(_FORMS, 0)
        for number, line in enumerate(spec.listed, 1):
            there = f"{where}, layer {number} '{line}'"
            word, step = _parsed(line, there)
            counts[word] += 1
            _add(net, f"{word.replace('-', '_')}{counts[word]}", word, step, there)
        if net.shape != source:
            raise ConfigError(
                f"{where}: the layers make {_dims(net.shape)} of an input of {_dims(source)}; "
                "they must end with its shape"
            )
        return tuple(net.layers)


def read_input(table: Mapping[str, Any], where: str) -> Pair:
    """Return the rows and bands that a table says a network reads; ConfigError for nonsense."""
    match table.get("input"):
        case [rows, bands] if _is_whole(rows) and _is_whole(bands):
            return rows, bands
        case value:
            raise ConfigError(f"{where}: input must be [rows, bands], as [32, 128], got {value!r}")


def _parsed(line: str, where: str) -> tuple[str, Mapping[str, str | None]]:
    word, _, rest = line.partition(" ")
    if word not in _FORMS:
        raise ConfigError(f"{where}: unknown layer '{word}'; {near_miss(word, _FORMS)}")
    found = _form(word).fullmatch(rest)
    if found is None:
        form = f"'{_EXAMPLES[word]}'"
        form += ", 'stride 2x2' behind it" if "stride" in _FORMS[word] else ""
        form += ", 'linear' at the end" if "linear" in _FORMS[word] else ""
        raise ConfigError(f"{where}: cannot read this; write it as {form}")
    return word, found.groupdict()


@cache
def _form(word: str) -> re.Pattern[str]:
    return re.compile(_FORMS[word])


def _add(net: Stack, name: str, word: str, step: Mapping[str, str | None], where: str) -> None:
    """Put a layer onto ``net``."""
    relu = not step.get("linear")
    size = within(_numbers(step.get("size") or "1"), LARGEST_WIDTH, where)[0]
    window = _pair(step.get("window"), where)
    stride = _pair(step.get("stride"), where)
    match word:
        case "conv":
            net.conv(name, size, window, stride, relu=relu)
        case "separable":
            if stride[0] != stride[1]:
                raise ConfigError(f"{where}: a separable convolution steps equally both ways")
            net.separable(name, size, window, stride, relu=relu)
        case "pointwise":
            net.conv(name, size, (1, 1), stride, relu=relu)
        case "max-pool":
            if window[0] > net.shape[0] or window[1] > net.shape[1]:
                raise ConfigError(f"{where}: the pool is larger than its map, {_dims(net.shape)}")
            net.max_pool(name, window)
        case "upsample":
            net.upsample(name, window)
        case "latent":
            net.squeeze(name, size, relu=relu)
        case "dense":
            net.dense(name, (1, size, 1), relu=relu)
        case "image":
            rows, columns, channels = _numbers(step["shape"] or "")
            within((rows, columns, channels), LARGEST_WIDTH, where)
            net.dense(name, (rows, columns, channels), relu=relu)


def _pair(text: str | None, where: str) -> Pair:
    """Return a window or stride, (1, 1) where there is none."""
    rows, columns = within(_numbers(text or "1x1"), LARGEST_WIDTH, where)
    return rows, columns


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))


def within(numbers: Sequence[int], largest: int, where: str) -> Sequence[int]:
    """Return the numbers, each of 1 to ``largest``; ConfigError for another."""
    for number in numbers:
        if not 1 <= number <= largest:
            raise ConfigError(f"{where}: {number} is not within 1..{largest}")
    return numbers


def _dims(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
