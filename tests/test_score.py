"""The anomaly score in integers stands for what the floats say."""

import numpy as np
import pytest

from outliernets.errors import ConfigError
from outliernets.graph import Tensor
from outliernets.score import KINDS, ScorePlan, ScoreSpec

ROWS, COLUMNS, BANDS = 8, 64, 16
WINDOWS = 12
CLIPS = np.repeat([5, 9], [7, 5])


X, Y = Tensor("x", (1, 512), "int8", (0.03,), -7), Tensor("y", (1, 512), "int8", (0.021,), 4)


def maps(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Input and output of windows: the output follows the input, as a network's does."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (WINDOWS, ROWS * COLUMNS))
    y = np.clip(0.6 * x * X.scale / Y.scale + rng.normal(5, 20, x.shape), -128, 127)
    return x.astype(np.int8), y.astype(np.int8)


def learned(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Mean and factor of a Mahalanobis distance."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.2, BANDS), rng.normal(0, 1.5, (BANDS, BANDS))


def plan_of(spec: ScoreSpec) -> ScorePlan:
    plan = ScorePlan.make(X, Y, spec, ROWS)
    return plan.with_distance(*learned()) if spec.kind == "mahalanobis" else plan


def levels_of(residual: np.ndarray, memory: int) -> np.ndarray:
    """Means of bands over the window, then over windows of a clip."""
    levels = residual.mean(axis=1).reshape(WINDOWS, BANDS, -1).mean(axis=2)
    for i in range(1, WINDOWS):
        seen = min(np.sum(CLIPS[: i + 1] == CLIPS[i]), memory)
        if seen > 1:
            levels[i] = levels[i - 1] + (levels[i] - levels[i - 1]) / seen
    return levels


def exact(spec: ScoreSpec, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The score in floats."""
    real = (x.astype(float) - X.zero_point) * X.scale - (y.astype(float) - Y.zero_point) * Y.scale
    residual = real.reshape(WINDOWS, ROWS, COLUMNS)
    if not spec.is_banded:
        rows = np.square(residual).mean(axis=2)
        return rows.max(axis=1) if spec.kind == "peak" else rows.mean(axis=1)
    levels = levels_of(residual, spec.memory)
    if spec.kind == "mahalanobis":
        mean, factor = learned()
        return np.square((levels - mean) @ factor.T).sum(axis=1)
    return np.square(levels).mean(axis=1)


SPECS = [
    ScoreSpec(),
    ScoreSpec("peak"),
    *(ScoreSpec(kind, BANDS, memory) for kind in KINDS[2:] for memory in (1, 3)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.kind}-{s.memory}")
def test_integers_stand_for_the_floats(spec):
    plan, (x, y) = plan_of(spec), maps()
    expected = exact(spec, x, y)
    np.testing.assert_allclose(plan.real(plan.sums(x, y, CLIPS)), expected, rtol=1e-3)


def test_memory_is_forgotten_between_clips():
    x, y = maps()
    plan = plan_of(ScoreSpec("bands", BANDS, 4))
    together, apart = plan.sums(x, y), plan.sums(x, y, CLIPS)
    np.testing.assert_array_equal(together[:7], apart[:7])
    assert together[7] != apart[7]
    np.testing.assert_array_equal(plan.sums(x[7:], y[7:]), apart[7:])


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.kind}-{s.memory}")
@pytest.mark.parametrize(("low", "high"), [(-128, 127), (127, -128)])
def test_no_sum_overflows(spec, low, high):
    """The largest residual there is, in Python's integers."""
    plan = plan_of(spec)
    x = np.full((1, ROWS * COLUMNS), low, np.int8)
    y = np.full((1, ROWS * COLUMNS), high, np.int8)
    step = (low - plan.x_zero) * plan.x_gain - (high - plan.y_zero) * plan.y_gain
    assert abs(step) < 2**31
    if not spec.is_banded:
        exact_sum = step**2 * (COLUMNS if spec.kind == "peak" else ROWS * COLUMNS)
    else:
        levels = [step * ROWS * COLUMNS // BANDS] * BANDS
        assert abs(levels[0]) < 2**29
        if plan.distance is not None:
            apart = [a - b for a, b in zip(levels, plan.distance.mean, strict=True)]
            products = [
                sum(f * a for f, a in zip(row, apart, strict=True)) for row in plan.distance.factor
            ]
            levels = [p >> plan.distance.shift for p in products]
            assert max(map(abs, levels)) < 2**29
        exact_sum = sum(level**2 for level in levels)
    assert exact_sum < 2**64
    assert int(plan.sums(x, y)[0]) == exact_sum


def test_a_distance_of_many_bands_fits():
    """Squares of 512 bands, each as large as can be."""
    many = 512
    plan = ScorePlan.make(X, Y, ScoreSpec("mahalanobis", many), 1)
    plan = plan.with_distance(np.zeros(many), np.ones((many, many)))
    x, y = np.full((1, many), -128, np.int8), np.full((1, many), 127, np.int8)
    assert plan.distance is not None
    step = (-128 - plan.x_zero) * plan.x_gain - (127 - plan.y_zero) * plan.y_gain
    level = (step * many * plan.distance.factor[0][0]) >> plan.distance.shift
    assert level**2 * many < 2**64
    assert int(plan.sums(x, y)[0]) == level**2 * many


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: ScoreSpec("rms"), "score: unknown kind 'rms'"),
        (lambda: ScoreSpec("bands", 16, 0), "score: memory = 0 windows is not possible"),
        (lambda: ScoreSpec("bands", 16, 1025), "give 1 ... 1024"),
        (lambda: ScoreSpec("peak", memory=2), "score: peak has no memory"),
        (lambda: ScorePlan.make(X, Y, ScoreSpec("bands", 24), ROWS), "64 columns of the input do"),
        (
            lambda: plan_of(ScoreSpec("bands", BANDS)).with_distance(
                np.full(BANDS, 1e4), np.eye(BANDS)
            ),
            "score: a mean of 10000 deviations is more than a band can have",
        ),
    ],
)
def test_what_is_not_possible(make, reason):
    with pytest.raises(ConfigError, match=reason):
        make()
