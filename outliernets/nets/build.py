"""Turns an ArchSpec into a Keras model."""

from typing import Any

import numpy as np

from outliernets.nets.layers import Layer
from outliernets.nets.nothing import Zeros
from outliernets.nets.space import ArchSpec


def build(spec: ArchSpec) -> Any:
    """Return an untrained ``keras.Model``: float32 [n, 32, 128, 1] to the same shape.

    Family dense reads [n, 1, bands, 1]. Layers are named as in ``spec.layers`` and weights drawn
    with he_normal from Keras' global seed. Where there are no layers, ``Zeros`` stands for it.
    """
    if not spec.layers:
        return Zeros(spec.input_shape)
    import keras

    values = source = keras.Input(spec.layers[0].source, name="input")
    for layer in spec.layers:
        values = _apply(layer, values)
    return keras.Model(source, values, name=spec.name.replace("-", "_"))


def randomise(model: Any, random: np.random.Generator) -> None:
    """Draw biases and normalisations, which begin as the identity, as training might leave them.

    Biases are positive: a narrow network with negative ones answers zero to everything.
    """
    for variable in model.variables:
        kind = variable.path.rsplit("/", 1)[-1]
        if kind in ("bias", "beta", "moving_mean"):
            variable.assign(random.uniform(0.1, 0.4, variable.shape))
        elif kind in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))


def _apply(layer: Layer, values: Any) -> Any:
    import keras

    if layer.kind == "dense":
        values = keras.layers.Flatten(name=f"{layer.name}_flat")(values)
    values = _linear(layer)(values)
    if layer.kind == "dense":
        values = keras.layers.Reshape(layer.target, name=f"{layer.name}_image")(values)
    if layer.norm:
        values = keras.layers.BatchNormalization(name=f"{layer.name}_norm")(values)
        values = keras.layers.ReLU(name=f"{layer.name}_relu")(values)
    return values


def _linear(layer: Layer) -> Any:
    """Return the Keras layer of one Layer, with its ReLU if no normalisation goes before that."""
    import keras

    kinds = keras.layers
    channels, name = layer.target[2], layer.name
    common = {"activation": "relu" if layer.relu and not layer.norm else None, "name": name}
    window = {"kernel_size": layer.kernel, "strides": layer.stride, "padding": layer.padding}
    he: dict[str, Any] = {"kernel_initializer": "he_normal"}
    match layer.kind:
        case "conv":
            return kinds.Conv2D(channels, **window, **common, **he)
        case "transpose_conv":
            return kinds.Conv2DTranspose(channels, **window, **common, **he)
        case "separable":
            he = {"depthwise_initializer": "he_normal", "pointwise_initializer": "he_normal"}
            return kinds.SeparableConv2D(channels, **window, **common, **he)
        case "dense":
            rows, columns, _ = layer.target
            return kinds.Dense(rows * columns * channels, **common, **he)
        case "max_pool":
            return kinds.MaxPooling2D(layer.kernel, name=name)
        case "upsample":
            # Resizing becomes one RESIZE_NEAREST_NEIGHBOR; UpSampling2D becomes RESHAPE and TILE.
            return kinds.Resizing(*layer.target[:2], interpolation="nearest", name=name)
