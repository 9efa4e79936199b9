"""Runs a network for training in a form that vector units like better; same weights, same sums.

Kernels for convolutions work on sixteen channels at a time, and narrow networks have four. Read as
memory, *f* neighbouring columns of *c* channels are one column of *f c* channels, so a narrow
convolution is also a wide one whose kernel repeats the narrow one's weights, shifted, with zeros in
between. A separable convolution becomes a standard one first (the product of its two kernels), and
an upsampling before it needs no memory: it only says which weights share a column. Steps take about
.7 of the time; what is exported and quantised is the Keras model itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.nets.layers import Layer
from outliernets.nets.space import ArchSpec
from outliernets.train.quiet import tensorflow

LANES = 16  #: channels that a convolution should have at least
KERNELS = ((3, 3), (3, 1), (1, 3))
NARROW = 11  #: channels up to which a separable convolution gains by becoming a standard one


def forward(spec: ArchSpec, model: Any) -> Callable[[Any], Any]:
    """Return what maps a batch as ``model`` of ``spec`` does in training, but for rounding."""
    if not any(_folds(layer) for layer in spec.layers):
        return lambda x: model(x, training=True)

    def apply(x: Any) -> Any:
        repeated = 1
        for i, layer in enumerate(spec.layers):
            if layer.kind == "upsample" and _joins_upsampling(spec.layers[i + 1 : i + 2]):
                x = tensorflow().repeat(x, layer.stride[0], axis=1)
                repeated = layer.stride[1]
            elif _folds(layer):
                x, repeated = _folded(layer, model.get_layer(layer.name), x, repeated), 1
            else:
                x = _as_built(layer, model, x)
        return x

    return apply


def _folds(layer: Layer) -> bool:
    usual = layer.kernel in KERNELS and layer.padding == "same" and not layer.norm
    widest = max(layer.source[2], layer.target[2])
    separable = layer.kind == "separable" and widest <= NARROW
    return usual and (separable or layer.kind == "conv") and layer.source[1] % layer.stride[1] == 0


def _joins_upsampling(after: Sequence[Layer]) -> bool:
    return any(_folds(layer) and layer.stride[1] == 1 for layer in after)


def _as_built(layer: Layer, model: Any, x: Any) -> Any:
    names = [layer.name]
    if layer.kind == "dense":
        names = [f"{layer.name}_flat", layer.name, f"{layer.name}_image"]
    for name in names:
        x = model.get_layer(name)(x)
    return x


def _folded(layer: Layer, built: Any, x: Any, repeated: int) -> Any:
    """Apply a convolution to x, whose columns count ``repeated`` times."""
    tf = tensorflow()
    rows, columns, inputs = x.shape[1:]
    outputs, step = layer.target[2], layer.stride[1]
    fold = step
    while fold * max(inputs, outputs * repeated // step) < LANES and columns % (2 * fold) == 0:
        fold *= 2
    made = fold * repeated // step
    places = _places(layer.kernel[1], fold, made, step)
    wide = tf.einsum("hjio,jfab->hfaibo", _kernel(layer, built), places)
    wide = tf.reshape(wide, [*layer.kernel, fold * inputs, made * outputs])
    x = tf.reshape(x, [-1, rows, columns // fold, fold * inputs])
    y = tf.nn.conv2d(x, wide, [1, layer.stride[0], 1, 1], "SAME")
    y = tf.nn.bias_add(y, tf.tile(tf.convert_to_tensor(built.bias), [made]))
    if layer.relu:
        y = tf.nn.relu(y)
    return tf.reshape(y, [-1, *layer.target])


def _kernel(layer: Layer, built: Any) -> Any:
    """Return the weights of a standard convolution, [rows, columns, inputs, outputs]."""
    convert = tensorflow().convert_to_tensor
    if layer.kind == "conv":
        return convert(built.kernel)
    return convert(built.depthwise_kernel) * convert(built.pointwise_kernel)


def _places(taps: int, fold: int, made: int, step: int) -> NDArray[np.float32]:
    """Return where each tap stands, [tap, folded tap, column read, column made], as 0 or 1.

    ``fold`` columns are read and ``made`` columns made at a place; the convolution, of 1 or 3 taps,
    goes in steps of ``step`` over columns of which each counts ``made * step / fold`` times. 'Same'
    padding puts one column before the first of 3 taps for a step of 1, and none for a step of 2.
    """
    places = np.zeros((taps, taps, fold, made), np.float32)
    repeated = made * step // fold
    before = 1 if step == 1 and taps == 3 else 0
    for column in range(made):
        for tap in range(taps):
            place = (column * step + tap - before) // repeated
            places[tap, place // fold + taps // 2, place % fold, column] = 1
    return places
