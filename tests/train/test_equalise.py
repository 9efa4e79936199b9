"""Equalised networks do what they did, and int8 takes less from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outliernets.nets.nothing import Zeros
from outliernets.nets.space import ArchSpec
from outliernets.train.equalise import equalise, factors
from outliernets.train.fit import reconstruct
from outliernets.train.quantize import quantize, widened
from tests.keras_models import random_model, smooth_windows
from tests.train.test_quantize import run_on_tflm

FAN = ArchSpec("fan", "fan", (4, 5, 6, 6, 5, 4))
OTHERS = (
    ArchSpec("cae", "cae", (2, 3, 3, 4, 5, 6, 4, 3, 3, 2)),
    ArchSpec("dense", "dense", (8, 6, 4, 6)),
)
LIMIT = 6.0


@pytest.fixture
def model() -> Any:
    """Return a network in whose separable convolutions some channels are far wider than others."""
    network, random = random_model(FAN), np.random.default_rng(2)
    for layer in network.layers:
        if hasattr(layer, "depthwise_kernel"):
            sizes = 2 ** random.uniform(-4, 0, (layer.depthwise_kernel.shape[2], 1))
            layer.depthwise_kernel.assign(layer.depthwise_kernel * sizes)
            layer.pointwise_kernel.assign(layer.pointwise_kernel / sizes)
    return network


def kernels(model: Any) -> list[NDArray[np.float32]]:
    return [np.array(k) for k in model.get_weights()]


def test_it_does_what_it_did(model: Any) -> None:
    windows = smooth_windows(40)
    wanted, before = reconstruct(model, windows), kernels(model)
    equalise(model, widened(windows, LIMIT))
    assert any(not np.allclose(a, b, rtol=0.1) for a, b in zip(before, kernels(model), strict=True))
    np.testing.assert_allclose(reconstruct(model, windows), wanted, rtol=0, atol=2e-5)


def test_int8_takes_less_from_it(model: Any, tmp_path: Path) -> None:
    calibration, fresh = smooth_windows(100), smooth_windows(10, seed=9)
    wanted, errors = reconstruct(model, fresh), []
    for name in ("as trained", "equalised"):
        quantize(model, calibration, tmp_path / name, LIMIT)
        made = run_on_tflm((tmp_path / name).read_bytes(), fresh)
        errors.append(np.mean((made - wanted) ** 2))
        equalise(model, widened(calibration, LIMIT))
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("spec", OTHERS, ids=lambda s: s.family)
def test_what_has_no_separable_convolution_stays_as_it_is(spec: ArchSpec) -> None:
    network = random_model(spec)
    before = kernels(network)
    equalise(network, np.zeros((3, *spec.input_shape), np.float32))
    for mine, theirs in zip(before, kernels(network), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_nothing_stays_nothing() -> None:
    equalise(Zeros((32, 128)), smooth_windows(3))


def test_ranges_meet_half_way() -> None:
    values, weights = np.float32([8, 2, 1]), np.float32([0.5, 0.5, 1])
    scale = factors(values, weights)
    np.testing.assert_allclose(values / scale, weights * scale)
    np.testing.assert_allclose(factors(values / scale, weights * scale), 1)


@pytest.mark.parametrize("silent", [0, 1e-6])
def test_channels_without_a_say_do_not_widen_a_range(silent: float) -> None:
    """Neither one that is silent nor one that nobody listens to."""
    values, weights = np.float32([4, silent, 3, silent]), np.float32([2, 1, silent, silent])
    scale = factors(values, weights)
    assert np.argmax(values / scale) == np.argmax(weights * scale) == 0
    assert np.isfinite(scale).all()
    assert (scale > 0).all()


def test_of_silence_nothing_is_made() -> None:
    silence, some = np.zeros(2, np.float32), np.ones(2, np.float32)
    np.testing.assert_array_equal(factors(silence, some), some)
    np.testing.assert_array_equal(factors(some, silence), some)
