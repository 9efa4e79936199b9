"""What a detector looks at: the integers of a view are those numbers that it was learned with."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from outliernets.errors import ConfigError
from outliernets.view import MAX_FRAMES, STATISTICS, Part, View, ViewPlan, ViewSpec

BANDS = 16
ROW = (12 / 255, -1)


def standardised(rows: np.ndarray) -> np.ndarray:
    """What int8 rows stand for."""
    return (ROW[0] * (rows.astype(float) - ROW[1])).astype(np.float32)


def some_rows(seed: int, frames: int, steadiness: float) -> np.ndarray:
    """Windows [5, frames, bands] of int8, of noise around a level of each window and band."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(-128, 127, (5, 1, BANDS))
    noise = rng.uniform(-128, 127, (5, frames, BANDS))
    return np.clip(steadiness * level + (1 - steadiness) * noise, -128, 127).astype(np.int8)


def planned(spec: ViewSpec, frames: int, seed: int = 0) -> tuple[View, ViewPlan, float, int]:
    view = spec.fit(standardised(some_rows(seed + 77, frames, 0.5)), 6.0)
    zero_point = -1  # all of +- limit is in range
    scale = 2 * view.limit / 255 if spec.parts else ROW[0]
    plan = ViewPlan.make(view, frames, BANDS, ROW, (scale, zero_point))
    return view, plan, scale, zero_point


CROPS = st.tuples(st.sampled_from([None, 1, 5]), st.sampled_from([None, (0, 8), (4, 12), (12, 16)]))


def error(spec: ViewSpec, rows: np.ndarray, seed: int = 0) -> float:
    """The largest distance of a view in integers from the one in floats, in steps."""
    view, plan, scale, zero_point = planned(spec, rows.shape[1], seed)
    exact = view.apply(standardised(rows)).reshape(len(rows), -1) / scale + zero_point
    found = plan.apply(rows.reshape(len(rows), -1)).astype(float)
    return float(np.abs(found - np.clip(exact, -128, 127)).max())


PARTS = st.builds(
    Part,
    st.sampled_from(STATISTICS),
    st.sampled_from([1, 2, 4, 8, 16]),
    st.sampled_from([0.25, 0.5, 1.0, 3.0]),
)


def test_what_is_cropped_is_the_view_of_what_is_left():
    rows = some_rows(4, 8, 0.3)
    for spec in (
        ViewSpec(),
        ViewSpec(pool=2),
        ViewSpec(parts=(Part("mean", 4), Part("deviation", 8), Part("maximum", 2))),
    ):
        cropped = replace(spec, frames=6, bands=(4, 12))
        left = rows[:, 2:, 4:12]
        found = cropped.raw(standardised(rows))
        np.testing.assert_array_equal(found, spec.raw(standardised(left)))
        assert cropped.shape(8, BANDS) == spec.shape(6, 8) == found.shape[1:]


@given(CROPS, st.sampled_from([1, 5, 32]), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_crops_are_exact(crop, frames, seed):
    rows = some_rows(seed, max(frames, crop[0] or 1), 0.5)
    assert error(ViewSpec(frames=crop[0], bands=crop[1]), rows) < 1e-4


@given(
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from([1, 5, 32, MAX_FRAMES]),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
)
@settings(max_examples=150)
def test_statistics_are_within_a_step_of_the_floats(parts, frames, seed, steadiness):
    rows = some_rows(seed, frames, steadiness)
    spec = ViewSpec(parts=tuple(parts))
    try:
        found = error(spec, rows, seed % 100)
    except ConfigError:
        reject()  # weights that the integers have no room for; tested below
    assert found <= 1


def test_uneven_weights_are_refused():
    parts = (Part("deviation", 1, 0.25), Part("deviation", 1, 3.0))
    with pytest.raises(ConfigError, match="deviation with weight 3 does not fit"):
        planned(ViewSpec(parts=parts), 32, seed=1)


@given(st.sampled_from([2, 4, 8]), st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=50)
def test_pooled_frames_are_to_nearest(pool, seed, steadiness):
    assert error(ViewSpec(pool=pool), some_rows(seed, 32, steadiness)) <= 0.5 + 1e-4


def test_a_window_is_copied():
    _, plan, *_ = planned(ViewSpec(), 32)
    rows = some_rows(3, 32, 0.2).reshape(5, -1)
    assert plan.is_window
    np.testing.assert_array_equal(plan.apply(rows), rows)
    assert plan == ViewPlan.whole(32, BANDS)


def test_the_root_of_the_largest_deviation_is_exact():
    """Frames * squares, shifted, come within 1 % of what 32 bits hold."""
    view = View(ViewSpec(parts=(Part("deviation", BANDS),)), None, 6.0)
    plan = ViewPlan.make(view, MAX_FRAMES, BANDS, ROW, (6 / 127.5, 0))
    extremes = np.where(np.arange(MAX_FRAMES) % 2, -128, 127)[:, None] + np.zeros(BANDS, int)
    rows = extremes.astype(np.int8).reshape(1, -1)
    np.testing.assert_array_equal(plan.apply(rows), np.full((1, BANDS), 127, np.int8))
    steady = np.full((1, MAX_FRAMES * BANDS), -128, np.int8)
    np.testing.assert_array_equal(plan.apply(steady), np.zeros((1, BANDS), np.int8))


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        (ViewSpec(), "a window of 32 x 16"),
        (ViewSpec(pool=4), "8 x 16: each the mean of 4 of 32 frames"),
        (ViewSpec(frames=8), "8 x 16: the last 8 of 32 frames"),
        (ViewSpec(pool=2, bands=(4, 12)), "16 x 8: each the mean of 2 of 32 frames, bands 4 to 11"),
        (
            ViewSpec(parts=(Part("mean", 8), Part("maximum", 4), Part("deviation", 4))),
            "16 statistics of 32 frames: 8 means, 4 maxima, 4 deviations",
        ),
    ],
)
def test_a_view_says_what_it_is(spec, title):
    assert planned(spec, 32)[1].title == title


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: ViewSpec(pool=3), "view: pool = 3 is not possible; give 1, 2, 4 or 8"),
        (lambda: ViewSpec(2, (Part("mean", 4),)), "view: give either pool or statistics, not both"),
        (lambda: ViewSpec(parts=(Part("median", 4),)), "view: unknown statistic 'median'"),
        (lambda: ViewSpec(parts=(Part("mean", 4, 17),)), "view: weight = 17 of mean"),
        (lambda: ViewSpec(pool=8).shape(12, 16), "view: windows of 12 frames; needs a multiple"),
        (lambda: ViewSpec(2).shape(66, 16), "view: windows of 66 frames"),
        (lambda: ViewSpec(parts=(Part("mean", 3),)).shape(32, 16), "16 bands do not pool to 3"),
        (
            lambda: ViewSpec(bands=(4, 10)),
            r"view: bands = \[4, 10\] is not possible; give multiples",
        ),
        (lambda: ViewSpec(bands=(8, 8)), r"view: bands = \[8, 8\] is not possible"),
        (lambda: ViewSpec(bands=(8, 20)).shape(32, 16), "32 frames and bands 8 to 20 of windows"),
        (lambda: ViewSpec(frames=33).shape(32, 16), "view: 33 frames and bands 0 to 16 of windows"),
        (lambda: ViewSpec(frames=0).shape(32, 16), "view: 0 frames"),
        (lambda: ViewSpec(4, frames=6).shape(32, 16), "windows of 6 frames; needs a multiple of 4"),
    ],
)
def test_what_is_not_possible(make, reason):
    with pytest.raises(ConfigError, match=reason):
        make()
