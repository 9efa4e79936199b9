"""Makes int8 steps finer: gives the channels inside separable convolutions ranges of one size.

What a depthwise convolution hands to the pointwise one has a single scale, which its widest channel
sets: for narrow ones little is left of 256 steps, and they are most of what int8 costs. But a
channel may be made larger if its weights in the pointwise convolution are made smaller; the network
computes the same. Depthwise weights have a scale per channel, so for them it is free. Pointwise
ones share theirs across channels, so ranges of values and of weights meet half way: the factor that
gives a channel as much of one range as of the other (Nagel et al., arXiv 1906.04721, equation 11).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.nets.nothing import Zeros
from outliernets.train.quiet import tensorflow

Floats = NDArray[np.float32]
BATCH = 128
QUIET = 2**-10  #: of the widest; what is narrower in calibration may yet become as wide as this


def equalise(model: Any, samples: Floats) -> None:
    """Change the separable convolutions of a Keras ``model`` in place; it does what it did.

    ``samples`` [n, ...]: what its int8 ranges will be taken from (``quantize.widened``).
    """
    if isinstance(model, Zeros):
        return
    import keras

    layers = [la for la in model.layers if isinstance(la, keras.layers.SeparableConv2D)]
    if not layers:
        return
    for layer, values in zip(layers, _ranges(model, layers, samples), strict=True):
        depthwise, pointwise = (np.asarray(k) for k in layer.get_weights()[:2])
        scale = factors(values, np.abs(pointwise).max(axis=(0, 1, 3)))
        kernels = [depthwise / scale[:, None], pointwise * scale[:, None]]
        layer.set_weights([*kernels, *layer.get_weights()[2:]])


def factors(values: Floats, weights: Floats) -> Floats:
    """Return by what to divide each channel, of these ranges of values and pointwise weights."""
    if not (values.any() and weights.any()):
        return np.ones_like(values)
    values, weights = (np.maximum(r, QUIET * r.max()) for r in (values, weights))
    divisors: Floats = np.sqrt(values / weights)
    return divisors


def _ranges(model: Any, layers: list[Any], samples: Floats) -> list[Floats]:
    """Return the largest sizes per channel of what each layer's depthwise convolution makes."""
    import keras

    depthwise = tensorflow().nn.depthwise_conv2d
    read = keras.Model(model.input, [layer.input for layer in layers])
    images = np.asarray(samples, np.float32).reshape(-1, *model.input_shape[1:])
    found = [np.zeros(layer.input.shape[-1], np.float32) for layer in layers]
    for start in range(0, len(images), BATCH):
        inputs = read(images[start : start + BATCH])
        for i, (layer, x) in enumerate(zip(layers, inputs, strict=True)):
            strides, padding = [1, *layer.strides, 1], layer.padding.upper()
            made = depthwise(x, layer.depthwise_kernel, strides, padding)
            found[i] = np.maximum(found[i], np.abs(made).max(axis=(0, 1, 2)))
    return found
