"""Fine-tuning for int8: rounds as the converter does, and comes nearer to the exact network."""

import numpy as np
import pytest

from outliernets.importer import read
from outliernets.nets.build import build
from outliernets.nets.space import ArchSpec
from outliernets.train import fine_tune as tuning
from outliernets.train.fine_tune import _output_axis, fine_tune, rounded
from outliernets.train.fit import Recipe, reconstruct, train
from outliernets.train.quantize import quantize
from outliernets.view import ViewSpec
from tests.detectors.sound import hums
from tests.keras_models import random_model

LAYERS = ("separable 3x3 6", "max-pool 2x4", "conv 3x3 8", "latent 6", "image 2x32x4",
          "upsample 2x4", "separable 3x3 1 linear")  # fmt: skip
SPEC = ArchSpec("test", "chain", input=(4, 128), listed=LAYERS)
VIEW = ViewSpec(8).fit(np.zeros((1, 32, 128), np.float32), 6.0)
WINDOWS = np.random.default_rng(1).normal(size=(60, 32, 128)).astype(np.float32)


def rounded_copy(model, spec: ArchSpec = SPEC):
    """Return the network whose kernels are rounded."""
    copy = build(spec)
    for mine, theirs in zip(copy.variables, model.variables, strict=True):
        axis = _output_axis(model, theirs)
        mine.assign(theirs if axis is None else rounded(theirs.value, axis))
    return copy


@pytest.mark.parametrize(
    "spec", [SPEC, ArchSpec("cae", "cae", (2, 4, 4, 6, 8, 8, 6, 4, 4, 2))], ids=["chain", "cae"]
)
def test_kernels_are_rounded_as_the_converter_does(spec, tmp_path) -> None:
    model = random_model(spec, 3)
    quantize(model, WINDOWS[:, : spec.input_shape[0]], tmp_path / "model.tflite")
    tensors = read(tmp_path / "model.tflite").tensors.values()
    converted = [
        np.sort((t.data * np.expand_dims(t.scales, tuple(range(1, t.data.ndim)))
                 if t.shape[0] == len(t.scales) else t.data * np.array(t.scales)).ravel())
        for t in tensors if t.is_constant and t.dtype == "int8"
    ]  # fmt: skip
    kernels = [v for v in model.variables if _output_axis(model, v) is not None]
    assert len(kernels) == len(converted)
    for variable in kernels:
        if any(layer.norm for layer in spec.layers):
            break  # folded into the kernels: another scale per channel, the same rounding
        wanted = np.sort(np.asarray(rounded(variable.value, _output_axis(model, variable))).ravel())
        assert any(w.shape == wanted.shape and np.allclose(w, wanted, atol=1e-6) for w in converted)


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 32, 128)).astype(np.float32)


def test_it_comes_nearer_to_the_exact_network() -> None:
    x, held_out, fresh = (hums(n, seed=i) + noise(n, i) for i, n in enumerate((160, 40, 40)))
    fresh = VIEW.apply(fresh)
    trained = train(SPEC, VIEW.apply(x), VIEW.apply(held_out), recipe=Recipe(steps=150))
    model, wanted = trained.model, reconstruct(trained.model, fresh)
    before = np.mean((reconstruct(rounded_copy(model), fresh) - wanted) ** 2)
    told = fine_tune(model, VIEW, x, seed=1)
    after = np.mean((reconstruct(rounded_copy(model), fresh) - wanted) ** 2)
    assert told[1] < 0.5 * told[0]
    assert after < 0.5 * before


def test_what_does_not_come_nearer_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STEPS", 20)
    monkeypatch.setattr(tuning, "RATE", 1.0)  # far too much
    model, exact = random_model(SPEC, 3), random_model(SPEC, 3)
    before, after = fine_tune(model, VIEW, WINDOWS, seed=1)
    assert after == before
    for mine, theirs in zip(model.variables, exact.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_equal_seeds_make_equal_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STEPS", 20)
    monkeypatch.setattr(tuning, "CHECK_EVERY", 10)
    monkeypatch.setattr(tuning, "RATE", 1e-4)  # what is random needs smaller steps
    told = []
    models = [random_model(SPEC, 3) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        before, after = fine_tune(model, VIEW, WINDOWS, seed, lambda *done: told.append(done))
        assert after < before  # else its weights are still those of all
    one, same, other = ([v.numpy() for v in model.variables] for model in models)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert told[:20] == [(step, 20) for step in range(1, 21)]
