"""Thresholds keep the rate of false alarms they promise."""

import numpy as np
import pytest

from outliernets.errors import ConfigError, DataError
from outliernets.threshold import calibrate, independent, window_probability

WINDOW = 1.024  #: seconds


def normal(n: int, seed: int = 1) -> np.ndarray:
    return 2.0**54 * np.random.default_rng(seed).gamma(30.0, 1 / 30, n)


def test_the_rate_is_that_of_windows() -> None:
    assert window_probability(1.0, 3.6) == pytest.approx(1e-3)


@pytest.mark.parametrize("rate", [1.0, 20.0, 100.0])
def test_gamma_keeps_its_promise_beyond_the_scores_it_saw(rate: float) -> None:
    """200 windows say what happens once in 3,500, where the scores are of a gamma distribution."""
    probability = window_probability(rate, WINDOW)
    fresh = normal(2_000_000, seed=2)
    rates = []
    for seed in range(20):
        found = calibrate(normal(200, seed=100 + seed), rate, WINDOW)
        rates.append((fresh > found.threshold).mean() / probability)
        assert found.fit_distance is not None
        assert found.fit_distance < 0.2
        assert found.release < found.threshold
    assert np.median(rates) < 1.0  # more skewed than these scores are: on the safe side ...
    assert max(rates) < 5
    assert found.threshold < 2.5 * fresh.mean()  # ... and not by far


def test_gamma_follows_scores_that_are_more_skewed() -> None:
    """Exponential scores: gamma is exact, and the threshold must be far out."""
    values = 2.0**54 * np.random.default_rng(5).exponential(1.0, 20_000)
    found = calibrate(values, 10.0, WINDOW)
    assert found.fit_distance is not None
    assert found.fit_distance < 0.03
    exact = -np.log(found.window_probability)
    assert found.threshold == pytest.approx(2.0**54 * exact, rel=0.1)


def heard(n: int, rng: np.random.Generator) -> np.ndarray:
    """Scores as a detector has them: ten in a row share a clip's noise; then they are smoothed."""
    clips = np.repeat(rng.gamma(2.0, 1.0, n // 10 + 1), 10)[:n]
    scores = 10.0 + clips + rng.gamma(2.0, 0.5, n)
    means = scores[:1].tolist()
    for score in scores[1:]:
        means.append(means[-1] + (score - means[-1]) / 4)
    return 2.0**50 * np.array(means)


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_two_minutes_of_scores_that_are_alike_keep_the_promise_too(rate: float) -> None:
    """A window above is no alarm yet, but without one there is none."""
    rng = np.random.default_rng(3)
    fresh = heard(200_000, rng)
    rates = []
    for _ in range(60):
        found = calibrate(heard(117, rng), rate, WINDOW)
        assert found.independent_scores < 40
        rates.append((fresh > found.threshold).mean() * 3600 / WINDOW)
    assert np.median(rates) < rate
    assert np.mean(rates) < 2 * rate


def test_more_sound_needs_less_margin() -> None:
    rng = np.random.default_rng(4)
    short = np.median([calibrate(heard(117, rng), 1.0, WINDOW).threshold for _ in range(20)])
    assert calibrate(heard(20_000, rng), 1.0, WINDOW).threshold < short


def test_how_many_scores_are_independent() -> None:
    rng = np.random.default_rng(6)
    alone = rng.normal(size=5000)
    assert independent(alone) == pytest.approx(5000, rel=0.15)
    assert independent(np.repeat(alone, 10)) == pytest.approx(5000, rel=0.15)
    assert independent(np.arange(9.0)) >= 2


@pytest.mark.parametrize(("count", "above"), [(100, 0), (100, 1), (3000, 0)])
def test_what_the_scores_vouch_for(count: int, above: int) -> None:
    """None of n above: the rule of three."""
    values = np.linspace(1e6, 2e6, count)
    values[count - above :] = 1e9
    found = calibrate(values, 3000.0 * above / count + 1.0, WINDOW)
    limit = {0: 3.0, 1: 4.74}[found.above] / count
    assert found.supported_per_hour == pytest.approx(limit * 3600 / WINDOW, rel=0.03)


def test_quantile_leaves_so_many_above() -> None:
    values = normal(10_000)
    found = calibrate(values, 35.15625, WINDOW, "quantile")  # 1 % of the windows
    assert found.above == (values > found.threshold).sum()
    assert 90 <= found.above <= 100
    assert np.median(values) < found.release < found.threshold


def test_more_false_alarms_mean_a_lower_threshold() -> None:
    limits = [calibrate(normal(300), rate, WINDOW).threshold for rate in (0.1, 1.0, 10.0)]
    assert limits == sorted(limits, reverse=True)


@pytest.mark.parametrize(
    ("count", "rate", "method", "error", "said"),
    [
        (10, 1.0, "gamma", DataError, "only 10 windows .* 20 are needed: record 10 seconds more"),
        (200, 1.0, "quantile", DataError, "too few for the quantile .* record 3395 seconds more"),
        (200, 0.0, "gamma", ConfigError, "more than 0 and less than the 3515.62 windows"),
        (200, 4000.0, "gamma", ConfigError, "4000 false alarms"),
        (200, 1.0, "normal", ConfigError, "unknown method 'normal'; give one of gamma, quantile"),
    ],
)
def test_what_cannot_be_promised_is_refused(count, rate, method, error, said) -> None:
    with pytest.raises(error, match=said):
        calibrate(normal(count), rate, WINDOW, method)


def test_equal_scores_are_refused() -> None:
    with pytest.raises(DataError, match="all equal"):
        calibrate(np.ones(100), 1.0, WINDOW)


def test_a_threshold_always_fits_the_firmware() -> None:
    found = calibrate(normal(100) * 2**10, 1e-6, WINDOW)
    assert found.threshold <= 2**64 - 1
