"""The form networks are trained in computes what the Keras model computes."""

from typing import Any

import numpy as np
import pytest

from outliernets.nets import zoo
from outliernets.nets.build import build, randomise
from outliernets.nets.space import ArchSpec
from outliernets.train import fit
from outliernets.train.fit import Recipe
from outliernets.train.folded import _folds, forward
from outliernets.train.quiet import tensorflow

SPECS = [
    zoo.get("fan-686"),  # all of it narrow
    ArchSpec("mixed", "fan", (4, 6, 13, 12, 9, 3)),  # some layers as built
    ArchSpec("slider", "slider", (3, 5, 8, 17, 6, 8, 4, 18, 6, 5, 4)),  # strides, wide layers
    ArchSpec("dense", "dense", (64, 16, 4, 16)),  # nothing to fold
    ArchSpec(
        "chain",
        "chain",
        input=(8, 128),
        listed=(
            "conv 3x1 3 stride 1x2",
            "separable 1x3 4",
            "conv 1x3 6 stride 2x2",
            "pointwise 5",
            "separable 3x3 4 stride 2x2",
            "upsample 4x2",
            "conv 3x1 4",
            "upsample 1x4",
            "conv 3x3 3 stride 1x2",  # joins no upsampling
            "separable 1x3 1 linear",
            "upsample 1x2",  # nothing behind it
        ),
    ),
]


def loss_and_gradients(function: Any, model: Any, batch: np.ndarray) -> tuple[Any, list[Any]]:
    tf = tensorflow()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(function(batch) - batch))
    return float(loss), [g.numpy() for g in tape.gradient(loss, model.trainable_variables)]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_same_loss_and_same_gradients(spec: ArchSpec) -> None:
    random = np.random.default_rng(5)
    tensorflow().keras.utils.set_random_seed(5)
    model = build(spec)
    randomise(model, random)
    batch = random.normal(size=(3, *spec.layers[0].source)).astype(np.float32)
    folded = forward(spec, model)
    as_built = loss_and_gradients(lambda x: model(x, training=True), model, batch)
    loss, gradients = loss_and_gradients(folded, model, batch)
    np.testing.assert_allclose(folded(batch), model(batch), rtol=1e-4, atol=1e-4)
    assert loss == pytest.approx(as_built[0], rel=1e-5)
    for one, other in zip(gradients, as_built[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max() + 1e-7)


def test_which_layers_are_folded() -> None:
    folded = [[layer.name for layer in spec.layers if _folds(layer)] for spec in SPECS]
    assert folded[0] == ["enc1", "enc2", "enc3", "dec1", "dec2", "dec3", "out"]
    assert folded[1] == ["enc1", "enc2", "dec3", "out"]
    assert folded[3] == []
    left = {layer.name for layer in SPECS[4].layers if layer.weights} - set(folded[4])
    assert left == {"pointwise1"}


def test_first_steps_go_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, recipe = SPECS[0], Recipe(steps=5, batch=8, check_every=1, stall_after=1000)
    windows = np.random.default_rng(0).normal(size=(40, 32, 128)).astype(np.float32)
    folded = fit.train(spec, windows, windows[:8], recipe=recipe)
    monkeypatch.setattr(fit, "forward", lambda _, model: lambda x: model(x, training=True))
    as_built = fit.train(spec, windows, windows[:8], recipe=recipe)
    losses = [[check.loss for check in result.history] for result in (folded, as_built)]
    assert losses[0][0] != losses[0][-1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
