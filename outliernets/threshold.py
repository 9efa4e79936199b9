"""Thresholds from the scores of held-out normal sound, for a stated rate of false alarms.

An alarm needs at least one window above the threshold. So where a window is above it with
probability ``p``, there are at most ``p`` times the windows of an hour false alarms in an hour.

How often that is cannot be known from a few minutes of sound. A distribution reaches further, as
far as normal sound follows it; ``Threshold.supported_per_hour`` is what the sound vouches for.
Scores that follow each other are alike, so a recording says less than its windows seem to: mean and
deviation are taken as high as they may well be. ``bench/false_alarms.py`` counts what comes of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outliernets.errors import ConfigError, DataError

METHODS = ("gamma", "quantile")
MIN_SCORES = 20  #: fewer say too little about the tail
#: of the fitted distribution, at least, that of exponential tails: noises from elsewhere add to a
#: score, never take away, and a short recording has not met the rare ones (docs/firmware.md)
MIN_SKEWNESS = 2.0
#: that mean and deviation of all normal sound are not above what the threshold is made from
LEVEL_CONFIDENCE = 0.9
CONFIDENCE = 0.95
_ALIKE = 0.05  #: correlation below which scores count as independent
_MOST_LAGS = 40  #: windows
_HOUR = 3600.0  # seconds


@dataclass(frozen=True)
class Threshold:
    """Where an alarm begins and ends, and what that promises."""

    threshold: int
    release: int  #: half way between the median of normal sound and the threshold
    method: str
    false_alarms_per_hour: float  #: asked for
    window_probability: float  #: of one normal window being above the threshold
    scores: int  #: windows it was made from
    independent_scores: float  #: as many independent ones say as much
    above: int  #: how many of these are above it
    #: the true rate is below this with 95 % confidence, were windows independent
    supported_per_hour: float
    #: Kolmogorov-Smirnov distance of the scores and a gamma distribution of their moments
    fit_distance: float | None


def window_probability(false_alarms_per_hour: float, window_seconds: float) -> float:
    """Return how often one window may be above the threshold; ConfigError if that is no rate."""
    if window_seconds <= 0:
        raise ConfigError(f"windows of {window_seconds:g} s are not possible")
    most = _HOUR / window_seconds
    if not 0 < false_alarms_per_hour < most:
        raise ConfigError(
            f"{false_alarms_per_hour:g} false alarms per hour are not possible: give more than 0 "
            f"and less than the {most:g} windows of an hour"
        )
    return false_alarms_per_hour / most


def calibrate(
    scores: ArrayLike,
    false_alarms_per_hour: float,
    window_seconds: float,
    method: str = "gamma",
) -> Threshold:
    """Return the threshold for a rate of false alarms, from scores [n] of normal windows.

    ``gamma`` takes a gamma distribution (with a location) whose mean, deviation and skewness are
    the scores' and a margin for how few they are, and reaches beyond the largest score;
    ``quantile`` takes the scores as they are, and refuses rates that they are too few for. The
    scores are in the order in which they were heard.

    Raises:
        ConfigError: the rate or the method is not possible.
        DataError: too few scores, or scores that are all equal.
    """
    probability = window_probability(false_alarms_per_hour, window_seconds)
    values = np.asarray(scores, np.float64).ravel()
    if len(values) < MIN_SCORES:
        raise DataError(
            f"only {len(values)} windows of normal sound to set a threshold from, {MIN_SCORES} are "
            f"needed: record {(MIN_SCORES - len(values)) * window_seconds:.0f} seconds more"
        )
    if method == "gamma":
        limit, distance = _gamma_limit(values, probability)
    elif method == "quantile":
        limit, distance = _quantile_limit(values, probability, window_seconds), None
    else:
        raise ConfigError(f"unknown method '{method}'; give one of {', '.join(METHODS)}")
    median = float(np.median(values))
    threshold = _whole(limit)
    above = int((values > threshold).sum())
    return Threshold(
        threshold=threshold,
        release=min(_whole((median + limit) / 2), threshold),
        method=method,
        false_alarms_per_hour=false_alarms_per_hour,
        window_probability=probability,
        scores=len(values),
        independent_scores=round(independent(values), 1),
        above=above,
        supported_per_hour=_upper_bound(above, len(values)) * _HOUR / window_seconds,
        fit_distance=distance,
    )


def _whole(score: float) -> int:
    return min(int(score), 2**64 - 1)


def independent(values: NDArray[np.float64]) -> float:
    """Return how many independent scores say as much about the mean as these, in their order.

    By their autocorrelation, up to where it is lost in noise; at least 2.
    """
    centred = values - values.mean()
    power = float(centred @ centred)
    alike = 1.0  # how many scores in a row are as good as one
    for lag in range(1, min(len(values) // 3, _MOST_LAGS)):
        correlation = float(centred[:-lag] @ centred[lag:]) / power if power else 0.0
        if correlation <= _ALIKE:
            break
        alike += 2.0 * correlation
    return max(len(values) / alike, 2.0)


def _gamma_limit(values: NDArray[np.float64], probability: float) -> tuple[float, float]:
    """Return the score a gamma distribution exceeds so often, and its distance from the scores."""
    from scipy import stats

    if values.min() == values.max():
        raise DataError("scores that are all equal have no distribution")
    mean, deviation, count = values.mean(), values.std(ddof=1), independent(values)
    units = (values - mean) / deviation
    skewness = float(stats.skew(units))
    # pearson3 is a gamma distribution of mean 0 and deviation 1
    distance = float(stats.kstest(units, stats.pearson3(skewness).cdf).statistic)
    # upper bounds of the deviation, and then of the mean, as of so many normal scores
    free = count - 1
    deviation *= np.sqrt(free / stats.chi2.ppf(1 - LEVEL_CONFIDENCE, free))
    mean += deviation / np.sqrt(count) * stats.norm.ppf(LEVEL_CONFIDENCE)
    reach = stats.pearson3(max(skewness, MIN_SKEWNESS)).isf(probability)
    return float(mean + deviation * reach), distance


def _upper_bound(above: int, count: int) -> float:
    """Return what a probability is at most, by ``above`` of ``count`` (Clopper, Pearson)."""
    from scipy import stats

    if above == count:
        return 1.0
    return float(stats.beta.ppf(CONFIDENCE, above + 1, count - above))


def _quantile_limit(
    values: NDArray[np.float64], probability: float, window_seconds: float
) -> float:
    if probability * len(values) < 1:
        seconds = (1 / probability - len(values)) * window_seconds
        raise DataError(
            f"{len(values)} windows of normal sound are too few for the quantile "
            f"{1 - probability:.6g}: record {seconds:.0f} seconds more, or use the method gamma"
        )
    return float(np.quantile(values, 1 - probability, method="higher"))
