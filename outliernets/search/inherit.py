"""Starts a candidate from the weights of a similar one that was trained before, its parent.

Layers of both are paired in order, so that as many weights as possible can be taken: those of equal
kind and kernel. Of channels that the parent has and the child has not, the ones of least norm are
left out; channels that only the child has begin as he_normal made them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from outliernets.nets.layers import Layer, Shape
from outliernets.nets.space import ArchSpec

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Floats]  #: as ``train.files.save_weights`` names them: ``conv1/kernel``
Whose = TypeVar("Whose")

ALIKE = 0.3  #: share of a child's weights that a parent must have


@dataclass(frozen=True)
class Parent(Generic[Whose]):
    """A network that was trained, and what a child could take of it."""

    whose: Whose
    spec: ArchSpec
    share: float  #: of the child's weights, 0 ... 1


def nearest(child: ArchSpec, others: Iterable[tuple[Whose, ArchSpec]]) -> Parent[Whose] | None:
    """Return of ``others`` the one most of ``child`` can be taken from, the first of equal ones.

    None if that is less than ``ALIKE``: most of the training would be the child's own anyway.
    """
    found = [Parent(whose, spec, likeness(child, spec)) for whose, spec in others]
    best = max(found, key=lambda parent: parent.share, default=None)
    return best if best is not None and best.share >= ALIKE else None


def likeness(child: ArchSpec, parent: ArchSpec) -> float:
    """Return which share of the weights of ``child`` can be taken from ``parent``, 0 ... 1."""
    weights = sum(layer.weights for layer in child.layers)
    return sum(_taken(*pair) for pair in pairs(child, parent)) / max(weights, 1)


def pairs(child: ArchSpec, parent: ArchSpec) -> list[tuple[Layer, Layer]]:
    """Return layers of both, in order, of which the child can take most weights."""
    own, given = _learned(child), _learned(parent)
    #: of the layers from i and j on: the most weights that can be taken
    most = np.zeros((len(own) + 1, len(given) + 1), np.int64)
    for i in reversed(range(len(own))):
        for j in reversed(range(len(given))):
            paired = _taken(own[i], given[j]) + most[i + 1, j + 1]
            most[i, j] = max(paired, most[i + 1, j], most[i, j + 1])
    found: list[tuple[Layer, Layer]] = []
    i = j = 0
    while i < len(own) and j < len(given):
        taken = _taken(own[i], given[j])
        if taken and most[i, j] == taken + most[i + 1, j + 1]:
            found.append((own[i], given[j]))
            i, j = i + 1, j + 1
        elif most[i, j] == most[i + 1, j]:
            i += 1
        else:
            j += 1
    return found


def read(path: Path) -> Weights:
    """Return the weights that ``train.files.save_weights`` wrote."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def inherit(model: Any, child: ArchSpec, parent: ArchSpec, weights: Weights) -> None:
    """Put ``weights`` of a ``parent`` into the untrained Keras ``model`` of ``child``."""
    variables = {variable.path: variable for variable in model.variables}
    before = (_predecessors(child), _predecessors(parent))
    kept: dict[tuple[str, str], _Kept] = {}
    for own, given in pairs(child, parent):
        reads = _Kept.first(_features(own, own.source), _features(given, given.source))
        known = kept.get((before[0].get(own.name, ""), before[1].get(given.name, "")))
        if known is not None and known.sizes == reads.sizes:
            reads = known
        made = _Kept.strongest(own, given, weights)
        kept[own.name, given.name] = made
        for name in _NAMES[own.kind]:
            variable = variables[f"{own.name}/{name}"]
            values = _blocks(variable.numpy(), name, own)
            theirs = _blocks(weights[f"{given.name}/{name}"], name, given)
            _copy(values, theirs, reads.channels, made.channels)
            variable.assign(values.reshape(variable.shape))


#: what a layer learns; kernels [taps, inputs, places, outputs], a bias [places, outputs]
_NAMES: Mapping[str, Sequence[str]] = {
    "conv": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "separable": ("depthwise_kernel", "pointwise_kernel", "bias"),
}


@dataclass(frozen=True)
class _Kept:
    """Which channels of a parent's layer are the first of its child's."""

    channels: Ints
    sizes: tuple[int, int]  #: channels of child and parent

    @classmethod
    def first(cls, own: int, given: int) -> "_Kept":
        return cls(np.arange(min(own, given)), (own, given))

    @classmethod
    def strongest(cls, own: Layer, given: Layer, weights: Weights) -> "_Kept":
        made = _features(own, own.target), _features(given, given.target)
        name = "pointwise_kernel" if given.kind == "separable" else "kernel"
        kernel = _blocks(weights[f"{given.name}/{name}"], name, given)
        norms = np.square(kernel, dtype=np.float64).sum(axis=(0, 1, 2))
        return cls(np.sort(np.argsort(-norms, kind="stable")[: made[0]]), made)


def _copy(values: Floats, theirs: Floats, reads: Ints, made: Ints) -> None:
    """Copy channels ``reads`` and ``made`` of a parent over the first ones of a child."""
    if values.ndim == 2:  # a bias
        values[:, : len(made)] = theirs[:, made]
    elif values.ndim == 3:  # each input on its own
        values[:, : len(reads)] = theirs[:, reads]
    else:
        values[:, : len(reads), :, : len(made)] = theirs[:, reads][..., made]


def _blocks(values: Floats, name: str, layer: Layer) -> Floats:
    """Return a kernel of a layer as [taps, inputs, places, outputs].

    A depthwise kernel has no outputs, and a bias no inputs: [taps, inputs, 1], [places, outputs].
    """
    inputs, outputs = _features(layer, layer.source), _features(layer, layer.target)
    match name:
        case "bias":
            return values.reshape(-1, outputs)
        case "depthwise_kernel":
            return values.reshape(-1, inputs, 1)
        case "kernel" if layer.kind == "dense":
            places = _places(layer, layer.source), _places(layer, layer.target)
            return values.reshape(places[0], inputs, places[1], outputs)
        case _:
            return values.reshape(-1, inputs, 1, outputs)


def _learned(spec: ArchSpec) -> list[Layer]:
    return [layer for layer in spec.layers if layer.weights]


def _predecessors(spec: ArchSpec) -> dict[str, str]:
    """Return the name of the layer with weights before each; pools and such keep channels."""
    names = [layer.name for layer in _learned(spec)]
    return dict(zip(names[1:], names, strict=False))


def _taken(own: Layer, given: Layer) -> int:
    """Return how many weights one layer can take of another."""
    alike = (own.kind, own.relu, own.norm) == (given.kind, given.relu, False)
    if not alike or own.kind not in _NAMES:
        return 0
    inputs = min(_features(own, own.source), _features(given, given.source))
    outputs = min(_features(own, own.target), _features(given, given.target))
    if own.kind == "dense":
        places = [[_places(x, x.source), _places(x, x.target)] for x in (own, given)]
        return prod(places[0]) * inputs * outputs if places[0] == places[1] else 0
    if own.kernel != given.kernel:
        return 0
    taps = prod(own.kernel)
    return inputs * (taps + outputs) if own.kind == "separable" else taps * inputs * outputs


def _features(layer: Layer, shape: Shape) -> int:
    """Return the channels; the values of a vector are the channels of a dense layer."""
    return shape[1] if _is_vector(layer, shape) else shape[2]


def _places(layer: Layer, shape: Shape) -> int:
    return 1 if _is_vector(layer, shape) else shape[0] * shape[1]


def _is_vector(layer: Layer, shape: Shape) -> bool:
    return layer.kind == "dense" and shape[0] == shape[2] == 1
