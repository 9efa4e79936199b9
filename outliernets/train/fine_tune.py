"""Fine-tunes a trained network for int8: its rounded weights shall do what its exact ones did.

Each step rounds the kernels as the converter will, to one scale per output channel (fake
quantisation), compares what the network makes of normal windows with what the exact one makes of
them, and moves the weights behind the rounding (straight-through estimator, arXiv 1308.3432).
Anomalies lie outside of normal sound, so half of the windows are louder than they were. Activations
are not rounded meanwhile.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from outliernets.evenly import evenly
from outliernets.train.quantize import LOUDER
from outliernets.train.quiet import tensorflow
from outliernets.view import View, Windows

STEPS = 200
BATCH = 32
RATE = 3e-4  #: Adam's first learning rate; it decays along a cosine to zero
CHECK_EVERY = 20  #: steps between two looks at windows that are always the same
CHECKED = 128  #: windows that are looked at
WEIGHT_MAX = 127  #: of a rounded weight


def fine_tune(
    model: Any,
    view: View,
    windows: Windows,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[float, float]:
    """Change a trained Keras ``model`` in place; what it learned becomes robust to rounding.

    ``windows`` [n, 32, 128]: standardised normal ones, of which the model reads the ``view``.
    Return the mean squared difference of its outputs, rounded and exact, before and after; the best
    step's weights are kept, so it is never larger than it was. Same arguments, same weights (on the
    same machine and TensorFlow).
    """
    tensorflow().config.experimental.enable_op_determinism()
    random = np.random.default_rng(seed)

    def drawn(chosen: Any) -> Windows:
        """Return views of some windows, every other one louder."""
        views = view.apply(np.asarray(windows[chosen]))[..., None]
        louder = random.uniform(1, LOUDER, (len(views[1::2]), 1, 1, 1))
        views[1::2] *= louder.astype(np.float32)
        return np.clip(views, -view.limit, view.limit)

    step, difference = _compiled(model)
    checked = drawn(evenly(len(windows), CHECKED))
    before = best = float(difference(checked))
    weights = model.get_weights()
    for number in range(1, STEPS + 1):
        step(drawn(np.sort(random.integers(0, len(windows), BATCH))))
        if progress:
            progress(number, STEPS)
        if number % CHECK_EVERY == 0 and (now := float(difference(checked))) < best:
            best, weights = now, model.get_weights()
    model.set_weights(weights)
    return before, best


def rounded(weights: Any, channel: int) -> Any:
    """Return a kernel as int8 has it, one scale per index of axis ``channel``.

    Its gradient is that of the exact one.
    """
    tf = tensorflow()
    others = [axis for axis in range(len(weights.shape)) if axis != channel]
    scales = tf.reduce_max(tf.abs(weights), axis=others, keepdims=True) / WEIGHT_MAX
    steps = tf.math.divide_no_nan(weights, scales)
    return weights + tf.stop_gradient(tf.round(steps) * scales - weights)


def _compiled(model: Any) -> tuple[Callable[[Windows], Any], Callable[[Windows], Any]]:
    """Return (train on a batch, difference on a batch)."""
    import keras

    tf = tensorflow()
    weights, fixed = model.trainable_variables, list(model.non_trainable_variables)
    channels = [_output_axis(model, variable) for variable in weights]
    exact = [tf.constant(variable.numpy()) for variable in weights]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, STEPS))
    optimizer.build(weights)

    def difference(batch: Any) -> Any:
        used = [
            variable if axis is None else rounded(tf.convert_to_tensor(variable), axis)
            for variable, axis in zip(weights, channels, strict=True)
        ]
        made, _ = model.stateless_call(used, fixed, batch, training=False)
        wanted, _ = model.stateless_call(exact, fixed, batch, training=False)
        return tf.reduce_mean(tf.square(made - wanted))

    def step(batch: Any) -> None:
        with tf.GradientTape() as tape:
            loss = difference(batch)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    return tf.function(step, autograph=False), tf.function(difference, autograph=False)


def _output_axis(model: Any, variable: Any) -> int | None:
    """Return the axis of a kernel that has a scale per index; None: not a kernel."""
    import keras

    layer, name = variable.path.split("/")[-2:]
    if name == "depthwise_kernel":
        return 2
    if name not in ("kernel", "pointwise_kernel"):
        return None
    transposed = isinstance(model.get_layer(layer), keras.layers.Conv2DTranspose)
    return 2 if transposed else len(variable.shape) - 1
