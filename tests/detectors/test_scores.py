"""Scores of what is left of a window: equal to their formulae, and blind or not to time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.detectors import scores
from outliernets.detectors.normal import Normal
from outliernets.detectors.scores import Score, score
from outliernets.errors import ConfigError
from outliernets.evaluate import mse_scores
from tests.detectors.sound import hums

X = hums(12)
CLIPS = np.repeat([0, 1, 2], [5, 3, 4])


def of(name: str, train: np.ndarray, residual: np.ndarray, clips: np.ndarray) -> np.ndarray:
    return Score.fit(score(name), train).of(residual, clips)


def test_mse_is_the_build_s_score() -> None:
    found = of("mse", X, X, CLIPS)
    np.testing.assert_allclose(found, mse_scores(X, np.zeros_like(X)), rtol=1e-6)


def test_band_residuals_are_squared_after_averaging() -> None:
    found = of("bands", X, X, CLIPS)
    for n, window in enumerate(X.astype(float)):
        b = [window[:, 2 * i : 2 * i + 2].mean() for i in range(64)]
        assert found[n] == pytest.approx(np.mean(np.square(b)), rel=1e-5)


def test_fluctuations_cancel_in_the_bands_but_not_in_the_mean_square() -> None:
    flutter = np.tile([[1.0], [-1.0]], (16, 128))[None].astype(np.float32)
    clips = np.array([0])
    assert of("bands", X, flutter, clips) == pytest.approx(0)
    assert of("mse", X, flutter, clips) == pytest.approx(1)


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
    st.floats(0.01, 1.0),
    st.integers(0, 9),
)
def test_running_mean_follows_its_rule(lengths: list[int], rate: float, seed: int) -> None:
    clips = np.repeat(np.arange(len(lengths)) * 3, lengths)
    values = np.random.default_rng(seed).normal(size=(len(clips), 2))
    expected = []
    for clip in np.unique(clips):
        mean = np.zeros(2)
        for k, value in enumerate(values[clips == clip]):
            mean = mean + max(1 / (k + 1), rate) * (value - mean)
            expected.append(mean)
    np.testing.assert_allclose(scores.running_mean(values, clips, rate), expected, atol=1e-12)


def test_running_mean_is_the_mean_while_the_clip_is_short_and_never_looks_ahead() -> None:
    values = np.random.default_rng(0).normal(size=(12, 64))
    means = scores.running_mean(values, CLIPS, 1 / 16)
    np.testing.assert_allclose(means[4], values[:5].mean(axis=0))
    np.testing.assert_allclose(means[5], values[5])
    values[4] += 100
    np.testing.assert_array_equal(scores.running_mean(values, CLIPS, 1 / 16)[:4], means[:4])


def test_peak_is_the_largest_mean_square_of_a_frame() -> None:
    quiet = np.zeros((1, 32, 128), np.float32)
    quiet[0, 7] = 3
    assert of("peak", X, quiet, CLIPS[:1]) == pytest.approx(9)
    assert of("mse", X, quiet, CLIPS[:1]) == pytest.approx(9 / 32)


def test_running_score_of_the_first_window_is_the_band_score() -> None:
    running = of("running", X, X, CLIPS)
    bands = of("bands", X, X, CLIPS)
    np.testing.assert_allclose(running[[0, 5, 8]], bands[[0, 5, 8]])
    assert not np.allclose(running, bands)


def test_mahalanobis_is_the_distance_of_32_bands_and_keeps_560_numbers() -> None:
    train = hums(200, seed=1)
    fitted = Score.fit(score("mahalanobis"), train)
    assert (fitted.params, fitted.macs) == (560, 528)
    pooled = [scores.band_residual(x, 32) for x in (train, X)]
    expected = Normal.fit(pooled[0]).distance(pooled[1])
    np.testing.assert_allclose(fitted.of(X, CLIPS), expected)
    assert fitted.of(3 * X, CLIPS).mean() > 3 * fitted.of(X, CLIPS).mean()


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'bands'"):
        score("band")
