"""Views keep the order of bands and frames, and have the shapes their networks read."""

import numpy as np
import pytest

from outliernets.detectors import views
from outliernets.errors import ConfigError
from tests.detectors.sound import hums

X = hums(3)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("window", (32, 128)),
        ("pool2", (16, 128)),
        ("pool4", (8, 128)),
        ("pool8", (4, 128)),
        ("mean", (1, 128)),
        ("mean64", (1, 64)),
        ("statistics", (3, 128)),
        ("mean-deviation", (2, 128)),
    ],
)
def test_shapes(name: str, shape: tuple[int, int]) -> None:
    seen = views.view(name)(X)
    assert seen.shape == (3, *shape)
    assert seen.dtype == np.float32
    assert views.vectors(name, X).shape == (3, shape[0] * shape[1])


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_pooling_over_time_averages_neighbours(factor: int) -> None:
    pooled = views.pooled_time(X, factor)
    for row in range(32 // factor):
        expected = X[:, row * factor : (row + 1) * factor].mean(axis=1)
        np.testing.assert_allclose(pooled[:, row], expected, rtol=1e-5, atol=1e-6)


def test_pools_and_means_agree() -> None:
    again = views.time_mean(views.pooled_time(X, 8))
    np.testing.assert_allclose(again, views.time_mean(X), atol=1e-6)
    other = views.pooled_bands(X, 64).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(other, views.view("mean64")(X), atol=1e-6)


def test_pooling_bands_averages_pairs() -> None:
    pairs = views.pooled_bands(X, 64)
    np.testing.assert_allclose(pairs[..., 5], (X[..., 10] + X[..., 11]) / 2, atol=1e-6)


def test_statistics_are_mean_deviation_and_maximum() -> None:
    mean, deviation, maximum = np.moveaxis(views.time_statistics(X), 1, 0)
    np.testing.assert_allclose(mean, X.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(deviation, X.std(axis=1), atol=1e-6)
    np.testing.assert_array_equal(maximum, X.max(axis=1))


def test_time_order_matters_to_none_but_the_pools() -> None:
    shuffled = X[:, np.random.default_rng(0).permutation(32)]
    for name in ("mean", "mean64", "statistics", "mean-deviation"):
        same = views.view(name)(shuffled)
        np.testing.assert_allclose(same, views.view(name)(X), atol=1e-5)
    assert not np.allclose(views.view("pool4")(shuffled), views.view("pool4")(X), atol=0.1)


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mean64'"):
        views.view("mean6")
