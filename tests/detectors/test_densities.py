"""PPCA and the normal distribution score by the densities they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets import evaluate
from outliernets.config import Task
from outliernets.detectors import get
from outliernets.detectors.gaussian import Gaussian
from outliernets.detectors.normal import Normal, ledoit_wolf
from outliernets.detectors.ppca import Ppca
from outliernets.detectors.views import MEANS, vectors
from outliernets.errors import DataError
from tests.detectors.sound import hums

TASK = Task.parse("fan/06/6dB")
TRAIN, TEST = hums(300), hums(50, seed=1)
CLIPS = np.arange(50)


def test_ppca_is_the_mahalanobis_distance_of_its_covariance() -> None:
    fitted = Ppca("ppca-4").fit(TRAIN, TRAIN[:0], seed=0)
    x = vectors(MEANS, TRAIN)
    values, axes = np.linalg.eigh(np.cov(x, rowvar=False, bias=True))
    noise = values[:-4].mean()
    factors = axes[:, -4:] * np.sqrt(values[-4:] - noise)
    covariance = factors @ factors.T + noise * np.eye(64)
    apart = vectors(MEANS, TEST) - x.mean(axis=0)
    expected = np.sum(apart @ np.linalg.inv(covariance) * apart, axis=1)
    np.testing.assert_allclose(fitted.scores(TEST, CLIPS), expected, rtol=1e-8)
    assert (fitted.params, fitted.macs) == (320, 256)


@pytest.mark.slow  # importing scikit-learn takes seconds
def test_ppca_ranks_as_scikit_learns_likelihood() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    x, y = vectors(MEANS, TRAIN), vectors(MEANS, TEST)
    likelihood = decomposition.PCA(4, svd_solver="full").fit(x).score_samples(y)
    scores = Ppca("ppca-4").fit(TRAIN, TRAIN[:0], seed=0).scores(TEST, CLIPS)
    np.testing.assert_array_equal(np.argsort(scores), np.argsort(-likelihood))


@pytest.mark.slow  # importing scikit-learn takes seconds
@settings(max_examples=30)
@given(st.integers(2, 40), st.integers(2, 60), st.floats(0.01, 10), st.integers(0, 99))
def test_shrinkage_is_scikit_learns(rows: int, columns: int, scale: float, seed: int) -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    random = np.random.default_rng(seed)
    x = scale * random.normal(size=(rows, 3)) @ random.normal(size=(3, columns))
    x += scale * random.normal(size=x.shape)
    x -= x.mean(axis=0)
    expected, shrinkage = covariance.ledoit_wolf(x, assume_centered=True)
    found, mine = ledoit_wolf(x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * scale**2)
    assert mine == pytest.approx(shrinkage, rel=1e-6)


def test_shrinkage_fades_with_more_windows() -> None:
    amounts = [Normal.fit(vectors(MEANS, hums(n))).shrinkage for n in (20, 200, 2000)]
    assert 1 > amounts[0] > amounts[1] > amounts[2] > 0


def test_distance_of_a_normal_vector_is_about_its_length() -> None:
    normal = Normal.fit(np.random.default_rng(0).normal(size=(5000, 20)) * np.arange(1, 21))
    fresh = np.random.default_rng(1).normal(size=(5000, 20)) * np.arange(1, 21)
    assert normal.distance(fresh).mean() == pytest.approx(20, rel=0.05)


def test_distance_does_not_care_about_units() -> None:
    x = vectors(MEANS, TRAIN)
    units = np.exp(np.random.default_rng(0).normal(size=64))
    one, other = Normal.fit(x), Normal.fit(x * units)
    np.testing.assert_allclose(other.distance(x * units), one.distance(x), rtol=1e-6)


def test_gaussian_keeps_256_means_and_half_a_symmetric_matrix() -> None:
    fitted = Gaussian("gaussian").fit(TRAIN, TRAIN[:0], seed=0)
    assert fitted.params == 256 + 256 * 257 // 2
    assert fitted.macs == 256 * 257 // 2


@pytest.mark.parametrize("name", ["ppca-4", "gaussian", "no-network+mahalanobis"])
def test_they_hear_a_fault_that_the_mean_square_does_not(name: str) -> None:
    """A few bands a little louder, among hums that are much louder and come and go."""
    labels = np.repeat([0, 1], 60)
    test = np.concatenate([hums(60, seed=2), hums(60, seed=3, level=0.7)])
    aucs = {}
    for each in (name, "no-network"):
        fitted = get(each, TASK).fit(TRAIN, TRAIN[:0], seed=0)
        aucs[each] = evaluate.auc(labels, fitted.scores(test, np.arange(120)))
    assert aucs[name] > 0.95
    assert aucs["no-network"] < 0.8


@pytest.mark.parametrize(
    ("name", "windows", "message"),
    [
        ("ppca-4", 4, "ppca-4 needs more than 4 windows to learn from, got 4"),
        ("gaussian", 1, "at least 2 windows, got 1"),
    ],
)
def test_too_few_windows_are_refused(name: str, windows: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        get(name, TASK).fit(TRAIN[:windows], TRAIN[:0], seed=0)


@pytest.mark.parametrize("name", ["ppca-4", "gaussian", "no-network+mahalanobis"])
def test_windows_without_any_variation_still_give_finite_scores(name: str) -> None:
    fitted = get(name, TASK).fit(np.ones_like(TRAIN), TRAIN[:0], seed=0)
    scores = fitted.scores(np.concatenate([np.ones_like(TRAIN[:1]), TEST[:3]]), np.arange(4))
    assert np.isfinite(scores).all()
    assert scores[0] < scores[1:].min()
